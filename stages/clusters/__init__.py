"""`clusters`: which pages repeat others, across all splits; for every removed page its survivor and their similarity.

For `kept`, which leaves removed pages out, and for the report. Input: `documents`, `signatures`, optionally `language`
and `quality`, aligned, per split. Output: `schemas.CLUSTERS`, row for row, one file per split, and ``summary.json``.

Two halves. `measure` finds families and compares texts, once for given pages, whatever any rule says; what it leaves
is the product `families`. `settle_all` decides who stays **among the pages that pass every other rule** (`eligible`):
the pages that stay are those that a run over only these would keep. `plan` is both, where all pages are eligible.

Method. (1) Pages with equal `exact_hash` are one text; the survivor policy picks its representative. On request
(``urls``) pages of one address count as copies of the one that stands for it, whatever their text.
(2) Texts that agree in a band of their MinHash (Broder 1997; Leskovec, Rajaraman, Ullman, ch. 3) and whose
one-bit sketches (Li and Koenig 2010) do not rule it out are candidates. (3) Candidates are compared by the exact
Jaccard index of their shingle sets, taken from the text. (4) Survivors are chosen greedily in the order of the
policy; a text is removed only for a survivor it was compared with and whose similarity reaches the threshold.
The cluster of a page is its connected component over pairs that reach the threshold; it may keep several survivors.
(5) A copy of a text that goes for another is an exact copy, `via` its representative, of the same similarity to the
survivor as that. (6) A page that fails another rule takes nobody with it, counts in no cluster and in no loss; its
record names the page with the same content that stays, so that it bears the rule's bit too.

Nothing depends on the order, number or division of the input: ties go to the smaller doc_id.

The exchanges (a word is a wave of restartable tasks, files in, files out; G groups of splits, P ranges of text
hashes, B ranges of band keys, V places of comparison, S shelves; all but S planned from rows and bytes so that a task
keeps to ``memory``):

    measure     pages G, texts P, bands G, candidates B, components 1, deal P, shingles G', verify V, shelves S
    settle_all  passing G, decide S, output G, summary 1

after texts, with ``urls``: addresses P, same address P. Bands and candidates, shingles and verify are done in
``passes`` rounds each, whose files are gone before the next. Where one task cannot hold the components, it is
`stages.clusters.stars`.

Price and limits: docs/decisions/dedup-at-scale.md, docs/decisions/late-survivors.md.
"""

from __future__ import annotations

from typing import Any

from stages.clusters.brakes import BrakeError, check, violations
from stages.clusters.params import BRAKES, EFFORT, ClusterInput, Params, check_permutations
from stages.clusters.planning import measure, plan, settle_all
from stages.clusters.work import family_files

VERSION = 9
FAMILIES_VERSION = 1
"""Version of what `measure` leaves."""

__all__ = [
    "BRAKES",
    "EFFORT",
    "FAMILIES_VERSION",
    "VERSION",
    "BrakeError",
    "ClusterInput",
    "Params",
    "check",
    "check_permutations",
    "family_files",
    "identity",
    "measure",
    "plan",
    "settle_all",
    "violations",
]


def identity(params: Params) -> dict[str, Any]:
    """Nothing outside the parameters and the inputs decides the output."""
    return {}
