"""Our own SentencePiece BPE encoder: the ids of the library, whatever the text, the model and what was met before."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2

from stages.kernels.bpe.merges import SHORT
from stages.kernels.bpe.units import CHUNK, KEY_BYTES
from stages.kernels.columns.ragged import text_buffers
from stages.tokenizers import FastEncoderError, load, probe, read_model
from stages.tokenizers.bpe import BpeEncoder, Unsuited
from stages.tokenizers.piece_model import BPE, CONTROL, NORMAL, UNIGRAM, UNKNOWN, UNUSED, USER_DEFINED, parse
from stages.tokenizers.pieces import PieceReference
from stages.tokenizers.tokenizer import encode_by_reference
from stages.tokenizers.train import TrainParams, train

TINY = 1 << 10
"""A cache of sixteen units: next to everything is pushed out again."""

HOSTILE = [
    "",
    " ",
    "▁",
    " ▁ ▁▁  ▁",
    " " * 3000,
    "a" * 3000,
    "▁" * 500 + " " * 500,
    "ab" * CHUNK,
    "x" * (CHUNK - 1) + " y" + "z" * CHUNK,
    "é" * (CHUNK // 2) + "e" + "é" * CHUNK,
    "漢" * 2000 + "字",
    "👩‍👩‍👧‍👦🏳️‍🌈" * 200,
    "e\u0301\u0323" * 400,
    "\U0010ffff\U000e0041\ue000\ufffd\ufeff\x00\x7f\u0080" * 60,
    "ꙮ𐍈𒀀ᚠ߷ⴰ" * 90,
    "".join(map(chr, range(0xD800))),
    "".join(map(chr, range(0x110000 - 0x4000, 0x110000))),
    "<s></s><unk><0x41><0x00>[INST] [/INST][REFERENCE_DOC_1][REFERENCE_DOC_19]",
    "".join(f"{i:x}" for i in range(3000)),
    " ".join(f"q{i * 7919 % 10007}z" for i in range(2000)),
    "abc " * 2000 + "d",
    *("w" * n for n in (SHORT - 1, SHORT, SHORT + 1, KEY_BYTES - 1, KEY_BYTES, KEY_BYTES + 1)),
]


def buffers(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return text_buffers(pa.array(texts, pa.large_string()))


def assert_right(encoder: BpeEncoder, reference: PieceReference, texts: list[str]) -> None:
    data, offsets = buffers(texts)
    expected, bounds = encode_by_reference(reference, data, offsets)
    for _ in range(2):  # the second time from the cache
        ids, found = encoder(data, offsets)
        assert np.array_equal(found, bounds)
        assert np.array_equal(ids, expected)


@pytest.fixture(scope="module")
def trained() -> bytes:
    prose = [text.decode() for text in probe.texts()] * 3 + [f"number {i} is {i * i}" for i in range(500)]
    return train(prose, TrainParams(kind="bpe", vocab_size=900))


@pytest.fixture(scope="module")
def models(trained: bytes) -> dict[str, tuple[bytes, PieceReference, BpeEncoder]]:
    found = {"trained": trained, **{name: read_model(name)[0] for name in ("mistral-v1", "mistral-v3")}}
    return {name: (model, PieceReference(model), BpeEncoder(model, TINY, 1)) for name, model in found.items()}


MODELS = pytest.mark.parametrize("name", ["trained", "mistral-v1", "mistral-v3"])


@MODELS
def test_hostile_texts_have_the_ids_of_the_library(models: dict[str, Any], name: str) -> None:
    model, reference, encoder = models[name]
    assert_right(encoder, reference, HOSTILE)
    assert_right(BpeEncoder(model), reference, HOSTILE[::-1])


LETTERS = st.sampled_from(
    [
        *" \u2581\n\t.,-'[]<>_/\"0123",
        "the",
        " of",
        "ing",
        "\r\n",
        "A",
        "z",
        "é",
        "ß",
        "д",
        "л",
        "漢",
        "の",
        "ไ",
        "ह",
        "👍",
    ]
)
SPELLINGS = st.sampled_from(
    ["</s>", "<unk>", "[INST]", "[REFERENCE_DOC_1]", "[REFERENCE_DOC_1", "<0x0A>", "\u2581\u2581"]
)


@MODELS
@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.lists(st.one_of(LETTERS, SPELLINGS), max_size=80).map("".join), st.text()), max_size=5))
def test_any_texts_have_the_ids_of_the_library(models: dict[str, Any], name: str, texts: list[str]) -> None:
    _, reference, encoder = models[name]
    assert_right(encoder, reference, texts)


@st.composite
def vocabularies(draw: st.DrawFn) -> tuple[bytes, str]:
    """A model over a few letters, with equal scores, missing letters and user-defined pieces; and the letters."""
    letters = draw(st.sampled_from(["ab\u2581", "abc\u2581é", "a漢字\u2581👍", "\u2581a."]))
    chosen = random.Random(draw(st.integers(0, 1 << 30)))
    spelt = {"".join(chosen.choices(letters, k=chosen.randint(1, 5))) for _ in range(chosen.randint(1, 60))}
    users = {piece for piece in sorted(spelt) if chosen.random() < 0.06 and piece[0] != "\u2581"}
    spelt |= {letter for letter in letters if chosen.random() < 0.9} | {"\u2581"}
    pieces = [(piece, USER_DEFINED if piece in users else NORMAL) for piece in sorted(spelt)]
    return made(pieces, lambda _: -float(chosen.randint(0, 9))), letters.replace("\u2581", " \u2581") + "x"


def made(pieces: list[tuple[str, int]], score: Callable[[str], float], **normaliser: object) -> bytes:
    """A model file."""
    model = sentencepiece_model_pb2.ModelProto()
    special = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL), *((f"<0x{b:02X}>", 6) for b in range(256))]
    for piece, kind in [*special, *pieces]:
        model.pieces.add(piece=piece, type=kind, score=score(piece))
    model.trainer_spec.model_type = BPE
    model.trainer_spec.byte_fallback = True
    settings = {"name": "identity", "remove_extra_whitespaces": False, "add_dummy_prefix": True, **normaliser}
    for key, value in settings.items():
        setattr(model.normalizer_spec, key, value)
    return bytes(model.SerializeToString())


@settings(max_examples=100, deadline=None)
@given(vocabularies(), st.data())
def test_any_vocabulary_gives_the_ids_of_the_library(found: tuple[bytes, str], data: st.DataObject) -> None:
    model, letters = found  # printed at length where this fails: parse(model).pieces says more
    texts = data.draw(st.lists(st.text(letters, max_size=60), max_size=4))
    texts.append("".join(random.Random(str(texts)).choices(letters, k=2 * SHORT)))
    assert_right(BpeEncoder(model, TINY, 1), PieceReference(model), texts)


def test_the_width_of_ids_may_change_from_call_to_call(models: dict[str, Any]) -> None:
    _, reference, _ = models["mistral-v1"]
    encoder = BpeEncoder(read_model("mistral-v1")[0])
    data, offsets = buffers(HOSTILE)
    expected, bounds = encode_by_reference(reference, data, offsets)
    for dtype in (np.uint32, np.uint16, np.uint32):
        ids, found = encoder(data, offsets, 2, dtype)
        assert ids.dtype == dtype
        assert np.array_equal(ids[found[1:] - 1], np.full(len(HOSTILE), 2))
        assert np.array_equal(np.delete(ids, found[1:] - 1), expected)
        assert np.array_equal(found, bounds + np.arange(len(bounds)))


def test_texts_inside_a_larger_buffer_and_at_its_end(models: dict[str, Any]) -> None:
    _, reference, encoder = models["mistral-v1"]
    for stop in range(40):
        text = ("word, " * 8)[:stop]
        data = np.frombuffer(b"xx" + text.encode(), np.uint8)
        ids, bounds = encoder(data, np.array([2, 2 + stop], np.int64))
        assert np.array_equal(ids, reference.encode(text.encode()))
        assert bounds.tolist() == [0, len(ids)]


def test_an_end_that_a_text_can_spell_is_looked_for_in_every_text(models: dict[str, Any]) -> None:
    _, reference, encoder = models["mistral-v1"]
    letter = reference.id_of("\u2581word")
    assert letter is not None
    data, offsets = buffers(["other"])
    assert encoder(data, offsets, letter, np.uint16)[0][-1] == letter
    with pytest.raises(ValueError, match="found 1 times inside documents"):
        encoder(*buffers(["a word"]), letter, np.uint16)


@pytest.mark.parametrize("text", [b"a\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"abc \xe2\x96"])
def test_text_that_is_not_utf8_is_left_to_the_library(models: dict[str, Any], text: bytes) -> None:
    with pytest.raises(FastEncoderError, match="not UTF-8"):
        models["trained"][2](np.frombuffer(text, np.uint8), np.array([0, len(text)], np.int64))


LETTER = [("a", NORMAL), ("aa", NORMAL), ("\u2581", NORMAL)]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (made([*LETTER, ("b", UNUSED)], lambda _: 0), "unused pieces"),
        (made([*LETTER, ("b", CONTROL)], lambda _: 0), "reserved pieces of one character"),
        (made([*LETTER, ("\u2581\u2581", USER_DEFINED)], lambda _: 0), "user-defined pieces that begin with a space"),
        (made(LETTER, lambda _: 0, remove_extra_whitespaces=True), "white space is removed"),
        (made(LETTER, lambda _: 0, escape_whitespaces=False), "spaces are kept"),
        (made(LETTER, lambda _: 0, precompiled_charsmap=b"x"), "text is normalised"),
        (made([*LETTER, ("a b", NORMAL)], lambda _: 0), "spaces or nothing in pieces"),
        (made([("a", NORMAL), ("\u2581a", NORMAL)], lambda _: 0), "no piece for a space"),
    ],
)
def test_a_model_that_asks_for_more_is_not_taken(model: bytes, reason: str) -> None:
    with pytest.raises(Unsuited, match=reason):
        BpeEncoder(model)


def test_a_unigram_model_is_not_taken() -> None:
    model = sentencepiece_model_pb2.ModelProto.FromString(made(LETTER, lambda _: 0))
    model.trainer_spec.model_type = UNIGRAM
    model.trainer_spec.byte_fallback = False
    with pytest.raises(Unsuited, match="not BPE, no byte fallback"):
        BpeEncoder(model.SerializeToString())


def test_a_model_file_says_what_the_library_reads(trained: bytes) -> None:
    for data in (trained, read_model("mistral-v3")[0]):
        own, theirs = parse(data), sentencepiece_model_pb2.ModelProto.FromString(data)
        assert own.pieces == [piece.piece for piece in theirs.pieces]
        assert own.scores.tolist() == [piece.score for piece in theirs.pieces]
        assert own.kinds.tolist() == [piece.type for piece in theirs.pieces]
        assert (own.model_type, own.byte_fallback) == (
            theirs.trainer_spec.model_type,
            theirs.trainer_spec.byte_fallback,
        )
        assert (own.dummy_prefix, own.removes_spaces, own.escapes_spaces, own.normalised, own.space_as_suffix) == (
            theirs.normalizer_spec.add_dummy_prefix,
            theirs.normalizer_spec.remove_extra_whitespaces,
            theirs.normalizer_spec.escape_whitespaces,
            bool(theirs.normalizer_spec.precompiled_charsmap),
            theirs.trainer_spec.treat_whitespace_as_suffix,
        )


@pytest.mark.parametrize("cut", [1, 5, 1000])
def test_a_cut_model_file_is_refused(trained: bytes, cut: int) -> None:
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        parse(trained[:-cut] if cut > 1 else trained + b"\x0a")


def test_the_shipped_model_is_encoded_by_our_own_encoder() -> None:
    for name in ("mistral-v1", "mistral-v2", "mistral-v3", "mistral-v7"):
        assert isinstance(load(name).fast, BpeEncoder), load(name).why_slow


def test_a_model_our_encoder_does_not_take_has_the_ids_of_the_library_all_the_same(
    trained: bytes, tmp_path: Path
) -> None:
    model = sentencepiece_model_pb2.ModelProto.FromString(trained)
    model.normalizer_spec.remove_extra_whitespaces = True
    path = tmp_path / "squeezed.model"
    path.write_bytes(model.SerializeToString())
    tokenizer = load(str(path))
    assert not isinstance(tokenizer.fast, BpeEncoder)
    data, offsets = buffers(["  two  words ", "", "a\n b"])
    for ids, bounds in (tokenizer.encode(data, offsets), tokenizer.encode(data, offsets, fast=False)):
        assert bounds[-1] == len(ids)
        assert tokenizer.is_right(data[: offsets[1]], ids[: bounds[1]])


def test_why_there_is_no_fast_encoder_names_every_one_that_was_tried(tmp_path: Path) -> None:
    model = sentencepiece_model_pb2.ModelProto.FromString(made(LETTER, lambda _: -1))
    model.trainer_spec.model_type = UNIGRAM
    path = tmp_path / "unigram.model"
    path.write_bytes(model.SerializeToString())
    reason = load(str(path)).why_slow
    assert reason is not None
    assert "not BPE" in reason
    assert reason.count("no fast encoder for this model") == 2
