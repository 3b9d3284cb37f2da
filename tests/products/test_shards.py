"""Domain shards: every document once, in key order, independent of how the input was divided; damage is found."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store.storage import Store
from stages import schemas, shards, tokens, verify
from stages.kernels.columns import rows
from stages.kernels.columns.ragged import offsets_of, row_cuts
from stages.shard_format import read_manifest
from stages.shard_writer import open_shard, shard_schema
from stages.tokenizers import load
from tests.support.token_files import doc_id, read_docs, read_documents, run, write_split

TEXTS = [f"page {i} " + "wörd " * (i % 11) for i in range(60)]


def inputs_of(reports: list[tuple[str, dict[str, Any]]], domain: str) -> list[shards.Input]:
    """The tokens files that hold documents of a domain, from their (address, report)."""
    found = []
    for address, report in reports:
        groups = [group for group in report["groups"] if group["domain"] == domain]
        if groups:
            documents, tokens = (sum(group[key] for group in groups) for key in ("documents", "tokens"))
            found.append(shards.Input(address, documents, tokens))
    return sorted(found, key=lambda item: item.address)


def build(store: Store, name: str, parts: int, **params: Any) -> dict[str, Any]:
    """Tokenize the texts in ``parts`` splits and write the shards of their domain."""
    reports = []
    for part in range(parts):
        texts, names = TEXTS[part::parts], [f"doc {i}" for i in range(part, len(TEXTS), parts)]
        arguments = write_split(store, f"{name}-in/{part}", texts, names=names)
        if not store.exists(arguments["output"]):
            tokens.tokenize(store, **arguments, params={})
        reports.append((arguments["output"], store.metadata(arguments["output"])))
    inputs = inputs_of(reports, "en")
    chosen = shards.Params(**{"target_tokens": 200, "batch_tokens": 90, **params})
    run(store, shards.plan(chosen, "en", inputs, name, tokenizer=reports[0][1]["tokenizer"], seed=0))
    return read_manifest(store, f"{name}/manifest.json")


def files(store: Store, folder: str) -> dict[str, bytes]:
    return {address.removeprefix(folder): store.read_bytes(address) for address, _ in store.list(folder)}


def test_every_document_is_there_once_in_key_order(store: Store) -> None:
    manifest = build(store, "d", 2)
    found = read_documents(store, "d", manifest)
    assert len(found) > 2
    names = [name for shard in found for name, _ in shard]
    keys = tokens.order_keys(np.frombuffer(b"".join(names), np.uint8), 0).tolist()
    assert sorted(names) == sorted(doc_id(f"doc {i}") for i in range(60))
    assert keys == sorted(keys)
    assert manifest["documents"] == 60
    assert manifest["tokens"] == sum(len(ids) for shard in found for _, ids in shard)


def test_docs_stand_row_for_row_beside_the_tokens(store: Store) -> None:
    manifest = build(store, "d", 2)
    for documents, docs in zip(read_documents(store, "d", manifest), read_docs(store, "d", manifest), strict=True):
        assert docs.schema.names == schemas.DOCS.names
        assert docs["doc_id"].to_pylist() == [name for name, _ in documents]
        assert docs["num_tokens"].to_pylist() == [len(ids) for _, ids in documents]


@pytest.mark.parametrize(("parts", "params"), [(1, {}), (5, {}), (5, {"max_reads": 3, "merged_bytes": 300})])
def test_bytes_do_not_depend_on_the_division_of_the_input(store: Store, parts: int, params: dict[str, int]) -> None:
    build(store, "one", 2)
    build(store, "two", parts, **params)
    assert files(store, "one") == files(store, "two")


def test_merging_reads_less_and_loses_nothing(store: Store) -> None:
    manifest = build(store, "d", 6, max_reads=4, merged_bytes=200)
    assert manifest["documents"] == 60
    assert not store.list("d/merged")


def test_positions_in_the_manifest_are_the_buffers(store: Store, tmp_path: Path) -> None:
    manifest = build(store, "d", 2)
    for entry in manifest["shards"]:
        path = tmp_path / "root" / "d" / entry["path"]
        with store.open(f"d/{entry['path']}") as file:
            batches = list(pa.ipc.open_stream(file))
        assert len(batches) == len(entry["batches"]) > 1
        for batch, listed in zip(batches, entry["batches"], strict=True):
            ids = np.memmap(path, np.uint16, "r", listed["values_position"], (listed["tokens"],))
            offsets = np.memmap(path, np.int64, "r", listed["offsets_position"], (listed["rows"] + 1,))
            names = np.memmap(path, np.uint8, "r", listed["doc_id_position"], (16 * listed["rows"],))
            assert np.array_equal(ids, batch["input_ids"].values)
            assert np.array_equal(offsets, batch["input_ids"].offsets)
            assert names.tobytes() == b"".join(batch["doc_id"].to_pylist())


def test_more_shards_than_documents_are_not_made(store: Store) -> None:
    manifest = build(store, "d", 1, target_tokens=1)
    assert len(manifest["shards"]) == 60
    assert manifest["documents"] == 60
    assert verify.verify(store, "d/manifest.json") == []


def test_a_domain_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="domain 'x' has no tokens"):
        shards.plan(shards.Params(), "x", [], "d", tokenizer={"dtype": "uint16"}, seed=0)


def test_key_ranges_cover_the_key_space_without_gap() -> None:
    for count in (1, 2, 3, 7, 1000):
        bounds = [shards.key_range(k, count) for k in range(count)]
        assert bounds[0][0] == 0
        assert bounds[-1][1] == 1 << 64
        assert all(one[1] == two[0] for one, two in itertools.pairwise(bounds))


def test_a_shard_is_the_same_bytes_in_whatever_blocks_its_ids_come(store: Store) -> None:
    schema = shard_schema("uint16", {})
    ids, offsets = np.array([5, 2, 2, 7, 8, 2], np.uint16), np.array([0, 2, 3, 6])
    summaries = []
    for name, cuts in (("whole", [6]), ("each", [2, 3, 6]), ("two", [3, 6])):
        with open_shard(store, name, schema, 2) as writer:
            room = np.empty(6, np.uint16)  # used again for every block, as a caller may
            writer.write(_blocks(ids, cuts, room), offsets, np.zeros(48, np.uint8))
        summaries.append(writer.summary())
        with store.open(name) as file:
            assert pa.ipc.open_stream(file).read_all()["input_ids"].to_pylist() == [[5, 2], [2], [7, 8, 2]]
        at = summaries[-1]["batches"][0]["values_position"]
        assert store.read_bytes(name)[at : at + 12] == ids.tobytes()
    assert summaries[0] == summaries[1] == summaries[2]
    assert summaries[0]["eos_count"] == 3
    assert (summaries[0]["min_id"], summaries[0]["max_id"]) == (2, 8)


def _blocks(ids: Any, cuts: list[int], room: Any) -> Iterator[Any]:
    for start, stop in itertools.pairwise([0, *cuts]):
        room[: stop - start] = ids[start:stop]
        yield room[: stop - start]
        room[:] = 9


@pytest.mark.parametrize(
    ("ids", "cuts", "problem"),
    [
        ([5, 2, 2, 7, 8, 9], [6], "3 documents hold 2 end tokens"),
        ([5, 2, 2, 7, 2, 2], [6], "3 documents hold 4 end tokens"),
        ([2, 5, 2, 7, 8, 2], [6], "each must end with one"),
        ([5, 2, 2, 7, 8, 2], [2, 5], "does not end where a document does"),
        ([5, 2, 2, 7, 8, 2], [2, 3], "the blocks hold 3 ids of 6"),
        ([5, 2, 2, 7, 8, 2, 4, 2], [6, 8], "does not end where a document does"),
    ],
)
def test_a_shard_of_wrong_ids_is_refused_and_not_written(
    store: Store, ids: list[int], cuts: list[int], problem: str
) -> None:
    blocks = _blocks(np.array(ids, np.uint16), cuts, np.empty(8, np.uint16))
    with pytest.raises(ValueError, match=problem), open_shard(store, "wrong", shard_schema("uint16", {}), 2) as writer:
        writer.write(blocks, np.array([0, 2, 3, 6]), np.zeros(48, np.uint8))
    assert not store.exists("wrong")


def test_ids_of_another_width_are_refused(store: Store) -> None:
    ids = np.array([5, 2], np.uint32)
    with (
        pytest.raises(ValueError, match="ids of type uint32 in a shard of uint16"),
        open_shard(store, "wrong", shard_schema("uint16", {}), 2) as writer,
    ):
        writer.write([ids], np.array([0, 2]), np.zeros(16, np.uint8))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.just(1), st.integers(1, 20), st.integers(1, 2000)), min_size=1, max_size=30),
    st.sampled_from([np.uint16, np.uint32]),
    st.integers(1, 4),
    st.sampled_from([1, 64, 1 << 13]),
    st.sampled_from([1, 1 << 10]),
    st.integers(0, 1 << 30),
)
def test_a_streamed_shard_is_the_shard_written_in_one_block(
    sizes: list[int], dtype: Any, parts: int, block: int, mean: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    offsets = offsets_of(np.array(sizes))
    ids = random.integers(3, np.iinfo(dtype).max, offsets[-1], endpoint=True).astype(dtype)
    ids[offsets[1:] - 1] = 2
    cuts = sorted({0, len(sizes), *random.integers(0, len(sizes) + 1, parts - 1).tolist()})
    buffers = [ids[offsets[a] : offsets[b]].view(np.uint8) for a, b in itertools.pairwise(cuts)]
    order = random.integers(0, len(sizes), random.integers(1, 2 * len(sizes), endpoint=True))
    found = []
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(rows, "_WRITTEN_BYTES", block),
        mock.patch.object(rows, "_MEAN_BYTES", mean),
    ):
        store = Store(folder)
        pieces = rows.Pieces(buffers, offsets, np.dtype(dtype))
        for how in (pieces.blocks, lambda order: [pieces.take(order)[0]]):
            with open_shard(store, "shard", shard_schema(np.dtype(dtype).name, {}), 2) as writer:
                for start, stop in row_cuts(np.array(sizes)[order], 3000):
                    chosen = order[start:stop]
                    doc_ids = np.zeros(16 * len(chosen), np.uint8)
                    writer.write(how(chosen), offsets_of(np.array(sizes)[chosen]), doc_ids)
            found.append((store.read_bytes("shard"), writer.summary()))
    assert found[0] == found[1]
    written = pa.ipc.open_stream(found[0][0]).read_all()["input_ids"].to_pylist()
    assert written == [ids[offsets[row] : offsets[row + 1]].tolist() for row in order]


def test_batches_hold_at_most_the_limit_unless_one_document_is_larger() -> None:
    sizes = np.array([5, 5, 1, 20, 3, 3, 3])
    assert list(row_cuts(sizes, 10)) == [(0, 2), (2, 3), (3, 4), (4, 7)]
    assert list(row_cuts(sizes[:0], 10)) == []


# Damage


def damage(store: Store, tmp_path: Path, address: str, change: Any) -> list[str]:
    path = tmp_path / "root" / address
    path.write_bytes(change(bytearray(path.read_bytes())))
    return verify.verify(store, "d/manifest.json")


def test_a_whole_folder_has_no_problems(store: Store) -> None:
    build(store, "d", 2)
    assert verify.verify(store, "d/manifest.json") == []


@pytest.mark.parametrize("position", [0, 100, 700, -1, -9])
@pytest.mark.parametrize("kind", ["path", "docs"])
def test_a_flipped_byte_anywhere_is_found(store: Store, tmp_path: Path, position: int, kind: str) -> None:
    entry = build(store, "d", 2)["shards"][1]

    def flip(data: bytearray) -> bytearray:
        data[position] ^= 1
        return data

    problems = damage(store, tmp_path, f"d/{entry[kind]}", flip)
    assert len(problems) == 1
    assert problems[0].startswith(f"d/{entry[kind]}: ")


def test_a_shard_cut_at_a_batch_boundary_is_found(store: Store, tmp_path: Path) -> None:
    entry = build(store, "d", 2)["shards"][0]
    cut = entry["batches"][1]["offsets_position"] - 500  # anywhere before the second batch's body
    problems = damage(store, tmp_path, f"d/{entry['path']}", lambda data: data[:cut])
    assert problems == [f"d/{entry['path']}: {cut} bytes, the manifest says {entry['bytes']}"]


def test_a_missing_file_is_found(store: Store) -> None:
    entry = build(store, "d", 2)["shards"][0]
    store.remove(f"d/{entry['docs']}")
    assert verify.verify(store, "d/manifest.json") == [f"d/{entry['docs']}: missing"]


def test_a_manifest_that_disagrees_with_its_shards_is_found(store: Store) -> None:
    manifest = build(store, "d", 2)
    manifest["tokens"] += 1
    manifest["tokenizer"]["vocab_size"] = 5
    store.write_bytes("d/manifest.json", json.dumps(manifest).encode())
    problems = verify.verify(store, "d/manifest.json")
    assert any("outside the vocabulary of 5" in problem for problem in problems)
    assert any("tokens is" in problem for problem in problems)
    manifest["tokenizer"]["vocab_size"] = 70000
    store.write_bytes("d/manifest.json", json.dumps(manifest).encode())
    assert "a vocabulary of 70,000 does not fit its ids of uint16" in verify.verify(store, "d/manifest.json")[0]
    store.write_bytes("d/manifest.json", b"{}")
    assert "expected gristmill-shards version 1" in verify.verify(store, "d/manifest.json")[0]


def test_hugging_face_opens_the_folder(store: Store, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    manifest = build(store, "d", 1, target_tokens=4)  # some shards stay empty
    loaded = datasets.load_from_disk(str(tmp_path / "root" / "d" / "train"))
    expected = [ids for shard in read_documents(store, "d", manifest) for _, ids in shard]
    assert loaded["input_ids"][:] == expected
    assert datasets.load_from_disk(str(tmp_path / "root" / "d"))["train"].num_rows == 60


def test_shards_of_another_tokenizer_are_found(store: Store) -> None:
    build(store, "d", 1)
    assert verify.verify(store, "d/manifest.json", load("mistral-v1").identity()) == []
    problems = verify.verify(store, "d/manifest.json", load("mistral-v3").identity())
    assert any("another tokenizer: probe_sha256 is" in problem for problem in problems)


# Held-out splits


def test_held_out_documents_are_not_trained_on(store: Store, tmp_path: Path) -> None:
    manifest = build(store, "d", 2, valid_fraction=0.2, test_fraction=0.1)
    assert verify.verify(store, "d/manifest.json") == []
    names: dict[str, set[bytes]] = {"train": set(), "valid": set(), "test": set()}
    for entry, documents in zip(manifest["shards"], read_documents(store, "d", manifest), strict=True):
        assert entry["path"].startswith(entry["split"] + "/")
        names[entry["split"]] |= {name for name, _ in documents}
    assert sum(map(len, names.values())) == 60
    assert len(set.union(*names.values())) == 60
    assert manifest["documents"] == manifest["domains"]["en"]["documents"] == len(names["train"])
    assert {split: found["documents"] for split, found in manifest["splits"].items()} == {
        k: len(v) for k, v in names.items()
    }
    assert 4 <= len(names["valid"]) <= 22
    assert sorted(p.name for p in (tmp_path / "root" / "d").iterdir() if p.is_dir()) == ["test", "train", "valid"]


def test_seed_and_division_move_no_text_between_splits(store: Store) -> None:
    found = []
    for name, parts, seed in (("one", 2, 0), ("two", 5, 77)):
        reports = []
        for part in range(parts):
            names = [f"{name} {i}" for i in range(part, len(TEXTS), parts)]  # other doc_ids, the same texts
            hashes = [doc_id(text) for text in TEXTS[part::parts]]
            arguments = write_split(store, f"{name}-in/{part}", TEXTS[part::parts], names=names, text_hashes=hashes)
            tokens.tokenize(store, **arguments, params={"seed": seed})
            reports.append((arguments["output"], store.metadata(arguments["output"])))
        tokenizer = reports[0][1]["tokenizer"]
        params = shards.Params(valid_fraction=0.3)
        run(store, shards.plan(params, "en", inputs_of(reports, "en"), name, tokenizer=tokenizer, seed=seed))
        manifest = read_manifest(store, f"{name}/manifest.json")
        documents = read_documents(store, name, manifest)
        found.append([sorted(ids for _, ids in shard) for shard in documents])
    assert found[0] == found[1]
