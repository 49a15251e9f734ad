"""A failure is made smaller for as long as it holds."""

from collections.abc import Callable
from dataclasses import replace

from harness.reproduce.subject import Part, Subject, Tensor
from runner.core.shrink import flat, shrunk, suspects

IDS = Tensor(shape=(2, 8), dtype="int64", values=tuple(range(16)))
SUBJECT = Subject(
    backend="dynamo",
    module="transformers.models.toy.modeling_toy",
    model_class="ToyModel",
    configuration={
        "hidden_size": 64,
        "vocab_size": 128,
        "num_hidden_layers": 2,
        "layer_types": ["sliding", "full"],
        "num_heads": 4,
        "tie": True,
        "pad_token_id": 9,
        "inner": {"depth": 3},
    },
    inputs={"input_ids": IDS, "attention_mask": IDS, "flag": True},
    dynamic=True,
)
TRACE = """Traceback (most recent call last):
  File "/x/modeling_toy.py", line 105, in forward
    y = self.layer(x)
  File "/x/modeling_toy.py", line 12, in forward
    if x.sum() > 0:
ValueError: no
"""


def _part(path: str, name: str, first: int) -> Part:
    return Part(
        path=path,
        class_name=name,
        parameters=1,
        file="/x/modeling_toy.py",
        first=first,
        last=first + 10,
    )


PARTS = (
    _part("layers.0", "Layer", 100),
    _part("layers.0.norm", "Norm", 50),
    _part("layers.0.gate", "Gate", 10),
    _part("layers.1", "Layer", 100),
    _part("layers.1.gate", "Gate", 10),
)


def _shrunk(
    fails: Callable[[Subject], bool], start: Subject = SUBJECT
) -> tuple[Subject, list[tuple[str, bool]]]:
    asked: list[tuple[str, bool]] = []

    def holds(what: str, candidate: Subject) -> bool:
        asked.append((what, fails(candidate)))
        return asked[-1][1]

    return shrunk(start, PARTS, TRACE, holds), asked


def test_what_fails_whatever_it_has_is_left_with_almost_nothing() -> None:
    found, asked = _shrunk(lambda each: True)
    assert found.configuration == {
        "hidden_size": 8,
        "vocab_size": 8,
        "num_hidden_layers": 1,
        "num_heads": 1,
        "inner": {"depth": 1},
    }
    assert (found.inputs, found.dynamic, found.part) == ({}, False, "layers.0.gate")
    assert all(held for _, held in asked)


def test_what_it_needs_is_kept() -> None:
    def fails(each: Subject) -> bool:
        numbers = flat(each.configuration)
        enough = numbers["hidden_size",] >= 32 and numbers.get(("tie",)) is True
        return enough and each.dynamic and "attention_mask" in each.inputs

    found, _ = _shrunk(fails)
    assert found.configuration["hidden_size"] == 32
    assert found.configuration["tie"] is True
    assert "pad_token_id" not in found.configuration
    assert list(found.inputs) == ["attention_mask"]
    assert found.dynamic


def test_the_kind_of_layer_that_fails_is_the_one_that_stays() -> None:
    found, asked = _shrunk(lambda each: "full" in each.configuration.get("layer_types", ()))
    assert found.configuration["layer_types"] == ["full"]
    assert found.configuration["num_hidden_layers"] == 1
    assert ("num_hidden_layers 2 → 1", False) in asked


def test_nothing_smaller_than_what_holds_is_returned() -> None:
    found, _ = _shrunk(lambda each: False)
    assert found == SUBJECT


def test_one_trial_takes_away_whatever_does_not_matter() -> None:
    _, asked = _shrunk(lambda each: True)
    assert len(asked) < 20


def test_a_batch_and_a_length_get_smaller_together() -> None:
    found, _ = _shrunk(lambda each: "input_ids" in each.inputs and "attention_mask" in each.inputs)
    assert found.inputs["input_ids"] == Tensor(shape=(1, 1), dtype="int64", values=(0,))
    assert found.inputs["attention_mask"].shape == (1, 1)


def test_other_sizes_are_kept_where_only_they_fail() -> None:
    start = replace(SUBJECT, other=SUBJECT.inputs)
    found, asked = _shrunk(lambda each: each.other is not None, start)
    assert found.dynamic
    assert "static shapes" not in [what for what, _ in asked]


def test_the_parts_on_the_way_of_a_traceback_are_suspects_innermost_first() -> None:
    assert [each.path for each in suspects(PARTS, TRACE)] == ["layers.0.gate", "layers.0"]
    assert suspects(PARTS, "RuntimeError: no frames") == []


def test_parts_are_entered_where_the_traceback_says_nothing_of_them() -> None:
    asked: list[str] = []

    def holds(what: str, candidate: Subject) -> bool:
        asked.append(what)
        return candidate.part in ("", "layers.0", "layers.0.norm")

    found = shrunk(SUBJECT, PARTS, "RuntimeError: of a converter", holds)
    assert found.part == "layers.0.norm"
    assert "only layers.1 (Layer)" not in asked


def test_the_part_that_fails_alone_is_enough() -> None:
    found, asked = _shrunk(lambda each: each.part == "layers.0")
    assert found.part == "layers.0"
    assert ("only layers.0.gate (Gate)", False) in asked
