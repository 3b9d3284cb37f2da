"""Pages that two runs treat differently: gained, lost, moved to another domain, dropped for another reason.

For whom: `diff` of two roots or two mixtures. The pipeline calls `compare` for each pair of splits whose `kept` files
have different addresses (equal addresses are equal files, so unchanged splits cost nothing), adds the results up with
`add_up`, and shows them. Input are tables with doc_id, url, text_bytes (of `documents`) and keep, domain, reason (of
`kept`), side by side; None stands for a split that one of the runs does not have.

    {"transitions": [{"before", "after", "kind", "documents", "text_bytes"}], "examples": [{"kind", "before", "after",
     "doc_id", "url", "text_bytes"}]}

``before`` and ``after`` are "kept: DOMAIN", a reason, or "absent". Examples are the pages with the smallest keyed
hashes of doc_id per transition, the same however the input is divided. Price: a hash join, some 0.5 µs a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from stages import schemas
from stages.report.columns import Column, Table, make

EXAMPLES = 5
SEED = 7
ABSENT = "absent"
KEPT = "kept: "
KINDS = ("lost", "gained", "moved", "other_reason")
COLUMNS = ("doc_id", "url", "text_bytes", "keep", "domain", "reason")

Changes = dict[str, Any]


def compare(before: pa.Table | None, after: pa.Table | None) -> Changes:
    """Changes between two tables of pages; pages are matched by doc_id."""
    sides = [stated(table, name) for table, name in ((before, "before"), (after, "after"))]
    both = sides[0].join(sides[1], "doc_id", join_type="full outer", left_suffix="", right_suffix="_after")
    absent = pa.scalar(ABSENT)
    states = {name: pc.fill_null(both.column(name), absent) for name in ("before", "after")}
    columns = {
        "doc_id": both.column("doc_id"),
        **states,
        "url": pc.coalesce(both.column("url"), both.column("url_after")),
        "text_bytes": pc.coalesce(both.column("text_bytes"), both.column("text_bytes_after")),
    }
    table = pa.table(columns)
    changed = table.filter(pc.not_equal(states["before"], states["after"]))
    sums = changed.group_by(["before", "after"]).aggregate([("text_bytes", "count"), ("text_bytes", "sum")])
    transitions = {
        (row["before"], row["after"]): [row["text_bytes_count"], row["text_bytes_sum"]] for row in sums.to_pylist()
    }
    return finished(transitions, examples(changed))


def stated(table: pa.Table | None, name: str) -> pa.Table:
    """doc_id, url, text_bytes and the state of each page under ``name``."""
    if table is None:
        fields = [pa.field("doc_id", schemas.DOC_ID), pa.field("url", pa.string()), pa.field("text_bytes", pa.int64())]
        return pa.schema([*fields, pa.field(name, pa.string())]).empty_table()
    kept = pc.binary_join_element_wise(KEPT, pc.fill_null(table.column("domain"), ""), "")
    state = pc.if_else(table.column("keep"), kept, pc.fill_null(table.column("reason"), ""))
    return table.select(["doc_id", "url", "text_bytes"]).append_column(name, state)


def kind_of(before: str, after: str) -> str:
    was, is_ = before.startswith(KEPT), after.startswith(KEPT)
    return "moved" if was and is_ else "lost" if was else "gained" if is_ else "other_reason"


def examples(changed: pa.Table) -> list[dict[str, Any]]:
    """The `EXAMPLES` pages of each transition with the smallest keys."""
    keys = [xxhash.xxh3_64_intdigest(doc_id.as_py(), SEED) for doc_id in changed.column("doc_id")]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    pairs = list(zip(changed.column("before").to_pylist(), changed.column("after").to_pylist(), strict=True))
    taken: dict[tuple[str, str], list[int]] = {}
    for row in order:
        rows = taken.setdefault(pairs[row], [])
        if len(rows) < EXAMPLES:
            rows.append(row)
    chosen = [row for rows in taken.values() for row in rows]
    found = changed.take(pa.array(chosen, pa.int64())).to_pylist()
    return [
        {
            **page,
            "doc_id": page["doc_id"].hex(),
            "kind": kind_of(page["before"], page["after"]),
            "key": f"{keys[row]:016x}",
        }
        for page, row in zip(found, chosen, strict=True)
    ]


def add_up(changes: Iterable[Mapping[str, Any]]) -> Changes:
    """The changes of many splits together."""
    transitions: dict[tuple[str, str], list[int]] = {}
    pages: list[dict[str, Any]] = []
    for each in changes:
        for row in each["transitions"]:
            sums = transitions.setdefault((row["before"], row["after"]), [0, 0])
            sums[0] += row["documents"]
            sums[1] += row["text_bytes"]
        pages = smallest([*pages, *each["examples"]])
    return finished(transitions, pages)


def smallest(pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    taken: dict[tuple[str, str], int] = {}
    found = []
    for page in sorted(pages, key=lambda page: (page["before"], page["after"], page["key"], page["doc_id"])):
        pair = (page["before"], page["after"])
        taken[pair] = taken.get(pair, 0) + 1
        if taken[pair] <= EXAMPLES:
            found.append(page)
    return found


def finished(transitions: Mapping[tuple[str, str], list[int]], pages: list[dict[str, Any]]) -> Changes:
    order = sorted(transitions, key=lambda pair: (KINDS.index(kind_of(*pair)), -transitions[pair][0], pair))
    rows = [
        {"before": pair[0], "after": pair[1], "kind": kind_of(*pair)}
        | {"documents": transitions[pair][0], "text_bytes": transitions[pair][1]}
        for pair in order
    ]
    return {"transitions": rows, "examples": smallest(pages)}


def tables_of(changes: Mapping[str, Any]) -> list[Table]:
    """The changes as tables, for the terminal and the page of a diff."""
    about = [Column("kind", "What happened", "reason"), Column("before", "Before", "reason")]
    about += [Column("after", "After", "reason")]
    counts = [Column("documents", "Documents", "count"), Column("text_bytes", "Bytes", "bytes")]
    pages = [Column("url", "Page", "text"), Column("text_bytes", "Bytes", "bytes"), Column("doc_id", "doc_id", "text")]
    return [
        make("changes", "Pages treated differently", [*about, *counts], changes["transitions"]),
        make("examples", "For example", [*about, *pages], changes["examples"]),
    ]
