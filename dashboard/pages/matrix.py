"""`/matrix`: one run's model types by backend and variant, or their classes, as far as asked for.

The address is all there is to it: `?run=&q=&rows=&sort=&by=`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from dashboard.asking import Wrong, ask, asked_of, elsewhere
from dashboard.matrix import By, Matrix, Seen, Sort, few_classes, matrix
from dashboard.pages.runs import RECENT, RunRow, row
from dashboard.rendering import render
from runner.core.runs import Run
from runner.store import reads
from runner.store.engine import Engine
from runner.store.modalities import modalities_of


class Rows(StrEnum):
    """What a row is; `auto`: a class where there are few."""

    AUTO = "auto"
    TYPES = "types"
    CLASSES = "classes"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixPage:
    """The matrix of a run."""

    #: None while there is no result at all
    run: RunRow | None
    #: to choose from
    runs: tuple[RunRow, ...]
    query: str
    wrong: Wrong | None
    #: the newest run that the query is of, if it says that it is not of this one
    elsewhere: RunRow | None
    #: cells that the query means, and all of the run's
    meant: int
    total: int
    rows: Rows
    sort: str
    by: By
    matrix: Matrix

    def address(self, **changed: str) -> str:
        """The same with something else chosen."""
        chosen = {"run": str(self.run.id) if self.run else "", "q": self.query, "rows": self.rows,
                  "sort": self.sort, "by": self.by} | changed  # fmt: skip
        plain = {"q": "", "rows": Rows.AUTO, "sort": Sort.NAME, "by": By.NONE}
        kept = {name: value for name, value in chosen.items() if value != plain.get(name)}
        return f"/matrix?{urlencode(kept)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What of a matrix is to be shown, and how."""

    q: str = ""
    rows: Rows = Rows.AUTO
    sort: str = Sort.NAME
    by: By = By.NONE


def matrix_page(engine: Engine, ref: str, shown: Shown) -> MatrixPage:
    recent = reads.runs(engine, limit=RECENT)
    run = reads.run(engine, ref) if ref else asked_of(engine, shown.q, recent)
    found, wrong = _meant(engine, run, shown.q)
    other = elsewhere(engine, run, shown.q) if run else None
    takes = modalities_of(engine) if shown.by is By.MODALITY else None
    made = matrix(
        found, classes=_classes(found, shown.rows), sort=shown.sort, by=shown.by, modalities=takes
    )
    return MatrixPage(
        run=row(run) if run else None,
        runs=tuple(map(row, recent)),
        query=shown.q,
        wrong=wrong,
        elsewhere=row(other) if other else None,
        meant=len(found),
        total=max(run.expected, run.received) if run else 0,
        rows=shown.rows,
        sort=shown.sort,
        by=shown.by,
        matrix=made,
    )


def _meant(engine: Engine, run: Run | None, query: str) -> tuple[Sequence[Seen], Wrong | None]:
    if run is None:
        return (), None
    if not query.strip():
        return reads.spots(engine, run.id), None
    asked = ask(engine, run, query)
    return asked.found, asked.wrong


def _classes(found: Sequence[Seen], rows: Rows) -> bool:
    return few_classes(found) if rows is Rows.AUTO else rows is Rows.CLASSES


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/matrix.json")
    def matrix_json(shown: Annotated[Shown, Depends()], run: str = "") -> MatrixPage:
        return matrix_page(engine, run, shown)

    @router.get("/matrix", include_in_schema=False)
    def matrix_html(
        request: Request, shown: Annotated[Shown, Depends()], run: str = ""
    ) -> Response:
        return render(request, "matrix.html", matrix_page(engine, run, shown), title="Matrix")

    return router
