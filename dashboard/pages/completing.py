"""`/api/v1/complete`: what the word that is being typed into a search box may become."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from fastapi import APIRouter

from dashboard.asking import Wrong, wrong_in
from dashboard.pages.runs import RECENT, chosen
from runner.core.families import family_of
from runner.core.query.completion import complete, key_of
from runner.core.select import NOBODY
from runner.steps.explaining import explain_groups
from runner.steps.querying import stack_names
from runner.store import reads, regrouping
from runner.store.engine import Engine
from runner.store.triages import assignees


@dataclass(frozen=True, slots=True, kw_only=True)
class Completions:
    """Words, in the order to offer them; and what is wrong with the text as it stands."""

    items: Sequence[str]
    wrong: Wrong | None


def completions(engine: Engine, ref: str, text: str) -> Completions:
    """What the last word of the text may become, by what is there in a run."""
    run = chosen(engine, ref)
    known = _values(engine, run.id, run.received) if run else {}
    # Whose a group is, all results of the run tell: asked for where an owner is typed alone.
    whose = _owners(engine, run.id, run.received) if run and key_of(text) == "owner" else ()
    runs = reads.runs(engine, limit=RECENT)
    known = {
        **known,
        "owner": whose,
        "assignee": [*assignees(engine), NOBODY],
        "revision": [each.revision for each in runs],
        "stack": [name for each in runs for name in stack_names(each)],
    }
    return Completions(items=complete(text, known), wrong=wrong_in(text))


@lru_cache(maxsize=4)
def _values(engine: Engine, run_id: int, _received: int) -> Mapping[str, Sequence[str]]:
    cells = [spot.cell for spot in reads.spots(engine, run_id)]
    groups = regrouping.groups(engine, run_id)
    types = sorted({cell.model_type for cell in cells})
    return {
        "": types,
        "model": types,
        "class": sorted({cell.model_class for cell in cells}),
        "family": sorted({family_of(name) for name in types}),
        "backend": sorted({cell.backend for cell in cells}),
        "variant": sorted({cell.variant for cell in cells}),
        "kind": sorted({group.kind for group in groups}),
        "group": [group.signature for group in groups],
    }


@lru_cache(maxsize=4)
def _owners(engine: Engine, run_id: int, _received: int) -> Sequence[str]:
    run = reads.run(engine, str(run_id))
    groups, _ = explain_groups(engine, run, reads.outcomes(engine, run_id))
    return sorted({group.owner for group in groups})


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/api/v1/complete")
    def complete_json(q: str = "", run: str = "") -> Completions:
        return completions(engine, run, q)

    return router
