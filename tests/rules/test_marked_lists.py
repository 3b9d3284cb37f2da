"""Lists that a program of Windows wrote: a byte order mark is no part of their first entry."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from stages.rules import url_files, word_lists

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("text", "kind", "entries"),
    [
        ("bad.com\nworse.org\n", "domains", [b"bad.com", b"worse.org"]),
        ("0.0.0.0 bad.com\n0.0.0.0 worse.org\n", "domains", [b"bad.com", b"worse.org"]),
        ("mixed.net/adult\r\n", "urls", [b"mixed.net/adult"]),
    ],
)
def test_the_first_entry_of_a_marked_list_counts(
    tmp_path: Path, encoding: str, suffix: str, text: str, kind: url_files.Kind, entries: list[bytes]
) -> None:
    data = text.encode(encoding)
    path = tmp_path / f"list.txt{suffix}"
    path.write_bytes(gzip.compress(data, mtime=0) if suffix else data)
    found = url_files.read(str(path))
    assert found[kind] == entries
    assert sum(map(len, found.values())) == len(entries)


def test_a_mark_makes_another_list_of_a_file(tmp_path: Path) -> None:
    """Decisions by a list that was read with its mark do not stand."""
    for name, encoding in (("plain", "utf-8"), ("marked", "utf-8-sig"), ("wide", "utf-16")):
        (tmp_path / name).write_bytes("bad.com\n".encode(encoding))
    plain, marked, wide = (url_files.identity(str(tmp_path / name)) for name in ("plain", "marked", "wide"))
    assert plain == marked == wide


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_first_word_of_a_marked_list_counts(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "words").write_bytes("und\noder\n".encode(encoding))
    assert word_lists.read(str(tmp_path / "words")) == ("und", "oder")
