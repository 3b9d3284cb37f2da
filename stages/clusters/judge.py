"""`dedup-report --pairs`: a user's labelled pairs of pages against what deduplication did to them.

Two pages count as found duplicates if one page stays for both: one of the two, or a third. Recall is the share of the
pairs labelled duplicate that are found, precision the share of found pairs that are so labelled, both over the pairs
whose pages pass every other rule, as no other page is removed as a duplicate. Beside them the exact Jaccard index of
the two texts, by the shingles of `signatures`, which tells what a threshold would do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stages.kernels.columns.ragged import text_buffers
from stages.kernels.dedup.jaccard import ShingleSets, pair_similarities
from stages.kernels.dedup.shingles import shingle_sets
from stages.kernels.unicode.normalise import normalise

BINS = 10
SHOWN = 5


@dataclass(frozen=True)
class Judged:
    """A labelled pair: the pages as the user names them, his label, and what the run knows.

    ``stays``: doc_ids (hex) of the pages that stay for the two; ``eligible``: whether both pass every other rule;
    ``similarity``: exact, of their texts.
    """

    pages: tuple[str, str]
    duplicate: bool
    stays: tuple[str, str]
    eligible: bool
    similarity: float

    @property
    def found(self) -> bool:
        return self.stays[0] == self.stays[1]


def similarities(texts: Sequence[str], left: Sequence[int], right: Sequence[int], ngram: int) -> list[float]:
    """Exact Jaccard index of pairs of texts, by their place among ``texts``."""
    column = pa.array(texts, pa.large_string())
    hashes, offsets = shingle_sets(*normalise(*text_buffers(column)), ngram)
    sets = ShingleSets.of(hashes, offsets[:-1], np.diff(offsets))
    found: list[float] = pair_similarities(sets, np.array(left, np.int64), np.array(right, np.int64)).tolist()
    return found


def judge(pairs: Sequence[Judged]) -> dict[str, Any]:
    """Figures: ``pairs``, ``not_judged``, ``duplicates``, ``found``, ``right``, ``recall``, ``precision`` (None: of
    none), ``by_similarity``, and the pairs that are ``wrong`` and ``missed``.
    """
    judged = [pair for pair in pairs if pair.eligible]
    true = [pair for pair in judged if pair.duplicate]
    found = [pair for pair in judged if pair.found]
    right = [pair for pair in true if pair.found]
    missed = [pair for pair in true if not pair.found]
    wrong = [pair for pair in found if not pair.duplicate]
    return {
        "pairs": len(pairs),
        "not_judged": len(pairs) - len(judged),
        "duplicates": len(true),
        "found": len(found),
        "right": len(right),
        "recall": len(right) / len(true) if true else None,
        "precision": len(right) / len(found) if found else None,
        "missed": [_as_record(pair) for pair in missed],
        "wrong": [_as_record(pair) for pair in wrong],
        "by_similarity": _by_similarity(judged),
    }


def _as_record(pair: Judged) -> dict[str, Any]:
    return {"pages": list(pair.pages), "similarity": pair.similarity, "stays": list(pair.stays)}


def _by_similarity(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    rows = []
    for number in range(BINS + 1):
        here = [pair for pair in judged if min(int(pair.similarity * BINS), BINS) == number]
        if here:
            true = [pair for pair in here if pair.duplicate]
            found = [pair for pair in here if pair.found]
            right = sum(pair.found for pair in true)
            row = {"from": number / BINS, "pairs": len(here), "duplicates": len(true), "found": len(found)}
            rows.append(row | {"right": right})
    return rows


def judged_lines(judgement: dict[str, Any]) -> list[str]:
    """`judge` as text."""
    judged = judgement["pairs"] - judgement["not_judged"]
    lines = [
        f"{judged:,} pairs judged: {judgement['duplicates']:,} labelled duplicates, {judgement['found']:,} found,"
        f" {judgement['right']:,} of these so labelled",
        f"recall {_share(judgement['recall'])}, precision {_share(judgement['precision'])}",
    ]
    if judgement["not_judged"]:
        lines.append(f"{judgement['not_judged']:,} pairs not judged: another rule drops one of their pages")
    lines += ["", "similarity        pairs  duplicates  found  right   recall  precision"]
    for row in judgement["by_similarity"]:
        end = " to " + f"{row['from'] + 1 / BINS:.1f}" if row["from"] < 1 else "       "
        recall = row["right"] / row["duplicates"] if row["duplicates"] else None
        precision = row["right"] / row["found"] if row["found"] else None
        counts = f"{row['pairs']:8,}  {row['duplicates']:10,}  {row['found']:5,}  {row['right']:5,}"
        lines.append(f"  {row['from']:.1f}{end}    {counts}  {_share(recall):>7}  {_share(precision):>9}")
    titles = {"missed": "labelled duplicates that were not found", "wrong": "found, but labelled otherwise"}
    for kind, title in titles.items():
        if judgement[kind]:
            lines += ["", f"{title}: {len(judgement[kind]):,}"]
            for entry in judgement[kind][:SHOWN]:
                lines.append(f"  {entry['pages'][0]}  {entry['pages'][1]}  similarity {entry['similarity']:.3f}")
    return lines


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
