"""Tokenizers: the fast encoder is the reference, special spellings are text, and what is refused."""

from __future__ import annotations

import base64
import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.store.storage import Store
from stages import tokenizers
from stages.kernels.bpe.rank_merges import merges_of
from stages.kernels.columns.ragged import text_buffers
from stages.tokenizers import load, probe
from stages.tokenizers.tokenizer import TokenizerError, encode_by_reference
from stages.tokenizers.train import TrainParams, sample_texts, train
from tests.support.token_files import write_split


def buffers(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return text_buffers(pa.array(texts, pa.large_string()))


@pytest.mark.parametrize("name", ["mistral-v1", "mistral-v3", "tekken"])
def test_fast_encoder_is_proven_and_equals_the_reference_on_every_probe(name: str) -> None:
    tokenizer = load(name)
    assert tokenizer.why_slow is None
    assert tokenizer.fast is not None
    data, offsets = buffers([text.decode() for text in probe.texts(tokenizer.reference.special_spellings)])
    fast, fast_offsets = tokenizer.fast(data, offsets)
    slow, slow_offsets = encode_by_reference(tokenizer.reference, data, offsets)
    assert np.array_equal(fast, slow)
    assert np.array_equal(fast_offsets, slow_offsets)


@pytest.mark.parametrize("name", ["mistral-v1", "mistral-v3", "tekken"])
@pytest.mark.parametrize("fast", [True, False])
def test_spelling_of_a_special_token_is_text(name: str, fast: bool) -> None:
    tokenizer = load(name)
    reference = tokenizer.reference
    special = {reference.id_of(spelling) for spelling in reference.special_spellings} - {None}
    texts = [f"{left}{spelling}{right}" for spelling in reference.special_spellings for left, right in ("  ", "ab")]
    ids, offsets = tokenizer.encode(*buffers(texts), fast=fast)
    assert np.all(ids[offsets[1:] - 1] == tokenizer.eos_id)
    assert not special & set(np.delete(ids, offsets[1:] - 1).tolist())


@pytest.mark.parametrize("texts", [[], [""], ["", "a", ""], ["é" * 3]])
@pytest.mark.parametrize("fast", [True, False])
def test_every_document_ends_with_eos_once(texts: list[str], fast: bool) -> None:
    tokenizer = load("mistral-v1")
    ids, offsets = tokenizer.encode(*buffers(texts), fast=fast)
    assert len(offsets) == len(texts) + 1
    assert ids.dtype == np.uint16
    assert np.count_nonzero(ids == 2) == len(texts)
    assert all(ids[stop - 1] == 2 for stop in offsets[1:])


def test_a_slice_of_a_column_encodes_as_its_own_rows() -> None:
    tokenizer = load("mistral-v1")
    column = pa.array(["one", "two two", "three"], pa.large_string())
    whole, offsets = tokenizer.encode(*text_buffers(column))
    part, part_offsets = tokenizer.encode(*text_buffers(column.slice(1)))
    assert np.array_equal(part, whole[offsets[1] :])
    assert part_offsets[0] == 0


def test_ids_round_trip_through_the_library() -> None:
    tokenizer = load("mistral-v1")
    text = "Straße,  naïve\n\tcode"
    ids, _ = tokenizer.encode(*buffers([text]))
    assert tokenizer.reference._model.decode(ids[:-1].tolist()) == text  # type: ignore[attr-defined]


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(TokenizerError, match="did you mean 'mistral-v"):
        load("mistral-v9")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    for content in (b"hello", b"\x0aworld", b'{"a": 1}', b"{", b""):
        path = tmp_path / "model"
        path.write_bytes(content)
        with pytest.raises(TokenizerError):
            load(str(path))


def test_eos_may_be_chosen_and_must_exist() -> None:
    assert load("mistral-v1", "<s>").eos_id == 1
    assert load("mistral-v1", 7).eos_id == 7
    with pytest.raises(TokenizerError, match="no token '<end>'"):
        load("mistral-v1", "<end>")
    with pytest.raises(TokenizerError, match="below 32000"):
        load("mistral-v1", 32000)


def test_a_model_without_eos_asks_for_one() -> None:
    reference = load("mistral-v1").reference

    class Without:
        vocab_size, eos_id = reference.vocab_size, None

    with pytest.raises(TokenizerError, match="choose one with `eos`"):
        tokenizers._choose_eos(Without(), "x", None)  # type: ignore[arg-type]


def test_first_difference_names_the_row() -> None:
    tokenizer = load("mistral-v1")
    assert tokenizer.fast is not None
    fast = tokenizer.fast

    def wrong(data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ids, bounds = fast(data, offsets)
        ids = ids.copy()
        ids[bounds[1]] += 1
        return ids, bounds

    texts = buffers(["a", "b", "c"])
    assert tokenizers.first_difference(wrong, tokenizer.reference, *texts) == 1
    assert tokenizers.first_difference(fast, tokenizer.reference, *texts) is None


def test_ids_are_right_only_as_the_reference_gives_them_with_eos_at_the_end() -> None:
    tokenizer = load("mistral-v1")
    data, offsets = buffers(["one two three"])
    ids, _ = tokenizer.encode(data, offsets)
    assert tokenizer.is_right(data, ids)
    assert not tokenizer.is_right(data, ids[:-1])
    assert not tokenizer.is_right(data, np.append(ids, ids[-1]))
    for place in range(len(ids)):
        assert not tokenizer.is_right(data, np.where(np.arange(len(ids)) == place, ids + 1, ids))


def test_identity_tells_file_library_policies_and_behaviour() -> None:
    identity = load("mistral-v1").identity()
    assert identity["sha256"] == "dadfd56d766715c61d2ef780a525ab43b8e6da4de6865bda3d95fdef5e134055"
    assert identity["probe_sha256"] == "c0e0b866588d0ce0a74ee202cbd711f3b336cbd72e6046589bfff0f430916c95"
    assert (identity["vocab_size"], identity["eos_id"], identity["dtype"]) == (32000, 2, "uint16")
    assert load("tekken").identity()["dtype"] == "uint32"


# Models made here: unigram, BPE, byte-level BPE, ranks

PROSE = [text.decode() for text in probe.texts()] * 3 + [f"number {i} is {i * i} and {i:x}" for i in range(2000)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    made = {}
    for kind, suffix in (("bpe", "model"), ("unigram", "model"), ("byte-bpe", "json")):
        made[kind] = str(folder / f"{kind}.{suffix}")
        if kind == "byte-bpe" and importlib.util.find_spec("tokenizers") is None:
            continue
        Path(made[kind]).write_bytes(train(PROSE, TrainParams(kind=kind, vocab_size=900)))
    made["ranks"] = str(folder / "cl100k_base.tiktoken")
    ranks = sorted(load("tekken").reference.ranks.items(), key=lambda item: item[1])[:3000]  # type: ignore[attr-defined]
    Path(made["ranks"]).write_text("".join(f"{base64.b64encode(t).decode()} {r}\n" for t, r in ranks))
    return made


@pytest.mark.parametrize("kind", ["bpe", "unigram", "byte-bpe", "ranks"])
def test_other_kinds_of_models_give_the_ids_of_their_library(models: dict[str, str], kind: str) -> None:
    if kind == "byte-bpe":
        pytest.importorskip("tokenizers")
    tokenizer = load(models[kind])
    texts = [text.decode() for text in probe.texts()]
    ids, offsets = tokenizer.encode(*buffers(texts))
    slow, slow_offsets = tokenizer.encode(*buffers(texts), fast=False)
    assert np.array_equal(ids, slow)
    assert np.array_equal(offsets, slow_offsets)
    assert (tokenizer.fast is None) == (kind == "unigram")
    spelling = tokenizer.reference.special_spellings[0]
    ids, _ = tokenizer.encode(*buffers([f"a{spelling}b"]))
    assert tokenizer.reference.id_of(spelling) not in ids[:-1].tolist()


@pytest.mark.parametrize("kind", ["bpe", "unigram", "byte-bpe"])
def test_training_is_deterministic(models: dict[str, str], kind: str) -> None:
    if kind == "byte-bpe":
        pytest.importorskip("tokenizers")
    assert train(PROSE, TrainParams(kind=kind, vocab_size=900)) == Path(models[kind]).read_bytes()


def test_a_trained_model_gives_the_text_back(models: dict[str, str]) -> None:
    tokenizer = load(models["bpe"])
    for text in probe.TEXTS:
        ids, _ = tokenizer.encode(*buffers([text]))
        assert tokenizer.reference._model.decode(ids[:-1].tolist()) == text.replace("▁", " ")  # type: ignore[attr-defined]


def test_too_little_text_for_a_vocabulary_is_refused() -> None:
    with pytest.raises(TokenizerError, match="is more than the 267 pieces that the text gives"):
        train(["a b c"], TrainParams(kind="bpe", vocab_size=5000))


def test_a_file_of_ranks_must_bear_the_name_of_its_encoding(models: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "mine.tiktoken"
    other.write_bytes(Path(models["ranks"]).read_bytes())
    with pytest.raises(TokenizerError, match="name it after its encoding"):
        load(str(other))


def test_the_sample_for_training_does_not_depend_on_the_splits(store: Store) -> None:
    texts = [f"text {i} " * 5 for i in range(40)]
    params = TrainParams(sample_bytes=600)
    found = []
    for parts in (1, 3):
        splits = []
        for part in range(parts):
            names = [f"doc {i}" for i in range(part, 40, parts)]
            domains = [("de", "en", None)[i % 3] for i in range(part, 40, parts)]
            written = write_split(store, f"{parts}/{part}", texts[part::parts], names=names, domains=domains)
            splits.append((written["files"]["documents"], written["files"]["kept"]))
        found.append(sample_texts(store, splits, {"de": 1, "en": 3}, params))
    assert found[0] == found[1]
    sizes = {
        domain: sum(len(t) for t in found[0] if int(t.split()[1]) % 3 == k) for k, domain in enumerate(("de", "en"))
    }
    assert 150 <= sizes["de"] < 150 + 45
    assert 450 <= sizes["en"] < 450 + 45


def slow_merge(token: bytes, ranks: dict[bytes, int]) -> tuple[int, int]:
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        known = [(ranks[a + b], i) for i, (a, b) in enumerate(itertools.pairwise(parts)) if a + b in ranks]
        known = [pair for pair in known if pair[0] < ranks[token]]
        if not known:
            return -1, -1
        i = min(known)[1]
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return (ranks[parts[0]], ranks[parts[1]]) if len(parts) == 2 else (-1, -1)


def test_merges_recovered_from_ranks_are_those_of_bpe() -> None:
    ranks: dict[bytes, int] = load("tekken").reference.ranks  # type: ignore[attr-defined]
    tokens = [*sorted(ranks, key=ranks.__getitem__)[:1500], b"zqzqzq"]
    some = {token: rank for rank, token in enumerate(tokens)}
    data, offsets = text_buffers(pa.array(tokens, pa.large_binary()))
    assert merges_of(data, offsets).tolist() == [list(slow_merge(token, some)) for token in tokens]
