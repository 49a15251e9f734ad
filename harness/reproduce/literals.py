"""Sample inputs as Python source, the same bits.

Small tensors are written out; what the zoo draws from its generator is drawn again by name; any
other large tensor is packed.
"""

import base64
import textwrap
import zlib
from collections.abc import Mapping
from typing import Any

from harness.errors import CaseError
from harness.zoo.weights import SEED

_SPELLED_ELEMENTS = 256


def dictionary(inputs: Mapping[str, Any]) -> str:
    """Inputs as the source of a dict, one entry a line."""
    lines = [f"    {name!r}: {source(name, value)}," for name, value in inputs.items()]
    return "\n".join(["{", *lines, "}"])


def source(name: str, value: Any) -> str:  # noqa: ANN401  (whatever a forward takes)
    """An expression that makes the value again."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    if isinstance(value, torch.Tensor):
        return _tensor(name, value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {source(key, each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        items = ", ".join(source(name, each) for each in value)
        return f"[{items}]" if isinstance(value, list) else f"({items},)"
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    raise CaseError(f"input {name!r} is a {type(value).__name__}, which no script can spell")


def _tensor(name: str, value: Any) -> str:  # noqa: ANN401  (a torch tensor)
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    shape, dtype = tuple(value.shape), value.dtype
    generator = torch.Generator().manual_seed(SEED + zlib.crc32(name.encode()))
    if dtype == torch.float32 and torch.equal(torch.randn(shape, generator=generator), value):
        return f"noise({name!r}, {shape})"
    if value.numel() > 1 and bool((value == value.flatten()[0]).all()):
        return f"torch.full({shape}, {value.flatten()[0].item()!r}, dtype={dtype})"
    if value.numel() <= _SPELLED_ELEMENTS and bool(torch.isfinite(value).all()):
        return f"torch.tensor({value.tolist()}, dtype={dtype}).reshape({shape})"
    return _packed(value)


def _packed(value: Any) -> str:  # noqa: ANN401  (a torch tensor)
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    numbers = value.contiguous().flatten().view(torch.uint8).numpy().tobytes()
    raw = base64.b85encode(zlib.compress(numbers)).decode()
    lines = "\n".join(f'        "{line}"' for line in textwrap.wrap(raw, 88))
    return f"unpacked({tuple(value.shape)}, {value.dtype},\n{lines})"
