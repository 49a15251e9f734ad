"""What a worker makes of work that fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import GitHubError, MatrixError
from runner.steps.working import do, work
from runner.store import queue
from runner.store.engine import Engine, ensure
from runner.store.queue import Work


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = ensure(f"sqlite:///{tmp_path}/matrix.db")
    with made.begin() as connection:
        queue.enqueue(connection, kind="pull", key="k", payload={})
    yield made
    made.dispose()


def _ended(engine: Engine, error: BaseException | None, kind: str = "pull") -> Work:
    """The work after one worker had it, whose handler raised that."""

    def handler(_taken: Work) -> None:
        if error is not None:
            raise error

    taken = queue.take(engine, "a")
    assert taken is not None
    do(engine, {kind: handler}, taken)
    return queue.all_work(engine)[0]


def test_work_that_is_done_is_ended(engine: Engine) -> None:
    assert _ended(engine, None).state == "done"


@pytest.mark.parametrize(
    "error", [GitHubError("GitHub is down", later_s=5.0), OSError("no space left")]
)
def test_what_may_pass_is_put_back_and_not_taken_at_once(
    engine: Engine, error: BaseException
) -> None:
    found = _ended(engine, error)
    assert found.state == "queued"
    assert str(error) in (found.error or "")
    assert queue.take(engine, "b") is None


@pytest.mark.parametrize("error", [GitHubError("401 Bad credentials"), MatrixError("no clone")])
def test_what_is_in_vain_has_failed_with_its_reason(engine: Engine, error: BaseException) -> None:
    found = _ended(engine, error)
    assert found.state == "failed"
    assert str(error) in (found.error or "")


def test_work_of_a_kind_that_nobody_does_has_failed(engine: Engine) -> None:
    assert "nobody does work of kind 'pull'" in (_ended(engine, None, kind="other").error or "")


def test_an_interrupted_workers_work_is_taken_at_once(engine: Engine) -> None:
    with pytest.raises(KeyboardInterrupt):
        _ended(engine, KeyboardInterrupt())
    assert queue.take(engine, "b") is not None


def test_a_worker_goes_on_until_there_is_no_work(engine: Engine) -> None:
    seen: list[str] = []
    with engine.begin() as connection:
        queue.enqueue(connection, kind="pull", key="other", payload={})
    handlers = {"pull": lambda taken: seen.append(taken.key)}
    assert work(engine, handlers, worker="a", until_idle=True) == 2
    assert seen == ["k", "other"]
