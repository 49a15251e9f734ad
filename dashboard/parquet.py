"""A table as Parquet, a row group at a time. pyarrow comes with the extra `parquet`."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from harness.errors import MatrixError
from runner.core.tabular import Table

_A_GROUP = 20_000


def as_parquet(table: Table) -> Iterator[bytes]:
    """The file, in pieces; `MatrixError` at once if pyarrow is not installed."""
    try:
        import pyarrow  # noqa: PLC0415  (an extra)
        from pyarrow import parquet  # noqa: PLC0415
    except ModuleNotFoundError:
        raise MatrixError(
            "Parquet needs pyarrow here: pip install 'export-matrix[parquet]'; "
            "the same table is there as .csv"
        ) from None
    return _pieces(table, pyarrow, parquet)


def _pieces(table: Table, pyarrow: Any, parquet: Any) -> Iterator[bytes]:  # noqa: ANN401  (untyped)
    types = {
        str: pyarrow.string(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
        bool: pyarrow.bool_(),
        datetime: pyarrow.timestamp("us", tz="UTC"),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in table.columns.items()])
    out = _Pieces()
    rows = iter(table.rows)
    with parquet.ParquetWriter(pyarrow.PythonFile(out, mode="w"), schema) as writer:
        while part := list(islice(rows, _A_GROUP)):
            columns = [
                pyarrow.array([_clean(row[number]) for row in part], type=field.type)
                for number, field in enumerate(schema)
            ]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
            yield out.taken()
    yield out.taken()


def _clean(value: object) -> object:
    """Half a surrogate pair is nothing that UTF-8 has."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


class _Pieces:
    """A file as pyarrow writes one; keeps what is written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._found = bytearray()
        self._before = 0

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def write(self, data: bytes) -> int:
        self._found += data
        return len(data)

    def tell(self) -> int:
        return self._before + len(self._found)

    def taken(self) -> bytes:
        found = bytes(self._found)
        self._before += len(found)
        self._found.clear()
        return found
