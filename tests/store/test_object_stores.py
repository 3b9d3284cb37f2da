"""Object stores: a key is a name, faults are outlasted, and nothing is left half made."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.answers.verify import verify_root
from pipeline.errors import UserError
from pipeline.run import driver
from pipeline.store.storage import Store, inside
from stages.formats import retries, s3
from stages.formats.listing import check_unchanged, entries
from stages.formats.locations import locate, open_file, s3_of
from stages.sources import SourceParams, list_splits
from tests.support.archives import read
from tests.support.fault_proxy import FAULTS, FaultProxy
from tests.support.odd_keys import KEYS
from tests.support.runs import tree


@pytest.fixture(scope="module")
def client(s3: str) -> Any:
    boto3 = pytest.importorskip("boto3")
    return boto3.client("s3", endpoint_url=f"http://{server(s3)}", region_name="us-east-1")


def server(s3: str) -> str:
    return s3.partition("endpoint_override=")[2].partition("&")[0]


@pytest.fixture(scope="module")
def odd(s3: str, client: Any) -> str:
    """A bucket whose objects have odd keys, each with its key as its text."""
    client.create_bucket(Bucket="odd")
    for key in KEYS:
        client.put_object(Bucket="odd", Key=f"in/{key}", Body=json.dumps({"text": f"text of {key}"}).encode())
    return s3


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries that a test can wait for."""
    monkeypatch.setattr(retries, "FIRST_PAUSE", 1e-4)
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 1e-3)


def text_of(key: str) -> str:
    """Content of the file of a key; line separators and carriage returns are read as line ends."""
    return f"text of {key}".replace("\u2028", "\n").replace("\r", "\n")


def test_a_folder_of_odd_keys_gives_each_file_its_own_text(odd: str) -> None:
    splits = list_splits("web", SourceParams(paths=("s3://odd/in" + odd,), group_bytes=0))
    assert {split.file for split in splits} == set(KEYS)
    rows = [row for split in splits for row in read(split)[0]]
    assert [row["text"] for row in rows] == [text_of(row["file"]) for row in rows]


@pytest.mark.parametrize("key", KEYS)
def test_an_object_is_found_by_its_key_as_it_is_written(odd: str, key: str) -> None:
    [split] = list_splits("web", SourceParams(paths=(f"s3://odd/in/{key}{odd}",)))
    assert [row["text"] for row in read(split)[0]] == [text_of(key)]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a?b.jsonl", ["a?b.jsonl"]),  # it exists
        ("*.jsonl", ["*.jsonl"]),
        ("[xy]#?.jsonl", ["x#1.jsonl"]),
        ("a%2[AB]b.jsonl", ["a%2Bb.jsonl"]),
        ("?[123]].jsonl", ["[1].jsonl"]),
        ("plain.json?", ["plain.jsonl"]),
    ],
)
def test_patterns_match_keys_as_they_are(odd: str, pattern: str, found: list[str]) -> None:
    splits = list_splits("web", SourceParams(paths=(f"s3://odd/in/{pattern}{odd}",), group_bytes=0))
    assert [split.uri for split in splits] == [f"s3://odd/in/{key}{odd}" for key in found]


@pytest.mark.parametrize("name", ["a root", "ü#1", "100%", "a%20b", "[x]", "q?x"])
def test_a_root_may_have_any_name_in_a_bucket_and_on_a_disk(odd: str, tmp_path: Path, name: str) -> None:
    for root in (f"s3://odd/roots/{name}{odd}", str(tmp_path / name)):
        store = Store(root)
        store.write_json("a/b.json", {"x": 1})
        assert [address for address, _ in store.list("")] == ["a/b.json"]
        printed = store.uri("a/b.json")
        assert json.loads(open_file(printed).read())["x"] == 1
        assert Store(store.uri("a")).list("")[0][0] == "b.json"
        store.remove("a")
        assert store.list("") == []
    assert inside(f"s3://b/r{odd}", "x") == f"s3://b/r/x{odd}"


def test_a_copied_object_keeps_its_tag(odd: str, client: Any) -> None:
    client.copy_object(Bucket="odd", Key="copy/plain.jsonl", CopySource={"Bucket": "odd", "Key": "in/plain.jsonl"})
    [one] = list_splits("web", SourceParams(paths=("s3://odd/in/plain.jsonl" + odd,)))
    [other] = list_splits("web", SourceParams(paths=("s3://odd/copy" + odd,)))
    assert (one.etag, one.size) == (other.etag, other.size)
    client.put_object(Bucket="odd", Key="copy/plain.jsonl", Body=b'{"text": "TEXT of plain.jsonl"}')
    [changed] = list_splits("web", SourceParams(paths=("s3://odd/copy" + odd,)))
    assert (changed.size, changed.etag != other.etag) == (other.size, True)


@pytest.fixture
def behind(odd: str) -> Iterator[Any]:
    """Opens a proxy with some faults; gives the query that leads through it, and the proxy."""
    proxies: list[FaultProxy] = []

    def opened(rate: float, *faults: str) -> tuple[str, FaultProxy]:
        proxies.append(FaultProxy(server(odd), rate, seed=7, faults=faults or FAULTS).__enter__())
        return f"?endpoint_override={proxies[-1].place}&scheme=http&region=us-east-1", proxies[-1]

    yield opened
    for proxy in proxies:
        proxy.__exit__(None, None, None)


@pytest.mark.parametrize("fault", [*FAULTS, "429", "late", "conflict", "said in 200"])
def test_reads_and_writes_of_every_size_outlast_each_fault(behind: Any, quick: None, fault: str) -> None:
    query, proxy = behind(0.5, fault)
    store = Store(f"s3://odd/faults-{fault}{query}")
    before = retries.repeated()
    for size in (0, 1, 100, 999, 5_000, 3_000_000):
        data = os.urandom(size)
        store.write_bytes(f"{size}", data)
        assert store.read_bytes(f"{size}") == data
        with store.open(f"{size}") as file:
            assert file.read_at(min(7, size), size // 2) == data[size // 2 : size // 2 + 7]
    assert len(store.list("")) == 6
    store.remove("")
    assert store.list("") == []
    assert proxy.counts[fault] > 5
    assert (retries.repeated() > before) == (fault != "slow")


def test_a_store_that_never_answers_is_given_up(behind: Any, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "TRIES", 4)
    query, proxy = behind(1.0, "503")
    with pytest.raises(OSError, match="HTTP 503"):
        Store(f"s3://odd/x{query}").read_bytes("y")
    assert proxy.counts["503"] == 4


ELSEWHERE = "the bucket is at another endpoint or in another region: add .region=NAME"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("expired", "HTTP 400 The provided token has expired"),
        ("skewed", "HTTP 403 The difference between the request time"),
        ("moved", ELSEWHERE),
        ("sent on", ELSEWHERE),
    ],
)
def test_a_refusal_is_said_in_the_words_of_the_store(behind: Any, quick: None, fault: str, said: str) -> None:
    """Whatever is asked: the answer to HEAD has no body, and so no words."""
    query, _ = behind(1.0, fault)
    store = Store(f"s3://odd/refused{query}")
    for ask in (store.list, store.read_bytes, store.exists, lambda address: store.write_bytes(address, b"1")):
        before = retries.repeated()
        with pytest.raises(OSError, match=f"^s3://odd.*{said}"):
            ask("x")
        assert retries.repeated() == before


def test_a_server_that_knows_no_ranges_gives_no_wrong_bytes(behind: Any, quick: None) -> None:
    query, _ = behind(1.0, "whole")
    store = Store(f"s3://odd/whole{query}")
    store.write_bytes("x", bytes(range(200)))
    assert store.read_bytes("x") == bytes(range(200))
    with store.open("x") as file, pytest.raises(OSError, match="does not answer range requests"):
        file.read_at(10, 100)


def test_an_upload_that_ends_in_an_error_after_all_is_ended_again(
    odd: str, client: Any, behind: Any, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 answers 200 to the end of an upload at once, and says in the body how it went."""
    monkeypatch.setattr(s3, "PART_BYTES", 5 << 20)
    query, proxy = behind(0.5, "said in 200")
    data = os.urandom(11 << 20)
    for number in range(2):
        Store(f"s3://odd/ended{query}").write_bytes(str(number), data)
        assert client.get_object(Bucket="odd", Key=f"ended/{number}")["Body"].read() == data
    assert proxy.counts["said in 200"] > 3


@pytest.mark.parametrize("code", [403, 404])
def test_what_will_not_pass_is_not_tried_again(odd: str, quick: None, code: int) -> None:
    before = retries.repeated()
    bucket = "odd" if code == 403 else "nowhere"
    with pytest.raises(OSError, match=r"HTTP 40[34]"):
        if code == 404:
            list(s3_of(locate(f"s3://{bucket}/x{odd}")[0]).listed(f"{bucket}/x"))  # type: ignore[union-attr]
        else:
            Forbidden().ask("get_object", "odd/x")
    assert retries.repeated() == before


class Forbidden(s3.S3):
    """A client without rights."""

    def __init__(self) -> None:
        super().__init__({})

    def client(self) -> Any:
        from botocore.exceptions import ClientError

        class Client:
            def get_object(self, **_: Any) -> Any:
                answer: Any = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
                raise ClientError(answer, "GetObject")

        return Client()


def test_a_large_object_goes_in_parts_and_a_failed_one_leaves_none(
    odd: str, client: Any, behind: Any, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PART_BYTES", 5 << 20)  # the least that S3 takes
    query, _ = behind(0.2)
    data = os.urandom(17 << 20)
    store = Store(f"s3://odd/large{query}")
    store.write_bytes("whole", data)
    assert client.get_object(Bucket="odd", Key="large/whole")["Body"].read() == data
    handler = s3_of(store.fs)
    assert handler is not None
    monkeypatch.setattr(s3, "_read_all", lambda *_: (_ for _ in ()).throw(OSError("the disk is gone")))
    with pytest.raises(OSError, match="the disk is gone"):
        store.write_bytes("half", data)
    assert not store.exists("half")
    handler.sweep("odd/large")  # where the answer to the first request was lost, nobody knows the upload
    assert handler.unfinished("odd/large") == []


def test_uploads_of_killed_processes_are_swept_with_the_root(odd: str, client: Any) -> None:
    for key in ("swept/a.parquet", "other/b.parquet"):
        client.create_multipart_upload(Bucket="odd", Key=key)
    store = Store(f"s3://odd/swept{odd}")
    store.sweep()
    left = client.list_multipart_uploads(Bucket="odd").get("Uploads", [])
    assert [upload["Key"] for upload in left if not upload["Key"].startswith(("large/", "fau"))] == ["other/b.parquet"]


def test_an_object_replaced_while_it_is_read_is_an_error(odd: str, client: Any) -> None:
    client.put_object(Bucket="odd", Key="moving", Body=b"1" * 100)
    file = open_file(f"s3://odd/moving{odd}")
    assert file.read(10) == b"1" * 10
    client.put_object(Bucket="odd", Key="moving", Body=b"2" * 100)
    with pytest.raises(OSError, match="was replaced by another file"):
        file.read(10)


def test_no_server_can_give_bytes_of_another_object_or_place(
    odd: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put_object(Bucket="odd", Key="careless", Body=b"1" * 100)
    ask, shift = s3.S3.ask, 0

    def careless(self: s3.S3, operation: str, path: str, **arguments: Any) -> Any:
        arguments.pop("IfMatch", None)
        if "Range" in arguments and shift:
            arguments["Range"] = f"bytes={shift}-99"
        return ask(self, operation, path, **arguments)

    monkeypatch.setattr(s3.S3, "ask", careless)
    file = open_file(f"s3://odd/careless{odd}")
    assert file.read(10) == b"1" * 10
    shift = 7
    for place in (0, 10):
        file.seek(place)
        with pytest.raises(OSError, match=f"asked for byte {place}, answered bytes 7-99/100"):
            file.read(10)
    shift = 0
    client.put_object(Bucket="odd", Key="careless", Body=b"2" * 100)
    with pytest.raises(OSError, match="odd/careless was replaced by another file while it was read"):
        file.read(10)


def test_an_object_replaced_after_it_was_listed_makes_no_product(odd: str, client: Any) -> None:
    line = b'{"text": "The river rises in the northern hills."}\n'
    client.put_object(Bucket="odd", Key="listed/a.jsonl", Body=line)
    [split] = list_splits("web", SourceParams(paths=(f"s3://odd/listed/a.jsonl{odd}",)))
    check_unchanged(split)
    client.put_object(Bucket="odd", Key="listed/a.jsonl", Body=line.replace(b"river", b"ocean"))
    with pytest.raises(ValueError, match=r"web/a.jsonl changed while the run read it"):
        check_unchanged(split)
    client.put_object(Bucket="odd", Key="listed/a.jsonl", Body=line)
    check_unchanged(split)


def test_an_object_replaced_where_nobody_may_list_is_named_as_changed(
    odd: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = b'{"text": "The river rises in the northern hills."}\n'
    client.put_object(Bucket="odd", Key="unlisted/a.jsonl", Body=line)
    [split] = list_splits("web", SourceParams(paths=(f"s3://odd/unlisted/a.jsonl{odd}",)))
    ask = s3.S3.ask

    def denying(self: s3.S3, operation: str, path: str, **arguments: Any) -> Any:
        if operation == "list_objects_v2":
            raise PermissionError(f"s3://{path}: ListObjectsV2: HTTP 403 Access Denied")
        return ask(self, operation, path, **arguments)

    monkeypatch.setattr(s3.S3, "ask", denying)
    check_unchanged(split)
    client.put_object(Bucket="odd", Key="unlisted/a.jsonl", Body=line.replace(b"river", b"ocean"))
    with pytest.raises(ValueError, match=r"web/a.jsonl changed while the run read it"):
        check_unchanged(split)


def test_a_proxy_that_calls_the_tag_of_an_answer_weak_changes_nothing(
    odd: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put_object(Bucket="odd", Key="weak/a.jsonl", Body=b"1" * 100)
    ask = s3.S3.ask
    for weak in ("get_object", "head_object"):

        def weakening(self: s3.S3, operation: str, path: str, weak: str = weak, **arguments: Any) -> Any:
            answer = ask(self, operation, path, **arguments)
            return {**answer, "ETag": f"W/{answer['ETag']}"} if operation == weak else answer

        monkeypatch.setattr(s3.S3, "ask", weakening)
        [split] = list_splits("web", SourceParams(paths=(f"s3://odd/weak{odd}",)))
        assert open_file(split.uri).read() == b"1" * 100
        check_unchanged(split)


def test_a_server_whose_lists_have_other_etags_than_its_heads_changes_nothing(
    odd: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = b'{"text": "The river rises in the northern hills."}\n'
    for name in ("a", "ab"):
        client.put_object(Bucket="odd", Key=f"encrypted/{name}.jsonl", Body=line)
    ask = s3.S3.ask

    def encrypting(self: s3.S3, operation: str, path: str, **arguments: Any) -> Any:
        answer = ask(self, operation, path, **arguments)
        for entry in answer.get("Contents", ()) if operation == "list_objects_v2" else ():
            entry["ETag"] = f'"encrypted {entry["ETag"]}"'
        return answer

    monkeypatch.setattr(s3.S3, "ask", encrypting)
    alone, both = [SourceParams(paths=(f"s3://odd/encrypted/{names}{odd}",)) for names in ("a.*", "")]
    for params in (alone, both):
        [split] = list_splits("web", params)
        check_unchanged(split)
        client.put_object(Bucket="odd", Key="encrypted/a.jsonl", Body=line.replace(b"river", b"ocean"))
        with pytest.raises(ValueError, match=r"a.jsonl.* changed while the run read it"):
            check_unchanged(split)
        client.put_object(Bucket="odd", Key="encrypted/a.jsonl", Body=line)


def test_an_object_is_made_only_where_there_is_none_or_the_one_expected(odd: str) -> None:
    handler = s3_of(locate(f"s3://odd/{odd}")[0])
    assert handler is not None
    put = lambda data, **only: handler.put("odd/once", io.BytesIO(data), len(data), **only)  # noqa: E731
    assert put(b"one", only_new=True)
    assert not put(b"two", only_new=True)
    found = handler.stat("odd/once")
    assert found is not None
    assert put(b"three", replaces=found.etag)
    assert not put(b"four", replaces=found.etag)
    assert open_file(f"s3://odd/once{odd}").read() == b"three"


def test_a_run_through_faults_has_the_bytes_of_one_on_a_disk(
    odd: str, client: Any, behind: Any, quick: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    client.create_bucket(Bucket="crawl")
    words = [f"word{number}" for number in range(40)]
    for number in range(2):
        lines = [
            json.dumps({"text": " ".join(words[(row * number + k) % len(words)] for k in range(80 + row))})
            for row in range(30)
        ]
        client.put_object(Bucket="crawl", Key=f"in/{number}.jsonl", Body="\n".join(lines).encode())
    query, proxy = behind(0.1)
    mixture = (
        "name: small\nsources: {web: {paths: 's3://crawl/in%s', group_bytes: 0}}\nkept: {families: []}\n"
        "domains: {all: {}}\nmixture: {domains: {all: {share: 1}}}\n"
    )
    (tmp_path / "small.yaml").write_text(mixture % odd)
    driver.run(str(tmp_path / "small.yaml"), Store(str(tmp_path / "root")), "inline", None, quiet=True)
    (tmp_path / "small.yaml").write_text(mixture % query)
    driver.run(str(tmp_path / "small.yaml"), Store(f"s3://odd/faulty{query}"), "inline", None, quiet=False)
    assert "to stores had no answer: made again" in capfd.readouterr().err
    assert all(proxy.counts[fault] > 5 for fault in FAULTS), proxy.counts
    store = Store(f"s3://odd/faulty{odd}")
    stored = {address: hashlib.sha256(store.read_bytes(address)).hexdigest() for address, _ in store.list("")}
    assert {name: digest for name, digest in stored.items() if not name.startswith("runs/")} == tree(tmp_path / "root")
    assert "all is well" in verify_root(store, None)


def test_a_local_folder_is_listed_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"text": "a"}')
    (folder / "loop").symlink_to(tmp_path / "in")
    (folder / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    with open(os.fsencode(folder) + b"/caf\xe9.jsonl", "wb") as file:
        file.write(b'{"text": "b"}')
    said: list[str] = []
    splits = list_splits("web", SourceParams(paths=(str(folder),), group_bytes=0), said.append)
    assert [split.file for split in splits] == ["a.jsonl"]
    assert sorted(line.partition(" is ")[0] for line in said) == [
        f"source web: {folder}/caf\\xe9.jsonl",
        f"source web: {folder}/gone.jsonl",
        f"source web: {folder}/loop",
    ]
    assert any("leads back to" in line for line in said)
    with pytest.raises(UserError, match="cannot be opened"):
        Store("gopher://x")
    assert [one.path for one in entries(*locate(str(folder)), False, said.append) if "caf" not in one.path] == [
        f"{folder}/a.jsonl"
    ]
