"""The terms on which a cell runs: what it may take, and what it is expected to take.

A file of terms stands beside a `*.cells` file. It is a JSON object, cell id → terms; a cell that it
doesn't name has the defaults.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.cells import Cell
from harness.errors import MatrixError, RecordError


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one cell may take, and is expected to take."""

    time_limit_s: float = 300
    #: resident memory over that of the zygote that the cell is forked from
    memory_limit_mib: int = 4096
    #: seconds from its start to its end; 0 if nobody knows
    expected_s: float = 0
    #: the same memory at its peak; 0 if nobody knows
    expected_mib: int = 0


def write_terms(path: Path, terms: Mapping[Cell, Terms]) -> None:
    path.write_text(json.dumps({cell.id: asdict(each) for cell, each in terms.items()}))


def read_terms(path: Path, default: Terms) -> dict[Cell, Terms]:
    """The terms of each cell that the file names; `RecordError` if it is no file of terms."""
    try:
        found = json.loads(path.read_text())
        return {Cell.parse(cell): Terms(**asdict(default) | each) for cell, each in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, MatrixError) as error:
        raise RecordError(f"{path} is no file of terms ({error})") from None
