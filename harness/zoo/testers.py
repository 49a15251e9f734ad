"""The second provider: the model testers of a Transformers checkout, `tests/models/*`.

Maintainers write down there what a tiny model and its inputs are. The cells and their ids are the
same as with the first provider (`transformers`); only configuration and inputs are the tester's,
weights and runs are ours. It works where tests lie beside the sources: a commit of a checkout, or
an editable install.

- The tester of a class is the test case that has it in `all_model_classes`.
- Sizes are varied through the tester's own numbers (`batch_size`, `seq_length`), its parts' too;
  what changes the configuration with it, or what the model refuses, is fixed and said.
- What upstream doesn't export (`test_torch_exportable`, `EXPORT_SKIPS`) is in the recipe, and runs.
"""

import contextlib
import importlib
import inspect
import sys
import unittest
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import CaseError, SelectionError, SkipError
from harness.zoo.base import Case, Inputs, ModelClass, Zoo
from harness.zoo.building import NEEDS
from harness.zoo.discovery import package_folder
from harness.zoo.makeup import made_of
from harness.zoo.resizing import label_of
from harness.zoo.shapes import NOTHING_GIVEN, Shapes
from harness.zoo.transformers import TransformersZoo
from harness.zoo.trial import check, run
from harness.zoo.weights import SEED, instantiate, parameters, seed_everything

#: what a tester gives for training
_TRAINING = ("labels", "future_values", "return_loss")
_BATCH, _LENGTHS = ("batch_size",), ("seq_length", "text_seq_length", "decoder_seq_length")
#: how much larger other sizes are, the boldest first
_LARGER = ({"batch": 1, "length": 3}, {"length": 3}, {"batch": 1})


class TestersZoo(TransformersZoo):
    """Cases made by the model testers beside the Transformers that is under test."""

    name = "testers"

    @cached_property
    def _root(self) -> Path:
        root = package_folder().parents[1]
        if (root / "tests" / "models").is_dir():
            return root
        raise SelectionError(
            "there are no model testers beside this Transformers; they come with a commit: "
            "--revision path/to/transformers@main"
        )

    def discover(self) -> Sequence[ModelClass]:  # type: ignore[explicit-override]  # Python 3.12's
        assert self._root  # noqa: S101  (without testers there is nothing to list)
        return super().discover()

    def build(  # type: ignore[explicit-override]  # Python 3.12's
        self, model_type: str, model_class: str, given: Shapes = NOTHING_GIVEN
    ) -> Case:
        kind = self._load(model_type, model_class)
        try:
            tester = self._tester(model_type, kind)
            return _case(tester, kind, given)
        except CaseError:
            raise
        except unittest.SkipTest as error:
            raise SkipError(f"its tester is skipped: {error}") from error
        except ImportError as error:
            if packages := _packages(error):
                raise SkipError(f"its tester needs {packages}, which is not installed") from error
            raise CaseError(f"its tester: {error}") from error
        except Exception as error:  # testers raise whatever they like
            line = " ".join(str(error).split())[:300]
            raise CaseError(f"its tester: {type(error).__name__}: {line}") from error

    def _tester(self, model_type: str, kind: type[Any]) -> Any:  # noqa: ANN401  (a TestCase of theirs)
        folder = self._root / "tests" / "models" / model_type
        files = sorted(folder.glob("test_modeling_*.py"))
        if not files:
            raise SkipError(f"no model tester: there is no tests/models/{model_type}")
        with _importable(self._root):
            for file in files:
                module = importlib.import_module(f"tests.models.{model_type}.{file.stem}")
                for each in _test_cases(module):
                    if kind in (each.all_model_classes or ()):
                        return each
        raise SkipError(f"no model tester of tests/models/{model_type} has it among its classes")


def _packages(error: ImportError) -> str:
    """What is not installed here, if that is why."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return error.name
    return ", ".join(name.lower() for name in dict.fromkeys(NEEDS.findall(str(error))))


@contextlib.contextmanager
def _importable(root: Path) -> Iterator[None]:
    """Their package is called `tests`, like many others."""
    there = sys.modules.get("tests")
    if there is not None and str(root / "tests") not in there.__path__:
        raise CaseError("another package named `tests` is imported in this process")
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))


def _test_cases(module: Any) -> Iterator[Any]:  # noqa: ANN401  (a module)
    """The module's own test cases that test a model class, set up."""
    for name, each in inspect.getmembers(module, inspect.isclass):
        own = each.__module__ == module.__name__ and issubclass(each, unittest.TestCase)
        if own and hasattr(each, "all_model_classes") and not name.startswith("_"):
            tester: Any = each()
            tester.setUp()
            yield tester


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a tester gives for a class."""

    configuration: Any
    inputs: Inputs
    generate_inputs: Inputs | None


def _offer(tester: Any, kind: type[Any]) -> _Offer:  # noqa: ANN401  (a TestCase of theirs)
    """The same each time: testers draw from a generator of their own as well."""
    seed_everything()
    common = sys.modules.get("tests.test_modeling_common")
    if generator := getattr(common, "global_rng", None):
        generator.seed(SEED)
    by_class = getattr(tester.model_tester, "prepare_config_and_inputs_for_model_class", None)
    if by_class:
        configuration, inputs = by_class(kind)
    else:
        configuration, inputs = tester.model_tester.prepare_config_and_inputs_for_common()
    configuration.return_loss = False
    if adjust := getattr(tester, "_prepare_for_class", None):  # a backbone's tester has none
        inputs = adjust(inputs, kind)
    return _Offer(configuration, _cleaned(inputs), _prompt(tester, kind))


def _prompt(tester: Any, kind: type[Any]) -> Inputs | None:  # noqa: ANN401  (a TestCase of theirs)
    prepare = getattr(tester, "prepare_config_and_inputs_for_generate", None)
    if prepare is None or kind not in getattr(tester, "all_generative_model_classes", ()):
        return None
    return _cleaned(prepare()[1])


def _cleaned(inputs: Mapping[str, Any]) -> Inputs:
    """Without what is for training, numbers in the model's precision."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    given = {k: v for k, v in inputs.items() if v is not None and k not in _TRAINING}
    floats = (torch.float16, torch.bfloat16, torch.float64)
    return {k: v.float() if getattr(v, "dtype", None) in floats else v for k, v in given.items()}


def _case(tester: Any, kind: type[Any], given: Shapes) -> Case:  # noqa: ANN401  (a TestCase of theirs)
    offer = _offer(tester, kind)
    model = instantiate(kind, offer.configuration)
    infinite = check(model, offer.inputs, run(model, offer.inputs))
    other, label, fixed = _resized(tester, kind, offer, model, given)
    recipe = {
        "tester": f"{type(tester).__module__}.{type(tester).__qualname__}",
        "seed": SEED,
        "parameters": parameters(model),
        "made_of": [*made_of(model), f"{type(tester).__module__}:{type(tester).__qualname__}"],
        "configuration": dict(model.config.to_diff_dict()),
        "sizes": {n: list(v.shape) for n, v in offer.inputs.items() if hasattr(v, "shape")},
        "fixed": fixed,
        "infinite": infinite,
        "upstream": _upstream(tester, kind),
    }
    return Case(
        model=model,
        inputs=offer.inputs,
        resized=other.inputs if other else None,
        resized_label=label,
        generate_inputs=offer.generate_inputs,
        resized_generate_inputs=other.generate_inputs if other else None,
        recipe=recipe,
    ).shaped(given)


def _resized(
    tester: Any,  # noqa: ANN401  (a TestCase of theirs)
    kind: type[Any],
    offer: _Offer,
    model: Any,  # noqa: ANN401  (a PreTrainedModel)
    given: Shapes,
) -> tuple[_Offer | None, str, dict[str, str]]:
    """The boldest other sizes that eager accepts, their label, and what is fixed and why."""
    fixed: dict[str, str] = {}
    for larger in _LARGER:
        asked = " and ".join(f"{name} + {more}" for name, more in larger.items())
        try:
            with _enlarged(tester, larger):
                other = _offer(tester, kind)
            if other.configuration.to_dict() != offer.configuration.to_dict():
                fixed[asked] = "the tester makes another configuration for it"
                continue
            label = label_of(offer.inputs, other.inputs, _batch(other.inputs))
            if not label:
                fixed[asked] = "the tester makes the same inputs for it"
                continue
            given.check_other(offer.inputs, other.inputs)
            run(model, other.inputs)
        except Exception as error:  # noqa: BLE001  (a model refuses a size with whatever it likes)
            fixed[asked] = " ".join(str(error).split())[:200]
        else:
            return other, label, fixed
    return None, "", fixed


@contextlib.contextmanager
def _enlarged(tester: Any, larger: Mapping[str, int]) -> Iterator[None]:  # noqa: ANN401  (a TestCase of theirs)
    """The tester with larger numbers, in its parts too; as it was, afterwards."""
    names = dict.fromkeys(_BATCH, larger.get("batch", 0))
    names |= dict.fromkeys(_LENGTHS, larger.get("length", 0))
    found = [(part, n, v) for part in _parts(tester) for n, v in vars(part).items() if n in names]
    numbers = [(part, name, value) for part, name, value in found if type(value) is int]
    for part, name, value in numbers:
        setattr(part, name, value + names[name])
    try:
        yield
    finally:
        for part, name, value in numbers:
            setattr(part, name, value)


def _parts(tester: Any) -> list[Any]:  # noqa: ANN401  (a TestCase of theirs)
    """The model tester, and the testers that it is composed of."""
    main = tester.model_tester
    return [main, *(each for name, each in vars(main).items() if name.endswith("model_tester"))]


def _batch(inputs: Inputs) -> int:
    sizes = [each.shape[0] for each in inputs.values() if getattr(each, "ndim", 0)]
    return sizes[0] if sizes else 0


def _upstream(tester: Any, kind: type[Any]) -> dict[str, Any]:  # noqa: ANN401  (a TestCase of theirs)
    """What Transformers' own export tests leave out of this class, and why."""
    modules = [sys.modules[each.__module__] for each in type(tester).__mro__]
    lists = [getattr(module, "EXPORT_SKIPS", {}) for module in dict.fromkeys(modules)]
    return {
        "test_torch_exportable": bool(getattr(tester, "test_torch_exportable", True)),
        "skips": {
            scope: reasons[kind.__name__]
            for each in lists
            for scope, reasons in each.items()
            if kind.__name__ in reasons
        },
    }


def zoo() -> Zoo:
    """The zoo that `harness.zoo.base.load_zoo` finds."""
    return TestersZoo()
