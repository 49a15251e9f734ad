"""Digests of exported programs: equal for equal programs, in whatever process they were made.

Where a program has a file's form, its digest is that file's SHA-256. One that has none is told by
its graphs, the shapes of what goes in, its signature, the ranges of its symbols and its weights.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any


def of_bytes(content: bytes) -> str:
    """A program's file."""
    return hashlib.sha256(content).hexdigest()


def of_exported_program(program: Any) -> str | None:  # noqa: ANN401  (an ExportedProgram)
    """torch's own program; None if some part of it can't be told."""
    digest = hashlib.sha256()
    try:
        for part in _told(program):
            digest.update(part)
    except Exception:  # noqa: BLE001  (a digest that can't be had is no failure of the export)
        return None
    return digest.hexdigest()


def _told(program: Any) -> Iterator[bytes]:  # noqa: ANN401  (an ExportedProgram)
    for name, module in program.graph_module.named_modules():
        if graph := getattr(module, "graph", None):
            yield f"{name}: {graph}\n".encode()
    for node in program.graph.find_nodes(op="placeholder"):
        yield f"{node.name}: {_shape(node.meta.get('val'))}\n".encode()
    ranges = {str(symbol): str(found) for symbol, found in program.range_constraints.items()}
    yield f"{program.graph_signature}\n{sorted(ranges.items())}\n".encode()
    yield from _weights(program.state_dict)
    yield from _weights(program.constants)


def _shape(value: Any) -> str:  # noqa: ANN401  (what the tracer recorded of an input)
    return f"{value.dtype} {list(value.shape)}" if hasattr(value, "shape") else repr(value)


def _weights(weights: Mapping[str, Any]) -> Iterator[bytes]:
    import torch  # noqa: PLC0415  (heavy)

    for name, value in sorted(weights.items()):
        yield f"{name}: {_shape(value)}\n".encode()
        flat = value.detach().cpu().contiguous().reshape(-1)
        yield flat.view(torch.uint8).numpy().tobytes()
