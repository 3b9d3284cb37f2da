"""Damaged, hostile and odd zip archives: what is before the wrong byte is read, the rest is reported with its place."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages import documents
from stages.documents.account import Account
from stages.documents.archives import Limits
from stages.documents.page import Page
from stages.documents.zips import zip_pages
from tests.documents.test_zips import JSONL, METHODS, TEXT, reasons, zipped
from tests.support.archives import read, whole


@pytest.mark.parametrize("method", METHODS)
def test_all_before_a_wrong_byte_is_read_and_all_if_only_the_checksum_is_false(tmp_path: Path, method: int) -> None:
    rng = random.Random(3)
    lines = [json.dumps({"text": f"Row {rng.random()}"}).encode() + b"\n" for _ in range(400)]
    sound = zipped({"x.jsonl": b"".join(lines), "y.txt": TEXT}, method)
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        size = archive.getinfo("x.jsonl").compress_size
    block = 0 if method == zipfile.ZIP_BZIP2 else 250  # which is lost as a whole
    for place, least in ((sound.find(b"PK\1\2") + 16, 400), (37 + size * 3 // 4, block)):
        data = bytearray(sound)
        data[place] ^= 0x55
        (tmp_path / "a.zip").write_bytes(bytes(data))
        rows, report = read(whole(tmp_path / "a.zip"))
        assert [row["text"] for row in rows[:least]] == [json.loads(line)["text"] for line in lines[:least]]
        assert rows[-1]["text"] == TEXT.decode()
        assert reasons(report) == [(0, "damaged_member")]


@pytest.mark.parametrize("method", METHODS)
def test_a_page_with_a_false_checksum_is_noted_as_cut(tmp_path: Path, method: int) -> None:
    data = bytearray(zipped({"x.txt": TEXT * 9}, method))
    data[data.find(b"PK\1\2") + 16] ^= 1
    (tmp_path / "a.zip").write_bytes(bytes(data))
    rows, report = read(whole(tmp_path / "a.zip"))
    assert [(row["text"], row["note"]) for row in rows] == [((TEXT * 9).decode(), "truncated")]
    assert reasons(report) == [(0, "damaged_member")]


def test_members_that_lie_in_each_other_are_read_once(tmp_path: Path) -> None:
    """A bomb: every entry of the directory unfolds the same bytes again."""
    sound = zipped({"x.txt": TEXT, "y.txt": TEXT})
    begin, end = sound.find(b"PK\1\2"), sound.find(b"PK\5\6")
    entry = sound[begin : sound.find(b"PK\1\2", begin + 1)]
    tail = bytearray(sound[end:])
    tail[8:16] = (302).to_bytes(2, "little") * 2 + (end - begin + 300 * len(entry)).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(sound[:end] + entry * 300 + tail)
    rows, report = read(whole(tmp_path / "a.zip"))
    assert [row["url"] for row in rows] == ["x.txt", "y.txt"]
    assert {reason for _, reason in reasons(report)} == {"overlapping_members"}
    assert report["num_bad"] == 300


def test_lzma_that_asks_for_more_memory_than_it_may_have_is_damage(tmp_path: Path) -> None:
    data = bytearray(zipped({"x.txt": TEXT, "y.txt": TEXT}, zipfile.ZIP_LZMA))
    data[35 + 5 : 35 + 9] = b"\xff\xff\xff\xff"
    (tmp_path / "a.zip").write_bytes(bytes(data))
    rows, report = read(whole(tmp_path / "a.zip"))
    assert ([row["url"] for row in rows], reasons(report)) == (["y.txt"], [(0, "damaged_member")])


def test_a_full_disk_is_no_damage_of_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(self: Any, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    (tmp_path / "a.zip").write_bytes(zipped({"x.jsonl": JSONL}))
    monkeypatch.setattr("stages.documents.tars.Copy.write", write)
    with pytest.raises(OSError, match="No space left"):
        read(whole(tmp_path / "a.zip"))


@pytest.mark.parametrize("table", [b"", b"PAR1 nope", b'{"a": 1}\n'])
def test_what_stands_behind_a_table_that_cannot_be_read_is_found(tmp_path: Path, table: bytes) -> None:
    name = "x.jsonl" if table.startswith(b"{") else "x.parquet"
    (tmp_path / "a.zip").write_bytes(zipped({name: table, "y.txt": TEXT}))
    split = whole(tmp_path / "a.zip")
    [row], _ = read(split)
    assert documents.raw_record(split, documents.Params(), "a.zip", row["offset"]) == TEXT


def test_a_line_that_is_no_row_is_not_taken_for_the_member_behind_it(tmp_path: Path) -> None:
    """A line that is none lies as many bytes into its table as the next member does into the archive."""
    wrong = b"0" * 12 + b"\n" + b"nonsense\n" * 20
    for _ in range(9):
        data = zipped({"x.jsonl": wrong, "y.txt": TEXT})
        wrong = b"0" * (data.find(b"PK\3\4", 1) - 1) + b"\n" + b"nonsense\n" * 20
    assert wrong[data.find(b"PK\3\4", 1) :].startswith(b"nonsense\n")
    (tmp_path / "a.zip").write_bytes(data)
    split = whole(tmp_path / "a.zip")
    [row], report = read(split)
    assert (row["url"], report["num_quarantined"]) == ("y.txt", 21)
    assert documents.raw_record(split, documents.Params(), "a.zip", row["offset"]) == TEXT


def test_names_do_not_command_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"x\x1b[2J.csv": b"id,label\n1,dog\n"}))
    with pytest.raises(documents.ColumnError, match=r"a.zip: x\\x1b\[2J.csv: no text column"):
        read(whole(tmp_path / "a.zip"))


def test_a_zip_of_nothing_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({}))
    rows, report = read(whole(tmp_path / "a.zip"))
    assert (rows, report["bad"], report["records"]) == ([], [], 0)


def test_members_are_asked_for_together_and_split_heads_are_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each read of a file far away is a request."""
    members = {f"{number}.txt": b"%d words " % number * 50 for number in range(300)}

    class Far(io.BytesIO):
        reads = 0

        def size(self) -> int:
            return len(self.getvalue())

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            return super().read(size)

    def rows(copy: Any, kind: Any, account: Account) -> Iterator[Page]:
        yield Page(offset=0, raw_bytes=0, content_type="text/plain", text=copy.read().decode())

    for most, ahead in ((20, 8 << 20), (20_000, 97)):
        monkeypatch.setattr("stages.formats.locations.ReadAhead.AHEAD", ahead)
        file = Far(zipped(members))
        account = Account("a.zip")
        pages = list(zip_pages(file, account, Limits(1 << 20, 1 << 20, frozenset()), rows))
        assert [page.text.encode() for page in pages] == list(members.values())
        assert file.reads <= most
        assert account.bad == []
