"""A seed comes back as it was packed; the one that comes along is a living dashboard."""

import lzma
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from fastapi.testclient import TestClient

from dashboard.app import create_app
from harness.errors import RecordError
from runner.core.runs import Verdict
from runner.steps.demo import PACKED, load, made, pack
from runner.store import reads
from runner.store.engine import ensure
from tests.conftest import migrating
from tests.seed import seed


def test_a_seed_comes_back_as_it_was_packed(tmp_path: Path) -> None:
    packed = ensure(f"sqlite:///{tmp_path}/packed.db")
    seed(packed)
    pack(packed, ["2", "3"], tmp_path / "seed.xz")
    loaded = ensure(f"sqlite:///{tmp_path}/loaded.db")
    load(loaded, tmp_path / "seed.xz")
    for before, after in ((2, 1), (3, 2)):
        assert reads.verdicts(loaded, after) == reads.verdicts(packed, before)
        assert reads.run(loaded, str(after)).uid == reads.run(packed, str(before)).uid
    assert reads.run(loaded, "2").verdicts[Verdict.MISSING] > 0
    packed.dispose()
    loaded.dispose()


def test_the_seed_that_comes_along_is_small_and_tells_nothing_of_who_made_it() -> None:
    assert PACKED.stat().st_size < 2 * 2**20
    with lzma.open(PACKED, "rt", encoding="utf-8") as lines:
        assert re.findall(r'[" (]/(?:tmp|home|root|work)/', lines.read()) == []


def test_the_demo_shows_real_results_that_have_just_ended(tmp_path: Path) -> None:
    url = made(PACKED, tmp_path)
    assert made(PACKED, tmp_path) == url
    engine = ensure(url)
    newest = reads.run(engine, "latest")
    assert newest.complete
    assert newest.closed_at is not None
    assert datetime.now(UTC) - newest.closed_at < timedelta(minutes=5)
    with TestClient(create_app(engine)) as client:
        statuses = {each: client.get(each).status_code for each in ("/", "/matrix", "/groups")}
    assert {*statuses.values()} == {200}
    engine.dispose()


def test_the_demo_of_an_earlier_version_is_brought_up_to_this_one(tmp_path: Path) -> None:
    packed = ensure(f"sqlite:///{tmp_path}/packed.db")
    seed(packed)
    pack(packed, ["3"], tmp_path / "seed.xz")
    packed.dispose()
    engine = ensure(made(tmp_path / "seed.xz", tmp_path))
    with engine.begin() as connection:
        command.downgrade(migrating(connection), "0013")
    engine.dispose()
    again = ensure(made(tmp_path / "seed.xz", tmp_path))
    assert reads.run(again, "1").uid == "seed-3-5.23.0"
    again.dispose()


@pytest.mark.parametrize("content", [b"", b"no xz", lzma.compress(b'{"seed": 99, "runs": []}\n')])
def test_what_is_no_seed_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "seed.xz").write_bytes(content)
    with pytest.raises(RecordError, match=r"seed\.xz is"):
        made(tmp_path / "seed.xz", tmp_path)
    assert list(tmp_path.glob("*.db")) == []
