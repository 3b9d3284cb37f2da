"""Parents of pages that were made of others: the splits that transforms make, and the pages of a page, both ways.

A transform makes one split of each split whose source it takes, in the order of those, so places among a run's splits
give the parents without another file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.recipe.snapshot import Snapshot
from pipeline.store.storage import Store
from stages import schemas


def parents_of(sources: Sequence[str], transforms: Mapping[str, Iterable[str]]) -> list[int | None]:
    """Number of the split that each split is made of; None of those that are read.

    Args:
        sources: of the splits, in order.
        transforms: by name the sources that each takes.
    """
    wanted = {name: iter([i for i, s in enumerate(sources) if s in {*taken}]) for name, taken in transforms.items()}
    return [next(wanted[source]) if source in wanted else None for source in sources]


def parents(snapshot: Snapshot) -> list[int | None]:
    """`parents_of` a mixture's splits; empty where it has no transform."""
    transforms = snapshot.data.get("transforms")
    return parents_of([entry["source"] for entry in snapshot.splits()], transforms) if transforms else []


def children(
    store: Store, documents: Sequence[str], parents: Sequence[int | None], split: int, doc_ids: Iterable[bytes]
) -> dict[int, list[tuple[bytes, bytes]]]:
    """Children of pages of a split: (child, parent) by the split of the child.

    Args:
        documents: addresses of `documents`, one a split.
        parents: of `parents_of`.
    """
    wanted = pa.array(sorted(set(doc_ids)), schemas.DOC_ID)
    found: dict[int, list[tuple[bytes, bytes]]] = {}
    for number in [number for number, parent in enumerate(parents) if parent == split] if len(wanted) else ():
        table = store.read_table(documents[number], ["doc_id", "derived_from"])
        table = table.filter(pc.is_in(table.column("derived_from"), wanted))
        if table.num_rows:
            pairs = zip(table.column("doc_id").to_pylist(), table.column("derived_from").to_pylist(), strict=True)
            found[number] = list(pairs)
    return found
