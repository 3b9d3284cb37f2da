"""The reader and the exports on shards that the pipeline's own stages wrote."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.exports import EXPORTS, link
from pipeline.exports.megatron import prefixes, read_idx
from pipeline.reader import DamagedShard, Packed, Stream, TokenShards, Windows, WrongTokenizer, read_manifest
from pipeline.store.storage import Store
from stages import corpus, verify
from stages.mixture import MixtureParams, solve
from tests.support.token_files import TOKENIZER, Shards, doc_id, read_documents, run, write_domain


@pytest.fixture
def documents() -> Shards:
    """Three shards, one without documents."""
    rng = np.random.default_rng(1)
    sizes = [rng.integers(1, 60, count).tolist() for count in (20, 0, 31)]
    return [
        [(doc_id(f"{s}/{i}"), [*rng.integers(3, 1000, n - 1).tolist(), 2]) for i, n in enumerate(shard)]
        for s, shard in enumerate(sizes)
    ]


@pytest.fixture
def folder(store: Store, documents: Shards) -> Path:
    write_domain(store, "shards/web", "web", documents)
    return Path(store.path("shards/web"))


def test_every_document_of_the_pipelines_shards_reads_back(folder: Path, documents: Shards) -> None:
    shards = TokenShards(folder, tokenizer={"probe_sha256": TOKENIZER["probe_sha256"], "vocab_size": 1000})
    expected = [document for shard in documents for document in shard]
    assert [shards.document(row).tolist() for row in range(len(shards))] == [ids for _, ids in expected]
    names = [bytes(name) for segment in range(shards.num_segments) for name in shards.doc_ids(segment)]
    assert names == [name for name, _ in expected]


def test_plain_arrow_and_the_reader_agree(store: Store, folder: Path) -> None:
    import json

    manifest = json.loads((folder / "manifest.json").read_text())
    plain = [ids for shard in read_documents(store, "shards/web", manifest) for _, ids in shard]
    assert TokenShards(folder).tokens(0, sum(map(len, plain))).tolist() == [i for ids in plain for i in ids]


def test_verify_and_the_reader_refuse_the_same_byte(store: Store, folder: Path) -> None:
    shard = read_manifest(folder).shards[2]
    path = folder / shard.path
    whole = path.read_bytes()
    for position in (shard.batches[0].values_position + 4, shard.batches[0].offsets_position, 40, len(whole) - 5):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        assert any(shard.path in problem for problem in verify.verify(store, "shards/web/manifest.json"))
        for mode in ("open", "lazy"):
            with pytest.raises(DamagedShard, match=shard.path):
                TokenShards(folder, verify=mode).tokens(0, TokenShards(folder, verify="structure").num_tokens)  # type: ignore[arg-type]
    path.write_bytes(whole)
    assert verify.verify(store, "shards/web/manifest.json") == []
    TokenShards(folder)


def test_a_cut_shard_and_another_tokenizer_are_refused(folder: Path) -> None:
    with pytest.raises(WrongTokenizer, match="vocab_size: expected 32000, shards have 1000"):
        TokenShards(folder, tokenizer={"vocab_size": 32000})
    shard = read_manifest(folder).shards[0]
    path = folder / shard.path
    path.write_bytes(path.read_bytes()[: shard.batches[1].offsets_position])
    with pytest.raises(DamagedShard, match=r"data-00000-of-00003\.arrow: cut: ends at byte offset"):
        TokenShards(folder, verify="structure")


def test_a_corpus_of_references_is_read_from_the_domains_shards(store: Store, documents: Shards) -> None:
    addresses = {"web": write_domain(store, "domains/web", "web", documents)}
    available = {"web": sum(len(ids) for shard in documents for _, ids in shard)}
    mixture = solve(MixtureParams.model_validate({"domains": {"web": {"epochs": 2}}}), available)
    run(store, corpus.plan(corpus.Params(materialise=False), "c", mixture, addresses, "corpus", tokenizer=TOKENIZER))
    shards = TokenShards(Path(store.path("corpus")))
    assert shards.num_tokens == 2 * available["web"]
    once = Counter(tuple(ids) for shard in documents for _, ids in shard)
    assert Counter(tuple(shards.document(row).tolist()) for row in range(len(shards))) == once + once
    link(shards, Path(store.path("linked")))
    lengths = [int(n) for p in prefixes(Path(store.path("linked"))) for n in read_idx(f"{p}.idx")["lengths"]]
    assert sum(lengths) == shards.num_tokens


def test_windows_packing_and_resume_run_on_them(folder: Path) -> None:
    shards = TokenShards(folder)
    for samples in (Windows(shards, 16, boundaries=True), Packed(shards, 64)):
        stream = Stream(samples, 4, seed=1, epochs=1)
        batches = list(stream)
        state = stream.state(batches[1]["consumed_samples"])
        stream.resume(state)
        rest = [index for batch in stream for index in batch["index"].tolist()]
        assert rest == [index for batch in batches[2:] for index in batch["index"].tolist()]
        assert all(batch["cu_seqlens"][-1] == batch["input_ids"].size for batch in batches)


@pytest.mark.parametrize("name", EXPORTS)
def test_every_export_takes_them(folder: Path, documents: Shards, tmp_path: Path, name: str) -> None:
    export = EXPORTS[name](TokenShards(folder), tmp_path / "export")
    assert export.documents == sum(map(len, documents))
    assert export.tokens == sum(len(ids) for shard in documents for _, ids in shard)
    if name == "megatron-link":
        assert len(prefixes(tmp_path / "export")) == 2
    if name.startswith("megatron"):
        lengths = [n for p in prefixes(tmp_path / "export") for n in read_idx(f"{p}.idx")["lengths"].tolist()]
        assert lengths == [len(ids) for shard in documents for _, ids in shard]


def test_hugging_face_loads_them(folder: Path, documents: Shards) -> None:
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    rows = datasets.load_from_disk(str(folder / "train")).data.column("input_ids").to_pylist()
    assert rows == [ids for shard in documents for _, ids in shard]
