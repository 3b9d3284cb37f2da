"""Files on web servers: what is read is all of one file, or an error that says why not."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
from collections import Counter
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stages import documents
from stages.formats import listing, retries, web_file
from stages.formats.listing import check_unchanged
from stages.formats.locations import open_file, open_random
from stages.formats.ranges import Ranged
from stages.formats.web_file import stat_http
from stages.sources import SourceError, SourceParams, list_splits
from tests.support.range_server import FAULTS, RangeServer

PAGES = 3_000
REPLACED = "was replaced by another file while it was read"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.001)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": f"Page {number} of the river."}) + "\n" for number in range(PAGES)))
    return path


def read(address: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Texts, and what could not be read, of a source of one path."""
    texts, bad = [], []
    for split in list_splits("web", SourceParams(paths=(address,))):
        reader = documents.read(split, documents.Params())
        for batch in reader:
            texts += batch.column("text").to_pylist()
        check_unchanged(split)
        bad += reader.report["bad"]
    return texts, bad


@pytest.mark.parametrize("sizes", ["all", "get", "ranges"])
def test_a_file_whose_head_states_no_size_is_read_and_not_taken_for_empty(file: Path, sizes: str) -> None:
    with RangeServer(file.parent, sizes=sizes) as server:
        assert stat_http(f"{server.address}/a.jsonl").size == file.stat().st_size
        texts, bad = read(f"{server.address}/a.jsonl")
    assert texts == [f"Page {number} of the river." for number in range(PAGES)]
    assert bad == []


def test_an_empty_file_is_one_whatever_its_head_states(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"")
    for sizes in ("all", "get", "ranges"):
        with RangeServer(tmp_path, sizes=sizes) as server:
            assert read(f"{server.address}/a.jsonl") == ([], [{"file": "a.jsonl", "offset": 0, "reason": "empty_file"}])


@pytest.mark.parametrize("listed", [False, True])
def test_a_file_whose_size_is_stated_nowhere_is_refused_by_name(file: Path, listed: bool) -> None:
    (file.parent / "all.paths").write_text("a.jsonl\n")
    said = "a.jsonl: the server does not state the size of the file; read a copy of it"
    with RangeServer(file.parent, sizes="none", ranges=False) as server:
        address = f"{file.parent}/all.paths" if listed else f"{server.address}/a.jsonl"
        if listed:
            (file.parent / "all.paths").write_text(f"{server.address}/a.jsonl\n")
        with pytest.raises((SourceError, OSError), match=said):
            read(address)


@pytest.mark.parametrize("sizes", ["all", "ranges", "none"])
def test_bodies_that_break_are_gone_on_with_where_they_broke(file: Path, sizes: str) -> None:
    whole = file.read_bytes()
    with RangeServer(file.parent, rate=0.6, seed=5, sizes=sizes) as server:
        for place in range(0, 100_000, 1_801):
            with open_file(f"{server.address}/a.jsonl") as far:
                far.seek(place)
                assert far.read() == whole[place:]
    assert min(server.counts[fault] for fault in FAULTS) > 0


def test_a_server_that_has_answered_is_waited_for_and_one_that_never_did_is_not(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[int] = []
    monkeypatch.setattr(retries, "pause", lambda failures, _=None: pauses.append(failures))
    with RangeServer(file.parent, status=503) as server:
        for busy in (lambda: open_file(f"{server.address}/a.jsonl"), lambda: Ranged(f"{server.address}/a").get(0, 9)):
            pauses.clear()
            with pytest.raises(OSError, match="HTTP 503"):
                busy()
            assert len(pauses) == retries.TRIES - 1
        server.status = 0
        far = open_file(f"{server.address}/a.jsonl")
        pauses.clear()
        server.status = 503
        with pytest.raises(OSError, match="HTTP 503"):
            far.read()
    assert len(pauses) == retries.TRIES - 1
    with socket.create_server(("127.0.0.1", 0)) as place:
        nobody = f"http://127.0.0.1:{place.getsockname()[1]}/a.jsonl"
    for deaf in (lambda: open_file(nobody), lambda: Ranged(nobody).get(0, 9)):
        pauses.clear()
        with pytest.raises(OSError, match="refused"):
            deaf()
        assert len(pauses) == retries.FIRST_TRIES - 1


BUSY = [(503, "7"), (429, "Wed, 21 Oct 2015 07:28:00 GMT"), (503, "soon"), (429, "86400")]


@pytest.mark.parametrize("ranged", [False, True])
def test_a_server_that_says_when_to_come_again_is_left_alone_until_then(
    file: Path, monkeypatch: pytest.MonkeyPatch, ranged: bool
) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr(retries, "time", SimpleNamespace(sleep=sleeps.append, time=time.time))
    with RangeServer(file.parent, busy=BUSY) as server:
        address = f"{server.address}/a.jsonl"
        held = Ranged(address).get(0, 100) if ranged else open_file(address).read(100)
    assert held == file.read_bytes()[:100]
    assert [7 <= sleeps[0] < 8, sleeps[1] < 1, sleeps[2] < 1, 60 <= sleeps[3] < 61] == [True] * 4
    assert len(sleeps) == 4


def test_what_an_error_asks_for_is_read_from_all_libraries() -> None:
    date = formatdate(time.time() + 40, usegmt=True)
    answered: list[tuple[Exception, float, float]] = [
        (urllib.error.HTTPError("http://a/", 503, "", {"Retry-After": "3"}, None), 3, 3),  # type: ignore[arg-type]
        (urllib.error.HTTPError("http://a/", 503, "", {"retry-after": date}, None), 35, 40),  # type: ignore[arg-type]
        (_with_response({"ResponseMetadata": {"HTTPHeaders": {"retry-after": "9"}}}), 9, 9),
        (_with_response(SimpleNamespace(headers={"Retry-After": "11"})), 11, 11),
        (_with_response({}), 0, 0),
        (_with_response({"ResponseMetadata": {"HTTPHeaders": {"retry-after": 4}}}), 4, 4),
        (_with_response(SimpleNamespace(headers={"Retry-After": "Jan 1 9999197031 00:00:00 +0000"})), 0, 0),
        (ConnectionError("reset"), 0, 0),
    ]
    for error, least, most in answered:
        assert least <= retries.asked_wait(error) <= most
    assert retries.asked_wait(None) == 0


def _with_response(response: object) -> Exception:
    error = OSError("busy")
    error.response = response  # type: ignore[attr-defined]
    return error


def test_a_range_of_other_bytes_than_were_asked_for_is_an_error(file: Path) -> None:
    with RangeServer(file.parent, shift=7) as server, open_file(f"{server.address}/a.jsonl") as far:
        far.seek(10)
        with pytest.raises(OSError, match=r"a.jsonl: asked for byte 10, answered bytes 17-\d+/\d+"):
            far.read(5)


@pytest.mark.parametrize("grown", [False, True])
def test_a_file_that_is_replaced_between_two_requests_is_an_error(file: Path, grown: bool) -> None:
    after = file.read_bytes().replace(b"river", b"ocean") + (b'{"text": "more"}\n' if grown else b"")
    with RangeServer(file.parent) as server:
        address = f"{server.address}/a.jsonl"
        far, ranged = open_file(address), Ranged(address)
        assert far.read(100) == ranged.get(0, 100) == file.read_bytes()[:100]
        file.write_bytes(after)
        far.seek(50_000)
        with pytest.raises(OSError, match=REPLACED):
            far.read(100)
        with pytest.raises(OSError, match=REPLACED):
            ranged.get(50_000, 50_100)
        assert open_file(address).read() == after


DATE, LATER = {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, {"Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}
TAG, OTHER = {"ETag": "{etag}"}, {"ETag": '"another"'}


@pytest.mark.parametrize(
    ("head", "got", "same"),
    [
        ({}, TAG, True),
        ({"ETag": "W/{etag}"}, TAG, True),
        (DATE, TAG | DATE, True),
        (DATE, TAG, True),
        ({"ETag": "0x8D2"} | DATE, {"ETag": "0x8D2"} | DATE, True),  # Azure quotes no tag for who is anonymous
        (TAG | DATE, OTHER | DATE, True),  # mirrors with inodes in their tags
        (TAG | DATE, TAG | LATER, True),  # mirrors that were filled one after the other
        ({**DATE, "Date": DATE["Last-Modified"]}, {**LATER, "Date": LATER["Last-Modified"]}, True),
        (OTHER, TAG, False),
        ({"ETag": 'W/"another"'}, TAG, False),
        ({"ETag": "0x8D2"} | DATE, {"ETag": "0x8D3"} | LATER, False),
        (DATE, LATER, False),
        (OTHER | DATE, TAG | LATER, False),
    ],
)
def test_another_file_is_one_of_which_neither_tag_nor_date_is_the_same(
    file: Path, head: dict[str, str], got: dict[str, str], same: bool
) -> None:
    whole = file.read_bytes()
    for opened in (open_file, open_random):
        with RangeServer(file.parent, identities=[head, got]) as server, opened(f"{server.address}/a.jsonl") as far:
            if same:
                assert far.read() == whole
            else:
                with pytest.raises(OSError, match=REPLACED):
                    far.read()


@pytest.mark.parametrize("head", [400, 401, 403, 405, 501])
def test_a_server_that_denies_heads_is_asked_for_the_first_byte(file: Path, head: int) -> None:
    with RangeServer(file.parent, head=head) as server:
        assert read(f"{server.address}/a.jsonl") == ([f"Page {number} of the river." for number in range(PAGES)], [])
        assert open_random(f"{server.address}/a.jsonl").read() == file.read_bytes()
        with pytest.raises(FileNotFoundError):
            stat_http(f"{server.address}/b.jsonl")
        server.status, server.counts = 403, Counter()
        with pytest.raises(OSError, match=r"a\.jsonl: HTTP 403"):
            stat_http(f"{server.address}/a.jsonl")
    assert server.counts == {"connections": 2, "heads": 1}


@pytest.mark.parametrize(
    ("status", "stated", "size"),
    [
        (206, "bytes 0-0/70", 70),
        (206, "bytes 0-0/*", None),
        (206, "of 70", None),
        (206, "", None),
        (204, "", None),
        (200, "", 5),
        (416, "bytes */0", 0),
        (416, "bytes */70", 70),
        (416, "", 0),
    ],
)
def test_a_size_that_is_not_stated_is_no_size_of_none(status: int, stated: str, size: int | None) -> None:
    headers = {"Content-Length": "5"} | ({"Content-Range": stated} if stated else {})
    answer = SimpleNamespace(status=status, headers=headers)
    if size is None:
        with pytest.raises(OSError, match="a: the server does not state the size of the file"):
            web_file._whole_size("a", answer)
    else:
        assert web_file._whole_size("a", answer) == size


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_tags_that_come_and_go_are_no_change_and_other_sizes_are(file: Path, names: list[str]) -> None:
    other = file.parent / "b.jsonl"
    other.write_bytes(file.read_bytes())
    with RangeServer(
        file.parent, identities=[{"ETag": '"1"'} | DATE, {"ETag": '"2"'} | DATE] * 3 + [TAG | DATE]
    ) as server:
        paths = tuple(f"{server.address}/{name}.jsonl" for name in names)
        [split] = list_splits("web", SourceParams(paths=paths))
        for _ in range(3):
            check_unchanged(split)
        (file.parent / f"{names[-1]}.jsonl").write_bytes(file.read_bytes() + b"{}\n")
        with pytest.raises(ValueError, match=r"web/a.jsonl.* changed while the run read it"):
            check_unchanged(split)


def test_a_server_that_states_the_time_of_its_answers_changes_nothing(file: Path) -> None:
    now = [{"Last-Modified": f"second {second}", "Date": f"second {second}"} for second in range(50)]
    with RangeServer(file.parent, identities=now) as server:
        assert read(f"{server.address}/a.jsonl") == ([f"Page {number} of the river." for number in range(PAGES)], [])


def test_a_file_replaced_in_the_second_of_the_answer_makes_no_product(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "NEXT_SECOND", 0.0)
    changes = [(1, 5), (9, 9), (9, 9), (9, 9), *((9, 10) for _ in range(20))]  # with the time of the answer
    stated = [{"Last-Modified": f"second {change}", "Date": f"second {now}"} for change, now in changes]
    with RangeServer(file.parent, identities=stated) as server:
        [split] = list_splits("web", SourceParams(paths=(f"{server.address}/a.jsonl",)))
        assert split.etag == "second 1"
        with pytest.raises(ValueError, match=r"web/a.jsonl changed while the run read it"):
            check_unchanged(split)


def test_a_file_of_a_list_is_looked_at_once_when_it_is_read(file: Path) -> None:
    with RangeServer(file.parent) as server:
        (file.parent / "all.paths").write_text(f"{server.address}/a.jsonl\n")
        assert len(read(f"{file.parent}/all.paths")[0]) == PAGES
    assert server.counts["heads"] == 1


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_a_file_that_is_replaced_after_it_was_listed_makes_no_product(file: Path, names: list[str]) -> None:
    (file.parent / "b.jsonl").write_bytes(file.read_bytes())
    with RangeServer(file.parent) as server:
        paths = tuple(f"{server.address}/{name}.jsonl" for name in names)
        [split] = list_splits("web", SourceParams(paths=paths))
        check_unchanged(split)
        (file.parent / f"{names[-1]}.jsonl").write_bytes(file.read_bytes().replace(b"river", b"ocean"))
        with pytest.raises(ValueError, match=r"web/a.jsonl.* changed while the run read it"):
            check_unchanged(split)
        (file.parent / f"{names[-1]}.jsonl").unlink()
        check_unchanged(split)
