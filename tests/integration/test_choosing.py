"""Which failure a failure group's name means, over the seed."""

from collections.abc import Iterator

import pytest

from harness.errors import SelectionError
from runner.steps.choosing import choose
from runner.store import reads
from runner.store.engine import Engine, ensure
from tests.seed import seed


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = ensure(f"sqlite:///{tmp_path_factory.mktemp('seed')}/matrix.db")
    seed(engine)
    yield engine
    engine.dispose()


def _group(engine: Engine, kind: str) -> str:
    found = reads.groups(engine, 2)
    return next(each.signature for each in found if each.kind == kind)


def test_the_cheapest_cell_of_a_group_is_chosen(seeded: Engine) -> None:
    signature = _group(seeded, "data-dependent-guard")
    wanted, run = choose(seeded, signature)
    failed = reads.group_cells(seeded, signature, run_id=run.id)
    assert {each.cell.backend for each in failed} == {"dynamo", "onnx", "executorch"}
    assert wanted.cell.backend == "dynamo"
    assert wanted.signature == signature
    assert sum(wanted.shared.values()) == len(failed)
    assert wanted.owner is not None
    assert wanted.owner.decided


def test_a_group_is_known_by_its_place_and_by_the_beginning_of_its_name(seeded: Engine) -> None:
    first = reads.groups(seeded, reads.run(seeded, "latest").id)[0].signature
    assert choose(seeded, "1")[0].signature == first
    assert choose(seeded, first[:10])[0].signature == first


@pytest.mark.parametrize(
    ("name", "says"),
    [("99", "has no group 99"), ("s1-nothing", "neither a cell id nor a failure group")],
)
def test_a_group_that_is_not_there_is_told_with_the_way_out(
    seeded: Engine, name: str, says: str
) -> None:
    with pytest.raises(SelectionError, match=says):
        choose(seeded, name)


def test_what_is_ours_has_nothing_to_report(seeded: Engine) -> None:
    with pytest.raises(SelectionError, match="end as `error`"):
        choose(seeded, _group(seeded, "build-error"))
