"""The user's own models: functions of a Python file, or a folder saved with `save_pretrained`.

A file's cases are its public functions without parameters (those in `__all__`, if it has one):

    def small_llama():                      # my_models/small_llama/forward-static/onnx, …
        model = LlamaForCausalLM(LlamaConfig(…))
        return model, {"input_ids": …}      # and a third, the same inputs in other sizes

A folder is one case, with its real configuration, and its real weights if they are there; inputs
are made as for Transformers' own classes. Both are built in the forked child, like any model code.
"""

import ast
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.cells import Variant
from harness.errors import CaseError, SelectionError, nearest
from harness.zoo.base import Case, Component, Inputs, ModelClass, Outputs, Zoo
from harness.zoo.shapes import NOTHING_GIVEN, Shapes

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_NOT_IN_NAMES = str.maketrans({" ": "-", "/": "-"})


def own_zoo(path: Path) -> Zoo:
    """The zoo of a file or folder; `SelectionError` if it holds no case."""
    if path.suffix == ".py" and path.is_file():
        return FileZoo(path.resolve())
    if (path / "config.json").is_file():
        return FolderZoo(path.resolve())
    raise SelectionError(
        f"{str(path)!r} is neither a Python file nor a folder with a config.json "
        "(as `save_pretrained` writes it)"
    )


class _OwnZoo:
    """What both have in common: components and eager runs are those of any Transformers model."""

    name = "own"

    def __init__(self, path: Path) -> None:
        self.path = path

    def components(self, case: Case, variant: Variant) -> Sequence[Component]:
        from harness.zoo.components import components  # noqa: PLC0415  (it imports the exporters)

        return components(case, variant)

    def eager(self, component: Component, inputs: Inputs) -> Outputs:
        from harness.zoo.components import eager  # noqa: PLC0415  (it imports the exporters)

        return eager(component, inputs)

    def moved(self, component: Component, inputs: Inputs) -> Mapping[str, Outputs]:
        from harness.zoo.components import moved  # noqa: PLC0415  (it imports the exporters)

        return moved(component, inputs)


class FileZoo(_OwnZoo):
    """The functions of a Python file."""

    def discover(self) -> Sequence[ModelClass]:
        names = _functions(self.path)
        if not names:
            raise SelectionError(f"{self.path} has no public function without parameters")
        stem = self.path.stem
        return [ModelClass(model_type=stem, name=n, module=stem, generative=True) for n in names]

    def build(self, model_type: str, model_class: str, given: Shapes = NOTHING_GIVEN) -> Case:
        names = _functions(self.path)
        if model_class not in names or model_type != self.path.stem:
            raise CaseError(f"{self.path} has no {model_class}{nearest(model_class, names)}")
        from harness.zoo.weights import seed_everything  # noqa: PLC0415  (it imports torch)

        seed_everything()
        made = getattr(_imported(self.path), model_class)()
        return _case(made, {"file": self.path.name, "function": model_class}).shaped(given)


class FolderZoo(_OwnZoo):
    """A model as `save_pretrained` writes it."""

    def discover(self) -> Sequence[ModelClass]:
        model_type, architecture = _saved(self.path)
        found = ModelClass(
            model_type=model_type, name=architecture, module="transformers", generative=True
        )
        return [found]

    def build(self, model_type: str, model_class: str, given: Shapes = NOTHING_GIVEN) -> Case:
        import transformers  # noqa: PLC0415  (heavy)

        from harness.zoo.building import of_model  # noqa: PLC0415  (beside what it needs)

        if (model_type, model_class) != _saved(self.path):
            raise CaseError(f"{self.path} is not a {model_type}/{model_class}")
        kind = getattr(transformers, model_class, None)
        if kind is None:
            raise CaseError(f"this Transformers has no {model_class}")
        return of_model(_loaded(kind, self.path), model_type, given)


def _functions(path: Path) -> list[str]:
    """The names of a file's cases, read from its source."""
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except (SyntaxError, UnicodeDecodeError) as error:
        raise SelectionError(f"{path} can't be read as Python: {error}") from None
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return list(ast.literal_eval(value))
            case _:
                pass
    functions = [each for each in body if isinstance(each, ast.FunctionDef)]
    return [each.name for each in functions if each.name[0] != "_" and not _parameters(each)]


def _parameters(function: ast.FunctionDef) -> bool:
    taken = function.args
    return bool(taken.posonlyargs or taken.args or taken.kwonlyargs or taken.vararg or taken.kwarg)


def _imported(path: Path) -> Any:  # noqa: ANN401  (a module)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # noqa: S101  (the file is there and is Python)
    assert spec.loader is not None  # noqa: S101  (the same)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))  # it finds its neighbours, as a script does
    spec.loader.exec_module(module)
    return module


def _case(made: Any, recipe: Mapping[str, Any]) -> Case:  # noqa: ANN401  (whatever a function gave)
    """What a function gave, as a case."""
    from harness.zoo.generation import prompt  # noqa: PLC0415  (it imports torch)

    match made:
        case (model, Mapping() as inputs):
            resized = None
        case (model, Mapping() as inputs, Mapping() as resized):
            pass
        case _:
            raise CaseError(
                "a case function returns (model, inputs) or (model, inputs, inputs in other "
                f"sizes), inputs being a dict; this one returned {type(made).__name__}"
            )
    model.eval()
    generates = getattr(model, "can_generate", lambda: False)()
    return Case(
        model=model,
        inputs=dict(inputs),
        resized=None if resized is None else dict(resized),
        resized_label="the sizes of the case" if resized else "",
        generate_inputs=prompt(dict(inputs)) if generates else None,
        resized_generate_inputs=prompt(dict(resized)) if generates and resized else None,
        recipe=recipe,
    )


def _saved(folder: Path) -> tuple[str, str]:
    """(model type, architecture) of a saved configuration."""
    try:
        record = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return str(record["model_type"]).translate(_NOT_IN_NAMES), str(record["architectures"][0])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise SelectionError(
            f"{folder}/config.json names no model_type and architectures "
            f"({type(error).__name__}: {error})"
        ) from None


def _loaded(kind: type[Any], folder: Path) -> Any:  # noqa: ANN401  (a PreTrainedModel)
    """With the weights that are there, else with seeded random ones."""
    import torch  # noqa: PLC0415  (heavy)

    from harness.zoo.weights import instantiate  # noqa: PLC0415  (it imports torch)

    if any(found for pattern in _WEIGHTS for found in folder.glob(pattern)):
        return kind.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    configuration = kind.config_class.from_pretrained(folder, local_files_only=True)
    return instantiate(kind, configuration)
