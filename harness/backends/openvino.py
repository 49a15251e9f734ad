"""OpenVINO, run by its CPU plugin with one thread. It joins when the package is installed.

The cache stays among the inputs and outputs (`stateful=False`), so that it is compared as well.
"""

from typing import Any

from harness.backends import exporting
from harness.backends.base import Enter, Program, Runtime
from harness.zoo.base import Array, Component, Inputs, Outputs
from harness.zoo.components import named

_PROPERTIES = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}


class OpenvinoBackend:
    """`transformers.exporters.OpenVINOExporter`, run by OpenVINO."""

    name = "openvino"

    def missing(self) -> str | None:
        return exporting.missing("torch", "transformers", "openvino")

    def export(
        self, component: Component, *, dynamic: bool, bound: int | None, enter: Enter
    ) -> Program:
        settings = {
            **exporting.shapes(component, dynamic=dynamic, bound=bound),
            "stateful": False,
        }
        done = exporting.export(exporting.exporter("OpenVINO"), component, settings, enter=enter)
        return Program(
            native=done.program,
            component=component,
            graph_nodes=len(done.program.get_ops()),
            patches=done.fired,
        )

    def load(self, program: Program) -> Runtime:
        import openvino  # noqa: PLC0415  (heavy)

        compiled = openvino.Core().compile_model(program.native, "CPU", _PROPERTIES)

        def run(inputs: Inputs) -> Outputs:
            given = exporting.completed(program.component, inputs)
            found = compiled(_feeds(compiled, given))
            return {
                _name(port): Array(found[port].copy(), str(found[port].dtype))
                for port in compiled.outputs
            }

        return run


def _feeds(compiled: Any, given: Inputs) -> dict[str, Any]:  # noqa: ANN401  (a CompiledModel)
    """The inputs by port: a tensor of the forward kwargs, or a number that became an input."""
    import numpy as np  # noqa: PLC0415  (the harness imports no numpy at import)

    leaves = named(given)
    feeds = {}
    for port in compiled.inputs:
        names = [name.removeprefix("input.") for name in port.get_names()]
        leaf = next((name for name in names if name in leaves or name in given), names[0])
        feeds[port.any_name] = leaves[leaf].values if leaf in leaves else np.array(given[leaf])
    return feeds


def _name(port: Any) -> str:  # noqa: ANN401  (a port)
    return str(port.any_name).removeprefix("output.")
