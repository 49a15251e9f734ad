"""A draft export goes on behind the first error, and signs it as the attempt does."""

from harness.cells import Cell
from harness.isolation.messages import Limits
from harness.results import Stage
from harness.zoo.base import TRANSFORMERS
from runner.core.drafts import drafted
from runner.core.label import label
from runner.execute.trials import Trials

CELL = Cell.parse("eomt/EomtForUniversalSegmentation/forward-static/dynamo")
AS_IT_IS = f"""\
def case():
    from harness.zoo.base import load_zoo

    case = load_zoo({TRANSFORMERS!r}).build({CELL.model_type!r}, {CELL.model_class!r})
    return case.model, case.inputs
"""


def test_what_an_attempt_stops_at_is_the_first_thing_that_its_draft_meets() -> None:
    limits = Limits(time_s=300)
    with Trials(["dynamo"], revision_path=None, memory_mib=4096) as trials:
        stopped = trials.attempt(AS_IT_IS, CELL.variant, CELL.backend, limits)
        ended, noted = trials.draft(CELL, TRANSFORMERS, limits)
    first = label(stopped.replace(cell=CELL)).signature or ""
    draft = drafted(CELL, first, noted, ended)
    assert stopped.stage is Stage.CAPTURE
    assert draft.failures[0].signature == first
    assert len(draft.reasons) > 1
    assert draft.stopped is None
