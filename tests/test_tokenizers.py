"""Tokenizers: the fast encoder is the reference, special spellings are text, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from stages import tokenizers
from stages.kernels.ragged import text_buffers
from stages.tokenizers import TokenizerError, encode_by_reference, load, probe


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


def test_a_file_that_is_no_model_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
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

    assert replace(tokenizer, fast=wrong).first_difference(*buffers(["a", "b", "c"])) == 1
    assert tokenizer.first_difference(*buffers(["a", "b", "c"])) is None


def test_identity_tells_file_library_policies_and_behaviour() -> None:
    identity = load("mistral-v1").identity()
    assert identity["sha256"] == "dadfd56d766715c61d2ef780a525ab43b8e6da4de6865bda3d95fdef5e134055"
    assert identity["probe_sha256"] == "c0e0b866588d0ce0a74ee202cbd711f3b336cbd72e6046589bfff0f430916c95"
    assert (identity["vocab_size"], identity["eos_id"], identity["dtype"]) == (32000, 2, "uint16")
    assert load("tekken").identity()["dtype"] == "uint32"
