"""What a zoo offers: model classes, cases, and the graphs a case decomposes into.

A zoo is named by its dotted module path, which has a `zoo() -> Zoo` function, or by the path of the
user's own models (`harness.zoo.own`):

- `harness.zoo.transformers`: Transformers' own classes, made by rules;
- `harness.zoo.testers`: the same classes, as a checkout's tests make them;
- the tests' `toyzoo`.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, cast

from harness.cells import Variant
from harness.errors import SelectionError, nearest
from harness.zoo.shapes import NOTHING_GIVEN, Shapes

#: what a forward takes, `{"input_ids": tensor, "past_key_values": cache}`
Inputs = dict[str, Any]
#: what a forward gave: dotted path -> array (numpy; bfloat16 widened to float32)
Outputs = Mapping[str, "Array"]

TRANSFORMERS, TESTERS = "harness.zoo.transformers", "harness.zoo.testers"
#: the zoos of Transformers' own classes, by what results call their provider
PROVIDERS = {"transformers": TRANSFORMERS, "testers": TESTERS}


@dataclass(frozen=True, slots=True)
class Array:
    """One output as numbers: a numpy array and the dtype it had, which numpy may not know."""

    values: Any
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelClass:
    """A public model class, as discovery finds it."""

    model_type: str
    name: str
    #: dotted module that defines it
    module: str
    #: whether it has `generate`
    generative: bool = False
    #: why it can't become cases (a package that is not installed, an abstract helper), else None
    skip: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model class made concrete: a tiny random model and the inputs it runs on."""

    model: Any
    #: forward kwargs
    inputs: Inputs
    #: forward kwargs with other sizes (batch, sequence, image size where the model allows)
    resized: Inputs | None = None
    #: what changed in `resized`, `batch 3, sequence 11`
    resized_label: str = ""
    #: generate kwargs, for generative classes
    generate_inputs: Inputs | None = None
    resized_generate_inputs: Inputs | None = None
    #: how it was made: configuration changes, seed, parameters, sizes, what can't be varied and why
    recipe: Mapping[str, Any] = field(default_factory=dict)
    #: what a user gives for its dynamic shapes; `resized` keeps to it
    given: Shapes = NOTHING_GIVEN

    def shaped(self, given: Shapes) -> "Case":
        """The case with these shapes given, which its recipe tells."""
        told = {"dynamic_shapes": given.told} if given else {}
        return replace(self, given=given, recipe={**self.recipe, **told})


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A graph that a case decomposes into, with the inputs to export and to run it on."""

    name: str
    #: called as `module(**inputs)`
    module: Any
    inputs: Inputs
    resized: Inputs | None = None
    resized_label: str = ""
    #: why there are no other sizes
    unvaried: str = "nothing of it can be varied"
    #: what a user gives for the inputs that it takes
    given: Shapes = NOTHING_GIVEN


class Zoo(Protocol):
    """Where cases come from."""

    #: goes into every result as its provider
    name: str

    def discover(self) -> Sequence[ModelClass]:
        """All model classes in a stable order, without importing torch."""

    def build(self, model_type: str, model_class: str, given: Shapes = NOTHING_GIVEN) -> Case:
        """The case of a class, the same bits each time; `CaseError` if it can't be built or run.

        Its other sizes keep to the given shapes.
        """

    def components(self, case: Case, variant: Variant) -> Sequence[Component]:
        """The graphs to export, decomposed the way the exporters' own library does it."""

    def eager(self, component: Component, inputs: Inputs) -> Outputs:
        """The reference: the component run eagerly on a copy of `inputs`."""

    def moved(self, component: Component, inputs: Inputs) -> Mapping[str, Outputs]:
        """The reference after changes that mean nothing, by the kind of what they bring to light.

        `random`: other random numbers are drawn; `ill-conditioned`: weights are rounded otherwise.
        """


def load_zoo(name: str = TRANSFORMERS) -> Zoo:
    """The zoo of that dotted module path, or of that file or folder; else `SelectionError`."""
    if "/" in name:
        from harness.zoo.own import own_zoo  # noqa: PLC0415  (it imports this module)

        return own_zoo(Path(name))
    try:
        module = importlib.import_module(name)
        make = cast(Callable[[], Zoo], module.zoo)
    except (ImportError, AttributeError) as error:
        known = ", ".join(PROVIDERS)
        hint = nearest(name, PROVIDERS)
        raise SelectionError(f"no provider {name!r} ({error}){hint} (one of {known})") from None
    return make()
