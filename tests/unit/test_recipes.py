"""Recipes are remembered until something that they depend on changes."""

from pathlib import Path

import pytest

from runner.steps.recipes import Recipes

NAME = "llava/LlavaModel"
RECIPE = {
    "seed": 7,
    "made_of": [f"transformers.models.{x}.modeling_{x}:Model" for x in ("llava", "llama")],
}
FILES = {
    "modeling_utils.py": "",
    "models/llava/modeling_llava.py": "from ..auto import AutoModel\nfrom ..clip import CLIP\n",
    "models/clip/modeling_clip.py": "from ..vit.modeling_vit import Patches\n",
    "models/vit/modeling_vit.py": "",
    "models/llama/modeling_llama.py": "",
    "models/bert/modeling_bert.py": "",
    "models/auto/modeling_auto.py": "from ..bert import BertModel\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / "transformers" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "transformers"


def _recalled(package: Path, name: str = NAME) -> object:
    """What a later process knows."""
    return Recipes(package.parent, package).recall(name)


def test_a_recipe_is_there_for_the_next_process(package: Path) -> None:
    Recipes(package.parent, package).remember({NAME: RECIPE})
    assert _recalled(package) == RECIPE
    assert _recalled(package, "bert/BertModel") is None


@pytest.mark.parametrize(
    "changed",
    [
        "models/llava/modeling_llava.py",
        "models/llama/modeling_llama.py",  # the built model has modules of it
        "models/vit/modeling_vit.py",  # named by what the class's own package names
        "modeling_utils.py",
    ],
)
def test_a_change_in_what_a_case_is_made_of_forgets_its_recipe(package: Path, changed: str) -> None:
    Recipes(package.parent, package).remember({NAME: RECIPE})
    with (package / changed).open("a") as file:
        file.write("# changed\n")
    assert _recalled(package) is None


@pytest.mark.parametrize("changed", ["models/bert/modeling_bert.py", "models/auto/new.py"])
def test_a_change_elsewhere_forgets_nothing(package: Path, changed: str) -> None:
    Recipes(package.parent, package).remember({NAME: RECIPE})
    (package / changed).write_text("# changed\n")
    assert _recalled(package) == RECIPE


def test_recipes_are_added_to_those_that_are_there(package: Path) -> None:
    Recipes(package.parent, package).remember({NAME: RECIPE})
    Recipes(package.parent, package).remember({"bert/BertModel": {"seed": 7}})
    assert _recalled(package) == RECIPE
    assert _recalled(package, "bert/BertModel") == {"seed": 7}


def test_only_the_newest_states_are_kept(package: Path) -> None:
    for number in range(12):
        (package / "modeling_utils.py").write_text(f"# {number}\n")
        Recipes(package.parent, package).remember({NAME: RECIPE})
    assert len(list((package.parent / "recipes").iterdir())) == 8
    assert _recalled(package) == RECIPE


def test_a_package_that_a_recipe_makes_up_reads_nothing_outside(package: Path) -> None:
    (package.parent / "secret.py").write_text("1")
    odd = {"made_of": ["transformers.models.../...x:Y", "transformers.models.nowhere.x:Y"]}
    Recipes(package.parent, package).remember({NAME: odd})
    (package.parent / "secret.py").write_text("2")
    assert _recalled(package) == odd
