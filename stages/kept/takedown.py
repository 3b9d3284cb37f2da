"""Pages taken down: dropped whatever else was decided, with a reason of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages import schemas
from stages.kept import failures
from stages.kept.params import DUPLICATES

TAKEN_DOWN = "taken_down"


def taken_down(kept: pa.Table, doc_ids: pa.ChunkedArray, removed: Sequence[str], rules: Sequence[str]) -> pa.Table:
    """``kept`` with the pages of these doc_ids (hex) dropped; a page that another rule dropped keeps its reason.

    A duplicate does not: without the take-down it might have stayed, and the other gone.

    Args:
        rules: those that ``kept`` was decided by.
    """
    names = pa.array([bytes.fromhex(doc_id) for doc_id in removed], schemas.DOC_ID)
    gone = pc.is_in(doc_ids, names).combine_chunks()
    before = failures.read(kept.column("failed"), rules)
    failing = [*(before.of(rule) for rule in range(len(rules))), np.flatnonzero(gone.to_numpy(zero_copy_only=False))]
    stay = pc.invert(gone)
    reasons = kept.column("reason").combine_chunks()
    reasons = pc.if_else(pc.is_in(reasons, pa.array(DUPLICATES)), pa.scalar(None, pa.string()), reasons)
    columns = {
        "keep": pc.and_(kept.column("keep"), stay),
        "reason": pc.if_else(gone, pc.coalesce(reasons, pa.scalar(TAKEN_DOWN)), kept.column("reason")),
        "failed": failures.gather(failing, len(gone)).column([*rules, TAKEN_DOWN]),
        "domain": pc.if_else(stay, kept.column("domain"), pa.scalar(None, pa.string())),
        "spans": pc.if_else(stay, kept.column("spans"), pa.scalar(None, schemas.KEPT.field("spans").type)),
    }
    columns["listed"] = kept.column("listed")
    return pa.table(columns).cast(schemas.KEPT)
