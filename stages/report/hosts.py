"""Hosts and registered domains of a survey: sums by name, the largest of which are kept.

A table of `HOSTS` has a row a host and, behind them, a row a registered domain (`stages.rules.urls`). Of each
level the `MAX_HOSTS` largest stay; ``left_out`` says what went (``sums``) and by how much a count may be too low
(``error``): {level: {"error", "sums": [pages, kept, bytes, kept_bytes]}}.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.rules.urls import registered_domain

MAX_HOSTS = 50_000
LEVELS = ("host", "registered")
SUMS = ("pages", "kept", "bytes", "kept_bytes")
HOSTS = pa.schema(
    [
        pa.field("level", pa.string(), nullable=False),
        pa.field("host", pa.string(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in SUMS),
    ]
)
HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(?P<host>[^/?#:]+)"

LeftOut = dict[str, dict[str, Any]]


def nothing_left_out() -> LeftOut:
    return {level: {"error": 0, "sums": [0] * len(SUMS)} for level in LEVELS}


def hosts_of(urls: pa.ChunkedArray) -> pa.ChunkedArray:
    """Host names in lower case, without user and port; empty where there is none."""
    host = pc.struct_field(pc.extract_regex(urls, HOST), "host")
    return pc.fill_null(pc.utf8_lower(host), "")


def sums_by(pages: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    """Pages and bytes, all and kept, per value, sorted by value."""
    kept = pages.column("keep").cast(pa.int64())
    sizes = pages.column("text_bytes")
    columns = [values, pa.array(np.ones(pages.num_rows, np.int64)), kept, sizes, pc.multiply(sizes, kept)]
    return added_up(pa.table(dict(zip((name, *SUMS), columns, strict=True))), [name])


def added_up(table: pa.Table, names: list[str]) -> pa.Table:
    sums = table.group_by(names).aggregate([(column, "sum") for column in SUMS])
    found = sums.select([*names, *(f"{column}_sum" for column in SUMS)]).rename_columns([*names, *SUMS])
    return found.sort_by([(name, "ascending") for name in names])


def with_registered(hosts: pa.Table) -> pa.Table:
    """Sums by host, and behind them the same by registered domain."""
    names = pa.array([registered_domain(host) for host in hosts.column("host").to_pylist()], pa.string())
    parts = (hosts, added_up(hosts.set_column(0, "host", names), ["host"]))
    levelled = [
        part.add_column(0, "level", pa.array([level] * part.num_rows, pa.string()))
        for level, part in zip(LEVELS, parts, strict=True)
    ]
    return pa.concat_tables(levelled)


def largest(hosts: pa.Table, left_out: LeftOut) -> pa.Table:
    """Of each level the `MAX_HOSTS` largest, sorted by name; what goes is added to ``left_out``."""
    parts = []
    for level in LEVELS:
        part = of_level(hosts, level)
        if part.num_rows > MAX_HOSTS:
            order = pc.sort_indices(part, [("pages", "descending"), ("host", "ascending")])
            rest = part.take(order.slice(MAX_HOSTS))
            gone = [pc.sum(rest.column(column)).as_py() for column in SUMS]
            add(left_out, {level: {"error": rest.column("pages")[0].as_py(), "sums": gone}})
            part = part.take(order.slice(0, MAX_HOSTS)).sort_by("host")
        parts.append(part)
    return pa.concat_tables(parts).combine_chunks().cast(HOSTS)


def add(left_out: LeftOut, more: LeftOut) -> None:
    for level, entry in more.items():
        mine = left_out[level]
        mine["error"] += entry["error"]
        mine["sums"] = [a + b for a, b in zip(mine["sums"], entry["sums"], strict=True)]


def of_level(hosts: pa.Table, level: str) -> pa.Table:
    return hosts.filter(pc.equal(hosts.column("level"), level))


def host_rows(hosts: pa.Table, left_out: LeftOut, level: str, max_hosts: int) -> list[dict[str, Any]]:
    """The largest hosts (or registered domains) by pages, with their shares of all pages and of all kept pages."""
    hosts = of_level(hosts, level)
    totals = {
        column: (pc.sum(hosts.column(column)).as_py() or 0) + gone
        for column, gone in zip(SUMS, left_out[level]["sums"], strict=True)
    }
    order = pc.sort_indices(hosts, [("pages", "descending"), ("host", "ascending")]).slice(0, max_hosts)
    return [
        {
            "host": row["host"] or "(none)",
            "pages": row["pages"],
            "share": row["pages"] / totals["pages"],
            "kept": row["kept"],
            "kept_share": row["kept"] / row["pages"],
            "share_kept": row["kept"] / totals["kept"] if totals["kept"] else None,
            "text_bytes": row["bytes"],
        }
        for row in hosts.take(order).to_pylist()
    ]
