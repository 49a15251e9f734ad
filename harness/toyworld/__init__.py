"""A world of a dozen toys that is under test as Transformers is, in seconds and without torch.

A zoo (its `zoo()`) whose model classes are what the revision's `transformers.toys` has, and a
backend of its own, `toyworld`, which asks a toy to capture, lower and run itself. `sources.txt` is
that module, as it is when all is well. `export-matrix selfcheck --toys` plants breakages in it.
"""

from harness.backends import register_backend
from harness.toyworld.backend import ToyBackend
from harness.toyworld.zoo import ToyZoo
from harness.zoo.base import Zoo

register_backend(ToyBackend.name, ToyBackend)


def zoo() -> Zoo:
    return ToyZoo()
