"""Listing a source: the same splits whatever the listing order, and one clear sentence where it cannot be."""

from __future__ import annotations

import functools
import gzip
import http.server
import os
import re
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.sources import SourceError, SourceParams, list_splits
from stages.sources.files import glob_regex
from tests.support.archives import read


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def names(path: str, **more: str) -> list[str]:
    return [split.file for split in list_splits("web", SourceParams(paths=(path,), group_bytes=0, **more))]


def test_names_are_relative_to_what_stands_before_the_first_wildcard(tmp_path: Path) -> None:
    make(tmp_path, "b/2.warc.gz", "b/1.warc.gz", "a/1.warc.gz", "a/notes.txt")
    assert names(f"{tmp_path}/*/*.warc.gz") == ["a/1.warc.gz", "b/1.warc.gz", "b/2.warc.gz"]
    assert names(f"{tmp_path}/b/*.gz") == ["1.warc.gz", "2.warc.gz"]
    assert names(f"{tmp_path}/b/1.warc.gz") == ["1.warc.gz"]
    assert names(f"{tmp_path}/b/1.warc.gz", base=str(tmp_path)) == ["b/1.warc.gz"]


def test_a_folder_gives_its_known_files_and_no_hidden_ones(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl", "deep/b.parquet", "c.unknown", ".d.jsonl", "_e.jsonl")
    assert names(str(tmp_path)) == ["a.jsonl", "deep/b.parquet"]


def test_hidden_files_and_folders_are_left_out_and_said_unless_a_path_says_so(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl", ".git/b.jsonl", "x/_temporary/0/c.jsonl", "_d.jsonl", "_SUCCESS", "a/..b/.../e.jsonl")
    said: list[str] = []
    splits = list_splits("web", SourceParams(paths=(str(tmp_path),), group_bytes=0), said.append)
    assert [split.file for split in splits] == ["a.jsonl"]
    line = f"source web: left out for a name that begins with . or _: {tmp_path}/.git/b.jsonl and 3 more"
    assert said == [f"{line}; a path that says so reads them"]
    assert names(f"{tmp_path}/_*.jsonl") == ["_d.jsonl"]
    assert names(f"{tmp_path}/**/_temporary/**/*.jsonl") == ["x/_temporary/0/c.jsonl"]
    assert names(f"{tmp_path}/.git") == ["b.jsonl"]
    assert names(f"{tmp_path}/_d.jsonl") == ["_d.jsonl"]


def test_files_of_no_known_format_in_a_folder_are_said_with_their_suffixes(tmp_path: Path) -> None:
    others = [f"{number:02d}.json.gz" for number in range(12)]
    make(tmp_path, "a.jsonl", *others, "x/b.rar", "x/c.RAR", "part-00000", "v1.2/part-00001", "d.jsonl.br", "_SUCCESS")
    said: list[str] = []
    splits = list_splits("web", SourceParams(paths=(str(tmp_path),), group_bytes=0), said.append)
    assert [split.file for split in splits] == ["a.jsonl"]
    line = f"source web: left out for a suffix of no known format: {tmp_path}/00.json.gz and 16 more"
    assert said == [
        f"{line} (.json.gz 12, no suffix 2, .rar 2, .br 1); a source with `format:` and a pattern such as *.json reads"
        " such files"
    ]
    said.clear()
    assert (
        len(list_splits("web", SourceParams(paths=(str(tmp_path),), format="jsonl", group_bytes=0), said.append)) == 18
    )
    assert list_splits("web", SourceParams(paths=(f"{tmp_path}/*.jsonl",)), said.append)
    assert not [line for line in said if "suffix" in line]
    with pytest.raises(SourceError, match=r"no file of a known format lies in .*/x; it has \.rar 2; set `format:`"):
        list_splits("web", SourceParams(paths=(f"{tmp_path}/x",)))


def test_names_in_remarks_do_not_command_a_terminal(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl", "b.\x1b[2j", ".c\r.jsonl")
    said: list[str] = []
    list_splits("web", SourceParams(paths=(str(tmp_path),)), said.append)
    assert len(said) == 2
    assert "/.c\\r.jsonl;" in said[0]
    assert "/b.\\x1b[2j (.\\x1b[2j 1)" in said[1]


def test_the_root_of_a_run_is_no_input_of_it_under_any_name(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl", "root/documents/x.jsonl", "root/sample/y.jsonl")
    (tmp_path / "link").symlink_to("root")
    root = f"{tmp_path}/root"

    def found(path: str) -> tuple[list[str], list[str]]:
        said: list[str] = []
        splits = list_splits("web", SourceParams(paths=(path,), group_bytes=0), said.append, without=root)
        return [split.file for split in splits], said

    line = "is not entered: it is the root of this run, whose files are no input"
    files, said = found(str(tmp_path))
    assert files == ["a.jsonl"]
    assert sorted(said) == [f"source web: {tmp_path}/{name} {line}" for name in ("link", "root")]
    assert found(f"{root}/sample")[0] == found(f"{root}/sample/*")[0] == ["y.jsonl"]
    for path in (root, f"{tmp_path}/link", f"{root}/**/*.jsonl"):
        with pytest.raises(SourceError, match="it is the root of this run"):
            found(path)


def test_what_is_neither_file_nor_folder_is_named(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl")
    os.mkfifo(tmp_path / "b.jsonl")
    (tmp_path / "c.jsonl").symlink_to("/dev/zero")
    said: list[str] = []
    splits = list_splits("web", SourceParams(paths=(str(tmp_path),)), said.append)
    assert [split.file for split in splits] == ["a.jsonl"]
    kinds = {"b": "a pipe", "c": "a device"}
    assert sorted(said) == [
        f"source web: {tmp_path}/{name}.jsonl is left out: it is {kind} and no file" for name, kind in kinds.items()
    ]
    for name, kind in kinds.items():
        with pytest.raises(SourceError, match=f"it is {kind} and no file"):
            names(f"{tmp_path}/{name}.jsonl")


def test_splits_carry_uri_size_and_an_etag_that_follows_the_content(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl")
    [before] = list_splits("web", SourceParams(paths=(f"{tmp_path}/a.jsonl",)))
    assert (before.uri, before.size, before.unit) == (f"{tmp_path}/a.jsonl", 7, "file")
    (tmp_path / "a.jsonl").write_text("longer than before")
    [after] = list_splits("web", SourceParams(paths=(f"{tmp_path}/a.jsonl",)))
    assert after.etag != before.etag


def test_several_paths_are_one_sorted_list(tmp_path: Path) -> None:
    make(tmp_path, "x/b.jsonl", "y/a.jsonl")
    paths = (f"{tmp_path}/x/*.jsonl", f"{tmp_path}/y/*.jsonl", f"{tmp_path}/x/b.jsonl")
    params = SourceParams(paths=paths, group_bytes=0)
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
    assert len(list_splits("web", SourceParams(paths=paths, base=str(tmp_path), group_bytes=0))) == 2


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


def test_large_files_are_split_into_equal_parts_and_others_are_read_whole(tmp_path: Path) -> None:
    sizes = {"a.warc.gz": 1 << 20, "b.jsonl": 300_000, "c.jsonl.gz": 1 << 20, "d.csv": 300_000, "e.warc": 1 << 20}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(b"x" * size)
    params = SourceParams(paths=(str(tmp_path),), split_bytes=1 << 18, group_bytes=0)
    found = [(s.file, s.start, s.end, s.unit) for s in list_splits("web", params)]
    assert found == [
        *[("a.warc.gz", i << 18, (i + 1) << 18, "bytes") for i in range(4)],
        ("b.jsonl", 0, 150_000, "bytes"),
        ("b.jsonl", 150_000, 300_000, "bytes"),
        ("c.jsonl.gz", 0, 0, "file"),
        ("d.csv", 0, 0, "file"),
        ("e.warc", 0, 0, "file"),
    ]
    open_csv = SourceParams(paths=(f"{tmp_path}/d.csv",), split_bytes=1 << 18, newlines_in_values=False)
    assert [s.unit for s in list_splits("web", open_csv)] == ["bytes", "bytes"]


def test_parquet_is_split_at_row_groups(tmp_path: Path) -> None:
    table = pa.table({"text": [f"{i} " * 500 for i in range(1000)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=100, compression="none", use_dictionary=False)
    params = SourceParams(paths=(f"{tmp_path}/a.parquet",), split_bytes=1 << 19)
    splits = list_splits("web", params)
    assert len(splits) > 1
    assert [s.unit for s in splits] == ["row_groups"] * len(splits)
    assert [s.start for s in splits] == [0, *[s.end for s in splits[:-1]]]
    assert splits[-1].end == 10


def test_small_files_are_grouped_and_a_new_one_changes_few_groups(tmp_path: Path) -> None:
    make(tmp_path, *[f"{i:05}.html" for i in range(400)])
    params = SourceParams(paths=(str(tmp_path),), group_bytes=1 << 17)
    before = list_splits("web", params)
    assert 2 < len(before) < 100
    assert sorted(name for s in before for name, _, _ in s.parts or ((s.file, s.uri, s.size),)) == [
        f"{i:05}.html" for i in range(400)
    ]
    make(tmp_path, "00200a.html")
    after = list_splits("web", params)
    assert len(set(after) - set(before)) <= 2


def test_a_list_of_paths_names_its_files(tmp_path: Path) -> None:
    make(tmp_path, "data/1.warc.gz", "data/2.warc.gz")
    (tmp_path / "warc.paths.gz").write_bytes(gzip.compress(b"data/1.warc.gz\ndata/2.warc.gz\ndata/3.warc.gz\n"))
    path = f"{tmp_path}/warc.paths.gz"
    assert names(path, missing="skip") == ["data/1.warc.gz", "data/2.warc.gz"]
    assert names(path, first=1) == ["data/1.warc.gz"]
    with pytest.raises(SourceError, match="which does not exist"):
        names(path)


def test_a_line_of_a_list_is_a_name_where_a_file_has_it(tmp_path: Path) -> None:
    make(tmp_path, "#1.jsonl", " 2 .jsonl ", "3.jsonl", "4 .jsonl")
    path = tmp_path / "in.paths"
    path.write_bytes("\ufeff# a comment\r\n#1.jsonl\r\n 2 .jsonl \n\n  3.jsonl\t\n#4.jsonl\n4 .jsonl".encode())
    assert names(str(path), format="jsonl") == [" 2 .jsonl ", "#1.jsonl", "3.jsonl", "4 .jsonl"]
    assert names(str(path), format="jsonl", first=2) == [" 2 .jsonl ", "#1.jsonl"]
    whole = gzip.compress(b"3.jsonl\n" * 99)
    for damaged in (whole[:-9], whole[:15] + b"\xff\xff" + whole[17:]):
        (tmp_path / "cut.paths.gz").write_bytes(damaged)
        with pytest.raises(SourceError, match="a damaged gzip file"):
            names(f"{tmp_path}/cut.paths.gz")


def test_common_crawl_lists_stand_for_its_own_address(tmp_path: Path) -> None:
    path = tmp_path / "warc.paths"
    path.write_text("crawl-data/CC-MAIN-2026-40/segments/1/warc/a.warc.gz\n")
    [split] = list_splits("web", SourceParams(paths=(str(path),)))
    assert split.uri == "https://data.commoncrawl.org/crawl-data/CC-MAIN-2026-40/segments/1/warc/a.warc.gz"


class Served(http.server.SimpleHTTPRequestHandler):
    """A folder on loopback that answers range requests and hangs up now and then."""

    hang_ups = 0

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if Served.hang_ups:
            Served.hang_ups -= 1
            self.wfile.write(data[start : start + 100])
        else:
            self.wfile.write(data[start:])


def test_https_files_are_read_on_after_a_broken_connection(tmp_path: Path) -> None:
    content = gzip.compress(b"\n".join(b'{"text": "line %d"}' % i for i in range(5000)))
    (tmp_path / "a.jsonl.gz").write_bytes(content)
    handler = functools.partial(Served, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        [split] = list_splits("web", SourceParams(paths=(f"{root}/a.jsonl.gz",)))
        assert split.size == len(content)
        Served.hang_ups = 2
        rows, _ = read(split)
        with pytest.raises(SourceError, match="does not exist"):
            list_splits("web", SourceParams(paths=(f"{root}/b.jsonl.gz",)))
        server.shutdown()
    assert len(rows) == 5000
