"""Results from JUnit XML, where its names say which cell a test is of.

- What `junit` writes, and pytest over `*.cells` files, name cells as they are.
- A test of Transformers' own suite is of a model type (its file), a backend and a variant (its
  name); the model class is named by a subtest, `[LlamaModel/prefill]`. pytest's XML leaves their
  names out, unless it is run with `-p harness.subtests`, which tells them as properties. A test
  that names no class makes no cell: what it passed can't be told, and is counted. Subtests of one
  class are components of one cell.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element, ParseError, fromstring

from harness.cells import Cell, Variant
from harness.errors import MatrixError, RecordError
from harness.results import ComponentResult, Outcome, Result

#: as `harness.subtests` calls it, which imports pytest
PROPERTY = "subtest"

_BACKENDS = {"torch": "dynamo", "onnx": "onnx", "executorch": "executorch", "openvino": "openvino"}
_THEIRS = re.compile(
    r"test_(?P<backend>torch|onnx|executorch|openvino)_export(?P<generate>_generate)?"
    r"_(?P<shapes>static|dynamic)(?P<cache>_static_cache)?\b"
)
_FILE = re.compile(r"tests[./]models[./](?P<type>\w+)[./]")
_SUBTEST = re.compile(r"[\[(](?:msg=)?'?(?P<class>[A-Z]\w+)/(?P<component>\w+)'?[\])]")
_NOT_PASSED = {"failed": "failure", "skipped": "skipped"}
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_TEXT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a file held."""

    results: tuple[Result, ...]
    #: tests whose names say no cell
    others: int
    #: the file's own properties: `run`, `revision`, `stack.torch`
    facts: Mapping[str, str]


def read_junit(text: str) -> Read:
    """The results of a file; `RecordError` if it is no JUnit XML."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise RecordError("JUnit XML has no DOCTYPE")
    try:
        root = fromstring(text)  # noqa: S314  (what could expand needs a DOCTYPE, refused above)
    except ParseError as error:
        raise RecordError(f"not XML ({error})") from None
    if root.tag not in ("testsuites", "testsuite"):
        raise RecordError(f"not JUnit XML: its root is {root.tag!r}")
    facts = {each.get("name", ""): each.get("value", "") for each in root.iter("property")}
    found: dict[Cell, Result] = {}
    others = 0
    for case in root.iter("testcase"):
        made = list(_results(case))
        others += not made and _spelled(case) is None
        for each in made:
            found[each.cell] = _worst(found[each.cell], each) if each.cell in found else each
    return Read(results=tuple(found.values()), others=others, facts=facts)


def _results(case: Element) -> Iterator[Result]:
    names = f"{case.get('classname', '')} {case.get('name', '')} {case.get('file', '')}"
    if cell := _spelled(case):
        # A run's own file tells what is missing as an error; it has no result.
        if not any(each.get("type") == "missing" for each in case):
            yield _result(cell, case, _problem(case))
        return
    if told := [each.get("value", "") for each in case.iter("property") if _is_subtest(each)]:
        yield from _of_subtests(names, case, told)
        return
    for problem in case:
        if problem.tag in ("failure", "error", "skipped"):
            said = f"{case.get('name', '')} {problem.get('message', '')} {problem.text or ''}"
            if made := _of_theirs(names, said):
                cell, component = made
                yield _result(cell, case, problem, component)


def _is_subtest(found: Element) -> bool:
    return found.get("name") == PROPERTY


def _of_subtests(names: str, case: Element, told: Sequence[str]) -> Iterator[Result]:
    """A result of each subtest; those that did not pass are in the order of the elements."""
    problems = {word: iter(case.findall(tag)) for word, tag in _NOT_PASSED.items()}
    for each in told:
        word = each.rpartition(" ")[2]
        problem = next(problems[word], None) if word in problems else None
        if made := _of_theirs(names, each):
            cell, component = made
            # How long each took is not told.
            yield _result(cell, case, problem, component, share=1 / len(told))


def _spelled(case: Element) -> Cell | None:
    """The cell that a name spells: as its id, or in two parts."""
    name, owner = case.get("name", ""), case.get("classname", "").replace(".", "/")
    for text in (name, f"{owner}/{name}"):
        with suppress(MatrixError):
            return Cell.parse(text)
    return None


def _of_theirs(names: str, said: str) -> tuple[Cell, str] | None:
    """The cell and component that a test of Transformers' own suite is of."""
    test, file, subtest = _THEIRS.search(names), _FILE.search(names), _SUBTEST.search(said)
    if not (test and file and subtest):
        return None
    kind = "generate" if test["generate"] else "forward"
    cached = "cache-" if test["cache"] else ""
    with suppress(ValueError):  # a dynamic static cache is no variant here
        variant = Variant(f"{kind}-{cached}{test['shapes']}")
        cell = Cell(file["type"], subtest["class"], variant, _BACKENDS[test["backend"]])
        return cell, subtest["component"]
    return None


def _problem(case: Element) -> Element | None:
    tags = ("failure", "error", "skipped")
    return next((each for each in case if each.tag in tags), None)


def _result(
    cell: Cell, case: Element, problem: Element | None, component: str = "", *, share: float = 1.0
) -> Result:
    outcome = _outcome(problem)
    message = (problem.get("message") or "") if problem is not None else ""
    text = (problem.text or "")[-_TEXT:] if problem is not None else ""
    part = ComponentResult(name=component, outcome=outcome, reason=message or None)
    return Result(
        cell=cell,
        outcome=outcome,
        reason=message.splitlines()[0] if message else None,
        traceback=text if "Traceback" in text or "Error" in text else None,
        components=(part,) if component else (),
        durations_s={"capture": _seconds(case) * share},
        provider="junit",
    )


def _outcome(problem: Element | None) -> Outcome:
    if problem is None:
        return Outcome.PASS
    if problem.tag == "skipped":
        return Outcome.SKIP
    if problem.tag == "error":
        return Outcome.ERROR
    return _OUTCOMES.get(problem.get("type", ""), Outcome.FAIL)


def _seconds(case: Element) -> float:
    try:
        return max(0.0, float(case.get("time", "0").replace(",", "")))
    except ValueError:
        return 0.0


def _worst(one: Result, other: Result) -> Result:
    """Components of one cell as one result: what failed speaks for it."""
    order = (Outcome.PASS, Outcome.SKIP, Outcome.ERROR, Outcome.FAIL)
    rank = {outcome: number for number, outcome in enumerate(order)}
    worse = max(one, other, key=lambda each: rank.get(each.outcome, len(order)))
    return replace(worse, components=(*one.components, *other.components))
