"""Hostile words on the command line: a line on stderr and exit code 2, and nothing is written."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.cli import main
from runner.settings import settings
from runner.store.engine import ensure
from tests.hostile import STEERING, TEXTS
from tests.seed import seed

#: what a shell can hand over
_WORDS = [text.replace("\0", "").encode("utf-8", "replace").decode() for text in TEXTS]
_WORDS += ["", " ", "%s%n", "$(id)", "`id`", "~root", "/", ".", "-", "\\", "💥" * 300]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('words')}/seed.db"
    engine = ensure(url)
    seed(engine)
    engine.dispose()
    return url


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder to work in, where nothing may be left."""
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield
    settings.cache_clear()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "command",
    [
        ["diff", "{}", "latest"],
        ["diff", "latest", "{}"],
        ["diff", "1", "2", "--fail-on", "{}"],
        ["report", "{}"],
        ["report", "2", "--format", "{}"],
        ["known", "{}"],
        ["unlock", "{}"],
        ["triage", "{}"],
        ["triage", "{}", "--state", "known"],
        ["confirm", "{}", "2"],
        ["reproduce", "{}"],
        ["bisect", "{}", "--good", "5.22.2", "--bad", "5.23.0"],
        ["bisect", "llama/LlamaModel/forward-static/onnx", "--good", "{}", "--bad", "5.23.0"],
        ["ingest", "{}"],
        ["classify", "{}"],
        ["token", "revoke", "{}"],
        ["subscribe", "add", "{}", "outcome:fail"],
        ["subscribe", "remove", "{}"],
        ["{}"],
    ],
    ids=" ".join,
)
def test_a_hostile_word_is_refused_in_a_line(
    command: list[str],
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for word in _WORDS:
        words = [each.replace("{}", word) for each in command]
        given = [] if command in (["{}"], ["classify", "{}"]) else ["--database", url]
        monkeypatch.setattr("sys.argv", ["export-matrix", *words, *given])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert ended.value.code == 2, (words, printed.out[:200])
        assert printed.out == "", words
        assert not STEERING.search(printed.err), words
        assert "Traceback" not in printed.err, words


@pytest.mark.parametrize("word", _WORDS)
def test_a_hostile_database_is_refused_in_a_line(
    word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["export-matrix", "report", "--database", word or " "])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().out) == (2, "")
