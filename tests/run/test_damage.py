"""Damage of every kind of file: found by `verify`, found and mended by a run where a run reads it.

One root with every product there is. Bits are flipped at ten places of every kind of file, files are cut and
removed; the bytes after the next run are those of before, or (where a run reads no byte of the file) `verify` names it.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from pipeline.answers.verify import verify_root
from pipeline.errors import RunError, UserError
from pipeline.run import driver
from pipeline.store.storage import Store
from stages.rules import url_lists
from tests.support.archives import record
from tests.support.corpora import documented, page
from tests.support.runs import tree

MIXTURE = """\
name: small
sources:
  web: {{paths: "{folder}/web/*.warc.gz", group_bytes: 0}}
kept: {{families: [gopher_quality], rules: {{too_few_words: 60}}, urls: {{bad: {{paths: "{folder}/bad.txt"}}}}}}
lines: {{enabled: true}}
shards: {{target_tokens: 6000, valid_fraction: 0.1}}
corpus: {{target_tokens: 5000}}
domains:
  short: {{percentiles: {{gopher_num_words: [0, 50]}}}}
  long: {{percentiles: {{gopher_num_words: [50, 100]}}}}
mixture: {{on_shortfall: redistribute, domains: {{short: {{share: {share}}}, long: {{share: 0.5}}}}}}
"""
PLACES = 10


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with inputs, a mixture file, and a finished root with every product."""
    folder = tmp_path_factory.mktemp("damage")
    prepare(folder)
    return folder


def prepare(folder: Path) -> None:
    docs = documented()[:28]
    pages = [(f"https://docs.example/{name}", page(name, text)) for name, text in docs]
    pages += [(f"https://mirror.example/{name}", page(name, text)) for name, text in docs[::4]]
    (folder / "web").mkdir()
    for number in range(2):
        records = [record(body, url=url) for url, body in pages[number::2]]
        data = b"".join(gzip.compress(one, 6, mtime=0) for one in records)
        (folder / "web" / f"part-{number}.warc.gz").write_bytes(data)
    (folder / "bad.txt").write_text("bad.example\n")
    (folder / "small.yaml").write_text(MIXTURE.format(folder=folder, share=0.5))
    run(folder)


def run(folder: Path, root: Path | None = None) -> str:
    return driver.run(str(folder / "small.yaml"), Store(str(root or folder / "root")), "inline", None, quiet=True)


def kinds(root: Path) -> dict[str, Path]:
    """One file of every kind: folder, and name without digits and hashes."""
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            parts = path.relative_to(root).parts
            name = re.sub(r"[0-9a-f]{16,}|\d+", "*", path.name)
            inner = parts[1] if parts[0] == "runs" else re.sub(r"[0-9a-f]{16,}", "*", "/".join(parts[2:-1]))
            found.setdefault(f"{parts[0]}/{inner}/{name}", path)
    return {kind: path for kind, path in found.items() if not kind.startswith("runs/lock")}


def places(size: int) -> list[int]:
    """Ten places of a file, its first and last byte among them."""
    return sorted({round(k * (size - 1) / (PLACES - 1)) for k in range(PLACES)})


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :]


def replaced(path: Path, data: bytes) -> None:
    """Another file under the same name: the old one may be mapped."""
    path.unlink()
    path.write_bytes(data)


def test_verify_finds_every_flipped_bit_of_every_kind_of_file(finished: Path) -> None:
    store = Store(str(finished / "root"))
    assert "all is well" in verify_root(store, None)
    unfound = []
    tried = 0
    for kind, path in kinds(finished / "root").items():
        good = path.read_bytes()
        for place in places(len(good)):
            replaced(path, flipped(good, place))
            tried += 1
            try:
                verify_root(Store(store.root), None)
                unfound.append((kind, place, len(good)))
            except UserError as error:
                if path.name not in str(error):
                    unfound.append((kind, place, str(error)))
        replaced(path, good)
    assert not unfound, f"{len(unfound)} of {tried}: {unfound[:10]}"


PRODUCTS_AFTER = {
    "measured": (
        "documents language quality signatures urls",
        "clusters lines buckets kept survey tokens shards corpus",
    ),
    "exchanged": ("clusters lines buckets/counts", "buckets/*.json kept survey tokens shards corpus"),
    "decided": ("kept", "survey tokens shards corpus"),
    "surveyed": ("survey/splits-*", "survey/*/survey.arrow"),
    "tokenized": ("tokens", "shards corpus"),
    "sharded": ("shards/*/*/train", "corpus"),
}
"""Data files that are damaged together, and what is away, so that a run reads them."""
ENTRIES = "**/data-*.json"
MANIFESTS = ("shards/*/*/manifest.json", "corpus/*/manifest.json")
NEVER_READ = ("state.json", "dataset_info.json", "dataset_dict.json")
"""Of these a run looks at the size alone: who loads the shards reads them."""


def damage(files: Iterable[Path], k: int) -> int:
    """Flip a bit at the ``k``-th place of one file of every folder and kind."""
    first: dict[str, Path] = {}
    for path in sorted(files):
        first.setdefault(re.sub(r"[0-9a-f]{16,}|\d+", "*", "/".join(path.parts[-5:])), path)
    for path in first.values():
        good = path.read_bytes()
        replaced(path, flipped(good, places(len(good))[k % len(places(len(good)))]))
    return len(first)


def copied(finished: Path, root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(finished / "root", root, copy_function=os.link)


def away(root: Path, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def differing(root: Path, expected: dict[str, str]) -> list[str]:
    found = tree(root)
    return sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))


@pytest.mark.parametrize("level", PRODUCTS_AFTER)
def test_a_run_mends_damaged_data_before_it_uses_a_byte_of_it(finished: Path, tmp_path: Path, level: str) -> None:
    expected, root = tree(finished / "root"), tmp_path / "root"
    damaged, gone = (part.split() for part in PRODUCTS_AFTER[level])
    for k in range(PLACES):
        copied(finished, root)
        url_lists._LOADED.clear()  # what this process read before
        away(root, [*gone, "manifests"])
        files = [path for folder in damaged for path in root.glob(f"{folder}/**/*") if path.suffix != ".json"]
        assert damage(filter(Path.is_file, files), k)
        run(finished, root)
        assert not differing(root, expected), (level, k)


def test_a_run_mends_damaged_lines_of_manifests(finished: Path, tmp_path: Path) -> None:
    expected, root = tree(finished / "root"), tmp_path / "root"
    for k in range(PLACES):
        copied(finished, root)
        away(root, MANIFESTS)
        assert damage(root.glob(ENTRIES), k) >= 3
        run(finished, root)
        assert not differing(root, expected), k


def test_a_run_mends_everything_it_is_told_by(finished: Path, tmp_path: Path) -> None:
    """Manifests, snapshots, listings, reports, what decided a product: all damaged at once."""
    expected, root = tree(finished / "root"), tmp_path / "root"
    for k in range(PLACES):
        copied(finished, root)
        files = [path for suffix in ("json", "zst", "html") for path in root.glob(f"**/*.{suffix}")]
        files = [path for path in files if path.name not in NEVER_READ and not path.match(ENTRIES)]
        assert damage([path for path in files if path.relative_to(root).parts[0] != "runs"], k) > 25
        run(finished, root)
        assert not differing(root, expected), k


@pytest.mark.parametrize("cut", [0, 7, None], ids=["empty", "cut by 7 bytes", "removed"])
def test_a_run_makes_again_what_is_cut_or_missing(finished: Path, tmp_path: Path, cut: int | None) -> None:
    """One file of every kind at once, those that no run reads too: what should be there is known for every product."""
    expected, root = tree(finished / "root"), tmp_path / "root"
    copied(finished, root)
    struck = [path for kind, path in kinds(root).items() if not kind.startswith("runs/")]
    for path in struck:
        data = path.read_bytes()
        path.unlink()
        if cut is not None:
            path.write_bytes(data[:-cut] if cut else b"")
    run(finished, root)
    assert not differing(root, expected)


def test_one_shard_that_is_gone_is_made_again_and_the_run_says_so(finished: Path, tmp_path: Path) -> None:
    expected, root = tree(finished / "root"), tmp_path / "root"
    for pattern in (
        "corpus/*/train/data-00000-*.arrow",
        "shards/long-*/../*/train/docs-*.parquet",
        "survey/splits-*/*",
    ):
        copied(finished, root)
        path = next(iter(root.glob(pattern)), None)
        if path is None:
            path = next(root.glob("shards/*/long-*/train/docs-*.parquet"))
        path.unlink()
        with pytest.raises(RunError, match=re.escape(path.name)):
            verify_root(Store(str(root)), None)
        planned = driver.plan(str(finished / "small.yaml"), Store(str(root)))
        assert ("what it describes changed" if pattern[:2] == "su" else "files of it are missing or cut") in planned
        run(finished, root)
        assert not differing(root, expected)


def test_damage_that_no_run_mends_is_named_and_nothing_is_removed(finished: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    copied(finished, root)
    store = Store(str(root))
    store.write_json("takedown/list.json", {"version": 1, "entries": []})
    path = root / "takedown" / "list.json"
    path.write_bytes(flipped(path.read_bytes(), 30))
    with pytest.raises(RunError, match=r"takedown/list\.json is damaged"):
        run(finished, root)
    assert path.exists()


def test_verify_says_what_is_missing_and_what_is_incomplete(finished: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    copied(finished, root)
    away(root, ["manifests"])
    with pytest.raises(RunError, match=r"manifests/documents-.*missing"):
        verify_root(Store(str(root)), None)
    copied(finished, root)
    store = Store(str(root))
    current = store.read_json("runs/current.json")
    store.write_json("runs/current.json", current | {"complete": False})
    with pytest.raises(RunError, match="small is incomplete"):
        verify_root(store, None)


def test_files_without_checksums_are_read_and_counted_as_not_checked(finished: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    copied(finished, root)
    told = 0
    for path in root.glob("**/*.json"):
        data = path.read_bytes()
        bare = re.sub(rb'\n "checksum": "xxh3_128:[0-9a-f]{32}",?', b"", data)
        if bare != data:
            value = json.loads(bare)
            told += 1
            replaced(path, json.dumps(value["items"] if value.keys() == {"items"} else value).encode())
    said = verify_root(Store(str(root)), None)
    assert told > 20
    assert "files without a checksum of their own" in said
    assert "all is well" in said
