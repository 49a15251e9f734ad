"""The pytest plugin: cells as pytest items, results as JSON lines.

    pytest shards/007.cells -n 4 --matrix-results results/007.jsonl

1. Inert until a `*.cells` file is an argument; imports pytest and the standard library alone.
2. A `*.cells` file holds a cell id per line; `#` begins a comment. A cell is an item, so `::<id>`,
   `-k`, `--lf` and `--collect-only` work, and its pytest id ends with the cell id.
3. The controller (or the only process) starts the zygote; workers ask it and import no torch.
4. The controller writes a line per cell as its report arrives, once, labelled by
   `pytest_matrix_label`. A worker that dies is a `crash` of the cell it had.
5. pass → passed, skip → skipped, `error` → error; fail, crash, timeout and oom → failed, each with
   a word of its own in `-v`. Every cell is counted once.
"""

import re
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from harness import hooks
from harness.cells import Cell, read_cells
from harness.commands import defused
from harness.errors import RecordError, SelectionError
from harness.isolation.client import ask
from harness.isolation.host import Host, Wanted
from harness.isolation.machine import memory_bytes
from harness.isolation.messages import Limits, Request
from harness.results import Outcome, Result
from harness.scheduling import make_scheduler
from harness.terms import Terms, read_terms
from harness.zoo.base import TRANSFORMERS

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController  # type: ignore[import-untyped]  # it has none

SUFFIX = ".cells"
#: attribute of a report that carries the result's line from a worker to the controller
CARRIED = "matrix_result"
_FOLDER = "matrix_folder"
_UNSAFE = re.compile(r"[^\n\t\x20-\x7e\xa0-\U0010ffff]")
_STATUS = {
    Outcome.ERROR: ("error", "E", "ERROR"),
    Outcome.CRASH: ("failed", "C", "CRASH"),
    Outcome.TIMEOUT: ("failed", "T", "TIMEOUT"),
    Outcome.OOM: ("failed", "M", "OOM"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("matrix", "export matrix (for *.cells files)")
    add = group.addoption
    add("--matrix-results", type=Path, metavar="FILE", help="append a JSON line per cell here")
    add("--matrix-run", default="", metavar="UID", help="unique name of the run")
    add("--matrix-revision", default="installed", metavar="NAME", help="what is under test")
    add("--matrix-revision-path", type=Path, metavar="DIR", help="folder of its transformers")
    add("--matrix-zoo", default=TRANSFORMERS, metavar="MODULE", help="where cases come from")
    add("--matrix-terms", type=Path, metavar="FILE", help="what each cell may take (JSON)")
    add(
        "--matrix-time-limit",
        type=float,
        default=300,
        metavar="S",
        help="seconds for any other cell",
    )
    add("--matrix-memory-limit", type=int, default=4096, metavar="MIB", help="memory for any other")
    add("--matrix-dynamic-shapes", type=Path, metavar="FILE", help="which axes may vary (TOML)")
    add("--matrix-notice", type=Path, metavar="FILE", help="tell here which cells run now")
    add("--matrix-memory", type=int, default=0, metavar="MIB", help="for all cells at once")
    add("--matrix-zygote-growth", type=int, default=512, metavar="MIB", help="then it is replaced")
    add("--matrix-cold", action="store_true", help="a cold process for each cell, nothing forked")
    add("--matrix-attempt", type=int, default=1, metavar="N", help="number of this attempt")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    files = [Path(arg.partition("::")[0]) for arg in config.args]
    if not any(file.suffix == SUFFIX for file in files):
        return
    try:
        collector = Collector(config)
    except RecordError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(collector, "matrix-collector")
    if not hasattr(config, "workerinput"):
        controller = Controller(config, [file for file in files if file.suffix == SUFFIX])
        config.pluginmanager.register(controller, "matrix-controller")


def describe(result: Result) -> str:
    """A result for a terminal: a headline, then what explains it. Control characters are shown."""
    where = f" at {result.stage}" if result.stage else ""
    kind = f" [{result.kind}]" if result.kind else ""
    parts = [f"{result.outcome}{where}{kind}: {result.reason or 'no reason given'}"]
    parts += [text for text in (result.traceback, result.log_tail) if text]
    told = _UNSAFE.sub(lambda found: repr(found.group())[1:-1], "\n\n".join(parts))
    return defused(told)


class CellsFile(pytest.File):
    """A `*.cells` file."""

    def collect(self) -> Iterator["CellItem"]:  # type: ignore[explicit-override]  # Python 3.12's
        try:
            for cell in read_cells(self.path):
                yield CellItem.from_parent(self, name=cell.id, cell=cell)
        except (SelectionError, UnicodeDecodeError) as error:
            raise self.CollectError(str(error)) from None


class CellItem(pytest.Item):
    """A cell as pytest sees it."""

    def __init__(self, *, cell: Cell, **arguments: Any) -> None:  # noqa: ANN401  (pytest's own)
        super().__init__(**arguments)
        self.cell = cell
        self.result: Result | None = None

    def runtest(self) -> None:  # type: ignore[explicit-override]  # Python 3.12's
        collector: Collector = self.config.pluginmanager.get_plugin("matrix-collector")  # type: ignore[assignment]  # registered by us under that name
        terms = collector.terms(self.cell)
        request = Request(
            cell=self.cell,
            attempt=self.config.option.matrix_attempt,
            limits=Limits.of(terms),
            expected_bytes=terms.expected_mib << 20,
        )
        self.result = ask(_folder(self.config), request)
        match self.result.outcome:
            case Outcome.PASS:
                return
            case Outcome.SKIP:
                pytest.skip(describe(self.result))
            case _:
                pytest.fail(describe(self.result), pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:  # type: ignore[explicit-override]  # Python 3.12's
        return self.path, None, self.cell.id


def _folder(config: pytest.Config) -> Path:
    """The zygote's private folder: a worker is told, the controller knows."""
    worker: Mapping[str, str] | None = getattr(config, "workerinput", None)
    if worker is not None:
        return Path(worker[_FOLDER])
    controller: Controller = config.pluginmanager.get_plugin("matrix-controller")  # type: ignore[assignment]  # registered by us under that name
    return controller.host().folder


class Collector:
    """In every process: cells become items on their terms, and their reports carry results."""

    def __init__(self, config: pytest.Config) -> None:
        option = config.option
        self._usual = Terms(
            time_limit_s=option.matrix_time_limit, memory_limit_mib=option.matrix_memory_limit
        )
        file: Path | None = option.matrix_terms
        self._terms = read_terms(file, self._usual) if file else {}
        self._by_id = {cell.id: each for cell, each in self._terms.items()}

    def terms(self, cell: Cell) -> Terms:
        """What the cell may take, and is expected to take."""
        return self._terms.get(cell, self._usual)

    def terms_of(self, item: str) -> Terms:
        """The same of a pytest id."""
        return self._by_id.get(item.partition("::")[2], self._usual)

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> CellsFile | None:
        if file_path.suffix != SUFFIX:
            return None
        return CellsFile.from_parent(parent, path=file_path)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if isinstance(item, CellItem) and call.when == "call" and item.result:
            setattr(report, CARRIED, item.result.to_line())
        return report


class Controller:
    """In the controller, or the only process: the zygote, and the results file."""

    def __init__(self, config: pytest.Config, files: list[Path]) -> None:
        self._config = config
        self._files = files
        self._host: Host | None = None
        self._results: TextIO | None = None
        self._written: set[Cell] = set()
        self._warnings: list[str] = []
        # Once, before anything runs that takes some.
        self._memory_bytes = (config.option.matrix_memory << 20) or memory_bytes()

    def host(self) -> Host:
        """The zygote's keeper, started when first needed."""
        if self._host is None:
            option = self._config.option
            self._host = Host(
                Wanted(
                    zoo=option.matrix_zoo,
                    backends=self._backends(),
                    revision_path=option.matrix_revision_path,
                    shapes=option.matrix_dynamic_shapes,
                    memory_bytes=self._memory_bytes,
                    growth_bytes=option.matrix_zygote_growth << 20,
                    cold=option.matrix_cold,
                    notice=option.matrix_notice,
                )
            )
        return self._host

    def _backends(self) -> list[str]:
        try:
            cells = [cell for file in self._files for cell in read_cells(file)]
        except (SelectionError, OSError, UnicodeDecodeError):
            return []  # collection says what is wrong
        return list(dict.fromkeys(cell.backend for cell in cells))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        if self._config.option.collectonly:
            return
        # Before collection, and before xdist starts its workers: the warm-up overlaps both.
        self.host()
        if path := self._config.option.matrix_results:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._results = path.open("a", encoding="utf-8")

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:  # noqa: ANN401  (xdist has no types)
        if config.option.dist != "load":
            return None
        collector: Collector = config.pluginmanager.get_plugin("matrix-collector")  # type: ignore[assignment]  # registered by us under that name
        return make_scheduler(
            config, log, terms_of=collector.terms_of, memory_mib=self._memory_bytes >> 20
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: "WorkerController") -> None:
        node.workerinput[_FOLDER] = str(self.host().folder)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if result := self._result_of(report):
            self._write(result)

    def _result_of(self, report: pytest.TestReport) -> Result | None:
        if line := getattr(report, CARRIED, None):
            return Result.from_line(line)
        file, _, cell = report.nodeid.partition("::")
        # xdist's word for a test whose worker died under it
        if report.when == "???" and file.endswith(SUFFIX):  # type: ignore[comparison-overlap]  # not a phase of pytest's own
            return Result(
                cell=Cell.parse(cell),
                outcome=Outcome.CRASH,
                attempt=self._config.option.matrix_attempt,
                reason="pytest worker died",
                stack=self.host().stack(),
            )
        return None

    def _write(self, result: Result) -> None:
        if self._results is None or result.cell in self._written:
            return
        self._written.add(result.cell)
        option = self._config.option
        result = result.replace(run=option.matrix_run, revision=option.matrix_revision)
        labelled = self._config.hook.pytest_matrix_label(result=result) or result
        self._results.write(f"{labelled.to_line()}\n")
        self._results.flush()

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        line = getattr(report, CARRIED, None)
        return _STATUS.get(Result.from_line(line).outcome) if line else None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if warnings := self._host.warnings() if self._host else []:
            terminalreporter.section("zygote")
            for warning in warnings:
                terminalreporter.line(defused(_UNSAFE.sub("?", warning)))

    def pytest_unconfigure(self) -> None:
        if self._host:
            self._host.close()
            self._host = None
        if self._results:
            self._results.close()
