"""A believable history without torch: for page tests, `make demo` and pictures.

Two releases over forty model types, three backends, two variants, made of real results by the real
ingest: regressions, fixes, failures with tracebacks, deaths, skips, errors of ours, models that fail
because of what they contain, cells that flip, and a third run that was interrupted. Deterministic but for the time, which counts back from now.
"""

import random
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from harness.cells import Cell, Variant
from harness.results import ComponentResult, Outcome, OutputDifference, Result, Stage
from runner.core.label import label
from runner.core.reuse import Remembered
from runner.core.runs import Run
from runner.store import writes
from runner.store.engine import Engine, ensure
from runner.store.fingerprints import remember

_NAMES = """
    albert:Albert bart:Bart bert:Bert blip:Blip bloom:Bloom clip:CLIP convnext:ConvNext
    deberta_v2:DebertaV2 deit:Deit detr:Detr dinov2:Dinov2 distilbert:DistilBert
    electra:Electra gemma2:Gemma2 gpt2:GPT2 gpt_neox:GPTNeoX hubert:Hubert llama:Llama
    llava:Llava mamba:Mamba mamba2:Mamba2 marian:Marian mistral:Mistral mixtral:Mixtral
    opt:OPT pegasus:Pegasus phi3:Phi3 qwen2:Qwen2 qwen2_moe:Qwen2Moe qwen3:Qwen3 resnet:ResNet
    roberta:Roberta sam:Sam segformer:Segformer siglip:Siglip swin:Swin t5:T5 vit:ViT
    wav2vec2:Wav2Vec2 whisper:Whisper
"""
TYPES = dict(entry.split(":") for entry in _NAMES.split())
HEADS = ("Model", "ForCausalLM")
BACKENDS = ("dynamo", "onnx", "executorch")
VARIANTS = (Variant.FORWARD_STATIC, Variant.FORWARD_DYNAMIC)
STACK = {
    "python": "3.11.7", "torch": "2.13.0+cpu", "onnx": "1.23.0", "onnxscript": "0.7.2",
    "onnxruntime": "1.32.0", "executorch": "1.4.1", "device": "cpu",
}  # fmt: skip
HOSTILE = "<script>alert('model')</script> **bold** `code`"

_GUARD = """Traceback (most recent call last):
  File "/site-packages/transformers/exporters/exporter_dynamo.py", line 133, in export_program
    exported_program: ExportedProgram = torch.export.export(
  File "/site-packages/transformers/models/{type}/modeling_{type}.py", line {line}, in forward
    if attention_mask.sum() == expert_hit.nonzero().shape[0]:
torch.fx.experimental.symbolic_shapes.GuardOnDataDependentSymNode: Could not guard on data-dependent expression Eq(u{line}, 0) (unhinted: Eq(u{line}, 0))
"""
_CONVERSION = """Traceback (most recent call last):
  File "/site-packages/transformers/exporters/exporter_onnx.py", line 154, in export_program
    onnx_program: ONNXProgram = torch.onnx.export(
  File "/site-packages/torch/onnx/_internal/exporter/_core.py", line 520, in _handle_call_function_node_with_lowering
    raise _errors.DispatchError(
torch.onnx._internal.exporter._errors.DispatchError: No ONNX function found for <OpOverload(op='aten.selective_scan', overload='default')>. Failure message: No decompositions registered for the real-valued input
"""
_VIOLATION = """Traceback (most recent call last):
  File "/site-packages/transformers/exporters/exporter_executorch.py", line 91, in export_program
    edge = to_edge_transform_and_lower(program, partitioner=partitioners)
  File "/site-packages/executorch/exir/verification/verifier.py", line 236, in __call__
    raise SpecViolationError(
torch._export.verifier.SpecViolationError: Operator torch._ops.aten.cummax.default is not Aten Canonical.
"""
_HOSTILE = f"""Traceback (most recent call last):
  File "/site-packages/transformers/models/blip/modeling_blip.py", line 9, in forward
    raise ValueError(text)
ValueError: {HOSTILE}
"""


def cells() -> list[Cell]:
    """Every cell of the seed."""
    return [
        Cell(model_type, f"{name}{head}", variant, backend)
        for model_type, name in TYPES.items()
        for head in HEADS
        for variant in VARIANTS
        for backend in BACKENDS
    ]


def result(cell: Cell, revision: str) -> Result:
    """What becomes of a cell: mostly a pass; the same each time it is asked."""
    chance = random.Random(zlib.crc32(cell.id.encode())).random()
    if cell.model_type == "resnet" and cell.model_class.endswith("ForCausalLM"):
        return _ended(cell, Outcome.SKIP, reason="needs timm, which is not installed")
    if cell.model_type == "sam" and cell.model_class.endswith("ForCausalLM"):
        why = "eager run: RuntimeError: mat1 and mat2 shapes cannot be multiplied (10x32 and 64x64)"
        return _ended(cell, Outcome.ERROR, stage=Stage.BUILD, reason=why)
    if cell.model_type in ("mixtral", "qwen2_moe") and cell.variant.dynamic:
        trace = _GUARD.format(type=cell.model_type, line=len(cell.model_class) * 11)
        return _failed(cell, Stage.CAPTURE, trace)
    converted = cell.model_type.startswith("mamba") or cell.model_type == "mixtral"
    if converted and cell.backend == "onnx" and revision == "5.23.0":
        return _failed(cell, Stage.LOWER, _CONVERSION)
    if cell.model_type == "blip" and cell.backend == "dynamo":
        return _failed(cell, Stage.CAPTURE, _HOSTILE)
    return _later(cell, revision, chance)


def _backend(cell: Cell) -> str:
    return f"{cell.backend} {'dynamic' if cell.variant.dynamic else 'static'}"


def _later(cell: Cell, revision: str, chance: float) -> Result:
    if cell.model_type in ("llama", "llava") and _backend(cell) == "executorch dynamic":
        return _failed(cell, Stage.LOWER, _VIOLATION)
    if cell.backend == "executorch" and cell.variant.dynamic and chance < 0.3:
        why = "refuses other sizes (batch 3, sequence 13): method->execute() failed with error 0x12"
        return _failed(cell, Stage.RESIZE, None, kind="specialized-shape", reason=why)
    if cell.backend == "executorch" and chance > 0.94:
        signal = {"signal": "SIGSEGV", "log_tail": "Fatal Python error: Segmentation fault"}
        return _ended(cell, Outcome.CRASH, stage=Stage.LOWER, reason="killed by SIGSEGV").replace(
            **signal
        )
    if cell.model_type == "swin" and cell.backend == "onnx" and revision == "5.22.2":
        why = "output 'last_hidden_state': 12 of 1280 elements beyond tolerance"
        return _failed(cell, Stage.COMPARE, None, kind="mismatch", reason=why)
    return _passed(cell, chance)


def _ended(cell: Cell, outcome: Outcome, *, reason: str, stage: Stage | None = None) -> Result:
    return Result(
        cell=cell,
        outcome=outcome,
        stage=stage,
        reason=reason,
        durations_s={"build": 0.04},
        provider="transformers",
    )


def _failed(
    cell: Cell,
    stage: Stage,
    traceback: str | None,
    *,
    kind: str | None = None,
    reason: str | None = None,
) -> Result:
    last = reason or (traceback or "").strip().splitlines()[-1].rpartition("symbolic_shapes.")[2]
    part = ComponentResult(name="model", outcome=Outcome.FAIL, stage=stage, kind=kind, reason=last)
    stages = [found for found in Stage if found.order <= stage.order]
    return Result(
        cell=cell,
        outcome=Outcome.FAIL,
        stage=stage,
        kind=kind,
        reason=last,
        components=(part,),
        durations_s=dict.fromkeys(stages, 0.3),
        peak_rss_bytes=90 * 2**20,
        traceback=traceback,
        provider="transformers",
    )


def _passed(cell: Cell, chance: float) -> Result:
    output = OutputDifference(
        name="last_hidden_state",
        shape=(2, 10, 64),
        dtype="float32",
        max_abs_diff=chance * 2e-6,
        max_rel_diff=chance * 1e-4,
        elements=1280,
        atol=1e-4,
        rtol=1e-4,
    )
    part = ComponentResult(
        name="model",
        outcome=Outcome.PASS,
        outputs=(output,),
        graph_nodes=120 + int(chance * 100),
        planned_bytes=int(chance * 2**24) if cell.backend == "executorch" else None,
        patches=("torch.nn.functional.scaled_dot_product_attention",),
    )
    seconds = {"dynamo": 0.8, "onnx": 3.0, "executorch": 9.0}[cell.backend] * (0.5 + chance)
    return Result(
        cell=cell,
        outcome=Outcome.PASS,
        components=(part,),
        durations_s={
            "build": 0.04,
            "eager": 0.01,
            "capture": seconds / 3,
            "lower": seconds,
            "infer": 0.01,
        },
        peak_rss_bytes=int((60 + 100 * chance) * 2**20),
        recipe={"seed": 7, "parameters": 164_000, "sizes": _sizes(cell)},
        provider="transformers",
    )


def _sizes(cell: Cell) -> dict[str, list[int]]:
    """The inputs of its case."""
    if cell.model_type in ("hubert", "wav2vec2"):
        return {"input_values": [2, 1600]}
    text = {"input_ids": [2, 10], "attention_mask": [2, 10]}
    image = {"pixel_values": [2, 3, 32, 32]}
    if cell.model_type in ("llava", "blip", "clip"):
        return text | image
    sees = ("convnext", "deit", "detr", "dinov2", "resnet", "sam", "segformer", "swin", "vit")
    return image if cell.model_type in sees else text


def seed(engine: Engine) -> list[Run]:
    """The three runs: 5.22.2, 5.23.0, and one of 5.23.0 that was interrupted."""
    plans = (("5.22.2", 30, 1.0), ("5.23.0", 6, 1.0), ("5.23.0", 1, 0.4))
    return [_run(engine, number, *plan) for number, plan in enumerate(plans, 1)]


def _run(engine: Engine, number: int, revision: str, hours_ago: int, share: float) -> Run:
    started = datetime.now(UTC) - timedelta(hours=hours_ago)
    uid, stack = f"seed-{number}-{revision}", {**STACK, "transformers": revision}
    planned = cells()
    writes.open_run(
        engine,
        uid=uid,
        revision=revision,
        stack=stack,
        selection="popular",
        started_at=started,
        cells=planned,
    )
    there = planned[: int(len(planned) * share)]
    writes.ingest_results(engine, list(_results(there, uid=uid, revision=revision, stack=stack)))
    remember(engine, [_made_of(cell, uid) for cell in there if cell.model_type == "llava"])
    ended = started + timedelta(minutes=41)
    return writes.close_run(engine, uid, closed_at=ended, duration_s=2460.0 * share)


def _results(
    there: list[Cell], *, uid: str, revision: str, stack: dict[str, str]
) -> Iterator[Result]:
    for cell in there:
        for number, found in enumerate(_attempts(cell, uid, revision), 1):
            yield label(found.replace(run=uid, revision=revision, stack=stack, attempt=number))


def _attempts(cell: Cell, uid: str, revision: str) -> list[Result]:
    """One attempt; of the cells that flip, within a run or from one to the next, what they do."""
    found = result(cell, revision)
    late = _ended(cell, Outcome.TIMEOUT, stage=Stage.LOWER, reason="over 300 s")
    name = f"{cell.model_class} {_backend(cell)}"
    if name == "DetrModel executorch static":
        return [late, found]
    return [late, late] if name == "BertModel executorch static" and "-2-" in uid else [found]


def _made_of(cell: Cell, uid: str) -> Remembered:
    """What tells that a LLaVA contains a Llama."""
    parts = ("llava.modeling_llava:" + cell.model_class, "llama.modeling_llama:LlamaModel")
    made_of = tuple(f"transformers.models.{part}" for part in parts)
    number = f"{zlib.crc32(cell.id.encode()):032x}"
    return Remembered(cell=cell, fingerprint=number, state=number, made_of=made_of, run=uid)


if __name__ == "__main__":
    seed(ensure(sys.argv[1]))
