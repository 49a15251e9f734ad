"""ONNX, run by ONNX Runtime on the CPU with one thread."""

from collections.abc import Sequence
from typing import Any

from harness.backends import digests, exporting
from harness.backends.base import Enter, Program, Runtime
from harness.errors import RuntimeLimit
from harness.zoo.base import Array, Component, Inputs, Outputs
from harness.zoo.components import named


class OnnxBackend:
    """`transformers.exporters.OnnxExporter`, run by ONNX Runtime."""

    name = "onnx"

    def missing(self) -> str | None:
        return exporting.missing("torch", "transformers", "onnx", "onnxscript", "onnxruntime")

    def export(
        self, component: Component, *, dynamic: bool, bound: int | None, enter: Enter
    ) -> Program:
        import onnx_ir  # noqa: PLC0415  (heavy)

        settings = exporting.shapes(component, dynamic=dynamic, bound=bound)
        done = exporting.export(exporting.exporter("Onnx"), component, settings, enter=enter)
        # torch's ONNXProgram until 5.22, an onnx_ir.Model since
        model = getattr(done.program, "model", done.program)
        serialized = onnx_ir.to_proto(model).SerializeToString()
        return Program(
            native=serialized,
            component=component,
            program_bytes=len(serialized),
            digest=digests.of_bytes(serialized),
            graph_nodes=len(list(model.graph.all_nodes())),
            patches=done.fired,
        )

    def load(self, program: Program) -> Runtime:
        import onnxruntime  # noqa: PLC0415  (heavy)

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                program.native, options, providers=["CPUExecutionProvider"]
            )
        except _NOT_IMPLEMENTED() as error:
            raise RuntimeLimit(str(error)) from error

        def run(inputs: Inputs) -> Outputs:
            leaves = named(exporting.completed(program.component, inputs))
            feeds = _feeds([spec.name for spec in session.get_inputs()], leaves)
            names = [spec.name.removeprefix("output.") for spec in session.get_outputs()]
            values = session.run(None, feeds)
            return {name: Array(value, str(value.dtype)) for name, value in _named(names, values)}

        return run


def _NOT_IMPLEMENTED() -> tuple[type[Exception], ...]:  # noqa: N802
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415  (heavy)

    return (state.NotImplemented,)


def _feeds(names: Sequence[str], leaves: Outputs) -> dict[str, Any]:
    """The graph's inputs by name; one that is an output too carries a prefix."""
    return {name: leaves[_leaf(name, leaves)].values for name in names}


def _leaf(name: str, leaves: Outputs) -> str:
    return name if name in leaves else name.removeprefix("input.")


def _named(names: Sequence[str], values: Sequence[Any]) -> list[tuple[str, Any]]:
    return list(zip(names, values, strict=True))
