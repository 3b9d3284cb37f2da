"""Damage of every kind of file: found by `verify`, found and mended by a run where a run reads it.

One root with every product there is. Bits are flipped at ten places of every kind of file (four, where the tests are
not `thorough`), files are cut and removed; the bytes after the next run are those of before, or (where a run reads no
byte of the file) `verify` names it.
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

from pipeline.answers import stats, verify, verify_files
from pipeline.answers.status import status_text
from pipeline.answers.verify import verify_root
from pipeline.errors import RunError, UserError
from pipeline.recipe import graph
from pipeline.recipe import snapshot as snapshots
from pipeline.run import driver
from pipeline.store.storage import Store
from stages.rules import url_lists
from tests.support.archives import record
from tests.support.corpora import documented, page
from tests.support.runs import tree
from tests.support.thorough import some

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
EVERYTHING = """\
name: small
sources:
  web: {{paths: "{folder}/web/*.warc.gz", group_bytes: 0}}
transforms:
  new: {{function: "tests.support.transforms:halves", inputs: {{sources: [web], min: {{text_bytes: 2000}}}}}}
kept:
  families: [gopher_quality, contamination]
  rules: {{too_few_words: 60}}
  urls: {{bad: {{paths: "{folder}/bad.txt"}}}}
  robots: {{agents: [CCBot], files: "{folder}/robots/*.gz", missing: keep}}
  views: [without_own_lines]
lines: {{enabled: true, rules: {{short: {{max_bytes: 3}}}}}}
repeats: {{enabled: true, min_bytes: 100}}
clusters: {{scope: source}}
labels: {{labellers: {{size: {{function: "tests.products.test_labels:by_length"}}}}}}
scores:
  scorers:
    size: {{function: "tests.products.test_scores:characters"}}
    small: {{function: "tests.products.test_scores:characters", params: {{times: -1}}}}
quality:
  families: [gopher_quality, contamination]
  benchmarks: {{files: [{{path: "{folder}/plain.txt"}}]}}
  ensembles: {{q: {{of: [size, small_score], by: max_percentile, parts: 10}}}}
tokens: {{scores: [q_score, size_label]}}
shards: {{target_tokens: 6000, valid_fraction: 0.1}}
corpus: {{target_tokens: 5000}}
domains:
  new: {{sources: [new]}}
  short: {{percentiles: {{gopher_num_words: [0, 50]}}}}
  long: {{percentiles: {{gopher_num_words: [50, 100]}}}}
mixture: {{on_shortfall: redistribute, domains: {{new: {{share: 0.1}}, short: {{share: 0.4}}, long: {{share: 0.5}}}}}}
"""
"""Every product there is."""
PLACES = 10
ROUNDS = PLACES // 2
"""Runs that mend: two files of a kind are damaged in each, at two of the ten places."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with inputs, a mixture file, and a finished root with every product."""
    folder = tmp_path_factory.mktemp("damage")
    prepare(folder, EVERYTHING)
    assert {part.name for part in (folder / "root").iterdir()} >= {product.name for product in graph.PRODUCTS}
    return folder


def prepare(folder: Path, mixture: str = MIXTURE) -> None:
    """Inputs, a mixture file, and its run."""
    inputs(folder, mixture)
    run(folder)


def inputs(folder: Path, mixture: str) -> None:
    if mixture == EVERYTHING:
        (folder / "robots").mkdir()
        answer = record(
            b"User-agent: CCBot\nDisallow: /private",
            http="Content-Type: text/plain",
            url="https://docs.example/robots.txt",
        )
        (folder / "robots" / "a.warc.gz").write_bytes(gzip.compress(answer, mtime=0))
        (folder / "plain.txt").write_text(
            "A line of thirteen words or more that stands on no page, as far as anybody knows."
        )
    docs = documented()[:28]
    pages = [(f"https://docs.example/{name}", page(name, text)) for name, text in docs]
    pages += [(f"https://mirror.example/{name}", page(name, text)) for name, text in docs[::4]]
    (folder / "web").mkdir()
    for number in range(2):
        records = [record(body, url=url) for url, body in pages[number::2]]
        data = b"".join(gzip.compress(one, 6, mtime=0) for one in records)
        (folder / "web" / f"part-{number}.warc.gz").write_bytes(data)
    (folder / "bad.txt").write_text("bad.example\n")
    (folder / "small.yaml").write_text(mixture.format(folder=folder, share=0.5))


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


def said_of(root: Path) -> str:
    with pytest.raises(UserError) as caught:
        verify_root(Store(str(root)), None)
    return str(caught.value)


def test_verify_finds_every_flipped_bit_of_every_kind_of_file(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind alone at one place; what leads to all else alone at ten; all others together, by layers."""
    monkeypatch.setattr(verify, "SHOWN", 10**6)
    copied(finished, tmp_path / "root")
    root = tmp_path / "root"
    assert "all is well" in verify_root(Store(str(root)), None)
    snapshot = snapshots.load(Store(str(root)))
    named = set(verify_files.named(snapshot, "report"))
    named -= {entry.address for product in snapshot.data["products"] for entry in snapshot.product(product)}
    unfound: list[object] = []
    together: dict[str, dict[Path, bytes]] = {}
    for number, (kind, path) in enumerate(kinds(root).items()):
        good = path.read_bytes()
        here = places(len(good))
        leads = False  # a file without which nothing else is looked at
        for turn in range(PLACES):
            place = here[(number + turn) % len(here)]
            replaced(path, flipped(good, place))
            said = said_of(root)
            leads |= "problem" not in said.partition("\n")[0]
            unfound += [] if path.name in said else [(kind, place, said)]
            if not leads:
                address = path.relative_to(root).as_posix()
                is_named = address in named or address.partition("/")[0] in verify_files.SHARED
                layer = "manifests" if "manifest" in address else "named" if is_named else "in manifests"
                layer = "input" if address.startswith("sources/") else layer
                together.setdefault(layer, {})[path] = good
                break
        replaced(path, good)
    for layer, files in together.items():
        for turn in some(range(PLACES), 5):
            for path, good in files.items():
                here = places(len(good))
                replaced(path, flipped(good, here[turn % len(here)]))
            said = said_of(root)
            unfound += [(layer, path.name, turn) for path in files if path.relative_to(root).as_posix() not in said]
        for path, good in files.items():
            replaced(path, good)
    assert not unfound, f"{len(unfound)}: {unfound[:10]}"
    assert sum(map(len, together.values())) > 110


PRODUCTS_AFTER = {
    "measured": (
        "documents language quality labels own_lines overlaps signatures urls robots",
        "clusters lines contamination scores ensembles families eligible repeats buckets kept survey tokens shards"
        " corpus",
    ),
    "exchanged": (
        "clusters lines contamination scores ensembles eligible buckets/counts",
        "buckets/*.json repeats kept survey tokens shards corpus",
    ),
    "last to decide": ("repeats", "kept survey tokens shards corpus"),
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


def damage(files: Iterable[Path], k: int, each: int = 2) -> int:
    """Flip a bit of one or two files of a kind, at the ``k``-th place and the one ``ROUNDS`` later; how many kinds."""
    found: dict[str, list[Path]] = {}
    for path in sorted(files):
        found.setdefault(re.sub(r"[0-9a-f]{16,}|\d+", "*", "/".join(path.parts[-5:])), []).append(path)
    for number, paths in enumerate(found.values()):
        for path, place in zip(paths[:each], (k + number, k + number + ROUNDS), strict=False):
            good = path.read_bytes()
            here = places(len(good))
            replaced(path, flipped(good, here[place % len(here)]))
    return len(found)


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
    each = 1 if level == "sharded" else 2  # a corpus takes as many shards of a domain as it needs
    for k in some(range(PLACES // each), 5):
        copied(finished, root)
        url_lists._LOADED.clear()  # what this process read before
        away(root, [*gone, "manifests"])
        files = [path for folder in damaged for path in root.glob(f"{folder}/**/*") if path.suffix != ".json"]
        assert damage(filter(Path.is_file, files), k, each)
        run(finished, root)
        assert not differing(root, expected), (level, k)


def test_a_run_mends_damaged_lines_of_manifests(finished: Path, tmp_path: Path) -> None:
    expected, root = tree(finished / "root"), tmp_path / "root"
    for k in some(range(ROUNDS), 3):
        copied(finished, root)
        away(root, MANIFESTS)
        assert damage(root.glob(ENTRIES), k) >= 3
        run(finished, root)
        assert not differing(root, expected), k


def test_a_run_mends_everything_it_reads(finished: Path, tmp_path: Path) -> None:
    """Manifests, snapshots, listings, reports, what decided a product: all damaged at once."""
    expected, root = tree(finished / "root"), tmp_path / "root"
    for k in some(range(ROUNDS), 3):
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
    away(root, ["report"])
    for say in (lambda store: stats.text(store, None), status_text):
        with pytest.raises(RunError, match=r"manifests/.*is missing: mixture small is not whole"):
            say(Store(str(root)))
    copied(finished, root)
    store = Store(str(root))
    current = store.read_json("runs/current.json")
    store.write_json("runs/current.json", current | {"complete": False})
    with pytest.raises(RunError, match="small is incomplete"):
        verify_root(store, None)


def test_files_without_checksums_are_read_and_counted_as_not_checked(finished: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    copied(finished, root)
    sealed = 0
    for path in root.glob("**/*.json"):
        value = json.loads(path.read_bytes())
        if isinstance(value, dict) and str(value.pop("checksum", "")).startswith("xxh3_128:"):
            sealed += 1
            replaced(path, json.dumps(value["items"] if value.keys() == {"items"} else value).encode())
    said = verify_root(Store(str(root)), None)
    assert sealed > 20
    assert "files without a checksum of their own" in said
    assert "all is well" in said
