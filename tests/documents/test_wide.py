"""Files of lines in UTF-16 and UTF-32, lists of JSON with an item a line, and what may stand before a CSV's head."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from stages import documents
from stages.contract import Split
from stages.documents.wide import codec_of
from tests.support.archives import read, whole

TEXTS = [f'Zeile {number}: über die Mühle ਊ 日本語 \U0001f600 und "mehr", viel mehr.' for number in range(300)]
CODECS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8", "utf-8-sig"]
MARKED_BE = {"utf-16-be": "\ufeff", "utf-32-be": "\ufeff"}


def jsonl() -> str:
    return "".join(json.dumps({"id": str(i), "text": text}, ensure_ascii=False) + "\n" for i, text in enumerate(TEXTS))


def separated(delimiter: str) -> str:
    quoted = ['"' + text.replace('"', '""') + '"' for text in TEXTS]
    return f"id{delimiter}text\r\n" + "".join(f"{i}{delimiter}{text}\r\n" for i, text in enumerate(quoted))


def parts(split: Split) -> list[Split]:
    """The split in four ranges of bytes."""
    edges = [split.size * part // 4 for part in range(5)]
    return [replace(split, start=start, end=end, unit="bytes") for start, end in pairwise(edges)]


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.jsonl.gz"])
def test_lines_of_wide_characters_are_rows(tmp_path: Path, name: str, codec: str, marked: bool) -> None:
    text = jsonl() if "jsonl" in name else separated("," if "csv" in name else "\t")
    data = ((MARKED_BE.get(codec, "") if marked else "") + text).encode(codec)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    split = whole(tmp_path / name)
    rows, report = read(split)
    assert [row["text"] for row in rows] == TEXTS
    assert [row["record_id"] for row in rows] == [str(i) for i in range(len(TEXTS))]
    assert report["records"] == len(TEXTS)
    raw = documents.raw_record(split, documents.Params(), name, rows[123]["offset"]).decode()
    assert raw.rstrip("\r") in text.replace("\r\n", "\n").split("\n")
    assert "Zeile 123" in raw


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be", "utf-32"])
def test_parts_of_a_wide_file_have_each_row_once(tmp_path: Path, codec: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl().encode(codec))
    splits = parts(whole(tmp_path / "a.jsonl"))
    assert [row["text"] for split in splits for row in read(split)[0]] == TEXTS


def test_a_wrong_byte_of_a_wide_line_costs_itself(tmp_path: Path) -> None:
    data = bytearray('{"text": "one word"}\n{"text": "another word"}\n'.encode("utf-16"))
    place = data.index("w".encode("utf-16-le"))
    data[place : place + 2] = b"\x00\xd8"  # half of a pair
    (tmp_path / "a.jsonl").write_bytes(data)
    assert [row["text"] for row in read(whole(tmp_path / "a.jsonl"))[0]] == ["one \ufffdord", "another word"]


def test_a_cut_compressed_wide_file_keeps_what_came_before(tmp_path: Path) -> None:
    data = gzip.compress(jsonl().encode("utf-16"))
    (tmp_path / "a.jsonl.gz").write_bytes(data[: len(data) // 2])
    rows, report = read(whole(tmp_path / "a.jsonl.gz"))
    texts = [row["text"] for row in rows]
    assert 20 < len(texts) < len(TEXTS)
    assert texts == TEXTS[: len(texts)]
    assert report["num_bad"] == 1


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        (b'{"text":', None),
        (b"", None),
        (b"\0\0\0\0\0\0\0\0", None),
        (b"\0abc", None),
        (b"a\0bc", None),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xff\xfe\0\0", "utf-32-le"),
        (b"{\0\r\0", "utf-16-le"),
        (b"\0{\0\r", "utf-16-be"),
    ],
)
def test_codecs_are_recognised_by_marks_and_nuls(head: bytes, codec: str | None) -> None:
    assert codec_of(head) == codec


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (lambda rows: "[\n" + ",\n".join(rows) + "\n]\n", 0),
        (lambda rows: "[\r\n" + ",\r\n".join(rows) + "\r\n]", 0),
        (lambda rows: "\ufeff[\n" + ",\n".join(rows) + "\n]\n", 0),
        (lambda rows: "".join(f"\x1e{row}\n" for row in rows), 0),
        (lambda rows: "\n".join([*rows, "] no JSON"]), 1),
    ],
)
def test_items_of_a_list_and_of_a_sequence_are_rows(tmp_path: Path, lines: Any, count: int) -> None:
    (tmp_path / "a.jsonl").write_text(lines(jsonl().splitlines()), "utf-8", newline="")
    rows, report = read(whole(tmp_path / "a.jsonl"))
    assert [row["text"] for row in rows] == TEXTS
    assert report["num_quarantined"] == count


@pytest.mark.parametrize("before", ["\r\n", "\n \n", "\ufeff\r\n"])
def test_blank_lines_before_the_head_are_no_head(tmp_path: Path, before: str) -> None:
    (tmp_path / "a.csv").write_text(before + separated(","), encoding="utf-8", newline="")
    split = whole(tmp_path / "a.csv")
    assert [row["text"] for row in read(split)[0]] == TEXTS
    assert [row["text"] for part in parts(split) for row in read(part)[0]] == TEXTS
