"""SELECT: what the words mean, and what is said of words that mean nothing."""

import pytest

from harness.cells import Cell
from harness.errors import SelectionError
from runner.core.presets import PRESETS
from runner.core.select import check_known, parse_words

CELLS = [
    Cell.parse(f"{name}/{shapes}/{backend}")
    for name in ("llama/LlamaForCausalLM", "bert/BertModel", "deberta_v2/DebertaV2Model")
    for shapes in ("forward-static", "forward-dynamic")
    for backend in ("dynamo", "onnx")
]


def _ids(*words: str) -> set[str]:
    return {cell.id for cell in parse_words(words).cells(CELLS)}


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["all"], 12),
        (["llama"], 4),
        (["LLAMA"], 4),
        (["*ForCausalLM"], 4),
        (["BertModel"], 4),
        (["deberta-v2"], 4),
        (["llama/*/forward-static"], 2),
        (["llama/*/*/onnx"], 2),
        (["llama/LlamaForCausalLM/forward-static/onnx"], 1),
        (["model:llama", "backend:onnx"], 2),
        (["model:llama", "model:bert"], 8),
        (["llama", "bert", "variant:*-dynamic"], 4),
        (["class:Bert*"], 4),
        (["llama bert"], 8),
    ],
    ids=str,
)
def test_words_of_one_key_are_alternatives_and_keys_all_hold(words: list[str], count: int) -> None:
    assert len(_ids(*words)) == count


def test_no_words_mean_the_smoke_preset() -> None:
    assert parse_words([]).globs == parse_words(["smoke"]).globs


def test_every_preset_can_be_read() -> None:
    assert all(parse_words([name]).globs for name in PRESETS)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["modle:llama"], "'model'"),
        (["model:"], "no value"),
        (["a/b/c/d/e"], "more parts"),
    ],
    ids=str,
)
def test_what_can_not_be_read_names_the_way_out(words: list[str], hint: str) -> None:
    with pytest.raises(SelectionError, match=hint):
        parse_words(words)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("lama", "'llama'"),
        ("backend:onx", "'onnx'"),
        ("llama/LlamaForCausalML/*", "'LlamaForCausalLM'"),
        ("llama/*/forward-statik/*", "'forward-static'"),
    ],
)
def test_a_word_that_names_nothing_is_answered_with_the_nearest(word: str, hint: str) -> None:
    with pytest.raises(SelectionError, match=hint):
        check_known(parse_words([word]), CELLS)


def test_a_selection_knows_whether_it_names_a_variant() -> None:
    assert parse_words(["llama/*/generate-static"]).names("variant")
    assert parse_words(["variant:generate-*"]).names("variant")
    assert not parse_words(["llama"]).names("variant")


@pytest.mark.parametrize(("word", "hint"), [("outcome:fial", "'fail'"), ("stage:lowr", "'lower'")])
def test_an_unknown_outcome_or_stage_is_answered_with_the_nearest(word: str, hint: str) -> None:
    with pytest.raises(SelectionError, match=hint):
        parse_words([word])


def test_a_preset_may_name_classes_that_a_revision_does_not_have() -> None:
    check_known(parse_words(["Smoke"]), CELLS)
