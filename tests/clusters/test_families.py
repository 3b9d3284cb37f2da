"""Each of the ten families by itself: pairwise precision and recall against every pair counted, and what must stay."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest

from pipeline.store.storage import Store
from stages import clusters, signatures
from tests.slow import dedup as slow
from tests.support.dedup_corpus import Page, cluster, write_split
from tests.support.dedup_families import FAMILIES, family

PARAMS = clusters.Params()


@dataclass(frozen=True)
class Score:
    """Of the pairs at the threshold: how many there are, the share in one cluster, the share with both pages kept.

    Of the removals: how many, the share whose survivor is that similar, and the least J of two pages of one survivor.
    """

    pairs: int
    recall: float
    both_kept: float
    removals: int
    precision: float
    least_of_a_survivor: float


def score(pages: list[Page], rows: dict[bytes, dict]) -> Score:
    sets = {page.doc_id: slow.shingles(page.text, 5) for page in pages}
    pairs = together = both = 0
    least = 1.0
    for a, b in itertools.combinations(sets, 2):
        row_a, row_b = rows[a], rows[b]
        same_survivor = (row_a["survivor"] or a) == (row_b["survivor"] or b)
        size_a, size_b = len(sets[a]), len(sets[b])
        if not same_survivor and min(size_a, size_b) < PARAMS.threshold * max(size_a, size_b):
            continue
        similarity = slow.jaccard(sets[a], sets[b])
        if same_survivor:
            least = min(least, similarity)
        if similarity >= PARAMS.threshold:
            pairs += 1
            together += row_a["cluster"] is not None and row_a["cluster"] == row_b["cluster"]
            both += row_a["survivor"] is None and row_b["survivor"] is None
    removed = [(doc_id, row["survivor"]) for doc_id, row in rows.items() if row["survivor"] is not None]
    right = sum(
        rows[survivor]["survivor"] is None and slow.jaccard(sets[doc_id], sets[survivor]) >= PARAMS.threshold
        for doc_id, survivor in removed
    )
    return Score(
        pairs, together / max(pairs, 1), both / max(pairs, 1), len(removed), right / max(len(removed), 1), least
    )


EXPECTED = {  # least number of true pairs, and of pages kept: (pairs, fewest, most)
    "edits": (20, 80, 100),
    "chain": (11, 2, 6),
    "template": (0, 40, 40),
    "common_words": (0, 20, 20),
    "short": (21, 21, 21),
    "containment": (4, 22, 26),
    "recognised": (3, 24, 28),
    "han": (3, 20, 28),
    "repeats": (15, 6, 6),
    "hot_bucket": (12_000, 1, 1),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", FAMILIES)
def test_removals_are_right_and_duplicates_found(store: Store, name: str, seed: int) -> None:
    pages = family(name, seed)
    inputs = [write_split(store, f"s{i}", pages[i::2], signatures.Params()) for i in range(2)]
    rows = cluster(store, inputs, PARAMS)
    found = score(pages, rows)
    pairs, fewest, most = EXPECTED[name]
    assert found.pairs >= pairs
    assert found.precision == 1.0 or found.removals == 0
    assert found.recall >= 0.99 or found.pairs == 0
    assert found.both_kept <= 0.01
    assert found.least_of_a_survivor >= 2 * PARAMS.threshold - 1  # the triangle inequality of 1 - J
    kept = sum(row["survivor"] is None for row in rows.values())
    assert fewest <= kept <= most, kept
