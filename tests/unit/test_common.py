"""What several tracebacks have in common stands out; what is called alike is related."""

from runner.core.common import common_parts
from runner.core.related import related
from runner.core.runs import FailureGroup

LLAMA = "Traceback:\n  in modeling_llama.py, line 7\n    if mask.sum() == 0:\nValueError: no"
BERT = "Traceback:\n  in modeling_bert.py, line 9\n    if mask.sum() == 0:\nValueError: no"


def _common(text: str, *others: str) -> list[str]:
    lines = common_parts(text, others)
    return ["".join(part.text if part.common else "~" for part in line) for line in lines]


def test_lines_and_words_that_all_share_are_common() -> None:
    assert _common(LLAMA, BERT) == [
        "Traceback:",
        "  in ~.py, line ~",
        "    if mask.sum() == 0:",
        "ValueError: no",
    ]


def test_what_one_other_lacks_is_not_common() -> None:
    assert _common(LLAMA, BERT, "Traceback:\nKeyError: 1") == ["Traceback:", "~ ~", "~", "~"]


def test_nothing_is_common_to_one_alone_and_no_text_is_lost() -> None:
    assert _common(LLAMA) == ["~"] * 4
    whole = "\n".join("".join(part.text for part in line) for line in common_parts(LLAMA, [BERT]))
    assert whole == LLAMA


def _group(name: str, title: str, kind: str = "guard") -> FailureGroup:
    return FailureGroup(signature=name, title=title, kind=kind, owner="model", cells=1)


def test_groups_of_the_same_kind_that_are_called_alike_are_related() -> None:
    one = _group("a", "can't guard on attention mask")
    others = [
        one,
        _group("b", "can't guard on attention bias"),
        _group("c", "no conversion for cumsum", kind="conversion"),
        _group("d", "something else entirely"),
    ]
    assert [each.signature for each in related(one, others, limit=5)] == ["b"]
