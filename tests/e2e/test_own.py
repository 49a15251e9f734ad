"""The user's own models go through the whole line: a file's function, and a saved folder."""

from pathlib import Path

import pytest

from harness.attempt import attempt
from harness.backends import load_backend
from harness.cells import Cell
from harness.errors import CaseError
from harness.results import Outcome, Result
from harness.zoo.base import load_zoo
from harness.zoo.shapes import GivenShapes

pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("default")

FILE = """
import torch
from transformers import LlamaConfig, LlamaForCausalLM

def small_llama():
    size = dict(hidden_size=32, intermediate_size=48, num_attention_heads=4, vocab_size=64)
    model = LlamaForCausalLM(LlamaConfig(**size, num_hidden_layers=2, num_key_value_heads=2))
    inputs = lambda *shape: {"input_ids": torch.randint(3, 60, shape)}
    return model, inputs(2, 8), inputs(3, 11)

def wrong():
    return 5
"""


def _attempt(path: Path, cell: str) -> Result:
    parsed = Cell.parse(cell)
    return attempt(parsed, zoo=load_zoo(str(path)), backend=load_backend(parsed.backend))


def test_a_function_of_a_file_is_exported_and_verified_with_both_sizes(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    result = _attempt(path, "mine/small_llama/forward-dynamic/dynamo")
    assert (result.outcome, result.reason) == (Outcome.PASS, None)
    sizes = {output.sizes for part in result.components for output in part.outputs}
    assert sizes == {"traced", "the sizes of the case"}


def test_the_users_other_sizes_are_left_out_where_the_users_shapes_forbid_them(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    cell = Cell.parse("mine/small_llama/forward-dynamic/dynamo")
    shapes = GivenShapes.parse('["mine/*"]\ninput_ids = { 0 = "static" }')
    backend = load_backend(cell.backend)
    result = attempt(cell, zoo=load_zoo(str(path)), backend=backend, shapes=shapes)
    assert (result.outcome, result.reason) == (Outcome.PASS, None)
    assert result.components[0].notes[-1] == (
        "not run with other sizes: given: input_ids axis 0 is static, not 3"
    )


def test_what_a_function_must_return_is_said(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    with pytest.raises(CaseError, match=r"returns \(model, inputs\)"):
        load_zoo(str(path)).build("mine", "wrong")


def test_a_saved_folder_runs_with_its_own_weights(tmp_path: Path) -> None:
    import torch
    from transformers import BertConfig, BertModel

    size = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    saved = BertModel(BertConfig(**size, num_hidden_layers=2, vocab_size=64)).eval()
    saved.save_pretrained(tmp_path)
    case = load_zoo(str(tmp_path)).build("bert", "BertModel")
    weight = saved.embeddings.word_embeddings.weight
    assert torch.equal(case.model.embeddings.word_embeddings.weight, weight)
    assert _attempt(tmp_path, "bert/BertModel/forward-static/onnx").outcome is Outcome.PASS


def test_a_saved_configuration_without_weights_gets_seeded_ones(tmp_path: Path) -> None:
    from transformers import GPT2Config

    size = {"n_embd": 32, "n_head": 4, "n_layer": 2, "vocab_size": 64, "n_positions": 64}
    special = {"bos_token_id": 1, "eos_token_id": 2}
    GPT2Config(**size, **special, architectures=["GPT2LMHeadModel"]).save_pretrained(tmp_path)
    result = _attempt(tmp_path, "gpt2/GPT2LMHeadModel/forward-static/dynamo")
    assert (result.outcome, result.reason) == (Outcome.PASS, None)
