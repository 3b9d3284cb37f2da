"""`repeats`: stretches of text that stand in several places, found exactly and everywhere; one copy of each stays.

For `kept`, which cuts the others (view ``without_repeats``) or drops pages of little else, and for people, who read in
``summary.json`` what repeats most. Off by default. Input: `documents` per split and the pages that take part. Output:
`schemas.REPEATS`, row for row, one file per split, and ``summary.json``.

A window of ``min_bytes`` (T) is *repeated* where its bytes stand on two pages of the scope, or, with ``within_page``,
in two places. The first of its holders in the order of ``survivor`` (ties: the smaller doc_id; within a page the first
place) *keeps* it. Bytes of windows that a page keeps stay; all other bytes of repeated windows are repeats, and each
span of them names the page, and the byte of it, where the same text stays. So of every repeated window one whole copy
is left, and what is cut can be read where the span says. Nothing depends on the order, number or division of the input.

**Only pages that every rule keeps take part** (``decided``): a page that goes keeps nothing, and is cut for nobody.

Method: winnowed anchors (`stages.kernels.dedup.anchors`); every window belongs to one, and equal windows to equal ones
at the same place. So anchors are decided apart from each other: (1) those none of whose keys stands twice are left out;
(2) of the others the context goes where its anchor is decided, with its text only where contexts differ; (3) there
windows are compared byte for byte (`stages.kernels.dedup.repeats`). Contexts that are equal by 128 bits of hash are
taken for equal.

The exchanges (files in, files out; G groups of splits, R ranges of keys, V places of decision, planned to keep a task
to ``memory``): keys G, shared R, contexts G, owners V, once in each of ``passes``; then mark G, summary 1.

Price and limits: docs/decisions/repeats.md.
"""

from __future__ import annotations

from typing import Any

from stages.repeats.params import EFFORT, Params, RepeatsInput
from stages.repeats.planning import cost, plan

VERSION = 3

__all__ = ["EFFORT", "VERSION", "Params", "RepeatsInput", "cost", "identity", "plan"]


def identity(params: Params) -> dict[str, Any]:
    """Nothing outside the parameters and the inputs decides the output."""
    return {}
