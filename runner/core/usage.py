"""The code that exports a model as a cell did, for whoever wants to ship it.

It is for Transformers 5.23 or newer, whose exporters return an `ExportedModel`. Two examples at
once, since torch.export takes an axis of size one for a constant. Inputs of several modalities, or
of one that isn't known, are the reader's own: `None` stands for that line.
"""

from harness.cells import Cell

_EXPORTERS = {
    "dynamo": ("DynamoExporter", "DynamoConfig"),
    "onnx": ("OnnxExporter", "OnnxConfig"),
    "executorch": ("ExecutorchExporter", "ExecutorchConfig"),
    "openvino": ("OpenVINOExporter", "OpenVINOConfig"),
}
#: modality -> what makes inputs of it, and of what
_INPUTS = {
    "text": ("AutoTokenizer", '["An example."] * 2'),
    "audio": ("AutoFeatureExtractor", "[np.zeros(16_000)] * 2, sampling_rate=16_000"),
}
_IMAGES = 'inputs = {"pixel_values": torch.zeros(2, 3, 224, 224)}  # as your processor makes them'
_OWN = "inputs = dict(...)  # what the model's own processor makes of your data, two examples"


def export_code(cell: Cell, modality: str, checkpoint: str = "your/checkpoint") -> str | None:
    """A script that exports the class as the cell does; None for a backend of others."""
    if cell.backend not in _EXPORTERS:
        return None
    exporter, settings = _EXPORTERS[cell.backend]
    maker, examples = _INPUTS.get(modality, ("", ""))
    names = ", ".join(sorted(filter(None, (cell.model_class, maker))))
    call = "export_for_generation" if cell.variant.generates else "export"
    options = f"dynamic={cell.variant.dynamic}"
    made = f'inputs = {maker}.from_pretrained(checkpoint)({examples}, return_tensors="pt")'
    made = made if maker else _IMAGES if modality == "image" else _OWN
    lines = [
        *(["import numpy as np"] if "np." in made else []),
        *(["import torch"] if "torch." in made else []),
        f"from transformers import {names}",
        f"from transformers.exporters import {settings}, {exporter}",
        "",
        f'checkpoint = "{checkpoint}"',
        f"model = {cell.model_class}.from_pretrained(checkpoint).eval()",
        made,
        "",
        f"exported = {exporter}().{call}(model, inputs, {settings}({options}))",
        f'exported.save_pretrained("{cell.model_type}-{cell.backend}")',
    ]
    return "\n".join(lines)
