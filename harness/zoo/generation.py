"""The prompt of `generate`, from the inputs of a forward.

A decoder's prompts are padded on the left, so that what comes next comes after a word; what the
decoder of an encoder-decoder starts with is for `generate` itself to choose.
"""

from harness.zoo.base import Inputs


def prompt(inputs: Inputs) -> Inputs:
    """The same inputs as keyword arguments of `generate`."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    given = {name: each for name, each in inputs.items() if not name.startswith("decoder_")}
    mask = given.get("attention_mask")
    if "decoder_input_ids" in inputs or mask is None or "input_ids" not in given:
        return given
    padded = (mask == 0).sum(dim=-1).tolist()
    along = [name for name, each in given.items() if getattr(each, "shape", None) == mask.shape]
    for name in along:
        rows = zip(given[name], padded, strict=True)
        given[name] = torch.stack([row.roll(shift, dims=0) for row, shift in rows])
    return given
