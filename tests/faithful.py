"""`make faithful CHECKOUT=path/to/transformers@main`: are our tiny cases faithful to their models?

For each model type, the lines of its modeling files that are executed when the classes which both
providers can build are instantiated, run forward, and generate two tokens. A case is faithful as
far as ours execute what the checkout's own model testers do. Lines executed at import don't count.
"""

import argparse
import copy
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import coverage

from harness.errors import CaseError
from harness.zoo.base import PROVIDERS, Case, load_zoo
from harness.zoo.discovery import package_folder
from harness.zoo.trial import run
from runner.revisions import resolve
from runner.settings import settings
from runner.steps.selecting import sources_first

#: architectures of every kind: encoders, decoders, experts, encoder-decoders, vision, audio,
#: several media, state spaces
TYPES = (
    "bert", "roberta", "deberta_v2", "distilbert", "albert", "electra", "longformer",
    "gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "opt", "bloom",
    "gpt_neox", "falcon", "mixtral", "qwen2_moe", "olmoe", "deepseek_v3",
    "t5", "bart", "marian", "pegasus",
    "vit", "deit", "swin", "convnext", "resnet", "dinov2", "detr", "segformer", "sam", "beit",
    "whisper", "wav2vec2", "hubert",
    "clip", "siglip", "blip", "llava", "qwen2_vl", "idefics3", "layoutlmv3",
    "mamba", "mamba2", "jamba", "bamba",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkout", help="path/to/transformers@commit")
    parser.add_argument("types", nargs="*", default=TYPES)
    parser.add_argument("--measure", action="store_true", help="one type, in this process")
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measured(asked.types[0])))
        return
    path = resolve(asked.checkout, cache=settings().folder).path
    rows = []
    for model_type in asked.types:
        rows.append(_elsewhere(asked.checkout, model_type, path))
        print(_line(rows[-1]), flush=True)
    shares = [row["common"] / row["theirs"] for row in rows if row.get("theirs")]
    good = sum(share >= 0.85 for share in shares)
    print(f"{good} of {len(shares)} model types at 85 % or more")


def _elsewhere(checkout: str, model_type: str, path: Path | None) -> dict[str, Any]:
    """Measured in a process of its own, where `tests` is the checkout's package."""
    done = subprocess.run(
        [sys.executable, __file__, checkout, model_type, "--measure"],
        env=sources_first(path),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"type": model_type, "why": done.stderr.strip().splitlines()[-1]}
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def _line(row: dict[str, Any]) -> str:
    if not row.get("theirs"):
        return f"{row['type']:16} {row.get('why', 'no class that both can build')}"
    share = row["common"] / row["theirs"]
    missed = ", ".join(row["missed"][:12])
    return (
        f"{row['type']:16} {len(row['classes']):2} classes  {row['theirs']:5} lines  {share:6.1%}  "
        f"ours alone {row['ours'] - row['common']:4}  missed {missed}"
    )


def measured(model_type: str) -> dict[str, Any]:
    """The lines that both providers' cases of a model type execute."""
    zoos = {name: load_zoo(zoo) for name, zoo in PROVIDERS.items()}
    found = [each for each in zoos["transformers"].discover() if each.model_type == model_type]
    lines: dict[str, set[str]] = {name: set() for name in zoos}
    classes = []
    for each in found:
        try:
            cases = {name: zoo.build(model_type, each.name) for name, zoo in zoos.items()}
        except CaseError:
            continue
        classes.append(each.name)
        for name, case in cases.items():
            lines[name] |= set(_executed(case, model_type))
    ours, theirs = lines["transformers"], lines["testers"]
    return {
        "type": model_type,
        "classes": classes,
        "ours": len(ours),
        "theirs": len(theirs),
        "common": len(ours & theirs),
        "missed": _ranges(sorted(int(each.rpartition(":")[2]) for each in theirs - ours)),
    }


def _executed(case: Case, model_type: str) -> Iterator[str]:
    """`file:line` of the modeling files, while the case is made again and runs."""
    folder = package_folder() / "models" / model_type
    tracer = coverage.Coverage(data_file=None, config_file=False, include=[f"{folder}/modeling_*"])
    with tracer.collect():
        type(case.model)(copy.deepcopy(case.model.config))
        run(case.model, case.inputs)
        if case.generate_inputs is not None:
            case.model.generate(**copy.deepcopy(case.generate_inputs), max_new_tokens=2)
    data = tracer.get_data()
    for file in data.measured_files():
        yield from (f"{Path(file).name}:{line}" for line in data.lines(file) or ())


def _ranges(numbers: Sequence[int]) -> list[str]:
    """`[7, 8, 9, 12]` → `7-9`, `12`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return [f"{first}-{last}" if last > first else str(first) for first, last in runs]


if __name__ == "__main__":
    main()
