"""Listing a source: the same splits whatever the listing order, and one clear sentence where it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.sources import SourceError, SourceParams, glob_regex, list_splits


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def names(path: str, **more: str) -> list[str]:
    return [split.file for split in list_splits("web", SourceParams(paths=(path,), **more))]


def test_names_are_relative_to_what_stands_before_the_first_wildcard(tmp_path: Path) -> None:
    make(tmp_path, "b/2.warc.gz", "b/1.warc.gz", "a/1.warc.gz", "a/notes.txt")
    assert names(f"{tmp_path}/*/*.warc.gz") == ["a/1.warc.gz", "b/1.warc.gz", "b/2.warc.gz"]
    assert names(f"{tmp_path}/b/*.gz") == ["1.warc.gz", "2.warc.gz"]
    assert names(f"{tmp_path}/b/1.warc.gz") == ["1.warc.gz"]
    assert names(f"{tmp_path}/b/1.warc.gz", base=str(tmp_path)) == ["b/1.warc.gz"]


def test_a_folder_gives_its_known_files_and_no_hidden_ones(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl", "deep/b.parquet", "c.unknown", ".d.jsonl", "_e.jsonl")
    assert names(str(tmp_path)) == ["a.jsonl", "deep/b.parquet"]


def test_splits_carry_uri_size_and_an_etag_that_follows_the_content(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl")
    [before] = list_splits("web", SourceParams(paths=(f"{tmp_path}/a.jsonl",)))
    assert (before.uri, before.size, before.unit) == (f"{tmp_path}/a.jsonl", 7, "file")
    (tmp_path / "a.jsonl").write_text("longer than before")
    [after] = list_splits("web", SourceParams(paths=(f"{tmp_path}/a.jsonl",)))
    assert after.etag != before.etag


def test_several_paths_are_one_sorted_list(tmp_path: Path) -> None:
    make(tmp_path, "x/b.jsonl", "y/a.jsonl")
    params = SourceParams(paths=(f"{tmp_path}/x/*.jsonl", f"{tmp_path}/y/*.jsonl", f"{tmp_path}/x/b.jsonl"))
    assert [split.file for split in list_splits("web", params)] == ["a.jsonl", "b.jsonl"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere/*.warc.gz", "does not exist"),
        ("nowhere.warc.gz", "does not exist"),
        ("x/*.warc.gz", "no file of a known format matches"),
        ("x/readme.unknown", "set `format:`"),
        ("*/same.jsonl", None),
    ],
)
def test_a_source_that_cannot_be_listed_says_so_in_one_line(tmp_path: Path, path: str, said: str | None) -> None:
    make(tmp_path, "x/readme.unknown", "x/same.jsonl", "y/same.jsonl")
    if said is None:
        assert names(f"{tmp_path}/{path}") == ["x/same.jsonl", "y/same.jsonl"]
        return
    with pytest.raises(SourceError, match=said) as caught:
        names(f"{tmp_path}/{path}")
    assert "\n" not in str(caught.value)
    assert "web" in str(caught.value)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "x/same.jsonl", "y/same.jsonl")
    paths = (f"{tmp_path}/x/*.jsonl", f"{tmp_path}/y/*.jsonl")
    with pytest.raises(SourceError, match="would both be called"):
        list_splits("web", SourceParams(paths=paths))
    assert len(list_splits("web", SourceParams(paths=paths, base=str(tmp_path)))) == 2


@pytest.mark.parametrize(
    ("pattern", "matches", "misses"),
    [
        ("*.gz", "a.gz", "a/b.gz"),
        ("**/*.gz", "a/b/c.gz", "a.zst"),
        ("**/*.gz", "c.gz", "c.gzz"),
        ("a?.x", "ab.x", "a/.x"),
        ("[ab].x", "a.x", "c.x"),
        ("[!ab].x", "c.x", "a.x"),
        ("{a,b*}.x", "bcd.x", "c.x"),
        ("a.b", "a.b", "axb"),
    ],
)
def test_globs_match_as_in_a_shell(pattern: str, matches: str, misses: str) -> None:
    assert glob_regex(pattern).fullmatch(matches)
    assert not glob_regex(pattern).fullmatch(misses)
