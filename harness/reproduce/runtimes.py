"""The parts of a script that depend on the backend: its names, and how its programs are run."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

_DYNAMO = """\
def load(program, module):
    def run(inputs):
        with torch.no_grad():
            return get_leaf_tensors(program.module()(**completed(module, inputs)))

    return run"""

_ONNX = """\
def load(program, module):
    import onnx_ir
    import onnxruntime

    model = onnx_ir.to_proto(getattr(program, "model", program)).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def run(inputs):
        leaves = get_leaf_tensors(completed(module, inputs))
        feeds = {}
        for spec in session.get_inputs():
            leaf = spec.name if spec.name in leaves else spec.name.removeprefix("input.")
            feeds[spec.name] = leaves[leaf].numpy()
        names = [spec.name.removeprefix("output.") for spec in session.get_outputs()]
        return dict(zip(names, map(torch.from_numpy, session.run(None, feeds))))

    return run"""

_EXECUTORCH = """\
def load(program, module):
    from executorch.runtime import Runtime, Verification
    from torch.fx import _pytree

    plans = program.executorch_program.execution_plan
    planned = sum(sum(plan.non_const_buffer_sizes) for plan in plans)
    print(f"  plans {planned:,} bytes")
    if planned > 2 * 2**30:
        sys.exit("the memory plan is over 2 GiB: not loaded")
    loaded = Runtime.get().load_program(program.buffer, verification=Verification.Minimal)
    method, traced = loaded.load_method("forward"), program.exported_program()

    def run(inputs):
        taken = completed(module, inputs)
        leaves = _pytree.tree_flatten_spec(((), taken), traced.call_spec.in_spec)
        feed = [leaf.contiguous() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        values, spec = list(method.execute(feed)), traced.call_spec.out_spec
        outputs = values[len(values) - spec.num_leaves :]
        return get_leaf_tensors(torch.utils._pytree.tree_unflatten(outputs, spec))

    return run"""


_OPENVINO = """\
def load(program, module):
    import openvino

    properties = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(program, "CPU", properties)

    def run(inputs):
        taken = completed(module, inputs)
        leaves, feeds = get_leaf_tensors(taken), {}
        for port in compiled.inputs:
            names = [name.removeprefix("input.") for name in port.get_names()]
            leaf = next((name for name in names if name in leaves or name in taken), names[0])
            feeds[port.any_name] = numpy.asarray(leaves.get(leaf, taken.get(leaf)))
        found = compiled(feeds)
        outputs = {port.any_name.removeprefix("output."): found[port] for port in compiled.outputs}
        return {name: torch.from_numpy(value.copy()) for name, value in outputs.items()}

    return run"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a script needs to know of a backend."""

    #: prefix of the exporter's classes, `Onnx`
    prefix: str
    packages: tuple[str, ...]
    runtime: str
    #: more of the exporter's settings, `, stateful=False`
    options: str = ""

    @property
    def requirements(self) -> str:
        """What to install, as it is here."""
        return " ".join(map(_pinned, ("torch", "transformers", *self.packages)))


def _pinned(package: str) -> str:
    try:
        return f"{package}=={version(package).partition('+')[0]}"
    except PackageNotFoundError:
        return package


BACKENDS = {
    "dynamo": Parts(prefix="Dynamo", packages=(), runtime=_DYNAMO),
    "onnx": Parts(prefix="Onnx", packages=("onnx", "onnxscript", "onnxruntime"), runtime=_ONNX),
    "executorch": Parts(prefix="Executorch", packages=("executorch",), runtime=_EXECUTORCH),
    "openvino": Parts(
        prefix="OpenVINO",
        packages=("openvino",),
        runtime=_OPENVINO,
        options=", stateful=False",
    ),
}
