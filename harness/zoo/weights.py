"""A model with random weights that matter, the same bits in every process.

Upstream's initialisation is made for training: deviations of 0.02, biases and layer scales of
zero. Outputs would all but vanish and a wrongly exported bias would go unseen. So every floating
parameter gets noise on top of its own initialisation, and so do codebooks that are zero; memory
that upstream leaves as it finds it starts from zero; batch norms get the statistics of what they
see and a scale of about one, as training would have given them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

SEED = 7
NOISE = 0.05


def instantiate(model_class: type[Any], configuration: Any) -> Any:  # noqa: ANN401  (a model)
    """The model in float32, for inference, with seeded weights."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    seed_everything()
    with zeroed_memory():
        model = model_class(configuration).to(torch.float32).eval()
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, weight in (*sorted(model.named_parameters()), *sorted(codebooks(model))):
            if weight.is_floating_point() and weight.device.type != "meta":
                weight.add_(torch.randn(weight.shape, generator=generator), alpha=deviation(name))
    return model


def calibrate(model: Any, forward: Callable[[], object]) -> bool:  # noqa: ANN401  (a model)
    """Give the batch norms a scale, and the mean and variance of what they see in a forward.

    Without them a deep network without other norms shrinks its signal in each block, until all
    pictures look the same. Returns whether there are any.
    """
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)
    from torch.nn.modules.batchnorm import _BatchNorm  # noqa: PLC0415  (same)

    every = (each for each in model.modules() if isinstance(each, _BatchNorm))
    norms = [each for each in every if each.affine and each.track_running_stats]
    if not norms:
        return False
    momenta = [each.momentum for each in norms]
    for each in norms:
        each.train().momentum = 1.0
    with torch.no_grad():
        for each in norms:
            if each.weight.abs().mean() < 0.5:
                each.weight.add_(1)
        forward()
        for each, momentum in zip(norms, momenta, strict=True):
            each.eval().momentum = momentum
            # a channel that hardly varies here is not blown up on other inputs
            each.running_var.clamp_(min=each.running_var.mean().item())
    return True


@contextmanager
def rounded_otherwise(module: Any) -> Iterator[None]:  # noqa: ANN401  (a torch module)
    """Each weight one unit in its last place up or down, for as long as the context lasts."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    every = [*module.parameters(), *module.buffers()]
    weights = [each for each in every if each.is_floating_point() and each.device.type != "meta"]
    kept = [each.detach().clone() for each in weights]
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for each in weights:
            up = torch.rand(each.shape, generator=generator) < 0.5
            each.copy_(each.nextafter(torch.where(up, torch.inf, -torch.inf).to(each.dtype)))
    try:
        yield
    finally:
        with torch.no_grad():
            for each, before in zip(weights, kept, strict=True):
                each.copy_(before)


def codebooks(model: Any) -> list[tuple[str, Any]]:  # noqa: ANN401  (a model)
    """Codebooks that only a checkpoint fills: while they are zero, all sounds have one code."""
    return [(n, each) for n, each in model.named_buffers() if "codebook" in n and not each.any()]


def zeroed_memory() -> AbstractContextManager[Any]:
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


def deviation(name: str) -> float:
    # A router's choices stay far from ties, so that an exact export chooses the same experts.
    return 2 * NOISE if "router" in name or name.endswith("gate.weight") else NOISE


def parameters(model: Any) -> int:  # noqa: ANN401  (a model)
    """How many parameters a model has, shared ones once."""
    return sum(each.numel() for each in model.parameters())
