"""Lists and laid out objects of JSON are read as JSON Lines are; the oracle is Python's json."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stages import documents
from stages.documents import json_values
from stages.documents.json_values import Unrolled, is_unrolled
from tests.documents.test_formats import check_parts
from tests.support.archives import read, whole

TRICKY = [
    'a "quoted" word', "back\\slash\\", "}{ ][ ,", "two\nlines", "ümlaut 日本", "", "\\", '"', "{", "ends with \\",
]  # fmt: skip
META = {"list": [1, [2, {"k": "]"}]]}
ROWS: list[dict[str, Any]] = [{"text": f"Text {n}: {text}", "meta": META} for n, text in enumerate(TRICKY)]
LAYOUTS = {
    "list on a line": json.dumps(ROWS),
    "dense list": json.dumps(ROWS, separators=(",", ":")),
    "list over lines": json.dumps(ROWS, indent=2, ensure_ascii=False),
    "list without indents": json.dumps(ROWS, indent=0),
    "an item a line, brackets beside them": "[" + ",\n".join(map(json.dumps, ROWS)) + "]\n",
    "commas in front": "[" + "\n,".join(map(json.dumps, ROWS)) + "\n]",
    "objects over lines": "\n".join(json.dumps(row, indent=4) for row in ROWS),
    "a key beside the brace": "\n".join(json.dumps(row, indent=1).replace("{\n", "{", 1) for row in ROWS),
    "objects on one line": "".join(map(json.dumps, ROWS)),
    "objects on one line with blanks": " ".join(map(json.dumps, ROWS)) + "\n",
    "line ends of Windows": json.dumps(ROWS, indent=2).replace("\n", "\r\n"),
    "blank lines before": "\n\n  " + json.dumps(ROWS),
}


def checked(path: Path) -> None:
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == [row["text"] for row in ROWS]
    assert (report["records"], report["num_quarantined"], report["num_bad"]) == (len(ROWS), 0, 0)
    for row, given_row in zip(rows, ROWS, strict=True):
        raw = documents.raw_record(whole(path), documents.Params(), path.name, row["offset"])
        assert json.loads(raw.strip().removesuffix(b",").decode("utf-8-sig")) == given_row


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_layout_of_a_list_gives_its_objects(tmp_path: Path, layout: str, codec: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LAYOUTS[layout].encode(codec))
    checked(path)
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(LAYOUTS[layout].encode(codec)))
    checked(packed)


@pytest.mark.parametrize("layout", ["list on a line", "list over lines", "objects on one line"])
def test_of_a_file_that_is_not_lines_the_first_part_has_all(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(LAYOUTS[layout])
    check_parts(whole(path), 4, path.stat().st_size)


def unrolled(data: bytes, block: int) -> bytes:
    """The lines of a file that is read so many bytes at a time."""
    before, json_values.BLOCK = json_values.BLOCK, block
    try:
        return Unrolled(io.BytesIO(data)).read()
    finally:
        json_values.BLOCK = before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(), JSON, max_size=4), min_size=1, max_size=6),
    st.sampled_from([None, 0, 1, 3]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 9),
)
def test_objects_are_those_of_pythons_json(
    values: list[Any], indent: int | None, in_list: bool, escaped: bool, block: int
) -> None:
    options: dict[str, Any] = {"indent": indent, "ensure_ascii": escaped}
    text = json.dumps(values, **options) if in_list else "".join(json.dumps(value, **options) for value in values)
    found = unrolled(text.encode(), block)
    lines = [line for line in found.split(b"\n") if line.strip(b" \t\r")]
    assert [json.loads(line) for line in lines] == json.loads(json.dumps(values))
    assert len(found) - len(text.encode()) == (0 if in_list else len(values) - 1)


@given(st.binary(max_size=60), st.integers(1, 7))
@example(b"}\x00\t", 1)
def test_no_bytes_are_lost(data: bytes, block: int) -> None:
    found = unrolled(data, block)
    assert 0 <= len(found) - len(data) <= data.count(b"{") + data.count(b"[")
    assert found == unrolled(data, 1 << 20)


@pytest.mark.parametrize(
    "head",
    [
        b'{"text": "a"}\n{"text": "b"}\n',
        b'[\n{"text": "a"},\n{"text": "b"}\n]\n',
        b'[{"text": "a"}]\n[{"text": "b"}]\n',  # a list a line: no row is an object
        b"[1, 2]\n",
        b'{"text": "cut\n{"text": "b"}\n',
        b'{"text": "a"}{"text": "b"}\n{"text": "c"}\n',  # lines but for one
        b'{"text": "' + b"a" * (1 << 17),
        b'[\n{"text": "' + b"a" * (1 << 17),
        b"",
        b"text\n",
    ],
)
def test_lines_stay_lines(head: bytes) -> None:
    assert not is_unrolled(head[: json_values.LOOK], len(head) < json_values.LOOK)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_positions_are_those_of_the_file(tmp_path: Path, layout: str) -> None:
    """Only objects with nothing between them count one more."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(LAYOUTS[layout].encode())
    rows, _ = read(whole(path))
    for number, row in enumerate(rows):
        place = row["offset"] - (number if layout == "objects on one line" else 0)
        rest = path.read_bytes()[place:].decode().lstrip(" \r\n[,")
        assert json.JSONDecoder().raw_decode(rest)[0] == ROWS[number]


def test_a_list_in_members_of_which_the_first_is_damaged_goes_on_at_the_next(tmp_path: Path) -> None:
    """A list with an item a line: the damage ends the first item, and all that is known of the file."""
    lines = [json.dumps(row) + "," for row in ROWS]
    first = gzip.compress(f"[\n{lines[0]}\n{lines[1]}\n".encode(), mtime=0)
    rest = gzip.compress("\n".join([*lines[2:-1], lines[-1][:-1], "]\n"]).encode(), mtime=0)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(first[:40] + rest)
    rows, report = read(whole(path))
    assert [row["text"] for row in rows][-7:] == [row["text"] for row in ROWS[3:]]  # 2 may be the rest of a line
    assert report["num_bad"] == 1


HEAD = b'[\n{"text": "Text 0: a'


@pytest.mark.parametrize("wrong", [b"\n", b"\xf1rr\n\xb0@", b'", \x01\n', b'"}, {\n'])
def test_a_line_end_among_the_wrong_bytes_of_damage_makes_no_layout(wrong: bytes) -> None:
    """Bytes behind a cut are taken for some of its member: one time of 128 they hold a line end."""
    assert not is_unrolled(HEAD + wrong, is_all=False, is_damaged=True)
    assert is_unrolled(HEAD + wrong, is_all=False)
    for line in (b"{", b'{"text": "a",', b'{"meta": [', b'{"text":'):
        assert is_unrolled(b"[\n" + line + b'\n "te' + wrong, is_all=False, is_damaged=True)


@pytest.mark.parametrize("mtime", [0, 1796083118, 1796083246])
def test_times_of_members_decide_nothing_behind_damage(mtime: int, tmp_path: Path) -> None:
    lines = [json.dumps(row) + "," for row in ROWS]
    first = gzip.compress(f"[\n{lines[0]}\n{lines[1]}\n".encode(), mtime=0)
    path = tmp_path / "a.jsonl.gz"
    for cut in range(30, len(first) - 8):
        rest = gzip.compress("\n".join([*lines[2:-1], lines[-1][:-1], "]\n"]).encode(), mtime=mtime)
        path.write_bytes(first[:cut] + rest)
        rows, _ = read(whole(path))
        assert [row["text"] for row in rows][-7:] == [row["text"] for row in ROWS[3:]], cut


def test_what_is_no_object_in_a_list_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('[{"text": "One."}, 5, "words", null, [{"text": "inner"}], {"text": "Two."}] rest\n')
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == ["One.", "Two."]
    assert [one["reason"] for one in report["quarantined"]] == ["not_json_object"] * 4 + ["not_json"]
    assert report["records"] == 7


@pytest.mark.parametrize("layout", ["list on a line", "list over lines", "objects over lines"])
def test_of_a_cut_list_all_but_the_last_object_is_read(tmp_path: Path, layout: str) -> None:
    text = LAYOUTS[layout].encode()
    path = tmp_path / "a.jsonl"
    path.write_bytes(text[: text.rindex(b"Text 9") + 3])
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == [row["text"] for row in ROWS[:-1]]
    assert [one["reason"] for one in report["quarantined"]] == ["not_json"]


def test_a_quote_that_is_not_closed_costs_its_object(tmp_path: Path) -> None:
    text = json.dumps(ROWS, indent=1).replace('"Text 3: two', "Text 3: two", 1)
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == [row["text"] for row in ROWS if "Text 3" not in row["text"]]
    assert report["num_quarantined"] > 0
