"""What a backend does: export a component, load the program, run it. Three methods, no base class.

A backend module may be imported without its packages; they are imported inside the methods. It
raises what its libraries raise: the attempt turns exceptions into results. `RuntimeLimit` is the
one it raises itself, for a program that its runtime can't load or run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from harness.results import Stage
from harness.zoo.base import Component, Inputs, Outputs

#: runs a loaded program on inputs
Runtime = Callable[[Inputs], Outputs]
#: called when a stage begins, so that an attempt that dies is known to have died there
Enter = Callable[[Stage], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """An exported component."""

    #: what the exporter returned, unwrapped: an ExportedProgram, an ONNX model, …
    native: Any
    #: what was exported; its module completes the inputs of each run
    component: Component
    #: memory arenas that the program plans, in bytes
    planned_bytes: int | None = None
    program_bytes: int | None = None
    graph_nodes: int | None = None
    #: equal for equal programs (`harness.backends.digests`); None where the backend can't tell
    digest: str | None = None
    #: patches and graph fixes of the exporter that fired
    patches: tuple[str, ...] = ()


class Backend(Protocol):
    """An exporter and the runtime that runs what it exports."""

    name: str

    def missing(self) -> str | None:
        """The command that installs what is missing here, or None if the backend can run.

        Must be cheap: it asks for distributions, it imports nothing.
        """

    def export(
        self, component: Component, *, dynamic: bool, bound: int | None, enter: Enter
    ) -> Program:
        """Export on a copy of the component's inputs; calls `enter` with `capture`, then `lower`.

        `bound` caps every symbolic dimension (for a second look at a program that plans too much).
        """

    def load(self, program: Program) -> Runtime:
        """Load into the backend's own runtime; `RuntimeLimit` if that can't be done."""
