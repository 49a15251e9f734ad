"""The presets of SELECT: named lists of words, with the reason for what is in them.

`smoke` is the default: minutes on a laptop, one class for each way that models are built, so that
each part of the exporters is met once. `popular` is what most people ship.
"""

#: one architecture each: encoder, decoder (full, grouped-query, alternating windows), experts,
#: encoder-decoder, vision (transformer, convolution), audio, two towers, state space, image
#: placeholders. No windowed vision (swin): its dynamic ExecuTorch export takes over five minutes.
_SMOKE = (
    "*/BertModel",
    "*/LlamaForCausalLM",
    "*/Gemma2ForCausalLM",
    "*/MixtralForCausalLM",
    "*/T5Model",
    "*/ViTForImageClassification",
    "*/ResNetForImageClassification",
    "*/WhisperModel",
    "*/CLIPModel",
    "*/MambaForCausalLM",
    "*/LlavaForConditionalGeneration",
)

_POPULAR_TYPES = (
    "albert", "bart", "bert", "blip", "bloom", "clip", "convnext", "deberta_v2", "deit", "detr",
    "dinov2", "distilbert", "electra", "gemma2", "gemma3", "gpt2", "gpt_neox", "hubert", "llama",
    "llava", "mamba", "mamba2", "marian", "mistral", "mixtral", "opt", "pegasus", "phi3", "qwen2",
    "qwen2_moe", "qwen2_vl", "qwen3", "resnet", "roberta", "sam", "segformer", "siglip", "swin",
    "t5", "vit", "wav2vec2", "whisper",
)  # fmt: skip

PRESETS: dict[str, tuple[str, ...]] = {
    "smoke": _SMOKE,
    "popular": tuple(f"{model_type}/*" for model_type in _POPULAR_TYPES),
    "all": ("*",),
}
