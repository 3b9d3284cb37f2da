"""Zip archives without a directory: members are found by the heads before them."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from stages import documents
from stages.documents import zip_heads
from tests.documents.test_zips import METHODS, TEXT, reasons
from tests.support.archives import read, whole

LINES = [json.dumps({"text": f"Row {number} of a table."}).encode() + b"\n" for number in range(400)]
MEMBERS = {
    "d/one.txt": TEXT,
    "ümlaut.md": b"# Words\n",
    "d/rows.jsonl": b"".join(LINES),
    "d/x.bin": random.Random(1).randbytes(70_000) + b"PK\3\4 none PK\7\x08 none",
    "empty.bin": b"",
    "last.txt": b"".join(b"Number %d. " % (number * 7919 % 10007) for number in range(3000)),
}


class Pipe(io.RawIOBase):
    """What cannot be gone back in: sizes then stand behind the members."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.parts.append(bytes(data))
        return len(data)


def zipped(method: int, in_pipe: bool, wide: bool = False) -> bytes:
    sink: Any = Pipe() if in_pipe else io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, content in MEMBERS.items():
            with (
                archive.open(zipfile.ZipInfo(name), "w", force_zip64=wide)
                if wide
                else archive.open(name, "w") as member
            ):
                member.write(content)
    return b"".join(sink.parts) if in_pipe else sink.getvalue()


def found(path: Path) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    rows, report = read(whole(path))
    for row in rows[:3] + rows[-3:]:
        raw = documents.raw_record(whole(path), documents.Params(), path.name, row["offset"])
        assert row["text"].encode()[:12] in raw
    return [(row["url"], row["text"]) for row in rows], report


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("in_pipe", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_of_a_zip_without_its_end_every_whole_member_is_read(
    tmp_path: Path, method: int, in_pipe: bool, wide: bool
) -> None:
    data = zipped(method, in_pipe, wide)
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    sound, account = found(path)
    assert len(sound) == 403
    assert account["dropped"]["other_file"]["records"] == 2
    for cut in (len(data) - 1, data.index(b"PK\1\2") + 20, data.index(b"PK\1\2")):
        path.write_bytes(data[:cut])
        rows, report = found(path)
        assert rows == sound
        assert report["dropped"] == account["dropped"]
        assert reasons(report) == [(0, "truncated_file")]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("in_pipe", [False, True])
def test_of_the_member_at_the_cut_what_is_there_is_read(tmp_path: Path, method: int, in_pipe: bool) -> None:
    data = zipped(method, in_pipe)
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    sound, _ = found(path)
    last = data.rindex(b"PK\3\4")
    path.write_bytes(data[: last + 5000])
    rows, report = found(path)
    assert rows[:-1] == sound[:-1]
    assert sound[-1][1].startswith(rows[-1][1])
    assert len(rows[-1][1]) > 4000
    assert reasons(report) == [(0, "truncated_file"), (last, "damaged_member")]


@pytest.mark.parametrize("in_pipe", [False, True])
def test_a_damaged_head_costs_its_member_alone(tmp_path: Path, in_pipe: bool) -> None:
    data = bytearray(zipped(zipfile.ZIP_DEFLATED, in_pipe))
    path = tmp_path / "a.zip"
    path.write_bytes(bytes(data))
    sound, _ = found(path)
    data[data.index(b"d/rows") - 30] ^= 0xFF
    path.write_bytes(bytes(data[:-10]))
    rows, report = found(path)
    assert rows == [row for row in sound if row[0] != "d/rows.jsonl"]
    assert reasons(report) == [(0, "truncated_file")]


def test_cuts_and_damage_anywhere_give_beginnings_or_reasons(tmp_path: Path) -> None:
    rng = random.Random(7)
    path = tmp_path / "a.zip"
    for round_ in range(120):
        sound = zipped(METHODS[round_ % 4], round_ % 8 > 3)
        data = bytearray(sound[: rng.randrange(1, len(sound))])
        for _ in range(rng.randrange(3)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(data))
        rows, report = read(whole(path))
        assert report["num_bad"] + report["num_quarantined"] > 0
        assert (
            len(rows) + report["num_quarantined"] + sum(one["records"] for one in report["dropped"].values())
            == report["records"]
        )


class Counted(io.BytesIO):
    """A file that counts the bytes read of it."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def head(how: int, extra: int = 0, name: int = 1) -> bytes:
    """A head that does not state the size of its member."""
    return struct.pack("<4sHHHIIIIHH", b"PK\3\4", 20, 8, how, 0, 0, 0, 0, name, extra) + b"a"


def stored_block(data: bytes) -> bytes:
    """A block of a deflated stream that is not the last (RFC 1951, 3.2.4)."""
    return b"\0" + struct.pack("<HH", len(data), len(data) ^ 0xFFFF) + data


def heads_in_each_other(count: int) -> bytes:
    """Each head's stream goes on behind the last head, in the stream of all, which is wrong at its end."""
    size = len(stored_block(head(8)))
    heads = (head(8) + stored_block(b"x" * (size * left))[:5] for left in reversed(range(count)))
    return b"".join(heads) + stored_block(b"x" * 60_000) * 20 + b"\7\7\7"


@pytest.mark.parametrize(
    ("data", "num_found"),
    [
        (heads_in_each_other(500), 500),
        (head(0) * 20_000, 20_000),
        (head(0) + b"PK\7\x08" * 50_000, 1),
        (b"PK\3\4" * 50_000, 0),
        (head(8, 60_000, 60_000) * 5_000, 0),
        (head(8, 60_000) * 5_000, 5_000 * 31 // 60_031 + 1),
    ],
)
def test_hostile_heads_cost_a_few_readings_of_the_file(
    monkeypatch: pytest.MonkeyPatch, data: bytes, num_found: int
) -> None:
    monkeypatch.setattr(zip_heads, "VAIN", 0)
    file = Counted(data)
    found = [entry.header_offset for entry in zip_heads.entries(file, len(data))]
    assert abs(len(found) - num_found) <= 1
    assert found == sorted(set(found))
    assert file.count < 40 * len(data) + 2_000_000
