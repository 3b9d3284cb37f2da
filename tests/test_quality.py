"""`quality`: every column equals its slow twin on awkward texts and the public reference on real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import quality
from tests import slow_rules

TWINS = {
    "gopher_quality": slow_rules.gopher_quality,
    "gopher_repetition": slow_rules.gopher_repetition,
    "c4": slow_rules.c4,
    "c4_strict": slow_rules.c4_strict,
    "fineweb": slow_rules.fineweb,
}

# Column of ours -> column of the reference (white-space words).
REFERENCE = {
    "gopher_num_tokens": "gq_n_tokens_ws",
    "gopher_num_words": "gq_n_words_ws",
    "gopher_mean_word_characters": "gq_mean_word_len_ws",
    "gopher_hashes_per_word": "gq_hash_ratio_ws",
    "gopher_ellipses_per_word": "gq_ellipsis_ratio_ws",
    "gopher_bullet_line_fraction": "gq_bullet_line_frac",
    "gopher_ellipsis_line_fraction": "gq_ellipsis_line_frac",
    "gopher_alphabetic_word_fraction": "gq_alpha_word_frac_ws",
    "gopher_num_stop_words": "gq_n_stop_words_ws",
    "repetition_paragraph_fraction": "gr_dup_para_frac",
    "repetition_paragraph_character_fraction": "gr_dup_para_char_frac",
    "repetition_line_fraction": "gr_dup_line_frac",
    "repetition_line_character_fraction": "gr_dup_line_char_frac",
    **{f"repetition_top_{n}_gram_fraction": f"gr_top_{n}gram_frac_ws" for n in (2, 3, 4)},
    "c4_num_lines": "c4_n_lines",
    "fineweb_num_lines": "fw_n_lines",
    "fineweb_punctuated_line_fraction": "fw_line_punct_ratio",
    "fineweb_short_line_fraction": "fw_short_line_ratio",
    "fineweb_repeated_line_character_fraction": "fw_char_dup_ratio",
    "fineweb_line_breaks_per_word": "fw_newline_ratio_ws",
    **{f"repetition_{n}_gram_fraction": f"gr_dup_{n}gram_frac_ws" for n in range(5, 11)},
}

AWKWARD = [
    "",
    " ",
    "\n\n\n",
    "\r\n\r\n",
    "a",
    "the",
    "...",
    "....... x",
    "a ... \nb…\t\nc..",
    "- one\n  • two\n\u2028- three\x85x",
    "\ufeff\u200bזה שלום",
    "e\u0301 a\u0300",
    "\0\0 \0",
    "x" * 5000,
    "\n".join("abcabcddd" * 200),
    "one two\n\none two\n\none two\n\nthree",
    "a b " * 300,
    "ab c a bc " * 30,
    "磨坊坐落在河边。村里的人们。",
    "# ## #\n#",
    "One sentence. Two (here!) Three? Four... five. Six.\nIt uses javaScript now.\nlorem IPSUM dolor\na { b c",
    "See [1] this[23] text.[citation needed] Yes!\n[1] [2] [3]\n[edit] it [] now. [x]\nOur Privacy Policy is here.",
    "一。二！」三？\n完。。 四。\n" + "y" * 1001 + " a b c\n" + "é" * 1000 + " a b c.",
    "a b c \u212a. ...d e f... \nWe use cookies. Terms of use.\n. . .\n!? a b",
]
TEXTS = st.text(st.sampled_from("aabtheof. …\n\n\r\t #-•.!?{[]1,é中の。」\"'"), max_size=60) | st.text(max_size=40)


def batch_of(texts: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string())], ["text"])


def measure(texts: list[str], **params: Any) -> pa.RecordBatch:
    settings_ = quality.Params(**params)
    measured = quality.prepare(settings_)(batch_of(texts))
    assert measured.schema == quality.schema(settings_)
    assert measured.num_rows == len(texts)
    return measured


def check(texts: list[str]) -> None:
    rows = measure(texts).to_pylist()
    for text, row in zip(texts, rows, strict=True):
        expected: dict[str, Any] = {}
        for twin in TWINS.values():
            expected |= twin(text)
        for name, value in expected.items():
            close = pytest.approx(value, rel=1e-12, abs=0) if value is not None else None
            assert row[name] == close, (name, text)


def test_every_family_has_a_twin() -> None:
    assert list(TWINS) == list(quality.FIELDS)


def test_awkward_texts_equal_the_twins() -> None:
    check(AWKWARD)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, max_size=5))
def test_any_texts_equal_the_twins(texts: list[str]) -> None:
    check(texts)


def test_invalid_utf8_has_defined_values() -> None:
    raw = [b"\xff\xfe the \xed\xa0\x80 of", b"abc \xe4", b"\xf4\x90\x80\x80", b"the mill"]
    text = pa.array(raw, pa.large_binary()).view(pa.large_string())
    measured = quality.prepare(quality.Params())(pa.RecordBatch.from_arrays([text], ["text"]))
    for column in measured.columns:
        assert not any(value != value for value in column.to_pylist() if value is not None)
    assert measured.column("gopher_num_tokens").to_pylist() == [4, 2, 1, 2]


def test_a_slice_and_a_division_into_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = batch_of(AWKWARD)
    run = quality.prepare(quality.Params())
    whole = run(batch)
    assert run(batch.slice(3, 9)).equals(whole.slice(3, 9))
    monkeypatch.setattr(quality, "PIECE_BYTES", 16)
    assert run(batch).equals(whole)


def test_an_unknown_family_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="gopher_quality"):
        quality.Params(families=("gopher_qualty",))


def test_values_equal_the_reference(shared: Path) -> None:
    table = pq.read_table(shared / "reference" / "quality" / "dev.parquet", columns=["text", *REFERENCE.values()])
    measured = measure(table.column("text").to_pylist())
    for ours, theirs in REFERENCE.items():
        found = measured.column(ours).cast(pa.float64()).to_numpy(zero_copy_only=False)
        expected = table.column(theirs).cast(pa.float64()).combine_chunks().to_numpy(zero_copy_only=False)
        share = np.isclose(found, expected, rtol=1e-6, atol=0, equal_nan=True).mean()
        assert share >= 0.995, (ours, share)
