"""What a built model is made of: the classes that can't be told from its own class's source.

A model's class names its parts; which parts `AutoModel.from_config` brings, only the built model
knows. So: its own class and configurations, every part that is a model itself, and every part whose
class another module defines than its parent's class. `module:Class`, as a fingerprint's roots are
written.
"""

from collections.abc import Iterator
from typing import Any


def made_of(model: Any) -> list[str]:  # noqa: ANN401  (a torch module, or a toy)
    """The classes of the model, its configurations and the parts that its source can't tell."""
    return sorted({_name(each) for each in _parts(model) if not _of_torch(each)})


def _parts(model: Any) -> Iterator[type[Any]]:  # noqa: ANN401  (a torch module, or a toy)
    yield type(model)
    waiting = [model]
    while waiting:
        parent = waiting.pop()
        yield from _configurations(vars(parent).get("config"))
        for child in getattr(parent, "children", tuple)():
            waiting.append(child)
            if _is_model(child) or type(child).__module__ != type(parent).__module__:
                yield type(child)


def _is_model(part: Any) -> bool:  # noqa: ANN401  (a torch module, or a toy)
    return hasattr(type(part), "config_class")  # of every PreTrainedModel


def _configurations(configuration: Any) -> Iterator[type[Any]]:  # noqa: ANN401  (a PreTrainedConfig)
    """A configuration's class and those within it."""
    if configuration is None or not hasattr(type(configuration), "model_type"):
        return
    yield type(configuration)
    for inner in vars(configuration).values():
        yield from _configurations(inner)


def _of_torch(kind: type[Any]) -> bool:
    return kind.__module__.partition(".")[0] == "torch"


def _name(kind: type[Any]) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"
