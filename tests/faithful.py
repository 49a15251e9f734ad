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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import coverage

from harness.errors import CaseError
from harness.zoo.base import PROVIDERS, Case, Zoo, load_zoo
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
    parser.add_argument("--measure", action="store_true", help="in this process, as JSON lines")
    asked = parser.parse_args()
    if asked.measure:
        for row in measured(asked.types):
            print(json.dumps(row), flush=True)
        return
    path = resolve(asked.checkout, cache=settings().folder).path
    rows = []
    for row in _elsewhere(asked.checkout, asked.types, path):
        rows.append(row)
        print(_line(row), flush=True)
    shares = [row["common"] / row["theirs"] for row in rows if row["theirs"]]
    good = sum(share >= 0.85 for share in shares)
    print(f"{good} of {len(shares)} model types at 85 % or more")


def _elsewhere(checkout: str, types: Sequence[str], path: Path | None) -> Iterator[dict[str, Any]]:
    """Measured in a process of its own, where `tests` is the checkout's package."""
    with subprocess.Popen(
        [sys.executable, __file__, checkout, *types, "--measure"],
        env=sources_first(path),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield from (json.loads(line) for line in process.stdout if line.startswith("{"))
    if process.returncode:
        sys.exit(f"the measuring process ended with {process.returncode}")


def _line(row: dict[str, Any]) -> str:
    if not row["theirs"]:
        return f"{row['type']:16} no class that both can build: {row['refused']}"
    share = row["common"] / row["theirs"]
    missed = ", ".join(row["missed"][:12])
    return (
        f"{row['type']:16} {len(row['classes']):2} classes  {row['theirs']:5} lines  {share:6.1%}  "
        f"ours alone {row['ours'] - row['common']:4}  missed {missed}"
    )


def measured(types: Sequence[str]) -> Iterator[dict[str, Any]]:
    """How many lines both providers' cases of each model type execute."""
    zoos = {name: load_zoo(zoo) for name, zoo in PROVIDERS.items()}
    every = zoos["transformers"].discover()
    for model_type in types:
        yield _measured(model_type, [e.name for e in every if e.model_type == model_type], zoos)


def _measured(model_type: str, names: Sequence[str], zoos: Mapping[str, Zoo]) -> dict[str, Any]:
    lines: dict[str, set[str]] = {name: set() for name in zoos}
    classes, refused = [], ""
    for model_class in names:
        try:
            cases = {name: zoo.build(model_type, model_class) for name, zoo in zoos.items()}
        except CaseError as error:
            refused = str(error)
            continue
        classes.append(model_class)
        for name, case in cases.items():
            lines[name] |= set(_executed(case, model_type))
    ours, theirs = lines["transformers"], lines["testers"]
    return {
        "type": model_type,
        "classes": classes,
        "refused": refused,
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
            prompt = copy.deepcopy(case.generate_inputs)
            case.model.generate(**prompt, min_new_tokens=2, max_new_tokens=2)
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
