"""The code that a model page shows exports a model, as it stands."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from harness.cells import Cell, Variant  # noqa: E402  (after what it needs is known to be here)
from runner.core.usage import export_code  # noqa: E402

TEXT = {"vocab_size": 16, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 32}  # fmt: skip
GPT2 = {"vocab_size": 16, "n_embd": 32, "n_layer": 1, "n_head": 2, "bos_token_id": 1,
        "eos_token_id": 2}  # fmt: skip
VIT = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
       "image_size": 224, "patch_size": 112}  # fmt: skip
AUDIO = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
         "intermediate_size": 32, "conv_dim": (16, 16), "conv_kernel": (10, 8),
         "conv_stride": (10, 8), "num_feat_extract_layers": 2,
         "num_conv_pos_embedding_groups": 2, "num_conv_pos_embeddings": 8}  # fmt: skip


def _tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: number for number, word in enumerate(["[UNK]", "An", "example", "."])}
    made = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=made).save_pretrained(folder)


def _saved(folder: Path, modality: str, name: str, settings: dict[str, object]) -> None:
    kind = getattr(transformers, name)
    kind(kind.config_class(**settings)).save_pretrained(folder)
    if modality == "text":
        _tokenizer(folder)
    elif modality == "audio":
        transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)


@pytest.mark.filterwarnings("ignore")  # torch's exporters warn of torch, which is not ours to mend
@pytest.mark.parametrize(
    ("cell", "modality", "settings"),
    [
        (Cell("bert", "BertModel", Variant.FORWARD_DYNAMIC, "dynamo"), "text", TEXT),
        (Cell("gpt2", "GPT2LMHeadModel", Variant.GENERATE_STATIC, "dynamo"), "text", GPT2),
        (Cell("vit", "ViTModel", Variant.FORWARD_STATIC, "onnx"), "image", VIT),
        (Cell("wav2vec2", "Wav2Vec2Model", Variant.FORWARD_STATIC, "dynamo"), "audio", AUDIO),
    ],
    ids=lambda each: each.model_type if isinstance(each, Cell) else "",
)
def test_the_code_of_a_model_page_exports_the_model(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cell: Cell,
    modality: str,
    settings: dict[str, object],
) -> None:
    _saved(tmp_path / "checkpoint", modality, cell.model_class, settings)
    code = export_code(cell, modality, checkpoint="checkpoint")
    assert code is not None
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "usage", "exec"), {})
    written = tmp_path / f"{cell.model_type}-{cell.backend}"
    assert (written / "export.json").is_file()
