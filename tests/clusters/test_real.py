"""Clusters on real pages of which all pairs were counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipeline.store.storage import Store
from stages import clusters
from tests.support.dedup_corpus import Page, cluster, split_up

PARAMS = clusters.Params()


def assert_curve(store: Store, pages: Sequence[Page], true: dict[frozenset[str], float]) -> None:
    """Pairs below the threshold share a band as often as the curve says, give or take two points."""
    minima: dict[str, np.ndarray] = {}
    for cut in range(4):
        column = store.read_table(f"signatures/s{cut}.parquet", ["minhash"]).column(0).combine_chunks()
        found = column.flatten().to_numpy().reshape(len(column), -1)[:, : PARAMS.bands * PARAMS.rows]
        found = found.reshape(-1, PARAMS.bands, PARAMS.rows)
        minima |= {page.key: row for page, row in zip(pages[cut::4], found, strict=True)}
    for low, high in ((0.7, 0.75), (0.75, 0.8)):
        pairs = [(tuple(pair), value) for pair, value in true.items() if low <= value < high]
        met = [bool((minima[a] == minima[b]).all(axis=1).any()) for (a, b), _ in pairs]
        predicted = [1 - (1 - value**PARAMS.rows) ** PARAMS.bands for _, value in pairs]
        assert len(pairs) > 1500
        assert abs(np.mean(met) - np.mean(predicted)) < 0.02


def test_recall_and_precision_on_real_pages(shared: Path, store: Store) -> None:
    """Every pair of J >= 0.8 among 10,000 real pages was counted exactly; see the reference's README."""
    folder = shared / "reference/dedup"
    table = pq.read_table(folder / "dev_docs.parquet", columns=["doc_id", "text", "lang"]).to_pylist()
    pages = [Page(row["doc_id"], row["text"], language=row["lang"]) for row in table]
    rows = cluster(store, split_up(store, pages, 4, 1024), PARAMS)
    by_key = {page.key: rows[page.doc_id] for page in pages}
    pairs = pq.read_table(folder / "dev_pairs.parquet").to_pylist()
    true = {frozenset((p["doc_a"], p["doc_b"])): p["jaccard"] for p in pairs}
    duplicates = [pair for pair, similarity in true.items() if similarity >= 0.8]
    together = sum(len({by_key[key]["cluster"] for key in pair}) == 1 for pair in duplicates)
    assert together >= 0.99 * len(duplicates)
    assert_curve(store, pages, true)
    key_of = {page.doc_id: page.key for page in pages}
    for page in pages:
        row = rows[page.doc_id]
        if row["survivor"] is not None:
            assert true[frozenset((page.key, key_of[row["survivor"]]))] >= 0.8
