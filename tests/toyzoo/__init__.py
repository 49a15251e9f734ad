"""A small world whose model classes are named after their fate. No torch.

`tests.toyzoo` is a zoo (its `zoo()`), and brings backends of its own by being
imported: `toy`, and `absent`, which is not installed.
"""

from harness.backends import register_backend
from harness.zoo.base import Zoo
from tests.toyzoo.backend import AbsentBackend, ToyBackend
from tests.toyzoo.zoo import ToyZoo

register_backend(ToyBackend.name, ToyBackend)
register_backend(AbsentBackend.name, AbsentBackend)


def zoo() -> Zoo:
    return ToyZoo()
