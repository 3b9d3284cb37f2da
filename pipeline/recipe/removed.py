"""Pages that `remove` took out of a mixture, read from its `kept` files, and the copies that went with them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.recipe.snapshot import Snapshot
from pipeline.store.storage import Store
from stages import schemas
from stages.kept import failures
from stages.kept.takedown import TAKEN_DOWN

LIST = "takedown/list.json"
"""The list of a root (`pipeline.run.takedown`)."""


def removed_ids(snapshot: Snapshot) -> frozenset[str]:
    """doc_ids (hex) of the pages taken down, whatever else they failed; a root without a list is asked nothing more.

    Where the list takes pages with their copies, also of the copies: pages dropped for one that was taken down.
    """
    store = snapshot.store
    if not store.exists(LIST):
        return frozenset()
    documents = snapshot.addresses("documents")
    found: set[bytes] = set()
    for address, kept in zip(documents, snapshot.product("kept"), strict=False):  # of an unfinished run some are there
        rules = kept.report.get("rules", ())
        if TAKEN_DOWN in rules:
            failed = store.read_table(kept.address, ["failed"]).column(0).to_pylist()
            rows = [row for row, names in enumerate(failed) if TAKEN_DOWN in failures.names_of(names, rules)]
            found.update(_ids(store, address, rows))
    if found and any(entry["copies"] for entry in store.read_json(LIST)["entries"]):
        gone = pa.array(sorted(found), schemas.DOC_ID)
        for address, clusters in zip(documents, snapshot.addresses("clusters"), strict=False):
            survivors = store.read_table(clusters, ["survivor"]).column(0)
            rows = pc.indices_nonzero(pc.is_in(survivors, gone)).to_pylist()
            found.update(_ids(store, address, rows))
    return frozenset(doc_id.hex() for doc_id in found)


def _ids(store: Store, documents: str, rows: list[int]) -> list[bytes]:
    if not rows:
        return []
    ids: list[bytes] = store.read_table(documents, ["doc_id"]).column(0).take(pa.array(rows, pa.int64())).to_pylist()
    return ids
