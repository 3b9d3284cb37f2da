"""Bytes that could not be had are no damage: whichever read fails, the file is not taken for read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stages import documents
from stages.documents import containers
from stages.formats import format_of, splitting, watched
from tests.documents.test_zips import zipped
from tests.support.archives import PAGE, read, record, whole
from tests.support.tables_of_rows import FILES, ROWS, jsonl


def tables(options: Any = None, rows: int = 50) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return sink.getvalue()


def groups() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), sink, row_group_size=50)
    return sink.getvalue()


def package() -> bytes:
    return zipped({"archive/a.warc": b"".join(record(url=f"https://e.org/{number}") for number in range(20))}, 8)


CONTENT: dict[str, Callable[[], bytes]] = {
    **{name: make for name, make in FILES.items() if name not in ("a.parquet", "a.arrow")},
    "a.parquet": groups,
    "a.arrow": lambda: tables(rows=len(ROWS) // 4),
    "packed.arrow": lambda: tables(pa.ipc.IpcWriteOptions(compression="zstd"), len(ROWS) // 4),
    "a.arrow.gz": lambda: gzip.compress(tables(rows=len(ROWS) // 4)),
    "a.jsonl.lz4": lambda: pa.compress(jsonl(ROWS), "lz4", asbytes=True),
    "a.zip": lambda: zipped({"x.jsonl": jsonl(ROWS), "y.txt": b"Words.", "z.parquet": groups()}),
    "a.wacz": package,
    "a.warc": lambda: b"".join(record(url=f"https://e.org/{number}") for number in range(300)),
    "a.warc.gz": lambda: b"".join(gzip.compress(record(url=f"https://e.org/{number}")) for number in range(300)),
    "a.warc.zst": lambda: b"".join(zstandard.compress(record(url=f"https://e.org/{number}")) for number in range(300)),
    "a.html.bz2": lambda: bz2.compress(PAGE),
    "a.txt.xz": lambda: lzma.compress(b"Words of a file."),
}


class Failing(io.BytesIO):
    """A file of which one read fails, as a store's that gave up; the next may succeed."""

    def __init__(self, data: bytes, error: OSError, after: int) -> None:
        super().__init__(data)
        self.data = data
        self.error, self.after, self.reads = error, after, 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        if self.reads == self.after:
            raise self.error
        return super().read(size)

    def size(self) -> int:
        return len(self.data)


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("opened", [lambda file: file, lambda file: pa.PythonFile(file, mode="r")])
@pytest.mark.parametrize("error", [OSError("gave up"), PermissionError("expired"), OSError(5, "Input/output error")])
def test_whichever_read_fails_the_split_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, opened: Callable[[Any], Any], error: OSError
) -> None:
    """Files of disks and stores are Arrow's own, which Arrow reads by other ways than Python does (``opened``)."""
    (tmp_path / name).write_bytes(CONTENT[name]())
    split = whole(tmp_path / name)
    sound = Failing(CONTENT[name](), error, 0)
    monkeypatch.setattr(containers, "open_file", lambda uri: opened(sound))
    rows, report = read(split)
    assert rows
    assert report["num_bad"] == 0
    for after in range(1, sound.reads + 1):
        failing = Failing(sound.data, error, after)
        monkeypatch.setattr(containers, "open_file", lambda uri, failing=failing: opened(failing))
        with pytest.raises(type(error), match=str(error.args[-1])):
            read(split)


@pytest.mark.parametrize(("name", "make"), [("a.parquet", groups), ("a.arrow", tables)])
def test_a_footer_that_cannot_be_had_is_an_error_and_a_damaged_one_the_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[], bytes]
) -> None:
    kind = format_of(name)
    assert kind is not None
    path, data = tmp_path / name, bytearray(make())
    path.write_bytes(data)
    error = OSError("gave up")
    with monkeypatch.context() as patch:
        patch.setattr(watched, "open_file", lambda uri: pa.PythonFile(Failing(bytes(data), error, 1), mode="r"))
        with pytest.raises(OSError, match="gave up"):
            splitting.ranges(str(path), kind, len(data), 1000, newlines_in_values=True)
    assert len(splitting.ranges(str(path), kind, len(data), 1000, newlines_in_values=True)) == 10
    for place in range(len(data) - 60, len(data) - 12, 3):
        damaged = bytearray(data)
        damaged[place : place + 4] = b"\xff" * 4
        path.write_bytes(damaged)
        assert splitting.ranges(str(path), kind, len(data), 1000, newlines_in_values=True)


def test_the_way_back_to_a_record_fails_with_the_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(CONTENT["a.zip"]())
    row = read(whole(path))[0][-1]
    monkeypatch.setattr(watched, "open_file", lambda uri: Failing(path.read_bytes(), OSError("gave up"), 2))
    with pytest.raises(OSError, match="gave up"):
        documents.raw_record(whole(path), documents.Params(), path.name, row["offset"])
