"""A small world whose model classes are named after their fate. No torch.

`tests.toyzoo` is a zoo (its `zoo()`), and brings a backend of its own, `toy`, by being imported.
"""

from harness.backends import register_backend
from harness.zoo.base import Zoo
from tests.toyzoo.backend import ToyBackend
from tests.toyzoo.zoo import ToyZoo

register_backend(ToyBackend.name, ToyBackend)


def zoo() -> Zoo:
    return ToyZoo()
