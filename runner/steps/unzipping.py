"""Lines out of zip files that others made: nothing is unpacked, and everything has its bound.

- Only members that end in `.jsonl` or `.json` are read, as streams. Their names are compared with
  what is expected; none is ever a path here, whatever it says.
- What they unpack to is counted while it is read, over all files together: sizes that a zip file
  tells are not believed. Its directory is bounded before it is read into memory.
- A file that is damaged, encrypted or packed in a way that is not known is refused whole.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import RecordError
from runner.core.foreign import LONGEST

_READ = (".jsonl", ".json")
#: bytes of a zip file's directory, some thousand names
_DIRECTORY = 2 * 2**20
_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"


@dataclass(slots=True)
class Bound:
    """How many bytes may still be read."""

    left: int

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise RecordError("it unpacks to more than its plan explains")


def lines(file: Path, bound: Bound) -> Iterator[tuple[PurePosixPath, str]]:
    """Each line with the name of its member; `RecordError` if the file is refused."""
    try:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if member.filename.endswith(_READ):
                    yield from _lines(archive, member, bound)
    # NotImplementedError: packed otherwise; RuntimeError: encrypted
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise RecordError(f"a damaged or foreign zip file ({type(error).__name__})") from None


def _lines(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, bound: Bound
) -> Iterator[tuple[PurePosixPath, str]]:
    name = PurePosixPath(member.filename)
    with archive.open(member) as stream:
        while raw := stream.readline(LONGEST + 2):
            bound.take(len(raw))
            if line := raw.decode(errors="replace").strip():
                yield name, line


def _check_directory(file: Path) -> None:
    """`RecordError` if its directory is large: a name in it may stand for no byte at all."""
    size = file.stat().st_size
    with file.open("rb") as content:
        content.seek(max(0, size - 2**16 - _END.size))
        tail = content.read()
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) < at + _END.size:
        raise RecordError("no zip file")
    directory = _END.unpack_from(tail, at)[5]
    if directory > _DIRECTORY:
        raise RecordError("a zip file of too many names")
