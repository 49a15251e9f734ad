"""The search language: what queries mean of cells and of results, and where they are wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from harness.cells import Cell
from harness.errors import SelectionError
from runner.core.query.completion import complete
from runner.core.query.nodes import Facts, Past, Sibling
from runner.core.query.reader import QueryError, parse
from runner.core.runs import CellVerdict, Verdict

CELLS = [
    Cell.parse(f"{name}/{shapes}/{backend}")
    for name in ("llama/LlamaForCausalLM", "bert/BertModel")
    for shapes in ("forward-static", "forward-dynamic")
    for backend in ("dynamo", "onnx")
]


def _facts(  # noqa: PLR0913  (what a query can ask for)
    verdict: Verdict = Verdict.FAIL,
    *,
    cell: Cell = CELLS[0],
    siblings: Mapping[str, Verdict] | None = None,
    past: Sequence[Verdict] | None = None,
    states: frozenset[str] | None = None,
    delta: float | None = None,
) -> Facts:
    found = CellVerdict(
        cell=cell,
        verdict=verdict,
        max_abs_diff=delta,
        peak_rss_bytes=600 * 2**20,
        duration_s=90.0,
        attempts=1,
    )
    return Facts(cell=cell, found=found, siblings=siblings, past=past, states=states)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 8),
        ("llama bert", 8),
        ("llama and bert", 0),
        ("llama or bert", 8),
        ("not bert", 4),
        ("NOT bert", 4),
        ("not not bert", 4),
        ("all not (bert or variant:*-dynamic)", 2),
        ("llama variant:forward-static or bert backend:onnx", 4),
        ("(llama or bert) and backend:onnx", 4),
        ("llama or bert and backend:onnx", 6),
        ("llama not backend:onnx not variant:forward-static", 1),
    ],
)
def test_words_side_by_side_bind_tighter_than_and_and_that_than_or(query: str, count: int) -> None:
    assert len(parse(query).cells(CELLS)) == count


@pytest.mark.parametrize("query", ["outcome:pass", "not outcome:pass", "time>5", "not is:flaky"])
def test_what_only_results_can_answer_leaves_out_no_cell_that_is_to_run(query: str) -> None:
    assert len(parse(query).cells(CELLS)) == 8
    assert len(parse(f"({query}) bert").cells(CELLS)) == 4


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("outcome:fail not kind:mismatch", True),
        ("not outcome:fail", False),
        ("time>80", True),
        ("time>1.5m", False),
        ("time>=1.5m", True),
        ("memory>500MiB memory<1gib", True),
        ("memory>0.6GiB", False),
        ("attempts<=1", True),
        ("delta>0", False),
        ("not delta>0", True),
    ],
)
def test_results_are_asked_for_their_outcome_and_their_numbers(query: str, *, meant: bool) -> None:
    assert parse(query).matches(_facts()) is meant


def test_results_are_selected_by_outcome_kind_and_group() -> None:
    found = CellVerdict(
        cell=CELLS[0], verdict=Verdict.FAIL, kind="mismatch", signature="s1-0123456789ab"
    )
    facts = Facts(cell=found.cell, found=found)
    assert parse("outcome:fail kind:mis* group:s1-*").matches(facts)
    assert not parse("outcome:pass").matches(facts)
    assert not parse("outcome:fail model:bert").matches(facts)


def test_a_difference_is_compared_as_it_is_written() -> None:
    assert parse("delta>=1e-3").matches(_facts(delta=0.001))
    assert not parse("delta>1e-3").matches(_facts(delta=0.001))


def test_other_backends_of_the_same_case_can_be_asked() -> None:
    query = parse("onnx:fail and dynamo:pass")
    assert query.asks(Sibling)
    assert not query.asks(Past)
    both = {"onnx": Verdict.FAIL, "dynamo": Verdict.PASS}
    assert query.matches(_facts(siblings=both))
    assert not query.matches(_facts(siblings={"onnx": Verdict.FAIL}))


@pytest.mark.parametrize(
    ("query", "past", "meant"),
    [
        ("seq(pass !pass)", "pass fail", True),
        ("seq(pass !pass)", "fail pass skip fail", True),
        ("seq(pass !pass)", "fail fail pass", False),
        ("seq(pass fail)", "pass missing fail", True),
        ("seq(pass pass pass)", "pass pass", False),
        ("not seq(fail)", "pass pass", True),
    ],
)
def test_a_sequence_is_of_consecutive_runs(query: str, past: str, *, meant: bool) -> None:
    facts = _facts(past=[Verdict(word) for word in past.split()])
    assert parse(query).matches(facts) is meant


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("stack:torch==2.13*", True),
        ("stack:torch==2.13", False),
        ("stack:Torch-Nightly", True),
        ("stack:onnx==1.22* stack:onnx==1.23*", True),
        ("revision:5.23.0", True),
        ("revision:5.2?.0 not stack:torch==2.12*", True),
        ("outcome:fail revision:5.22.0", False),
        ("revision:5.22.0 or outcome:fail", True),
    ],
)
def test_a_result_is_asked_for_the_stack_and_the_revision_of_its_run(
    query: str, *, meant: bool
) -> None:
    stack = ("torch-nightly", "torch==2.13.0+cpu", "onnx==1.23.0")
    facts = replace(_facts(), run={"stack": stack, "revision": ("5.23.0",)})
    assert parse(query).matches(facts) is meant
    assert len(parse(query).cells(CELLS)) == 8


def test_a_standing_is_one_of_the_words_that_there_are() -> None:
    facts = _facts(states=frozenset({"regressed"}))
    assert parse("is:regressed").matches(facts)
    assert parse("IS:Regressed not is:carried").matches(facts)


@pytest.mark.parametrize(
    ("query", "wrong", "hint"),
    [
        ("bert and modle:llama", "modle:llama", "'model'"),
        ("bert or", "", "a word is missing"),
        ("(" * 60 + "bert" + ")" * 60, "(", "inside one another"),
        ("not " * 1000 + "bert", "not", "inside one another"),
        ("and bert", "and", "a word is missing"),
        ("not", "", "after `not`"),
        ("(bert or llama", "", "closing parenthesis"),
        ("bert ) llama", ")", "closes nothing"),
        ("is:regresed", "is:regresed", "'regressed'"),
        ("bert seq(pas fail)", "seq(pas fail)", "'pass'"),
        ("seq()", "seq()", "names outcomes"),
        ("memroy>5", "memroy>5", "'memory'"),
        ("memory>5parsec", "memory>5parsec", "GiB"),
        ("delta>1e", "delta>1e", "no number"),
        ("outcome:fial", "outcome:fial", "'fail'"),
    ],
)
def test_a_query_that_can_not_be_read_says_where_and_what(
    query: str, wrong: str, hint: str
) -> None:
    with pytest.raises(QueryError, match=hint) as raised:
        parse(query)
    assert query[raised.value.start : raised.value.end] == wrong
    assert isinstance(raised.value, SelectionError)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("bert mod", ["model:"]),
        ("model:l", ["model:llama", "model:llava"]),
        ("not outcome:t", ["outcome:timeout"]),
        ("(is:reg", ["is:regressed"]),
        ("tim", ["time>"]),
        ("lla", ["llama", "llava"]),
        ("bert an", ["and"]),
    ],
)
def test_the_last_word_is_completed(text: str, offered: list[str]) -> None:
    names = ["bert", "llama", "llava"]
    assert complete(text, {"": names, "model": names}) == offered


@pytest.mark.parametrize(
    ("atom", "most"), [("time>{}", 100), ("model:m{}", 100), ("seq(pass !pass)", 8)]
)
def test_a_query_of_too_many_conditions_is_refused(atom: str, most: int) -> None:
    texts = [" or ".join(atom.format(each) for each in range(most + more)) for more in (0, 1)]
    assert len(parse(texts[0]).leaves) == most
    with pytest.raises(QueryError, match=f"more than {most} "):
        parse(texts[1])


def test_thousands_of_names_may_be_asked_for_and_a_thousand_wildcards() -> None:
    names = " ".join(f"m{each}" for each in range(5000))
    cell = Cell.parse("m4999/M/forward-static/onnx")
    assert parse(names).cells([*CELLS, cell]) == [cell]
    wild = [" ".join(f"m{each}*" for each in range(1000 + more)) for more in (0, 1)]
    assert parse(wild[0]).cells([*CELLS, cell]) == [cell]
    with pytest.raises(QueryError, match="more than 1000 words with wildcards"):
        parse(wild[1])
