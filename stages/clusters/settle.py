"""The choice of the pages that stay, on one shelf, among the pages that may stay: numbers in, numbers out.

The definition: what a run over those pages alone would keep. So, among them: (1) of the pages of one address, where
``urls`` asks for it, the policy's first stands for all, and the others count as copies of its text; (2) of the pages of
one text the policy's first represents it; (3) candidates are the texts that a small bucket nominates, and what large
buckets nominate with the texts that are left in them; (4) survivors are chosen greedily
(`stages.kernels.dedup.survivors`) from similarities that are known. A text goes from the similarity on from which all
its pages do: where the rule `near_duplicate` is stricter than the threshold, or off for one of them, it stays, and
others go for it (where it is off whatever the policy, elsewhere those that the policy likes less). So with the other
rules (`Rules`): a page that `same_address` leaves in counts for its own text, and of a text that stays every page
stays that `exact_duplicate` leaves in; where the text goes, it goes like it, for its similarity. A page that was made
of another does not go for that one, but for what else was made of it: of a page's text one such copy stays, and where
none does, texts of its children are not compared with it. A similarity that nobody has computed yet is missing: then
nothing is decided, and the pairs are returned.

The record of a page that may not stay names the page with the same content that stays, as far as one is known: it
stands for its address, has its text, or is the most similar one (ties: the better rank) of those compared that reach
the threshold.

Legend: P pages, T texts, K known pairs, H records of large buckets; all numbers of texts are those of the shelf.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.clusters.pages import preference_names
from stages.clusters.params import Params
from stages.clusters.verify import NOMINATED, ranks_of
from stages.exchange_file import Array, Columns
from stages.kernels.columns.distinct import distinct
from stages.kernels.dedup import band_buckets, unionfind
from stages.kernels.dedup.survivors import choose_again

ALONE, STAYS, EXACT, FUZZY, SAME_ADDRESS = range(5)
"""State of a page: without duplicate, the survivor of a cluster, an exact copy, removed for its similarity, removed for
its address."""


@dataclass(frozen=True)
class Rules:
    """What the rules about duplicates say of each page.

    ``goes_from_P``: the similarity from which it goes, where that is above the threshold; infinite: never.
    ``exact_off_P``, ``address_off_P``: it does not go for its text, or for its address.
    ``parent_P``: the page it was made of, for which it does not go; -1: none.
    """

    goes_from_P: Array
    exact_off_P: Array
    address_off_P: Array
    parent_P: Array


@dataclass(frozen=True)
class Settled:
    """The decision on a shelf, by text, and by page."""

    text_P: Array
    """The text a page counts for: its own, or that of the page that stands for its address."""
    state_P: Array
    representative_T: Array
    """Page; -1 where no page of the text may stay."""
    first_T: Array
    """The page of the smallest doc_id of its cluster, which names that."""
    pages_T: Array
    """Pages in its cluster that may stay."""
    removed_T: Array
    stays_T: Array
    """The text that stays in its place; itself, if it is not removed."""
    similarity_T: Array
    stays_P: Array
    """The text that stays in a page's place."""
    similarity_P: Array


def settle(
    params: Params,
    shelf: Columns,
    about: dict[str, int],
    known: tuple[Array, Array],
    passing: Array,
    rules: Rules,
) -> Settled | npt.NDArray[np.int64]:
    """Decide, or return the pairs of texts that are to be compared first.

    Args:
        shelf: see `stages.clusters.families`; ``about`` has its ``near`` and ``far``.
        known: keys (smaller text * T + larger text, ascending) and similarities of all pairs that are known.
        passing: of every page whether it may stay.
    """
    num_texts = len(shelf["text_shingles"])
    ranks = ranks_of([shelf[f"page_{name}"] for name in (*preference_names(params), "id_hi", "id_lo")])
    text, moved = shelf["page_text"], np.zeros(len(ranks), np.bool_)
    if params.urls:
        text, moved = _addresses(shelf, ranks, passing, rules.address_off_P)
    text = text.astype(np.int64)
    stands = np.flatnonzero(passing & ~moved)
    representative = _first_of(text[stands], ranks[stands], stands, num_texts)
    left, right = _candidates(shelf, about, representative >= 0)
    similarity, missing = _look_up(known, left * num_texts + right)
    if len(missing):
        return np.stack([missing // num_texts, missing % num_texts], axis=1)
    own, repeats = _own_parents(text, ranks, rules.parent_P, stands, representative)
    compared = np.where(np.isin(left * num_texts + right, own), 0.0, similarity)
    ids = ranks_of([shelf["page_id_hi"], shelf["page_id_lo"]])
    passes = np.flatnonzero(passing)
    copies = np.bincount(text[passes], minlength=num_texts)
    first = _first_of(text[passes], ids[passes], passes, num_texts)
    nodes = distinct(np.concatenate([left, right]))
    local = np.searchsorted(nodes, left), np.searchsorted(nodes, right)
    thresholds = _thresholds(params, text[stands], rules.goes_from_P[stands], num_texts)[nodes]
    parents = _joined(len(nodes), *local, similarity >= params.threshold)
    choice = choose_again(
        shelf["text_shingles"][nodes].astype(np.int64),
        *_among(_unlike(known, own), nodes, num_texts),
        *local,
        compared,
        _joined(len(nodes), *local, similarity >= np.minimum(thresholds[local[0]], thresholds[local[1]])),
        ranks_of([ranks[representative[nodes]]]),
        thresholds,
    )
    if len(choice.noted):
        return nodes[choice.noted]
    gone = np.flatnonzero(choice.survivors >= 0)
    unionfind.unite(parents, gone, choice.survivors[gone])
    unionfind.flatten(parents)
    roots = nodes[parents]
    pages = copies.copy()
    pages[nodes] = np.bincount(parents, weights=copies[nodes], minlength=len(nodes)).astype(np.int64)[parents]
    named = _first_of(roots, ids[first[nodes]], first[nodes], num_texts)
    first[nodes] = named[roots]
    removed, stays = np.zeros(num_texts, np.bool_), np.arange(num_texts)
    removed[nodes[gone]], stays[nodes[gone]] = True, nodes[choice.survivors[gone]]
    similarities = np.ones(num_texts)
    similarities[nodes[gone]] = choice.similarities[gone]
    decided = representative, first, pages, removed, stays, similarities
    left_in = passing & rules.exact_off_P
    left_in[repeats] = True
    return _pages(params, shelf, ranks, left_in, text, moved, *decided)


def _own_parents(
    text: Array, ranks: Array, parent: Array, stands: Array, representative: Array
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Keys of the pairs of texts of which one was made of the page that represents the other, ascending; and of the
    pages that repeat the text of their parent, where that represents it, the first of each text."""
    children = stands[parent[stands] >= 0]
    theirs = text[parent[children]]
    known = representative[theirs] == parent[children]
    children, theirs = children[known], theirs[known]
    same = text[children] == theirs
    first = _first_of(theirs[same], ranks[children[same]], children[same], len(representative))
    apart = ~same & (first[theirs] < 0)
    own, theirs = text[children[apart]], theirs[apart]
    return distinct(np.minimum(own, theirs) * len(representative) + np.maximum(own, theirs)), first[first >= 0]


def _unlike(known: tuple[Array, Array], keys: Array) -> tuple[Array, Array]:
    """Known pairs, those of ``keys`` of similarity 0."""
    if len(keys) == 0:
        return known
    joined, first = np.unique(np.concatenate([keys, known[0]]), return_index=True)
    return joined, np.concatenate([np.zeros(len(keys)), known[1]])[first]


def _thresholds(params: Params, text: Array, goes_from: Array, count: int) -> Array:
    """The similarity from which each text goes: the highest of its pages, and the threshold at least."""
    found = np.full(count, params.threshold)
    np.maximum.at(found, text, goes_from)
    return found


def _joined(count: int, left: Array, right: Array, among: Array) -> npt.NDArray[np.int64]:
    """Connected components of ``count`` nodes by some of the pairs."""
    parents = unionfind.singletons(count)
    unionfind.unite(parents, left[among], right[among])
    unionfind.flatten(parents)
    return parents


def _addresses(shelf: Columns, ranks: Array, passing: Array, left_in: Array) -> tuple[Array, Array]:
    """(text_P, moved_P): of every address the first page that may stay stands for the others, who get its text, but for
    those ``left_in``."""
    text, moved = shelf["page_text"].copy(), np.zeros(len(ranks), np.bool_)
    rows = np.flatnonzero((shelf["page_url_hi"] | shelf["page_url_lo"]) != 0)
    high, low = shelf["page_url_hi"][rows], shelf["page_url_lo"][rows]
    order = np.lexsort((ranks[rows], ~passing[rows], low, high))
    rows, high, low = rows[order], high[order], low[order]
    begins = np.ones(len(rows), np.bool_)
    begins[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    stands = rows[np.flatnonzero(begins)][np.cumsum(begins) - 1] if len(rows) else rows
    loses = ~begins & passing[stands] & ~left_in[rows]
    moved[rows[loses]] = True
    text[rows[loses]] = shelf["page_text"][stands[loses]]
    return text, moved


def _first_of(groups: Array, ranks: Array, values: Array, count: int) -> npt.NDArray[np.int64]:
    """The value of least rank of every group from 0 to ``count`` - 1; -1 where there is none."""
    found = np.full(count, -1, np.int64)
    order = np.argsort(groups * (ranks.max(initial=0) + 1) + ranks)  # ranks are whole and distinct
    begins = np.diff(groups[order], prepend=-1) != 0
    found[groups[order[begins]]] = values[order[begins]]
    return found


def _candidates(shelf: Columns, about: dict[str, int], live: Array) -> tuple[Array, Array]:
    """Candidate pairs among texts that are ``live``, ascending and distinct."""
    left, right = shelf["pair_left"].astype(np.int64), shelf["pair_right"].astype(np.int64)
    nominated = (shelf["pair_kind"] == NOMINATED) & live[left] & live[right]
    left, right = left[nominated], right[nominated]
    hot = np.flatnonzero(live[shelf["hot_text"]])
    if len(hot) == 0:
        return left, right
    sketches = np.stack([shelf["hot_sketch_0"][hot], shelf["hot_sketch_1"][hot]], axis=1)
    texts = shelf["hot_text"][hot].astype(np.uint64)
    more = band_buckets.candidate_pairs(shelf["hot_key"][hot], texts, sketches, about["near"], about["far"])
    lefts = np.concatenate([left, more[0].astype(np.int64)]).astype(np.uint64)
    rights = np.concatenate([right, more[1].astype(np.int64)]).astype(np.uint64)
    lefts, rights = band_buckets.distinct_edges(lefts, rights)
    return lefts.astype(np.int64), rights.astype(np.int64)


def _look_up(known: tuple[Array, Array], keys: Array) -> tuple[Array, Array]:
    """Similarities of pairs, and the keys of those that are not known."""
    place = np.searchsorted(known[0], keys)
    found = np.zeros(len(keys), np.bool_)
    inside = place < len(known[0])
    found[inside] = known[0][place[inside]] == keys[inside]
    similarity = np.full(len(keys), np.nan)
    similarity[found] = known[1][place[found]]
    return similarity, keys[~found]


def _among(known: tuple[Array, Array], nodes: Array, num_texts: int) -> tuple[Array, Array]:
    """The known pairs of some texts (ascending), by their place among these."""
    keys, similarities = known
    place = np.full(num_texts, -1, np.int64)
    place[nodes] = np.arange(len(nodes))
    left, right = place[keys // max(num_texts, 1)], place[keys % max(num_texts, 1)]
    inside = (left >= 0) & (right >= 0)
    return left[inside] * len(nodes) + right[inside], similarities[inside]


def _pages(
    params: Params,
    shelf: Columns,
    ranks: Array,
    left_in: Array,
    text: Array,
    moved: Array,
    representative: Array,
    first: Array,
    pages: Array,
    removed: Array,
    stays: Array,
    similarities: Array,
) -> Settled:
    """Decisions about texts as decisions about their pages; those ``left_in`` go with their text, never for it."""
    live = representative >= 0
    chosen = (representative[text] == np.arange(len(text))) | left_in
    state = np.where(chosen, np.where(removed[text], FUZZY, STAYS), EXACT)
    state[(chosen & (pages[text] < 2)) | ~live[text]] = ALONE
    state[moved] = SAME_ADDRESS
    page_stays, similarity = stays[text], similarities[text]
    # pages that may not stay, of a text nobody may: the most similar one that stays
    left, right = shelf["pair_left"].astype(np.int64), shelf["pair_right"].astype(np.int64)
    measured = shelf["pair_similarity"] >= params.threshold
    dead = np.concatenate([left[measured], right[measured]])
    other = np.concatenate([right[measured], left[measured]])
    weight = np.concatenate([shelf["pair_similarity"][measured]] * 2)
    known = ~live[dead] & live[other] & ~removed[other]
    dead, other, weight = dead[known], other[known], weight[known]
    best = _first_of(dead, ranks_of([-weight, ranks[representative[other]]]), np.arange(len(dead)), len(live))
    similar = np.flatnonzero(~live[text] & (best[text] >= 0))
    state[similar] = FUZZY
    page_stays[similar], similarity[similar] = other[best[text[similar]]], weight[best[text[similar]]]
    return Settled(text, state, representative, first, pages, removed, stays, similarities, page_stays, similarity)
