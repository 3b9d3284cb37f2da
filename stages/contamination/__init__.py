"""`contamination`: which items of benchmarks a page gives away, each with a score from 0 to 1 and its place.

For `kept`, which drops pages (`contaminated`) or cuts spans (view ``decontaminated``) by it, and for people, who read
in ``summary.json`` which items stand on which sources, and what was found but scores low, with the reason. Input:
`overlaps` per split. Output: `schemas.CONTAMINATION`, row for row, one file per split. Text is read for excerpts only.

Plain overlap of n-grams marks every page that quotes a licence which some item quotes too, and misses items of few
words. Here words have weights (`stages.contamination.weights`): how rare the word is on pages, times its own share
(`stages.rules.known_items`), less where the words stand on many pages *without* the rest of the item. The last is a
document frequency counted over the corpus: for every word of every item, on how many pages an alignment covers it.
Counts are exact: no sketch. A mirrored item is not common: its words are all on as many pages as the whole is, and only
what exceeds twice that counts. The rarity of single words is measured on one page in sixteen. Pages of one text count
once, in whatever splits they stand: a page at thirty addresses makes nothing common.

Scores: `stages.contamination.scoring`. Nothing depends on the order, number or division of the input.

The exchange (files in, files out; G groups of splits, R ranges of hashes, S splits):

    texts G, copies R, count G, weigh 1, score S, summary 1

Price: counting and scoring read `overlaps` alone, a few per cent of the pages have any; copies are found by the hash of
the text of pages that have any or are sampled. Memory: 40 bytes a word of the benchmarks.
"""

from __future__ import annotations

from typing import Any

from stages.contamination.planning import ContaminationInput, plan
from stages.rules.contamination import Benchmarks as Params

VERSION = 6

__all__ = ["VERSION", "ContaminationInput", "Params", "identity", "plan"]


def identity(params: Params) -> dict[str, Any]:
    """Nothing outside the inputs, whose own identity has the benchmarks, decides the output."""
    return {}
