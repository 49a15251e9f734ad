"""Discovery, over a small source tree that is laid out like Transformers'."""

from pathlib import Path

import pytest

from harness.zoo.base import ModelClass
from harness.zoo.discovery import discover

LIBRARY = {
    "modeling_utils.py": "class PreTrainedModel(nn.Module): ...\n",
    "modeling_layers.py": (
        "class GenericForTokenClassification:\n    def forward(self, input_ids): ...\n"
    ),
    "generation/__init__.py": "from .utils import GenerationMixin\n",
    "generation/utils.py": "class GenerationMixin: ...\n",
    "models/toad/modeling_toad.py": """
from ...generation import GenerationMixin
from ...modeling_layers import GenericForTokenClassification
from ...modeling_utils import PreTrainedModel


class ToadLayer(nn.Module):
    def forward(self, x): ...


class ToadPreTrainedModel(PreTrainedModel): ...


class ToadModel(ToadPreTrainedModel):
    def forward(self, input_ids): ...


class ToadForCausalLM(ToadPreTrainedModel, GenerationMixin):
    def forward(self, input_ids): ...


class ToadForTokenClassification(GenericForTokenClassification, ToadPreTrainedModel): ...


class ToadCodes(ToadPreTrainedModel): ...


class ToadHidden(ToadPreTrainedModel):
    def forward(self, input_ids): ...


__all__ = ["ToadModel", "ToadPreTrainedModel", "ToadForCausalLM", "ToadLayer", "ToadCodes"]
__all__ += ["ToadForTokenClassification"]
""",
    "models/newt/modeling_newt.py": """
from ..toad.modeling_toad import ToadForCausalLM as Base


class NewtForCausalLM(Base): ...


@requires(backends=("torch", "unheard_of>=1.2"))
class NewtModel(Base): ...


class NewtBackbone(Base):
    def __init__(self, config):
        requires_backends(self, ["unheard_of"])


class NewtConditional(Base):
    def __init__(self, config):
        if config.use_unheard_of:
            requires_backends(self, ["unheard_of"])


__all__ = ["NewtForCausalLM", "NewtModel", "NewtBackbone", "NewtConditional"]
""",
    "models/eft/modeling_eft.py": """
import unheard_of

from ..toad.modeling_toad import ToadPreTrainedModel

if unheard_of.is_new():
    import something_else


class EftModel(ToadPreTrainedModel):
    def forward(self, input_ids): ...


__all__ = ["EftModel"]
""",
}


@pytest.fixture
def found(tmp_path: Path) -> dict[str, ModelClass]:
    for name, source in LIBRARY.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    return {each.name: each for each in discover(tmp_path)}


def test_every_public_model_class_is_listed_and_nothing_else(found: dict[str, ModelClass]) -> None:
    assert set(found) == {
        "ToadModel", "ToadPreTrainedModel", "ToadForCausalLM", "ToadForTokenClassification",
        "ToadCodes", "NewtForCausalLM", "NewtModel", "NewtBackbone", "NewtConditional", "EftModel",
    }  # fmt: skip


def test_the_order_is_that_of_model_types_and_names(found: dict[str, ModelClass]) -> None:
    keys = [(each.model_type, each.name) for each in found.values()]
    assert keys == sorted(keys)


def test_a_class_is_found_where_it_is_defined(found: dict[str, ModelClass]) -> None:
    assert found["NewtForCausalLM"].module == "transformers.models.newt.modeling_newt"
    assert found["NewtForCausalLM"].model_type == "newt"


def test_what_generates_is_known_across_files_and_aliases(found: dict[str, ModelClass]) -> None:
    assert found["ToadForCausalLM"].generative
    assert found["NewtForCausalLM"].generative
    assert not found["ToadModel"].generative


def test_a_forward_may_come_from_any_base(found: dict[str, ModelClass]) -> None:
    assert found["ToadForTokenClassification"].skip is None
    assert found["NewtForCausalLM"].skip is None


def test_abstract_classes_are_listed_with_their_reason(found: dict[str, ModelClass]) -> None:
    assert found["ToadPreTrainedModel"].skip == "abstract: the base of its model type's classes"
    assert found["ToadCodes"].skip == "abstract: it has no forward"


@pytest.mark.parametrize("name", ["NewtModel", "NewtBackbone", "EftModel"])
def test_a_missing_package_is_named(found: dict[str, ModelClass], name: str) -> None:
    assert found[name].skip == "needs unheard_of, which is not installed"


def test_a_package_that_only_some_configurations_need_is_no_reason_to_skip(
    found: dict[str, ModelClass],
) -> None:
    assert found["NewtConditional"].skip is None
