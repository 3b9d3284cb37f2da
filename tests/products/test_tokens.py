"""Tokens of a split: order, spans, conservation, and the fall back to the reference."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store.storage import Store
from stages import schemas, tokens
from stages.kernels.columns import rows
from stages.kernels.columns.gather import splice_spans
from stages.kernels.columns.keyed_hash import hash_names
from stages.kernels.columns.ragged import offsets_of, text_buffers
from stages.kernels.columns.rows import append_token, take_rows
from stages.tokenizers import FastEncoderError, load
from stages.tokens import encoding, output
from tests.support.token_files import doc_id, write_split

TEXTS = [f"page {i} " + "wörd " * (i % 7) for i in range(30)]


def tokenize(store: Store, arguments: dict[str, Any], **params: Any) -> tuple[pa.Table, dict[str, Any]]:
    tokens.tokenize(store, **arguments, params=params)
    with store.open(arguments["output"]) as file:
        table = pa.ipc.open_file(file).read_all()
    table.validate(full=True)
    return table, store.metadata(arguments["output"])


def test_rows_come_in_order_of_domain_key_and_doc_id(store: Store) -> None:
    domains = [("de", "en", None)[i % 3] for i in range(30)]
    table, report = tokenize(store, write_split(store, "s", TEXTS, domains=domains), seed=5)
    assert table.schema.remove_metadata() == schemas.tokens(pa.uint16())
    rows = list(zip(*(table[name].to_pylist() for name in ("domain", "order_key", "doc_id")), strict=True))
    assert rows == sorted(rows)
    assert len(rows) == 20 == report["rows"]
    assert {row[2] for row in rows} == {doc_id(f"s/{i}") for i in range(30) if i % 3 < 2}


def test_ids_are_those_of_the_library_with_eos(store: Store) -> None:
    table, _ = tokenize(store, write_split(store, "s", TEXTS))
    reference = load("mistral-v1").reference
    expected = {doc_id(f"s/{i}"): [*reference.encode(text.encode()).tolist(), 2] for i, text in enumerate(TEXTS)}
    assert dict(zip(table["doc_id"].to_pylist(), table["input_ids"].to_pylist(), strict=True)) == expected


def test_report_counts_every_row_and_batch(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "BATCH_BYTES", 64)
    domains = [("de", "en", None)[i % 3] for i in range(30)]
    arguments = write_split(store, "s", TEXTS, domains=domains)
    table, report = tokenize(store, arguments)
    assert report["tokens"] == sum(map(len, table["input_ids"].to_pylist()))
    assert sum(group["documents"] for group in report["groups"]) == 20
    assert [group["domain"] for group in report["groups"]] == ["de", "en"]
    with store.open(arguments["output"]) as file:
        reader = pa.ipc.open_file(file)
        assert reader.num_record_batches == len(report["batches"]) > 4
        for number, listed in enumerate(report["batches"]):
            batch = reader.get_batch(number)
            assert set(batch["domain"].to_pylist()) == {listed["domain"]}
            keys = [f"{key:016x}" for key in batch["order_key"].to_pylist()]
            assert (keys[0], keys[-1], len(keys)) == (listed["first_key"], listed["last_key"], listed["rows"])
            assert len(batch["input_ids"].values) == listed["tokens"]


def test_spans_are_cut_and_replaced_before_tokenization(store: Store) -> None:
    texts = ["mail bob@example.org now", "häuser", "kept whole"]
    spans: list[Any] = [
        [{"start": 5, "stop": 20, "replacement": "<mail>"}],
        [{"start": 1, "stop": 3, "replacement": ""}],
        [],
    ]
    table, report = tokenize(store, write_split(store, "s", texts, spans=spans))
    model = load("mistral-v1").reference._model  # type: ignore[attr-defined]
    found = dict(zip(table["doc_id"].to_pylist(), table["input_ids"].to_pylist(), strict=True))
    assert [model.decode(found[doc_id(f"s/{i}")][:-1]) for i in range(3)] == ["mail <mail> now", "huser", "kept whole"]
    assert report["text_bytes"] == len("mail <mail> now" + "huser" + "kept whole")


def test_a_page_left_without_text_is_counted_and_makes_no_row(store: Store) -> None:
    spans: list[Any] = [None, [{"start": 0, "stop": 3, "replacement": ""}], None]
    table, report = tokenize(store, write_split(store, "s", ["", "abc", "d"], spans=spans))
    assert table["doc_id"].to_pylist() == [doc_id("s/2")]
    assert (report["rows"], report["empty_documents"]) == (1, 2)


@pytest.mark.parametrize("span", [(0, 99), (2, 1), (1, 2)])
def test_a_span_that_does_not_fit_the_text_is_refused(store: Store, span: tuple[int, int]) -> None:
    spans: list[Any] = [[{"start": span[0], "stop": span[1], "replacement": ""}]]
    with pytest.raises(ValueError, match="spans of `kept` do not fit"):
        tokenize(store, write_split(store, "s", ["äöü"], spans=spans))


def test_a_split_of_which_nothing_is_kept_makes_an_empty_file(store: Store) -> None:
    table, report = tokenize(store, write_split(store, "s", ["a", "b"], domains=[None, None]))
    assert (table.num_rows, report["rows"], report["groups"], report["batches"]) == (0, 0, [], [])


def test_one_difference_makes_the_reference_do_the_split(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    honest, report = tokenize(store, write_split(store, "s", TEXTS), check_one_in=1)
    assert report["fast"], report["why_slow"]
    assert report["checked_documents"] == 30
    tokenizer = load("mistral-v1")

    def wrong(data: np.ndarray, offsets: np.ndarray, *end: Any) -> tuple[np.ndarray, np.ndarray]:
        assert tokenizer.fast is not None
        ids, bounds = tokenizer.fast(data, offsets, *end)
        return np.where(ids == ids[-2], ids + 1, ids), bounds

    broken = replace(tokenizer, proven=lambda: (wrong, None))
    monkeypatch.setattr(tokens, "load", lambda *_: broken)
    table, report = tokenize(store, write_split(store, "s", TEXTS), check_one_in=1)
    assert not report["fast"]
    assert "differs from sentencepiece on document" in report["why_slow"]
    assert table.equals(honest)


def test_a_fast_encoder_that_breaks_down_leaves_the_split_to_the_reference(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, _ = tokenize(store, write_split(store, "s", TEXTS))
    tokenizer = load("mistral-v1")

    def broken(data: np.ndarray, offsets: np.ndarray, *end: Any) -> tuple[np.ndarray, np.ndarray]:
        raise FastEncoderError("gigatoken panicked: out of luck")

    monkeypatch.setattr(tokens, "load", lambda *_: replace(tokenizer, proven=lambda: (broken, None)))
    table, report = tokenize(store, write_split(store, "s", TEXTS))
    assert (report["fast"], report["why_slow"]) == (False, "gigatoken panicked: out of luck")
    assert table.equals(honest)


def test_how_many_row_groups_are_encoded_together_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = write_split(store, "s", TEXTS, rows_per_group=4)
    together, report = tokenize(store, addresses)
    monkeypatch.setattr(encoding, "ENCODED_BYTES", 1)
    apart, other = tokenize(store, addresses)
    assert together.equals(apart)
    assert report["groups"] == other["groups"]


def test_cluster_size_travels_and_is_one_without_deduplication(store: Store) -> None:
    table, _ = tokenize(store, write_split(store, "s", ["a", "b"], cluster_sizes=[3, 1]))
    assert sorted(table["cluster_size"].to_pylist()) == [1, 3]
    table, _ = tokenize(store, write_split(store, "t", ["a", "b"]))
    assert table["cluster_size"].to_pylist() == [1, 1]


def test_files_of_different_rows_are_refused(store: Store) -> None:
    one, two = write_split(store, "s", ["a", "b"]), write_split(store, "t", ["a"])
    with pytest.raises(ValueError, match="must have the same rows"):
        tokenize(store, {**one, "files": {**one["files"], "kept": two["files"]["kept"]}})


def test_digest_of_a_domain_changes_with_its_documents_alone(store: Store) -> None:
    one = tokenize(store, write_split(store, "s", ["a", "b", "c"], domains=["de", "en", "en"]))[1]["domain_digests"]
    two = tokenize(store, write_split(store, "s", ["a", "b", "d"], domains=["de", "en", "en"]))[1]["domain_digests"]
    assert one["de"] == two["de"]
    assert one["en"] != two["en"]


# Kernels against their slow twins

RAGGED = st.lists(st.text(max_size=12), max_size=8)


@given(RAGGED, st.randoms())
@settings(max_examples=60, deadline=None)
def test_taking_rows_equals_picking_them(texts: list[str], random: Any) -> None:
    data, offsets = text_buffers(pa.array(["x", *texts], pa.large_string()).slice(1))
    wanted = [random.randrange(len(texts)) for _ in range(random.randrange(6))] if texts else []
    out, bounds = take_rows(data, offsets, np.array(wanted, np.int64))
    assert [out[a:b].tobytes().decode() for a, b in itertools.pairwise(bounds)] == [texts[row] for row in wanted]


@given(st.lists(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=4), max_size=4), st.randoms(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_rows_of_several_pieces_come_in_the_order_asked(parts: list[list[list[int]]], random: Any, join: bool) -> None:
    every = [row for part in parts for row in part]
    wanted = [random.randrange(len(every)) for _ in range(random.randrange(6))] if every else []
    data = [np.array([token for row in part for token in row], np.uint16).view(np.uint8) for part in parts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_MEAN_BYTES", 1 << 20 if join else 0)
        pieces = rows.Pieces(data, offsets_of([len(row) for row in every]), np.dtype(np.uint16))
        ids, bounds = pieces.take(np.array(wanted, np.int64))
        patch.setattr(rows, "_WRITTEN_BYTES", 6)
        blocks = [block.tolist() for block in pieces.blocks(np.array(wanted, np.int64))]
    assert [ids[a:b].tolist() for a, b in itertools.pairwise(bounds)] == [every[row] for row in wanted]
    assert list(itertools.chain(*blocks)) == ids.tolist()
    assert all(len(block) <= 3 or block in every for block in blocks)


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_summary_of_ids_equals_counting_them(ids: list[int], block: int) -> None:
    expected = (min(ids), max(ids), ids.count(2)) if ids else (0, 0, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_BLOCK", block)
        assert rows.id_summary(np.array(ids, np.uint16), 2) == expected


@given(
    st.lists(
        st.tuples(st.binary(max_size=20), st.lists(st.integers(0, 20), max_size=6), st.binary(max_size=3)), max_size=5
    )
)
@settings(max_examples=80, deadline=None)
def test_splice_equals_slices_joined(rows: list[tuple[bytes, list[int], bytes]]) -> None:
    expected, starts, stops, counts = [], [], [], []
    for text, cuts, replacement in rows:
        points = sorted(min(cut, len(text)) for cut in cuts)
        pairs = list(zip(points[::2], points[1::2], strict=False))
        out, last = b"", 0
        for start, stop in pairs:
            out += text[last:start] + replacement
            last = stop
        expected.append(out + text[last:])
        starts += [pair[0] for pair in pairs]
        stops += [pair[1] for pair in pairs]
        counts.append(len(pairs))
    data, offsets = text_buffers(pa.array([row[0] for row in rows], pa.large_binary()))
    words = [row[2] for row, count in zip(rows, counts, strict=True) for _ in range(count)]
    replacement_data, replacement_offsets = text_buffers(pa.array(words, pa.large_binary()))
    out_data, out_offsets = splice_spans(
        data,
        offsets,
        offsets_of(np.array(counts, np.int64)),
        np.array(starts, np.int64),
        np.array(stops, np.int64),
        replacement_data,
        replacement_offsets,
    )
    assert [out_data[a:b].tobytes() for a, b in itertools.pairwise(out_offsets)] == expected


@given(st.lists(st.lists(st.integers(3, 90000), max_size=6), max_size=6))
@settings(max_examples=60, deadline=None)
def test_append_puts_the_token_behind_every_row(rows: list[list[int]]) -> None:
    ids = np.array([token for row in rows for token in row], np.uint32)
    offsets = offsets_of([len(row) for row in rows])
    out, bounds = append_token(ids, offsets, 2, np.dtype(np.uint32))
    assert [out[a:b].tolist() for a, b in itertools.pairwise(bounds)] == [[*row, 2] for row in rows]
    if any(token > 65535 for row in rows for token in row):
        with pytest.raises(ValueError, match="does not fit uint16"):
            append_token(ids, offsets, 2, np.dtype(np.uint16))


def test_append_refuses_the_token_inside_a_row() -> None:
    with pytest.raises(ValueError, match="found 1 times inside"):
        append_token(np.array([5, 2, 6], np.uint32), np.array([0, 3]), 2, np.dtype(np.uint16))


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=6), st.integers(0, 2**64 - 1))
@settings(max_examples=60, deadline=None)
def test_names_hash_as_by_the_library(names: list[bytes], seed: int) -> None:
    found = hash_names(np.frombuffer(b"".join(names), np.uint8), seed)
    assert found.tolist() == [xxhash.xxh3_64_intdigest(name, seed) for name in names]
