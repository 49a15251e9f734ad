"""Zip files that others made: lines out of them, and nothing else."""

import io
import struct
import zipfile
from pathlib import Path

import pytest

from harness.errors import RecordError
from runner.steps.unzipping import Bound, lines

MIB = 2**20


def _zip(tmp_path: Path, members: dict[str, str], **given: int) -> Path:
    file = tmp_path / "left.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **given) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file


def _read(file: Path, bound: int = MIB) -> list[tuple[str, str]]:
    return [(str(name), line) for name, line in lines(file, Bound(bound))]


def test_lines_come_with_the_name_of_their_member_which_is_no_path(tmp_path: Path) -> None:
    members = {"run.1of2/shards/000.jsonl": "a\n\nb", "run/log.txt": "no", "../../etc/x.jsonl": "c"}
    told = _read(_zip(tmp_path, members))
    assert told == [
        ("run.1of2/shards/000.jsonl", "a"),
        ("run.1of2/shards/000.jsonl", "b"),
        ("../../etc/x.jsonl", "c"),
    ]
    assert [each.name for each in tmp_path.iterdir()] == ["left.zip"]


def test_what_unpacks_to_more_than_is_explained_is_refused(tmp_path: Path) -> None:
    bomb = _zip(tmp_path, {"a.jsonl": "0\n" * (8 * MIB)})
    assert bomb.stat().st_size < MIB
    with pytest.raises(RecordError, match="unpacks to more"):
        _read(bomb, 4 * MIB)


def test_a_size_that_the_directory_tells_is_not_believed(tmp_path: Path) -> None:
    file = _zip(tmp_path, {"a.jsonl": "x" * 1000})
    content = bytearray(file.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<L", 10)
    file.write_bytes(content)
    with pytest.raises(RecordError, match="damaged or foreign"):
        _read(file)


def test_a_directory_of_too_many_names_is_refused_before_it_is_read(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(12_000):
            archive.writestr(f"{number:0150}", "")
    (tmp_path / "left.zip").write_bytes(made.getvalue())
    with pytest.raises(RecordError, match="too many names"):
        _read(tmp_path / "left.zip")


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip file at all" * 9, b"PK\x05\x06" * 9])
def test_what_is_no_zip_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "left.zip").write_bytes(content)
    with pytest.raises(RecordError):
        _read(tmp_path / "left.zip")
