"""ExecuTorch with XNNPACK, run by the ExecuTorch runtime.

The runtime says why it can't run a program on the process' stderr only, so what it writes there is
part of the error.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.backends import digests, exporting
from harness.backends.base import Enter, Program, Runtime
from harness.errors import RuntimeLimit
from harness.zoo.base import Component, Inputs, Outputs
from harness.zoo.components import named

_STDERR = 2


class ExecutorchBackend:
    """`transformers.exporters.ExecutorchExporter`, run by the ExecuTorch runtime."""

    name = "executorch"

    def missing(self) -> str | None:
        return exporting.missing("torch", "transformers", "executorch")

    def export(
        self, component: Component, *, dynamic: bool, bound: int | None, enter: Enter
    ) -> Program:
        settings = exporting.shapes(component, dynamic=dynamic, bound=bound)
        done = exporting.export(exporting.exporter("Executorch"), component, settings, enter=enter)
        native = done.program
        return Program(
            native=native,
            component=component,
            planned_bytes=_planned_bytes(native),
            program_bytes=len(native.buffer),
            digest=digests.of_bytes(native.buffer),
            graph_nodes=len(native.exported_program().graph.nodes),
            patches=done.fired,
        )

    def load(self, program: Program) -> Runtime:
        from executorch.runtime import Runtime as Executorch  # noqa: PLC0415  (heavy)
        from executorch.runtime import Verification  # noqa: PLC0415  (heavy)

        with _limits():
            loaded = Executorch.get().load_program(
                program.native.buffer, verification=Verification.Minimal
            )
            method = loaded.load_method("forward")
        exported = program.native.exported_program()

        def run(inputs: Inputs) -> Outputs:
            feed = _feed(exporting.completed(program.component, inputs), exported)
            with _limits():
                values = method.execute(feed)
            return named(_outputs(list(values), exported))

        return run


def _planned_bytes(native: Any) -> int:  # noqa: ANN401  (an ExecutorchProgramManager)
    """All arenas of the plan; the first entry of each buffer list is reserved and empty."""
    plans = native.executorch_program.execution_plan
    return sum(size for plan in plans for size in plan.non_const_buffer_sizes)


def _feed(inputs: Inputs, exported: Any) -> list[Any]:  # noqa: ANN401  (an ExportedProgram)
    """The program's inputs in its order: contiguous tensors, numbers, nothing for a string."""
    import torch  # noqa: PLC0415  (heavy)
    from torch.fx import _pytree  # noqa: PLC0415  (heavy)

    leaves = _pytree.tree_flatten_spec(((), inputs), exported.call_spec.in_spec)
    return [
        leaf.contiguous()
        if isinstance(leaf, torch.Tensor)
        else None
        if isinstance(leaf, str)
        else leaf
        for leaf in leaves
    ]


def _outputs(values: list[Any], exported: Any) -> Any:  # noqa: ANN401  (a nest of tensors)
    """The model's outputs as it returned them; mutated inputs, which come first, left out."""
    from torch.utils import _pytree  # noqa: PLC0415  (heavy)

    spec = exported.call_spec.out_spec
    return _pytree.tree_unflatten(values[len(values) - spec.num_leaves :], spec)


@contextmanager
def _limits() -> Iterator[None]:
    """Turn the runtime's refusals into `RuntimeLimit`, with what it wrote to stderr."""
    with tempfile.TemporaryFile() as told:
        kept = os.dup(_STDERR)
        sys.stderr.flush()
        os.dup2(told.fileno(), _STDERR)
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            told.seek(0)
            said = told.read().decode(errors="replace").strip()
            raise RuntimeLimit(f"{error}\n{said}".strip()) from error
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            told.seek(0)
            os.write(_STDERR, told.read())
