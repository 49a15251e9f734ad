"""Real exporters in the real harness: pytest, workers, a warm zygote, forked children."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.cells import Cell
from harness.isolation.warming import warm_up
from harness.results import Outcome
from harness.terms import Terms
from harness.zoo.base import TRANSFORMERS
from runner.core.canary import compare
from runner.core.runs import Canary
from runner.execute.local import run_shard
from runner.execute.shard import Shard

pytest.importorskip("torch")


def test_what_the_zygote_exported_before_changes_nothing_for_a_cell(tmp_path: Path) -> None:
    # The zygote warms up with a static export; a dynamic one after it must still be dynamic.
    names = ["vit/ViTModel/forward-dynamic/executorch", "bert/BertModel/forward-dynamic/onnx"]
    shard = Shard(
        cells=[Cell.parse(name) for name in names],
        folder=tmp_path,
        name="000",
        run="r",
        revision="installed",
        workers=2,
    )
    found = {result.cell.id: result for result in run_shard(shard)}
    assert {name: found[name].reason for name in names} == dict.fromkeys(names)
    assert {found[name].outcome for name in names} == {Outcome.PASS}
    for result in found.values():
        assert result.stack["transformers"]
        assert (result.peak_rss_bytes or 0) > 0
        assert {"build", "eager", "capture", "lower", "load", "infer"} <= set(result.durations_s)


def test_a_forked_cell_and_a_cold_one_export_the_same_bytes(tmp_path: Path) -> None:
    names = [
        "bert/BertModel/forward-static/dynamo",
        "bert/BertModel/forward-static/executorch",
        "llama/LlamaForCausalLM/forward-dynamic/onnx",
    ]
    warm = Shard(
        cells=[Cell.parse(name) for name in names],
        folder=tmp_path / "warm",
        name="000",
        run="r",
        revision="installed",
    )
    terms = Terms(time_limit_s=900, memory_limit_mib=6000)
    warm = replace(warm, terms=dict.fromkeys(warm.cells, terms))
    forked, cold = (
        {result.cell: result for result in run_shard(shard)}
        for shard in (warm, replace(warm, folder=tmp_path / "cold", cold=True))
    )
    digests = {cell.id: found.components[0].digest for cell, found in forked.items()}
    assert {len(digest or "") for digest in digests.values()} == {64}
    assert compare(forked, cold) == Canary(same=names)


def test_a_child_does_not_read_the_librarys_sources_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its build would take seconds instead of milliseconds."""
    zoo = warm_up(TRANSFORMERS, []).zoo
    monkeypatch.setattr("harness.zoo.discovery._parse", _unexpected)
    assert zoo.build("bert", "BertModel").inputs


def _unexpected(path: Path, module: str) -> None:
    raise AssertionError(f"{module} is read again")
