"""Every export holds the same documents as the shards, read back by parsers written from the published layouts."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.exports import EXPORTS, blend, link, megatron_flags, trainer_yields, write_blend
from pipeline.exports.blend import blend_report, greedy_order
from pipeline.exports.litdata import export_litdata
from pipeline.exports.mds import export_mds
from pipeline.exports.megatron import merge, prefixes, read_idx
from pipeline.exports.nanosets import export_nanosets
from pipeline.exports.olmo import export_olmo
from pipeline.reader import TokenShards, Windows
from pipeline.store.storage import Store
from stages.kernels.columns.ragged import row_cuts
from stages.seal import DamagedFile
from tests.support.shard_folders import EOS, random_documents, write_folder


@pytest.fixture(scope="module")
def documents() -> list[np.ndarray]:
    return random_documents(240, mean=90)


@pytest.fixture(scope="module", params=["uint16", "uint32"])
def shards(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, documents: list[np.ndarray]
) -> TokenShards:
    """Two shards of four record batches, one of them empty, in both widths."""
    folder = tmp_path_factory.mktemp("shards")
    batches = [[documents[:90], documents[90:91]], [[], documents[91:]]]
    vocabulary = 32000 if request.param == "uint16" else 128256
    write_folder(folder, batches, dtype=request.param, vocab_size=vocabulary)
    return TokenShards(folder)


def assert_documents(found: list[np.ndarray], documents: list[np.ndarray]) -> None:
    assert len(found) == len(documents)
    assert all(np.array_equal(a, b) for a, b in zip(found, documents, strict=True))


# Megatron


def read_megatron(prefix: str) -> list[np.ndarray]:
    index, data = read_idx(f"{prefix}.idx"), Path(f"{prefix}.bin").read_bytes()
    assert index["documents"].tolist() == list(range(len(index["lengths"]) + 1))
    spans = zip(index["pointers"].tolist(), index["lengths"].tolist(), strict=True)
    return [np.frombuffer(data, index["dtype"], length, pointer) for pointer, length in spans]


@pytest.mark.parametrize("hard", [False, True])
def test_megatron_link_points_into_the_arrow_bytes(
    shards: TokenShards, documents: list[np.ndarray], tmp_path: Path, hard: bool
) -> None:
    export = link(shards, tmp_path / "linked", hard=hard)
    found = [document for prefix in prefixes(tmp_path / "linked") for document in read_megatron(prefix)]
    assert_documents(found, documents)
    for prefix, shard in zip(prefixes(tmp_path / "linked"), shards.shards, strict=True):
        assert Path(f"{prefix}.bin").samefile(shards.manifest.folder / shard.path)
        assert shard.xxh3_128[:12] in prefix
    assert export.documents == len(documents)
    assert (export.bytes_written == 34 * 2 + 20 * len(documents) + 16) != hard


def test_megatron_merge_is_one_contiguous_prefix(
    shards: TokenShards, documents: list[np.ndarray], tmp_path: Path
) -> None:
    merge(shards, tmp_path / "merged")
    (prefix,) = prefixes(tmp_path / "merged")
    assert_documents(read_megatron(prefix), documents)
    index = read_idx(f"{prefix}.idx")
    assert Path(f"{prefix}.idx").stat().st_size == 42 + 20 * len(documents)
    assert np.array_equal(np.diff(index["pointers"]), index["lengths"][:-1] * shards.dtype.itemsize)
    assert Path(f"{prefix}.bin").stat().st_size == shards.num_tokens * shards.dtype.itemsize


def slow_greedy_order(weights: list[float], count: int) -> list[int]:
    taken, order = [0] * len(weights), []
    for i in range(count):
        behind = [weights[k] / sum(weights) * max(i, 1) - taken[k] for k in range(len(weights))]
        order.append(behind.index(max(behind)))
        taken[order[-1]] += 1
    return order


def test_greedy_order_is_that_of_nanosets_and_megatron() -> None:
    expected = [1, 2, 0, 1, 3, 1, 2, 1, 2, 1, 0, 1, 2, 1, 3, 1, 2, 1, 2, 1]
    assert greedy_order([0.1, 0.5, 0.3, 0.1], 20, normalise=False).tolist() == expected


@given(weights=st.lists(st.integers(1, 64).map(lambda n: n / 64), min_size=1, max_size=6), count=st.integers(0, 300))
@settings(deadline=None)
def test_greedy_order_follows_the_rule_and_keeps_close_to_the_weights(weights: list[float], count: int) -> None:
    order = greedy_order(weights, count)
    assert order.tolist() == slow_greedy_order(weights, count)
    shares = np.array(weights) / sum(weights)
    assert (np.abs(np.bincount(order, minlength=len(weights)) - shares * count) <= len(weights)).all()


def test_blend_divides_a_share_over_prefixes_by_tokens(shards: TokenShards, tmp_path: Path) -> None:
    link(shards, tmp_path / "a")
    merge(shards, tmp_path / "b")
    line = blend({"b": tmp_path / "b", "a": tmp_path / "a"}, {"a": 3, "b": 1})
    weights = [float(weight) for weight in line[::2]]
    assert sum(weights) == pytest.approx(1)
    assert weights[2] == 0.25
    assert weights[0] / weights[1] == pytest.approx(shards.shards[0].tokens / shards.shards[1].tokens)
    path = write_blend(tmp_path / "blend.json", {"train": line})
    assert json.loads(path.read_text()) == {"train": line, "valid": None, "test": None}


def test_flags_ask_for_document_masks_only_where_they_would_work(tmp_path: Path) -> None:
    for vocabulary, works in ((32000, False), (EOS + 1, True)):
        folder = tmp_path / str(vocabulary)
        write_folder(folder, [[[np.array([1, EOS])]]], vocab_size=vocabulary)
        manifest = TokenShards(folder).manifest
        flags = megatron_flags(manifest, "blend.json", 4096)
        assert flags[flags.index("--vocab-size") + 1] == str(vocabulary - 1)
        assert ("--eod-mask-loss" in flags) == works
        assert bool(blend_report(manifest, flags)["notes"]) != works


@pytest.mark.parametrize(
    ("folders", "shares", "message"),
    [
        (["a"], {"a": 1, "b": 1}, "shares of"),
        (["a"], {"a": 0}, "not above 0"),
        (["empty"], {"empty": 1}, "no .idx here"),
    ],
)
def test_a_blend_megatron_would_refuse_is_refused(
    shards: TokenShards, tmp_path: Path, folders: list[str], shares: dict[str, float], message: str
) -> None:
    merge(shards, tmp_path / "a")
    with pytest.raises(UserError, match=message):
        blend({name: tmp_path / name for name in folders}, shares)


# OLMo-core


def test_a_damaged_list_of_documents_is_no_source_of_places(shards: TokenShards, tmp_path: Path) -> None:
    shutil.copytree(shards.manifest.folder, tmp_path / "copy")
    [docs, *_] = sorted((tmp_path / "copy").glob("*/docs-*.parquet"))
    Store(str(tmp_path / "copy")).write_table(f"train/{docs.name}", pq.read_table(docs))  # as runs write it
    data = docs.read_bytes()
    docs.write_bytes(data[:50] + bytes([data[50] ^ 4]) + data[51:])
    with pytest.raises(DamagedFile, match="damaged between byte 0"):
        export_olmo(TokenShards(tmp_path / "copy"), tmp_path / "olmo")


@pytest.mark.parametrize(("max_tokens", "num_files"), [(1, 3), (15000, 2), (1 << 29, 1)])
def test_olmo_files_are_raw_ids_with_their_documents_listed(
    shards: TokenShards, documents: list[np.ndarray], tmp_path: Path, max_tokens: int, num_files: int
) -> None:
    export = export_olmo(shards, tmp_path / "olmo", max_tokens=max_tokens)
    found, names = [], []
    for path in sorted((tmp_path / "olmo").glob("*.npy")):
        ids = np.fromfile(path, shards.dtype)
        with gzip.open(path.with_suffix(".csv.gz"), "rt", newline="") as file:
            rows = list(csv.reader(file))
        assert [int(row[1]) for row in rows] == [*[int(row[0]) for row in rows[1:]], len(ids)]
        found += [ids[int(row[0]) : int(row[1])] for row in rows]
        names += [row[2] for row in rows]
        assert all(row[3].startswith("page ") and row[4].isdigit() for row in rows)
    assert_documents(found, documents)
    assert names == [bytes(name).hex() for s in range(shards.num_segments) for name in shards.doc_ids(s)]
    assert len(export.files) == 2 * num_files


# nanosets


def test_nanosets_files_are_raw_ids_ends_and_three_lines(
    shards: TokenShards, documents: list[np.ndarray], tmp_path: Path
) -> None:
    export_nanosets(shards, tmp_path / "ds", max_tokens=9000)
    found = []
    for path in sorted((tmp_path / "ds").glob("*.ds")):
        ids = np.fromfile(path, shards.dtype)
        ends = np.fromfile(f"{path}.index", "<u8").astype(np.int64)
        assert ends[-1] == len(ids)
        found += np.split(ids, ends[:-1])
        name, count, _ = Path(f"{path}.metadata").read_text().split("\n")
        assert (name, int(count)) == (f"made|{shards.dtype.itemsize}", len(ids))
    assert_documents(found, documents)


def test_nanosets_refuses_a_width_its_reader_would_mistake(tmp_path: Path) -> None:
    write_folder(tmp_path / "wide", [[random_documents(3)]], dtype="uint32", vocab_size=32000)
    with pytest.raises(UserError, match="at another width than uint32"):
        export_nanosets(TokenShards(tmp_path / "wide"), tmp_path / "ds")


# MDS


def read_mds(folder: Path) -> list[dict[str, Any]]:
    """Samples of an MDS folder, parsed from the layout."""
    samples = []
    for shard in json.loads((folder / "index.json").read_text())["shards"]:
        data = (folder / shard["raw_data"]["basename"]).read_bytes()
        assert len(data) == shard["raw_data"]["bytes"]
        count = struct.unpack_from("<I", data)[0]
        offsets = struct.unpack_from(f"<{count + 1}I", data, 4)
        assert (count, offsets[-1]) == (shard["samples"], len(data))
        assert json.loads(data[4 + 4 * (count + 1) : offsets[0]])["column_names"] == shard["column_names"]
        for start, stop in itertools.pairwise(offsets):
            samples.append(read_mds_sample(data[start:stop], shard))
    return samples


def read_mds_sample(data: bytes, shard: dict[str, Any]) -> dict[str, Any]:
    sizes = list(shard["column_sizes"])
    at = 0
    for k, size in enumerate(sizes):
        if size is None:
            sizes[k], at = struct.unpack_from("<I", data, at)[0], at + 4
    sample = {}
    for name, encoding, size in zip(shard["column_names"], shard["column_encodings"], sizes, strict=True):
        value, at = data[at : at + size], at + size
        kind, _, rest = encoding.partition(":")
        if kind == "ndarray" and ":" not in rest:
            width = 1 << (value[0] & 3)
            assert value[0] >> 2 == 1
            count = int.from_bytes(value[1 : 1 + width], "little")
            sample[name] = np.frombuffer(value, rest, count, 1 + width)
        else:
            sample[name] = np.frombuffer(value, rest.partition(":")[0]) if kind == "ndarray" else value
    assert at == len(data)
    return sample


@pytest.mark.parametrize("max_bytes", [1, 3000, 1 << 26])
def test_mds_documents_read_back(
    shards: TokenShards, documents: list[np.ndarray], tmp_path: Path, max_bytes: int
) -> None:
    export_mds(shards, tmp_path / "mds", max_bytes=max_bytes)
    samples = read_mds(tmp_path / "mds")
    assert_documents([sample["tokens"] for sample in samples], documents)
    names = [bytes(name) for s in range(shards.num_segments) for name in shards.doc_ids(s)]
    assert [sample["doc_id"] for sample in samples] == names


def test_mds_shapes_of_one_two_and_four_bytes_read_back(tmp_path: Path) -> None:
    documents = [np.append(np.full(size - 1, 7), EOS) for size in (1, 255, 256, 65535, 65536, 70000)]
    write_folder(tmp_path / "shards", [[documents]])
    export_mds(TokenShards(tmp_path / "shards"), tmp_path / "mds")
    assert_documents([sample["tokens"] for sample in read_mds(tmp_path / "mds")], documents)


def test_mds_windows_are_cuts_of_each_record_batch_and_the_rest_is_counted(shards: TokenShards, tmp_path: Path) -> None:
    export = export_mds(shards, tmp_path / "mds", sequence_length=32, max_bytes=1000)
    samples = read_mds(tmp_path / "mds")
    streams = [shards.arrays(segment)[0] for segment in range(shards.num_segments)]
    expected = [w for s in streams for w in s[: len(s) // 32 * 32].reshape(-1, 32)]
    assert_documents([sample["tokens"] for sample in samples], expected)
    assert export.tokens == 32 * len(samples)
    assert export.tokens + export.dropped_tokens == shards.num_tokens


# litdata


@pytest.mark.parametrize("max_bytes", [1, 3000, 1 << 26])
def test_litdata_chunks_read_back(
    shards: TokenShards, documents: list[np.ndarray], tmp_path: Path, max_bytes: int
) -> None:
    export_litdata(shards, tmp_path / "lit", max_bytes=max_bytes)
    index = json.loads((tmp_path / "lit" / "index.json").read_text())
    found = []
    for chunk in index["chunks"]:
        data = (tmp_path / "lit" / chunk["filename"]).read_bytes()
        count = struct.unpack_from("<I", data)[0]
        offsets = struct.unpack_from(f"<{count + 1}I", data, 4)
        assert (count, len(data), offsets[-1]) == (chunk["chunk_size"], chunk["chunk_bytes"], len(data))
        rows = [np.frombuffer(data[a:b], shards.dtype) for a, b in itertools.pairwise(offsets)]
        assert chunk["dim"] == sum(map(len, rows))
        found += rows
    assert_documents(found, documents)
    assert index["config"]["data_format"] == [
        {2: "no_header_tensor:20", 4: "no_header_tensor:15"}[shards.dtype.itemsize]
    ]


# All


@pytest.mark.parametrize("name", [name for name in EXPORTS if name != "megatron-link"])
def test_an_export_gives_the_same_bytes_twice(shards: TokenShards, tmp_path: Path, name: str) -> None:
    first, second = (EXPORTS[name](shards, tmp_path / folder) for folder in ("first", "second"))
    assert first.files == second.files
    for file in first.files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_never_writes_over_files(shards: TokenShards, tmp_path: Path, name: str) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(UserError, match="not an empty folder"):
        EXPORTS[name](shards, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=30), limit=st.integers(1, 90))
def test_cuts_cover_all_rows_and_keep_the_limit(sizes: list[int], limit: int) -> None:
    cuts = list(row_cuts(np.array(sizes), limit))
    assert [row for start, stop in cuts for row in range(start, stop)] == list(range(len(sizes)))
    assert all(stop - start == 1 or sum(sizes[start:stop]) <= limit for start, stop in cuts)
    assert all(sum(sizes[a:b]) + sizes[b] > limit for a, b in cuts[:-1])


# Yields


def test_yields_of_two_to_the_29_tokens() -> None:
    rows = {row.trainer: row for row in trainer_yields([1 << 29], 500_000, 4096)}
    assert (rows["megatron"].windows, rows["megatron"].targets) == (131_071, 536_866_816)
    assert (rows["olmo-core"].windows, rows["olmo-core"].targets) == (131_072, 536_739_840)
    assert (rows["nanosets"].windows, rows["nanosets"].targets) == (131_040, 536_739_840)
    assert rows["torchtitan"].targets == (1 << 29) - 500_000


def test_yields_are_what_our_reader_gives(shards: TokenShards) -> None:
    rows = {row.trainer: row for row in trainer_yields([shards.num_tokens], shards.num_documents, 64)}
    assert rows["gristmill, overlap"].windows == len(Windows(shards, 64))
    assert rows["nanosets"].windows == len(Windows(shards, 64, overlap=False))


def test_small_files_yield_less() -> None:
    whole, cut = (trainer_yields(files, 100, 1000) for files in ([100_500], [1005] * 100))
    assert all(a.targets >= b.targets for a, b in zip(whole, cut, strict=True))
