"""What the pages call things: a verdict is a colour, a letter and a word, never a colour alone."""

from collections.abc import Mapping

from runner.core.runs import Verdict

LETTERS: Mapping[str, str] = {
    Verdict.PASS: "P",
    Verdict.FAIL: "F",
    Verdict.CRASH: "C",
    Verdict.TIMEOUT: "T",
    Verdict.OOM: "O",
    Verdict.FLAKY: "Y",
    Verdict.ERROR: "E",
    Verdict.SKIP: "S",
    Verdict.MISSING: "M",
}

MEANINGS: Mapping[str, str] = {
    Verdict.PASS: "exported, ran, and equal to eager",
    Verdict.FAIL: "theirs: the model, an exporter or a runtime",
    Verdict.CRASH: "the process died",
    Verdict.TIMEOUT: "over the time limit",
    Verdict.OOM: "over the memory limit",
    Verdict.FLAKY: "attempts disagree",
    Verdict.ERROR: "ours: the case could not be built or run",
    Verdict.SKIP: "can't run here",
    Verdict.MISSING: "no result: never a pass",
}

#: the verdict that a square of several cells shows is the first of these among them
WORST_FIRST = (
    Verdict.FAIL,
    Verdict.CRASH,
    Verdict.OOM,
    Verdict.TIMEOUT,
    Verdict.FLAKY,
    Verdict.MISSING,
    Verdict.ERROR,
    Verdict.PASS,
    Verdict.SKIP,
)
