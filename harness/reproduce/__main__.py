"""`python -m harness.reproduce CELL [--zoo ZOO]`: prints the script of a cell.

It builds the case, so it runs in a process that imports the revision's Transformers.
"""

import argparse
import sys
from contextlib import redirect_stdout

from harness.cells import Cell
from harness.errors import MatrixError
from harness.reproduce.script import script
from harness.zoo.base import TRANSFORMERS, load_zoo


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m harness.reproduce")
    parser.add_argument("cell")
    parser.add_argument("--zoo", default=TRANSFORMERS)
    asked = parser.parse_args()
    try:
        cell = Cell.parse(asked.cell)
        # What model code prints must not become part of the script.
        with redirect_stdout(sys.stderr):
            case = load_zoo(asked.zoo).build(cell.model_type, cell.model_class)
            written = script(cell, case)
    except MatrixError as error:
        sys.exit(_refused(error))
    sys.stdout.write(written)


def _refused(error: MatrixError) -> int:
    sys.stderr.write(f"error: {error}\n")
    return 2


main()
