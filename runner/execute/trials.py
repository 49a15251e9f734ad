"""Trials of a search: one candidate at a time, each in a child of a zygote that is warm for it.

A candidate is the text of a Python file whose function `case` gives it. Whatever it does, it costs
its own child only; it has the variables and the limits of any cell. What is asked of a case is told
by such a child as well.
"""

import json
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.cells import Cell, Variant
from harness.drafting import Noted, read
from harness.errors import MatrixError
from harness.isolation.client import ask
from harness.isolation.host import Host, Wanted
from harness.isolation.messages import Limits, Request
from harness.reproduce.subject import Described
from harness.results import Result
from harness.zoo.base import TRANSFORMERS

# Bytecode is kept by a file's time, in whole seconds: what changes is no module.
_CASE = """\
def case():
    with open(__file__.replace("candidate.py", "candidate.txt")) as file:
        scope = {}
        exec(compile(file.read(), "candidate", "exec"), scope)
    return scope["case"]()
"""


_DESCRIBE = """\
def case():
    import json
    from harness.cells import Cell
    from harness.errors import SkipError
    from harness.reproduce.describe import describe

    found = describe(Cell.parse({cell!r}), {zoo!r}, {component!r})
    with open({answer!r}, "w") as file:
        json.dump(found.to_record(), file)
    raise SkipError("described")
"""
_DRAFT = """\
def case():
    from pathlib import Path
    from harness.drafting import go_on
    from harness.zoo.base import load_zoo

    case = load_zoo({zoo!r}).build({model_type!r}, {model_class!r})
    go_on(Path({answer!r}))
    made = (case.model, case.inputs, case.resized)
    return made if case.resized else made[:2]
"""


class Trials:
    """A place for trials; it starts a zygote and ends it."""

    def __init__(self, backends: list[str], *, revision_path: Path | None, memory_mib: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="export-matrix-trials-")
        home = Path(self._folder.name)
        (home / "candidate.py").write_text(_CASE)
        self._text = home / "candidate.txt"
        self._answer = home / "answer.json"
        self._host = Host(
            Wanted(
                zoo=str(home / "candidate.py"),
                like=TRANSFORMERS,
                backends=backends,
                revision_path=revision_path,
                memory_bytes=memory_mib << 20,
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._host.close()
        self._folder.cleanup()

    def attempt(self, text: str, variant: Variant, backend: str, limits: Limits) -> Result:
        """What comes of a candidate."""
        self._text.write_text(text)
        cell = Cell("candidate", "case", variant, backend)
        return ask(self._host.folder, Request(cell=cell, limits=limits))

    def describe(self, cell: Cell, zoo: str, component: str | None, limits: Limits) -> Described:
        """The cell's case as a subject; `MatrixError` says why there is none."""
        asked = {"cell": cell.id, "zoo": zoo, "component": component, "answer": str(self._answer)}
        found = self.attempt(_DESCRIBE.format(**asked), cell.variant, cell.backend, limits)
        try:
            return Described.of(json.loads(self._answer.read_text()))
        except (OSError, ValueError, TypeError, KeyError):
            raise MatrixError(f"{cell.id} can't be described: {found.reason}") from None

    def draft(self, cell: Cell, zoo: str, limits: Limits) -> tuple[Result, list[Noted]]:
        """What the cell comes to behind what a draft export goes on behind, and what that was."""
        self._answer.unlink(missing_ok=True)
        text = _DRAFT.format(
            zoo=zoo,
            model_type=cell.model_type,
            model_class=cell.model_class,
            answer=str(self._answer),
        )
        return self.attempt(text, cell.variant, cell.backend, limits), read(self._answer)
