"""CSV and TSV: where a record ends, and rows that are no UTF-8."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.documents.account import Account
from stages.documents.separated import _csv_records
from stages.documents.tables import ColumnError
from tests.support.archives import read, whole

RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю."


def texts(path: Path, data: bytes) -> list[str]:
    path.write_bytes(data)
    rows, report = read(whole(path))
    assert report["num_quarantined"] == 0
    return [row["text"] for row in rows]


@pytest.mark.parametrize("separator", [",", "\t"])
def test_a_quote_inside_a_value_swallows_no_row(tmp_path: Path, separator: str) -> None:
    rows = [('5" disk', 1), ("two", 2), ('an "odd one', 3), ('"a ""quoted"" one\nof two lines"', 4), ('3" disk', 5)]
    data = "".join(f"{text}{separator}{number}\n" for text, number in [("text", "id"), *rows])
    name = "a.csv" if separator == "," else "a.tsv"
    wanted = ['5" disk', "two", 'an "odd one', 'a "quoted" one\nof two lines', '3" disk']
    assert texts(tmp_path / name, data.encode()) == wanted


@given(st.lists(st.lists(st.text('ab",\t\n ', max_size=6), min_size=1, max_size=3), max_size=6), st.booleans())
def test_records_are_those_of_pythons_csv(rows: list[list[str]], is_tsv: bool) -> None:
    delimiter = "\t" if is_tsv else ","
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    found = []
    for _, record, over in _csv_records(io.BytesIO(out.getvalue().encode()), Account("a"), 1 << 20, None, delimiter):
        assert over == 0
        found += list(csv.reader(io.StringIO(record.decode(), newline=""), delimiter=delimiter, strict=True)) or [[]]
    assert [row for row in found if row] == [
        row for row in csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter) if row
    ]


@pytest.mark.parametrize(("codec", "text"), [("cp1251", RUSSIAN), ("cp1252", "Un café près de l’hôtel, déjà fermé.")])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_rows_in_charsets_of_windows_are_read(tmp_path: Path, name: str, codec: str, text: str) -> None:
    if name == "a.jsonl":
        data = json.dumps({"text": text, "title": "plain"}, ensure_ascii=False) + "\n" + '{"text": "plain"}\n'
    else:
        separator = "\t" if name.endswith("tsv") else ","
        data = f'text{separator}title\n"{text}"{separator}plain\nplain{separator}\n'
    (tmp_path / name).write_bytes(data.encode(codec))
    rows, report = read(whole(tmp_path / name))
    assert [row["text"] for row in rows] == [text, "plain"]
    assert [row["charset"] for row in rows] == [codec.replace("cp", "windows-"), None]
    assert report["notes"] == {}


def test_a_wrong_byte_of_a_row_costs_itself_and_is_noted(tmp_path: Path) -> None:
    row = json.dumps({"text": f"{RUSSIAN} {RUSSIAN}", "id": 1}, ensure_ascii=False).encode()
    (tmp_path / "a.jsonl").write_bytes(row.replace("булок".encode(), b"\xff", 1) + b"\n")
    rows, report = read(whole(tmp_path / "a.jsonl"))
    assert [row["text"] for row in rows] == [f"{RUSSIAN.replace('булок', chr(0xFFFD))} {RUSSIAN}"]
    assert report["notes"] == {"wrong_bytes": 1}


def test_controls_and_long_numbers_in_json_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a\tb", "id": ' + b"9" * 6000 + b'}\n{"text": "c"}\n')
    rows, report = read(whole(tmp_path / "a.jsonl"))
    assert [row["text"] for row in rows] == ["a\tb", "c"]
    assert report["num_quarantined"] == 0


def test_a_head_with_two_columns_of_one_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,id,text\na,1,b\n")
    with pytest.raises(ColumnError, match="two columns 'text'"):
        read(whole(tmp_path / "a.csv"))
    (tmp_path / "b.csv").write_text("text,note,note\na,1,b\n")  # nobody asks for these
    assert [row["text"] for row in read(whole(tmp_path / "b.csv"))[0]] == ["a"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"id;text\n1;Words\n", "separated by ';', expected ','$"),
        ("a.csv", b"sep=;\r\nid;text\r\n", "separated by ';', expected ','$"),
        ("a.csv", b"id\ttext\n1\tWords\n", "separated by .*; name `format: tsv`$"),
        ("a.tsv", b"id,text\n1,Words\n", "separated by ',', expected .*; name `format: csv`$"),
        ("a.csv", b"id,text\r1,Words\r", "lines end with a carriage return alone; expected line feeds"),
    ],
)
def test_a_head_of_another_format_says_which(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ColumnError, match=said):
        read(whole(tmp_path / name))


@pytest.mark.parametrize(
    "head", [b"text", b"text\r", b'"text"', b'"text, all of it",text', b'"a\rb",text', b"text\r\r"]
)
def test_heads_of_one_column_and_odd_names_are_heads(tmp_path: Path, head: bytes) -> None:
    values = b",".join([b"Words"] * (2 if b"," in head else 1))
    (tmp_path / "a.csv").write_bytes(head + b"\n" + values + b"\n")
    rows, _ = read(whole(tmp_path / "a.csv"))
    assert [row["text"] for row in rows] == ["Words"]


def test_a_head_of_many_lines_is_no_file_of_carriage_returns(tmp_path: Path) -> None:
    """A quote that is not closed swallows lines that end as those of Windows do."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'"url,text\r\na,Words.\r\n')
    with pytest.raises(ValueError, match="no text column"):
        read(whole(path))
