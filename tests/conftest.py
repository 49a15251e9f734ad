"""What tests share: a way to run toy cells with pytest in a process of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from alembic.config import Config
from sqlalchemy import Connection

import migrations
from harness.results import Result

# A shell starts what runs in the background deaf to interrupts, nohup deaf to a closed terminal;
# children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

PLUGINS = ["-p", "harness.plugin", "-p", "xdist.plugin"]
ROOT = Path(__file__).parents[1]
_COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?|warnings?)")


def toys(*names: str, backend: str = "toy") -> list[str]:
    """Ids of toy cells."""
    return [f"toy/{name}/forward-static/{backend}" for name in names]


@dataclass(kw_only=True)
class Matrix:
    """A folder with cells, and pytest run over them; all it starts carries the folder's name."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def temporary(self) -> Path:
        return self.folder / "t"

    def write(self, cells: Sequence[str], name: str = "s.cells") -> None:
        (self.folder / name).write_text("".join(f"{cell}\n" for cell in cells))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """pytest over `s.cells`, or over the arguments that name it."""
        (self.folder / "pytest.ini").write_text("[pytest]\n")
        named = any(argument.startswith("s.cells") for argument in arguments)
        files = [] if named else ["s.cells"]
        given = ["--matrix-zoo", "tests.toyzoo", "--matrix-results", "r.jsonl"]
        return self._started("pytest", *files, *given, "--tb=short", *PLUGINS, *arguments)

    def cli(self, *arguments: str) -> subprocess.Popen[str]:
        """`export-matrix`, in this folder."""
        return self._started("runner.cli", *arguments)

    def _started(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        self.temporary.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self._variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> str:
        """What pytest printed, once it has ended."""
        return self.start(*arguments).communicate(timeout=120)[0]

    def written(self) -> str:
        """The results file so far."""
        return _read(self.folder / "r.jsonl").decode()

    def results(self) -> dict[str, Result]:
        """Results by model class; each cell must be there once."""
        found = [Result.from_line(line) for line in self.written().splitlines()]
        named = {result.cell.model_class: result for result in found}
        assert len(named) == len(found)
        return named

    def alive(self) -> dict[int, str]:
        """Command lines of all processes that this folder's runs have left."""
        mark = str(self.folder).encode()
        return {
            int(process.name): _command(process)
            for process in Path("/proc").iterdir()
            if process.name.isdigit() and mark in _read(process / "environ")
        }

    def zygotes(self) -> list[int]:
        """Without the children, which share its command line."""
        alive = self.alive().items()
        cells = self.running_cells()
        return [pid for pid, line in alive if "isolation.zygote" in line and pid not in cells]

    def orphans(self) -> list[int]:
        """What `ForksAnOrphan` leaves."""
        return [pid for pid, line in self.alive().items() if "orphan-of-" in line]

    def left_files(self) -> list[Path]:
        """What is left in the temporary folder, but for pytest's own."""
        return list(self.temporary.glob("export-matrix-*"))

    def running_cells(self) -> list[int]:
        """Process ids of the children that run a cell, which name their folders."""
        return [int(home.parent.name) for home in self.temporary.glob("*/cells/*/scratch")]

    def _variables(self) -> dict[str, str]:
        # Other people's plugins double the time that pytest takes to start.
        here = {
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "TMPDIR": str(self.temporary),
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }
        path = f"{ROOT}:{os.environ.get('PYTHONPATH', '')}".rstrip(":")  # noqa: TID251  (handed on)
        inherited = dict(os.environ)  # noqa: TID251  (handed on)
        inherited.pop("PYTEST_ADDOPTS", None)
        return {**inherited, **here, "PYTHONPATH": path, **self.variables}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _command(process: Path) -> str:
    return _read(process / "cmdline").replace(b"\0", b" ").decode(errors="replace")


def counted(output: str) -> dict[str, int]:
    """The numbers of pytest's summary line."""
    line = output.rstrip().splitlines()[-1]
    return {word.removesuffix("s"): int(number) for number, word in _COUNT.findall(line)}


def wait_for(found: Callable[[], object], seconds: float = 20) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while not (true := found()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(true)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def migrating(connection: Connection) -> Config:
    """What alembic takes that database's schema up and down by."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    return config


@pytest.fixture
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    matrix = Matrix(folder=tmp_path_factory.mktemp("m"))
    yield matrix
    for pid in matrix.alive():
        os.kill(pid, signal.SIGKILL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="accept what golden files would become")
