"""The base installation needs what it names: no command and no page asks for an extra's package."""

import json
import re
import subprocess
import sys
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from runner.store.engine import ensure
from tests.conftest import free_port, wait_for
from tests.seed import seed

BARE = """
import json, sys
from importlib.abc import MetaPathFinder

class Lacking(MetaPathFinder):
    names = set(json.loads(sys.argv.pop(1)))

    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Lacking())
from runner.cli import main
main()
"""
PAGES = (
    "/", "/matrix", "/runs", "/runs/2", "/runs/2/report", "/diff/1/2", "/groups", "/slowest",
    "/flaky", "/known", "/fleet", "/detector", "/triage", "/access", "/models/bert", "/feed.xml",
    "/cells/bert/BertModel/forward-static/onnx", "/metrics", "/openapi.json", "/tables/cells.csv",
)  # fmt: skip


@pytest.fixture(scope="module")
def lacking() -> str:
    """The modules that are installed here and come with no package that the base needs."""
    needed = set[str]()
    waiting = [("export-matrix", [""])]
    while waiting:
        name, extras = waiting.pop()
        needed.add(_spelled(name))
        for found in map(Requirement, metadata.requires(name) or ()):
            holds = found.marker.evaluate if found.marker else (lambda _: True)
            if _spelled(found.name) not in needed and any(
                holds({"extra": each}) for each in extras
            ):
                waiting.append((found.name, ["", *found.extras]))
    installed = metadata.packages_distributions()
    names = {
        module
        for module, packages in installed.items()
        if not needed.intersection(map(_spelled, packages))
    }
    assert {"torch", "gidgethub", "pytest"} <= names
    assert names.isdisjoint({"sqlalchemy", "fastapi", "runner"})
    return json.dumps(sorted(names))


def _spelled(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _bare(lacking: str, *words: str) -> list[str]:
    return [sys.executable, "-c", BARE, lacking, *words]


def test_commands_begin_without_any_extra(lacking: str, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/seed.db"
    engine = ensure(database)
    seed(engine)
    engine.dispose()
    done = subprocess.run(
        _bare(lacking, "diff", "1", "2", "--database", database),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "10 exports lost" in done.stdout
    told = subprocess.run(
        _bare(lacking, "bot", "answer", "--help"), capture_output=True, text=True, check=False
    )
    assert told.returncode == 0
    port = str(free_port())
    command = _bare(lacking, "serve", "--port", port, "--database", database)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert wait_for(lambda: _status(port, "/healthz") == 200, 30)
            assert {page: _status(port, page) for page in PAGES} == dict.fromkeys(PAGES, 200)
            assert _status(port, "/tables/cells.parquet") == 501
        finally:
            server.terminate()


def _status(port: str, page: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
