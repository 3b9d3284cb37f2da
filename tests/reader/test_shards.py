"""The reader gives back every token of every document, and refuses shards that are not what was written."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.reader import DamagedShard, TokenShards, WrongTokenizer, check_tokenizer, read_manifest
from pipeline.reader.manifest import BLOCK_BYTES
from pipeline.reader.shards import check_checksum
from tests.support.shard_folders import EOS, random_documents, write_folder


@pytest.fixture(scope="module")
def documents() -> list[np.ndarray]:
    return random_documents(400)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, documents: list[np.ndarray]) -> Path:
    """Three shards of five record batches in all."""
    folder = tmp_path_factory.mktemp("shards")
    write_folder(
        folder, [[documents[:90], documents[90:200]], [documents[200:210]], [documents[210:399], documents[399:]]]
    )
    return folder


def copy_of(folder: Path, target: Path) -> Path:
    for path in folder.rglob("*"):
        if path.is_file():
            other = target / path.relative_to(folder)
            other.parent.mkdir(parents=True, exist_ok=True)
            other.write_bytes(path.read_bytes())
    return target


def test_every_document_reads_back(folder: Path, documents: list[np.ndarray]) -> None:
    shards = TokenShards(folder)
    assert shards.num_documents == len(shards) == len(documents)
    assert shards.num_tokens == sum(map(len, documents))
    for row, document in enumerate(documents):
        assert np.array_equal(shards.document(row), document)
        assert shards.document(row).dtype == np.uint16


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_both_widths_read_back(tmp_path: Path, dtype: str) -> None:
    documents = random_documents(30, vocabulary=65536 if dtype == "uint16" else 1 << 31)
    write_folder(tmp_path, [[documents]], dtype=dtype)
    assert np.array_equal(TokenShards(tmp_path).tokens(0, sum(map(len, documents))), np.concatenate(documents))


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_range_of_tokens_reads_back(folder: Path, documents: list[np.ndarray], data: st.DataObject) -> None:
    shards, stream = TokenShards(folder, verify="structure"), np.concatenate(documents)
    start = data.draw(st.integers(0, len(stream)))
    stop = data.draw(st.integers(start, len(stream)))
    assert np.array_equal(shards.tokens(start, stop), stream[start:stop])
    edges = np.cumsum([0, *map(len, documents)])[:-1]
    assert shards.document_starts(start, stop).tolist() == edges[(edges > start) & (edges < stop)].tolist()


def test_reading_within_a_batch_copies_nothing(folder: Path) -> None:
    tokens = TokenShards(folder).tokens(3, 50)
    assert not tokens.flags.owndata
    assert not tokens.flags.writeable


def test_a_pickled_reader_reads_the_same_in_another_process(folder: Path) -> None:
    shards = TokenShards(folder, verify="lazy")
    shards.document(0)
    again = pickle.loads(pickle.dumps(shards))
    assert np.array_equal(again.document(399), shards.document(399))


def test_doc_ids_stand_row_for_row(folder: Path) -> None:
    import pyarrow.parquet as pq

    shards = TokenShards(folder)
    read = [bytes(i) for segment in range(shards.num_segments) for i in shards.doc_ids(segment)]
    paths = sorted((folder / "train").glob("docs-*.parquet"))
    assert read == [i for path in paths for i in pq.read_table(path)["doc_id"].to_pylist()]


def test_a_shard_of_multiplicity_two_is_read_twice(folder: Path, documents: list[np.ndarray], tmp_path: Path) -> None:
    target = copy_of(folder, tmp_path)
    manifest = json.loads((target / "manifest.json").read_text())
    manifest["shards"][1]["multiplicity"] = 2
    (target / "manifest.json").write_text(json.dumps(manifest))
    expected = np.concatenate([*documents[:210], *documents[200:]])
    assert np.array_equal(TokenShards(target).tokens(0, len(expected)), expected)


# Damage


@pytest.mark.parametrize("verify", ["open", "lazy"])
def test_a_byte_flipped_anywhere_is_refused(folder: Path, tmp_path: Path, verify: str) -> None:
    target = copy_of(folder, tmp_path)
    path = target / "train" / "data-00001-of-00003.arrow"
    whole = path.read_bytes()
    for position in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        with pytest.raises(DamagedShard, match=r"data-00001-of-00003\.arrow.*offset"):
            TokenShards(target, verify=verify).document(205)  # type: ignore[arg-type]
    path.write_bytes(whole)
    TokenShards(target, verify=verify).document(205)  # type: ignore[arg-type]


def test_damage_that_shows_is_named_to_the_byte(folder: Path, tmp_path: Path) -> None:
    target = copy_of(folder, tmp_path)
    entry = read_manifest(target).shards[2]
    path, batch = target / entry.path, entry.batches[0]
    whole = bytearray(path.read_bytes())
    position = batch.values_position + 2 * 40
    whole[position : position + 2] = b"\xff\xff"
    path.write_bytes(whole)
    with pytest.raises(DamagedShard, match=f"token 40 of a batch is 65535, at byte offset {position}"):
        TokenShards(target)


def test_damage_in_a_plausible_id_is_named_by_block(tmp_path: Path) -> None:
    write_folder(tmp_path, [[random_documents(50)]], block_bytes=BLOCK_BYTES)
    entry = read_manifest(tmp_path).shards[0]
    path = tmp_path / entry.path
    data = bytearray(path.read_bytes())
    first = entry.batches[0].values_position
    data[first : first + 2] = data[first + 2 : first + 4]
    path.write_bytes(data)
    with pytest.raises(DamagedShard, match=f"bytes 0 to {entry.bytes} are not those written"):
        TokenShards(tmp_path)


def test_lazy_checks_the_blocks_it_reads_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.reader.shards.BLOCK_BYTES", 4096)
    documents = random_documents(400)
    write_folder(tmp_path, [[documents]], block_bytes=4096)
    entry = read_manifest(tmp_path).shards[0]
    batch, data = entry.batches[0], bytearray((tmp_path / entry.path).read_bytes())
    damaged = batch.values_position + 2 * 30_000 // 2
    data[damaged] ^= 1
    (tmp_path / entry.path).write_bytes(data)
    edges = batch.values_position + 2 * np.cumsum([0, *map(len, documents)])
    shards = TokenShards(tmp_path, verify="lazy")
    start = damaged // 4096 * 4096
    for row in range(len(documents)):
        if edges[row] < start + 4096 and edges[row + 1] > start:
            with pytest.raises(DamagedShard, match=f"bytes {start} to"):
                shards.document(row)
        else:
            assert np.array_equal(shards.document(row), documents[row])
    with pytest.raises(DamagedShard):
        TokenShards(tmp_path)


def test_a_cut_shard_is_refused_with_where_it_ends(folder: Path, tmp_path: Path) -> None:
    target = copy_of(folder, tmp_path)
    entry = read_manifest(target).shards[0]
    path = target / entry.path
    whole = path.read_bytes()
    for size in (0, 8, entry.batches[1].offsets_position, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedShard, match=f"{re.escape(entry.path)}: cut: ends at byte offset {size}, expected"):
            TokenShards(target, verify="structure")


def test_a_stream_cut_at_a_batch_and_padded_is_refused(folder: Path, tmp_path: Path) -> None:
    target = copy_of(folder, tmp_path)
    path = target / read_manifest(target).shards[0].path
    path.write_bytes(path.read_bytes()[:-8] + b"\0" * 8)
    with pytest.raises(DamagedShard, match="no end-of-stream marker at byte offset"):
        TokenShards(target, verify="structure")


def test_a_missing_shard_is_named(folder: Path, tmp_path: Path) -> None:
    target = copy_of(folder, tmp_path)
    (target / "train" / "data-00002-of-00003.arrow").unlink()
    with pytest.raises(DamagedShard, match=r"data-00002-of-00003\.arrow"):
        TokenShards(target, verify="structure")


def test_an_undamaged_shard_passes(folder: Path) -> None:
    manifest = read_manifest(folder)
    for shard in manifest.shards:
        check_checksum(manifest, shard)


# Manifest and tokenizer


def test_another_tokenizer_is_refused_with_every_difference(folder: Path) -> None:
    with pytest.raises(WrongTokenizer, match=r"eos_id: expected 0, shards have 2; probe_sha256: expected 'x'"):
        TokenShards(folder, tokenizer={"eos_id": 0, "probe_sha256": "x", "vocab_size": 32000})


def test_a_vocabulary_that_does_not_fit_the_ids_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, [[random_documents(3)]], vocab_size=65537)
    with pytest.raises(UserError, match="a vocabulary of 65,537 does not fit its ids of uint16"):
        TokenShards(tmp_path)


def test_a_tokenizer_file_is_compared_by_its_content(tmp_path: Path) -> None:
    import hashlib

    model = tmp_path / "tokenizer.model"
    model.write_bytes(b"pieces")
    write_folder(tmp_path, [[random_documents(3)]], sha256=hashlib.sha256(b"pieces").hexdigest())
    assert check_tokenizer(tmp_path, file=model)["eos_id"] == EOS
    model.write_bytes(b"other pieces")
    with pytest.raises(WrongTokenizer, match="sha256"):
        check_tokenizer(tmp_path, file=model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "expected format 'gristmill-shards' version 1, found 'other'"),
        ({"version": 9}, "found 'gristmill-shards' version 9"),
        ({"shards": []}, "no shard of split 'train'"),
        ({"tokenizer": {"dtype": "int8"}}, "dtype is 'int8', expected uint16 or uint32"),
        ({"tokenizer": {"dtype": "uint16"}}, "key 'eos_id' is missing"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(
    folder: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(UserError, match=message):
        TokenShards(tmp_path)


def test_no_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no manifest\.json here"):
        read_manifest(tmp_path)


def test_a_folder_above_or_below_shards_names_them(tmp_path: Path) -> None:
    for name in ("main", "anneal"):
        write_folder(tmp_path / name, [[random_documents(5, seed=1)]])
    with pytest.raises(UserError) as caught:
        TokenShards(tmp_path)
    assert str(caught.value).endswith(f"; there is one in {tmp_path / 'anneal'}, {tmp_path / 'main'}")
    with pytest.raises(UserError) as caught:
        TokenShards(tmp_path / "main" / "train")
    assert str(caught.value).endswith(f"; {tmp_path / 'main'} is one")


def test_splits_are_read_apart(tmp_path: Path) -> None:
    train = write_folder(tmp_path, [[random_documents(5, seed=1)]])
    valid = write_folder(tmp_path, [[random_documents(3, seed=2)]], split="valid")
    valid["shards"] = train["shards"] + valid["shards"]
    (tmp_path / "manifest.json").write_text(json.dumps(valid))
    assert [len(TokenShards(tmp_path, split)) for split in ("train", "valid", None)] == [5, 3, 8]
