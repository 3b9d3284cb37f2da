"""Pages that `remove` took out of a mixture, read from its `kept` files."""

from __future__ import annotations

import pyarrow as pa

from pipeline.recipe.snapshot import Snapshot
from stages.kept import failures
from stages.kept.takedown import TAKEN_DOWN

LIST = "takedown/list.json"
"""The list of a root (`pipeline.run.takedown`)."""


def removed_ids(snapshot: Snapshot) -> frozenset[str]:
    """doc_ids (hex) of the pages taken down, whatever else they failed; a root without a list is asked nothing more."""
    store = snapshot.store
    if not store.exists(LIST):
        return frozenset()
    found: set[str] = set()
    for split, kept in enumerate(snapshot.product("kept")):
        rules = kept.report.get("rules", ())
        documents = snapshot.entry("documents", split)
        if TAKEN_DOWN not in rules or documents is None:
            continue
        failed = store.read_table(kept.address, ["failed"]).column(0).to_pylist()
        rows = [row for row, names in enumerate(failed) if TAKEN_DOWN in failures.names_of(names, rules)]
        ids = store.read_table(documents.address, ["doc_id"]).column(0).take(pa.array(rows, pa.int64())).to_pylist()
        found.update(doc_id.hex() for doc_id in ids)
    return frozenset(found)
