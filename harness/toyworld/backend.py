"""The backend `toyworld`, in pure Python."""

from harness.backends.base import Enter, Program, Runtime
from harness.results import Stage
from harness.zoo.base import Array, Component, Inputs, Outputs


class ToyBackend:
    """Asks a toy to capture, lower and run itself."""

    name = "toyworld"

    def missing(self) -> str | None:
        return None

    def export(
        self, component: Component, *, dynamic: bool, bound: int | None, enter: Enter
    ) -> Program:
        enter(Stage.CAPTURE)
        component.module.capture(dynamic)
        enter(Stage.LOWER)
        component.module.lower()
        return Program(native=component.module, component=component, graph_nodes=1)

    def load(self, program: Program) -> Runtime:
        toy = program.native

        def run(inputs: Inputs) -> Outputs:
            return {"output": Array(toy.run(**inputs), "float32")}

        return run
