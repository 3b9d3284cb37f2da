"""``hf://``: sources on the Hugging Face Hub, against a Hub on loopback."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.store.storage import Store
from stages.formats import locations, retries
from stages.sources import SourceError, SourceParams, list_splits
from tests.support.archives import read, record
from tests.support.crawl_indices import write_columnar, write_dump
from tests.support.hub_server import HubServer

pytest.importorskip("huggingface_hub")


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No place is remembered from one test to the next, and nothing waits."""
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    locations._file_system.cache_clear()
    yield monkeypatch
    locations._file_system.cache_clear()


def corpus(folder: Path) -> Path:
    (folder / "data" / "deep [1]").mkdir(parents=True)
    for number, name in enumerate(("data/a.jsonl", "data/deep [1]/b.jsonl")):
        lines = "".join(f'{{"text": "page {i} of {number}"}}\n' for i in range(100))
        (folder / name).write_text(lines)
    parts = [gzip.compress(record(url=f"https://example.org/{i}"), mtime=0) for i in range(30)]
    (folder / "data" / "c.warc.gz").write_bytes(b"".join(parts))
    (folder / "README.md").write_text("# About\n")
    return folder


def rows(path: str, **more: object) -> list[tuple[str, int, str]]:
    found = []
    for split in list_splits("web", SourceParams.model_validate({"paths": (path,), **more})):
        found += [(row["file"], row["offset"], row["text"]) for row in read(split)[0]]
    return found


@pytest.mark.parametrize("pattern", ["data", "data/**/*.jsonl", "data/c.warc.gz", "data/deep [1]/b.jsonl", "*/*.gz"])
def test_what_the_hub_holds_is_read_as_what_lies_in_a_folder(
    tmp_path: Path, fresh: pytest.MonkeyPatch, pattern: str
) -> None:
    corpus(tmp_path)
    with HubServer(tmp_path, rate=0.1) as server:
        fresh.setenv("HF_ENDPOINT", server.address)
        near = rows(f"{tmp_path}/{pattern}")
        assert near
        assert rows(f"hf://datasets/org/pages/{pattern}") == near
        assert rows(f"hf://datasets/org/pages@main/{pattern}") == near


def test_the_tag_is_that_of_the_content(tmp_path: Path, fresh: pytest.MonkeyPatch) -> None:
    corpus(tmp_path)

    def tags() -> dict[str, str]:
        locations._file_system.cache_clear()
        params = SourceParams(paths=("hf://datasets/org/pages/data/*.jsonl", "hf://datasets/org/pages/data/*.gz"))
        return {split.file: split.etag for split in list_splits("web", params)}

    with HubServer(tmp_path) as server:
        fresh.setenv("HF_ENDPOINT", server.address)
        before = tags()
        content = (tmp_path / "data/a.jsonl").read_text()
        (tmp_path / "data/a.jsonl").write_text(content.replace("page 7 ", "page 8 "))
        after = tags()
    assert {name for name in before if before[name] != after[name]} == {"a.jsonl"}


def test_an_index_leads_to_records_on_the_hub(tmp_path: Path, fresh: pytest.MonkeyPatch) -> None:
    places = write_dump(tmp_path / "hub", files=2, pages=40)
    index = write_columnar(tmp_path / "index.parquet", places)
    with HubServer(tmp_path / "hub") as server:
        fresh.setenv("HF_ENDPOINT", server.address)
        found = []
        for base in (str(tmp_path / "hub"), "hf://datasets/org/pages"):
            params = SourceParams.model_validate(
                {"index": (str(index),), "where": {"languages": ["deu"]}, "base": base}
            )
            found.append([row["doc_id"] for split in list_splits("web", params) for row in read(split)[0]])
        assert found[0]
        assert found[1] == found[0]
        assert server.counts["bytes"] < sum(path.stat().st_size for path in (tmp_path / "hub").rglob("*.gz"))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("hf://datasets/org/pages/nothing", "does not exist"),
        ("hf://datasets/org/pages/nothing/*.jsonl", "does not exist"),
        ("hf://datasets/org/pages@other/data", "does not exist"),
        ("hf://datasets/org/secret/data", "or set HF_TOKEN"),
        ("hf://datasets", "does not exist"),
    ],
)
def test_what_is_not_there_is_one_line(tmp_path: Path, fresh: pytest.MonkeyPatch, path: str, said: str) -> None:
    with HubServer(corpus(tmp_path)) as server:
        fresh.setenv("HF_ENDPOINT", server.address)
        with pytest.raises(SourceError, match=said) as error:
            list_splits("web", SourceParams(paths=(path,)))
    assert "\n" not in str(error.value)


def test_a_hub_that_never_answers_is_one_line(tmp_path: Path, fresh: pytest.MonkeyPatch) -> None:
    with HubServer(corpus(tmp_path), rate=1) as server:
        fresh.setenv("HF_ENDPOINT", server.address)
        [split] = list_splits("web", SourceParams(paths=("hf://datasets/org/pages/data/c.warc.gz",)))
        with pytest.raises(OSError, match=r"hf://datasets/org/pages/data/c.warc.gz: .*503"):
            read(split)


def test_without_the_library_the_line_says_how_it_is_installed(fresh: pytest.MonkeyPatch) -> None:
    fresh.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(SourceError, match=r"pip install 'gristmill\[hf\]'"):
        list_splits("web", SourceParams(paths=("hf://datasets/org/pages/data",)))


def test_a_root_on_the_hub_is_refused() -> None:
    with pytest.raises(UserError, match="only read here"):
        Store("hf://datasets/org/pages/root")
