"""Signatures: equal to their slow twins for all of Unicode, unbiased, and as the reference counts on real pages."""

from __future__ import annotations

import itertools
import random
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import signatures
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.dedup import minhash
from stages.kernels.dedup.shingles import shingle_sets
from stages.kernels.unicode import normal_tables
from stages.kernels.unicode.normalise import normalise
from tests.slow import dedup as slow


def normal_texts(texts: list[str]) -> list[tuple[str, bool]]:
    data, offsets, spaceless = normalise(*text_buffers(pa.array(texts, pa.large_string())))
    found = [data[a:b].tobytes().decode() for a, b in itertools.pairwise(offsets)]
    return list(zip(found, spaceless.tolist(), strict=True))


def sign(texts: list[str], **params: int) -> list[dict]:
    ids = pa.array([bytes([0] * 12) + i.to_bytes(4, "big") for i in range(len(texts))], pa.binary(16))
    batch = pa.record_batch({"doc_id": ids, "text": pa.array(texts, pa.large_string())})
    return signatures.prepare(signatures.Params(**params))(batch).to_pylist()


def test_every_code_point_alone_and_between_neighbours_normalises_as_python_does() -> None:
    codes = [c for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]
    for frame in ("{}", "a{}b", "\u0915{}\u093c {}", "e{}\u0301", "\u1100{}\u11a8 \u0435{}"):
        codes = codes if frame == "{}" else [c for c in codes if c < 0x3400 or 0xA000 <= c < 0x1F000]
        # one text per 200 code points keeps it fast and puts each beside others
        texts = [
            " ".join(frame.format(*(chr(c),) * frame.count("{}")) for c in codes[i : i + 200])
            for i in range(0, len(codes), 200)
        ]
        assert normal_texts(texts) == [slow.comparable(text) for text in texts]


def test_words_are_those_of_scripts_that_part_them_by_a_sign_or_not_at_all() -> None:
    """Ethiopic has a wordspace that is punctuation; Tibetan, New Tai Lue, Balinese, Javanese and Shan no spaces."""
    assert normal_texts(["ሰላም፡ለዓለም፡። ሰላም፡"]) == [("ሰላም ለዓለም ሰላም", False)]
    for text in ("བོད་སྐད་ ནི།", "ᦅᧄ ᦺᦑ", "ᬩᬮᬶ ᬩᬮᬶ", "ꦗꦮ ꦗꦮ", "ꩡႃႇ ꩡ"):
        [(normal, spaceless)] = normal_texts([text])
        assert spaceless
        assert " " not in normal


def test_a_changed_word_of_tibetan_or_amharic_leaves_most_shingles() -> None:
    tibetan = "བོད་ཡིག་ནི་བོད་མིའི་སྐད་ཡིག་ཡིན་ལ་རྒྱ་གར་གྱི་ཡི་གེ་ལས་བྱུང་བ་ཡིན།"
    amharic = "ሰላም፡ለዓለም፡ሁሉ፡ይሁን፡ብለው፡ሰዎች፡በአንድ፡ድምፅ፡ጸለዩ፡በዚያ፡ቀን፡በከተማው፡መካከል፡ተሰብስበው"
    for text, old, new in ((tibetan, "རྒྱ་གར", "རྒྱ་ནག"), (amharic, "ቀን", "ሌሊት")):
        one, other = slow.shingles(text, 5), slow.shingles(text.replace(old, new), 5)
        assert 0.4 < len(one & other) / len(one | other) < 1


def test_nothing_but_plain_letters_lies_outside_the_scanned_planes() -> None:
    scanned = set(normal_tables._scanned())
    for code in range(sys.maxunicode + 1):
        if code in scanned or 0xD800 <= code < 0xE000:
            continue
        character = chr(code)
        assert unicodedata.category(character) in ("Lo", "Cn", "Co")
        assert unicodedata.normalize("NFKC", character).lower() == character
        assert not character.isspace()


ALPHABET = (
    "aB 3.\n\u00a0\u00e9\u00c9\u0301\u0323\u0307\u03a3\u03c3\u0130\u00df\ufb01\u00bd\u2126\uff21\uac00\u1100\u1161"
    "\u11a8\u0928\u093c\u0e01\u0e49\u4e2d\u3042\uff76\uff9e\u0640\u0651\u064e\ufdfa\u2028\U0001d7d8\U0001f600\x00\x1c\u00a8\u32c0"
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.text(alphabet=ALPHABET, max_size=12) | st.text(max_size=12), max_size=4))
def test_any_text_normalises_as_python_does(texts: list[str]) -> None:
    assert normal_texts(texts) == [slow.comparable(text) for text in texts]


def test_bytes_that_are_not_utf8_are_left_out_and_hurt_nobody() -> None:
    parts = [b"good text", b"bad \xff\xc3 end", b"cut \xe4\xb8", b"\xc0\x80 overlong \xed\xa0\x80", b"after"]
    data = np.frombuffer(b"".join(parts), np.uint8)
    offsets = np.cumsum([0, *map(len, parts)]).astype(np.int64)
    out, out_offsets, _ = normalise(data, offsets)
    texts = [out[a:b].tobytes() for a, b in itertools.pairwise(out_offsets)]
    assert texts == [b"good text", b"bad end", b"cut", b"overlong", b"after"]


def test_slices_of_a_column_give_the_same_rows_as_the_whole() -> None:
    column = pa.array(["one two", "Three FOUR five", "", "\u03a3igma end", "six"], pa.large_string())
    data, offsets, _ = normalise(*text_buffers(column[2:]))
    assert bytes(data[: offsets[-1]]) == b"" + "σigma end".encode() + b"six"


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab c\u4e2d\u6587\u3042dé", max_size=60), st.integers(1, 7))
def test_shingles_and_minima_equal_the_slow_twin(text: str, ngram: int) -> None:
    data, offsets, spaceless = normalise(*text_buffers(pa.array([text], pa.large_string())))
    hashes, _ = shingle_sets(data, offsets, spaceless, ngram)
    assert hashes.tolist() == slow.shingle_hashes(text, ngram)
    row = sign([text], ngram=ngram, permutations=16, seed=7)[0]
    a, b = minhash.permutations(16, 7)
    assert row["minhash"] == slow.minima(text, ngram, a.tolist(), b.tolist())
    assert row["num_shingles"] == len(slow.shingles(text, ngram))
    assert row["exact_hash"] == xxhash.xxh3_128_digest(slow.comparable(text)[0].encode())


def test_long_words_and_long_documents_equal_the_slow_twin() -> None:
    draw = random.Random(3)
    words = ["".join(draw.choices("abcdefgh", k=draw.randint(1, 40))) for _ in range(300)]
    texts = [" ".join(draw.choices(words, k=2000)), "x" * 5000, " ".join(words[:3] * 400)]
    rows = sign(texts)
    a, b = minhash.permutations(112, 1)
    for text, row in zip(texts, rows, strict=True):
        assert row["minhash"] == slow.minima(text, 5, a.tolist(), b.tolist())
        assert row["num_shingles"] == len(slow.shingles(text, 5))


def test_a_text_without_units_has_no_shingle() -> None:
    for row in sign(["", " \n\t", "...!?", "\u2014"]):
        assert row["num_shingles"] == 0
        assert set(row["minhash"]) == {2**32 - 1}


def test_case_punctuation_width_and_spacing_do_not_change_the_exact_hash() -> None:
    rows = sign(["Hello, World! ok", "hello   world ok\n", "HELLO\u3000WORLD OK", "hello world okay"])
    assert len({row["exact_hash"] for row in rows[:3]}) == 1
    assert rows[3]["exact_hash"] != rows[0]["exact_hash"]


def test_spaces_do_not_count_in_scripts_without_them() -> None:
    rows = sign(["\u6771\u4eac\u90fd\u306f\u65e5\u672c", "\u6771\u4eac \u90fd\u306f\n\u65e5\u672c"])
    assert rows[0]["exact_hash"] == rows[1]["exact_hash"]
    assert rows[0]["minhash"] == rows[1]["minhash"]


def test_sketches_and_band_keys_equal_the_slow_twin() -> None:
    minima = np.random.default_rng(5).integers(0, 2**32, (20, 112), dtype=np.uint32)
    salts = np.arange(20, dtype=np.uint64) * np.uint64(2**59 + 7)
    keys = minhash.band_keys(minima, 18, 6, salts)
    for row, found in enumerate(minima.tolist()):
        assert minhash.sketches(minima)[row].tolist() == slow.sketch(found)
        assert keys[row].tolist() == slow.band_keys(found, 18, 6, int(salts[row]))
    with pytest.raises(ValueError, match="need 120 permutations, found 112"):
        minhash.band_keys(minima, 20, 6, salts)


@pytest.mark.parametrize("similarity", [0.2, 0.5, 0.7, 0.8, 0.9, 0.95])
def test_agreement_of_minima_and_of_bands_is_what_the_similarity_says(similarity: float) -> None:
    """200 independent pairs of known similarity: mean of the estimate and S-curve within four sigma."""
    draw = random.Random(int(similarity * 100))
    size, pairs, rows, bands = 400, 200, 6, 18
    common = round(2 * size * similarity / (1 + similarity))
    exact = common / (2 * size - common)
    texts = []
    for _ in range(pairs):
        # ngram 1: every word is a shingle, so the similarity of the sets is chosen exactly
        words = [f"{draw.getrandbits(48):x}" for _ in range(2 * size - common)]
        texts += [" ".join(words[:size]), " ".join(words[size - common :])]
    found = np.array([row["minhash"] for row in sign(texts, ngram=1)], np.uint32).reshape(pairs, 2, 112)
    agreement = (found[:, 0] == found[:, 1]).mean()
    assert abs(agreement - exact) < 4 * (exact * (1 - exact) / (112 * pairs)) ** 0.5
    banded = found[:, :, : bands * rows].reshape(pairs, 2, bands, rows)
    met = (banded[:, 0] == banded[:, 1]).all(axis=2).any(axis=1).mean()
    expected = 1 - (1 - exact**rows) ** bands
    assert abs(met - expected) < 4 * (expected * (1 - expected) / pairs) ** 0.5 + 0.005


def test_the_schema_says_how_signatures_were_made() -> None:
    metadata = signatures.schema(signatures.Params(ngram=4)).metadata
    assert b'"ngram": 4' in metadata[b"signatures"]
    assert f'"unicode": "{unicodedata.unidata_version}"'.encode() in metadata[b"signatures"]


def test_distinct_shingles_of_real_pages_equal_the_reference(shared: Path) -> None:
    table = pq.read_table(shared / "reference/dedup/dev_docs.parquet", columns=["text", "n_shingles", "lang"])
    table = table.slice(0, 2500)
    data, offsets, spaceless = normalise(*text_buffers(table.column("text").cast(pa.large_string())))
    _, hash_offsets = shingle_sets(data, offsets, spaceless, 5)
    reference_mode = np.isin(np.array(table.column("lang").to_pylist()), ["zh", "ja", "th"])
    same_mode = spaceless == reference_mode
    assert (np.diff(hash_offsets) == table.column("n_shingles").to_numpy())[same_mode].all()
    assert same_mode.mean() > 0.995
