"""A run as JUnit XML, for the viewers of CI systems; `junit_read` reads it back.

A cell is a test case: its class name is `model_type.ModelClass`, its name `variant/backend`.
`fail`, the deaths and `flaky` are failures; `error` and `missing` are errors: neither is a pass.
"""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from runner.core.runs import CellVerdict, Run, Verdict

SUITE = "export-matrix"
_TAGS = {
    Verdict.FAIL: "failure",
    Verdict.CRASH: "failure",
    Verdict.TIMEOUT: "failure",
    Verdict.OOM: "failure",
    Verdict.FLAKY: "failure",
    Verdict.ERROR: "error",
    Verdict.MISSING: "error",
    Verdict.SKIP: "skipped",
}
#: what XML 1.0 can't hold, however it is spelled
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(run: Run, verdicts: Sequence[CellVerdict]) -> str:
    """The whole document."""
    tags = [_TAGS.get(each.verdict) for each in verdicts]
    suite = Element(
        "testsuite",
        name=SUITE,
        tests=str(len(verdicts)),
        failures=str(tags.count("failure")),
        errors=str(tags.count("error")),
        skipped=str(tags.count("skipped")),
        time=f"{run.duration_s or 0:.3f}",
        timestamp=run.started_at.isoformat(),
    )
    properties = SubElement(suite, "properties")
    facts = {"run": run.uid, "revision": run.revision, "complete": str(run.complete).lower()}
    stack = {f"stack.{name}": version for name, version in run.stack.items()}
    for name, value in {**facts, **stack}.items():
        SubElement(properties, "property", name=fit(name), value=fit(value))
    for each in verdicts:
        _case(suite, each)
    suites = Element("testsuites")
    suites.append(suite)
    indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _case(suite: Element, found: CellVerdict) -> None:
    cell = found.cell
    case = SubElement(
        suite,
        "testcase",
        classname=f"{cell.model_type}.{cell.model_class}",
        name=f"{cell.variant}/{cell.backend}",
        time=f"{found.duration_s or 0:.3f}",
    )
    if tag := _TAGS.get(found.verdict):
        told = found.title or found.reason or found.verdict
        problem = SubElement(case, tag, type=found.verdict, message=fit(told))
        at = f"stage {found.stage}" if found.stage else found.verdict
        problem.text = fit(
            " · ".join(filter(None, (at, found.kind, found.reason, found.signature)))
        )


def fit(text: str) -> str:
    """The text without what XML can't hold."""
    return _UNFIT.sub("\ufffd", text)
