"""A model with random weights that matter, the same bits in every process.

Upstream's initialisation is made for training: deviations of 0.02, biases and layer scales of
zero. Outputs would all but vanish and a wrongly exported bias would go unseen. So every floating
parameter gets noise on top of its own initialisation, and batch norms get statistics. A parameter
that upstream leaves as it finds the memory starts from zero.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

SEED = 7
_NOISE = 0.05


def instantiate(model_class: type[Any], configuration: Any) -> Any:  # noqa: ANN401  (a model)
    """The model in float32, for inference, with seeded weights."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    seed_everything()
    with _zeroed_memory():
        model = model_class(configuration).to(torch.float32).eval()
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            if weight.is_floating_point() and weight.device.type != "meta":
                weight.add_(torch.randn(weight.shape, generator=generator), alpha=_noise(name))
    return model


def _zeroed_memory() -> AbstractContextManager[Any]:
    """`torch.empty` gives zeros, the same in every process."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)
    from torch.overrides import TorchFunctionMode  # noqa: PLC0415  (the same)

    class Zeroed(TorchFunctionMode):  # type: ignore[misc]  # torch is untyped here
        def __torch_function__(
            self,
            func: Callable[..., Any],
            types: Sequence[type],
            args: Sequence[Any] = (),
            kwargs: Mapping[str, Any] | None = None,
        ) -> Any:  # noqa: ANN401  (whatever the function gives)
            made = func(*args, **(kwargs or {}))
            return made.zero_() if func in (torch.empty, torch.empty_like) else made

    return Zeroed()


def seed_everything() -> None:
    """The generators that model code draws from."""
    import random  # noqa: PLC0415  (beside the two others)

    import numpy as np  # noqa: PLC0415  (comes with torch)
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)


def _noise(name: str) -> float:
    # A router's choices stay far from ties, so that an exact export chooses the same experts.
    return 2 * _NOISE if "router" in name or name.endswith("gate.weight") else _NOISE


def parameters(model: Any) -> int:  # noqa: ANN401  (a model)
    """How many parameters a model has, shared ones once."""
    return sum(each.numel() for each in model.parameters())
