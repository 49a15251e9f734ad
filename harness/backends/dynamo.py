"""torch.export: the program is run by torch itself."""

from harness.backends import digests, exporting
from harness.backends.base import Enter, Program, Runtime
from harness.zoo.base import Component, Inputs, Outputs
from harness.zoo.components import named


class DynamoBackend:
    """`transformers.exporters.DynamoExporter`, run as a torch module."""

    name = "dynamo"

    def missing(self) -> str | None:
        return exporting.missing("torch", "transformers")

    def export(
        self, component: Component, *, dynamic: bool, bound: int | None, enter: Enter
    ) -> Program:
        settings = exporting.shapes(component, dynamic=dynamic, bound=bound)
        done = exporting.export(exporting.exporter("Dynamo"), component, settings, enter=enter)
        return Program(
            native=done.program,
            component=component,
            graph_nodes=len(done.program.graph.nodes),
            digest=digests.of_exported_program(done.program),
            patches=done.fired,
        )

    def load(self, program: Program) -> Runtime:
        module = program.native.module()

        def run(inputs: Inputs) -> Outputs:
            import torch  # noqa: PLC0415  (heavy)

            with torch.no_grad():
                return named(module(**exporting.completed(program.component, inputs)))

        return run
