"""The `toy` backend: asks a toy to capture, lower, load and run itself."""

from harness.backends.base import Enter, Program, Runtime
from harness.backends.digests import of_bytes
from harness.results import Stage
from harness.zoo.base import Array, Component, Inputs, Outputs


class ToyBackend:
    """A backend in pure Python, with the protocol's methods and nothing else."""

    name = "toy"

    def missing(self) -> str | None:
        return None

    def export(
        self, component: Component, *, dynamic: bool, bound: int | None, enter: Enter
    ) -> Program:
        enter(Stage.CAPTURE)
        component.module.capture(dynamic)
        enter(Stage.LOWER)
        component.module.lower()
        return Program(
            native=component.module,
            component=component,
            graph_nodes=1,
            digest=of_bytes(component.module.content()),
        )

    def load(self, program: Program) -> Runtime:
        toy = program.native

        def run(inputs: Inputs) -> Outputs:
            return {"output": Array(toy.run(**inputs), "float32")}

        return run


class AbsentBackend(ToyBackend):
    """A backend whose package is not installed here."""

    name = "absent"

    def missing(self) -> str | None:
        return "pip install no-such-package"
