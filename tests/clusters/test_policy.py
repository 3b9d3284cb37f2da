"""Clusters: who stays, within which scope pages are compared, one address as one page; and what is refused."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from pipeline.store.storage import Store
from stages import clusters, signatures
from tests.support.dedup_corpus import Page, cluster, many_partitions, split_up, write_split
from tests.support.dedup_families import all_families, words

PARAMS = clusters.Params()
SIGNED = signatures.Params()


def survivors(store: Store, pages: Sequence[Page], **params: object) -> set[str]:
    rows = cluster(store, split_up(store, pages, 2), clusters.Params(**params))
    return {page.key for page in pages if rows[page.doc_id]["survivor"] is None}


TEXT = " ".join(words(random.Random(4), 120))


@pytest.mark.parametrize(
    ("params", "stays"),
    [
        ({"survivor": ("longest", "newest")}, "long"),
        ({"survivor": ("newest",)}, "new"),
        ({"survivor": ("oldest",)}, "old"),
        ({"survivor": ("quality",), "quality_column": "score"}, "good"),
        ({"survivor": ("source", "newest"), "source_priority": ("books", "web")}, "book"),
        ({"survivor": ()}, min(("long", "new", "old", "good", "book"), key=lambda k: hashlib.md5(k.encode()).digest())),
    ],
)
def test_the_policy_picks_the_survivor(store: Store, params: dict, stays: str) -> None:
    pages = [
        Page("long", TEXT + " and some more", seconds=50),
        Page("new", TEXT, seconds=99),
        Page("old", TEXT.upper(), seconds=1),
        Page("good", TEXT + " end", seconds=50, quality=0.9),
        Page("book", TEXT + "!", seconds=50, source="books"),
    ]
    assert survivors(store, pages, **params) == {stays}


def test_a_tie_goes_to_the_smaller_doc_id(store: Store) -> None:
    pages = [Page(f"page {i}", TEXT) for i in range(9)]
    assert survivors(store, pages) == {min(pages, key=lambda page: page.doc_id).key}


# Scope


@pytest.mark.parametrize(
    ("params", "stay"),
    [
        ({}, 1),
        ({"scope": "source"}, 3),
        ({"scope": "group", "groups": {"web": ("a", "b")}}, 2),
        ({"per_language": True}, 2),
        ({"scope": "source", "per_language": True}, 4),
        ({"exempt": ("c",)}, 3),
    ],
)
def test_pages_are_compared_within_the_scope_only(store: Store, params: dict, stay: int) -> None:
    near = TEXT + " more"
    pages = [
        Page("1", TEXT, "a"),
        Page("2", near, "a"),
        Page("3", TEXT, "b"),
        Page("4", near, "b", language="de"),
        Page("5", TEXT, "c"),
        Page("6", near, "c"),
    ]
    assert len(survivors(store, pages, **params)) == stay


# Addresses


def address_pages() -> list[Page]:
    other = " ".join(words(random.Random(5), 120))
    return [
        Page("new", other, seconds=9, url="https://a.example/x"),
        Page("old", TEXT, seconds=1, url="https://a.example/x#top"),
        Page("older", " ".join(words(random.Random(6), 90)), seconds=0, url="https://a.example/x"),
        Page("copy of old", TEXT, seconds=5, url="https://b.example/"),
        Page("near new", other + " and more", seconds=10, url="https://c.example/"),
        Page("no address", " ".join(words(random.Random(7), 90)), seconds=0),
        Page("none either", " ".join(words(random.Random(8), 90)), seconds=0),
        Page("elsewhere", " ".join(words(random.Random(9), 90)), "books", seconds=0, url="https://a.example/x"),
    ]


@pytest.mark.parametrize("cuts", [1, 3])
def test_pages_of_one_address_are_one_page_where_asked_for(
    store: Store, cuts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cuts > 1:
        many_partitions(monkeypatch)
    pages = address_pages()
    params = clusters.Params(urls=True, survivor=("newest",), scope="source", memory=1 << 26)
    inputs = split_up(store, pages, cuts)
    rows = cluster(store, inputs, params)
    found = {page.key: rows[page.doc_id] for page in pages}
    by_id = {page.doc_id: page.key for page in pages}
    decisions = {key: (row["match"], by_id.get(row["survivor"])) for key, row in found.items() if row["survivor"]}
    # whoever goes for its address names the page that stays, here one that the winner of the address went for
    assert decisions == {"new": ("fuzzy", "near new"), "old": ("url", "near new"), "older": ("url", "near new")}
    assert [found[key]["similarity"] for key in ("old", "older")] == [None, None]
    assert found["near new"]["cluster_size"] == 4
    assert found["near new"]["copies"] == [{"source": "web", "pages": 4}]
    summary = json.loads(store.read_bytes("clusters/run/summary.json"))
    assert (summary["url_removed"], summary["exact_removed"], summary["fuzzy_removed"]) == (2, 0, 1)
    assert summary["sources"]["web"]["url_removed"] == 2


def test_the_address_says_nothing_unless_asked_for(store: Store) -> None:
    pages = address_pages()
    rows = cluster(store, split_up(store, pages, 2), clusters.Params(survivor=("newest",)))
    decisions = {page.key: rows[page.doc_id]["match"] for page in pages if rows[page.doc_id]["survivor"]}
    assert decisions == {"new": "fuzzy", "old": "exact"}


# Refusals


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"threshold": 0.0}, "greater than 0"),
        ({"threshold": 1.1}, "less than or equal to 1"),
        ({"survivor": ("quality",)}, "set quality_column"),
        ({"survivor": ("source",)}, "set source_priority"),
        ({"scope": "group"}, "set groups"),
        ({"bands": 2, "passes": 3}, "may not exceed bands"),
        ({"bandz": 2}, "bandz"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(params: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        clusters.Params(**params)


def test_more_bands_than_permutations_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match=r"signatures of 112 permutations.*20 x 6 needs 120"):
        cluster(store, split_up(store, all_families()[:5], 1), clusters.Params(bands=20, rows=6))
    with pytest.raises(ValueError, match=r"20 x 6 needs 120 permutations, but signatures.permutations is 112"):
        clusters.check_permutations(clusters.Params(bands=20, rows=6), 112)
    clusters.check_permutations(PARAMS, 112)


@pytest.mark.parametrize("split_apart", [False, True])
def test_signatures_of_another_kind_are_refused_by_name(
    store: Store, split_apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if split_apart:
        many_partitions(monkeypatch)
    inputs = [
        write_split(store, "one", all_families()[:9], SIGNED),
        write_split(store, "two", all_families()[9:19], signatures.Params(ngram=7, seed=3)),
    ]
    with pytest.raises(ValueError, match=r"signatures/two.parquet: .*ngram 7 instead of 5, seed 3 instead of 1"):
        cluster(store, inputs, clusters.Params(memory=1 << 26))
