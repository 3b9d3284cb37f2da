"""The columns of one split that decide, side by side, from its aligned files."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from stages import schemas
from stages.contract import Store
from stages.kept.decide import CLUSTER_COLUMNS, DOCUMENT_COLUMNS, LANGUAGE_COLUMNS, quality_columns
from stages.kept.params import Domain, Params


def read_pages(
    store: Store,
    *,
    documents: str,
    language: str,
    quality: str,
    clusters: str | None,
    params: Params,
    domains: Sequence[Domain],
    urls: bool,
    lines: str | None = None,
    scores: str | None = None,
) -> pa.Table:
    """What `decide.prepare` reads; with ``urls`` the addresses too.

    Raises:
        ValueError: the files have not the same number of rows.
    """
    pages = store.read_table(documents, [*DOCUMENT_COLUMNS, *(("url",) if urls else ())])
    asked = quality_columns(params, domains, _columns(store, quality))
    recurring = [name for name in asked if name in schemas.LINES.names] if lines else []
    scored = [name for name in asked if name in _columns(store, scores)] if scores else []
    elsewhere = {*recurring, *scored}
    parts = [(language, list(LANGUAGE_COLUMNS)), (quality, [name for name in asked if name not in elsewhere])]
    if scores is not None:
        parts.append((scores, scored))
    if lines is not None:
        parts.append((lines, recurring))
    if clusters is not None:
        parts.append((clusters, list(CLUSTER_COLUMNS)))
    for address, columns in parts:
        if not columns:
            continue
        table = store.read_table(address, columns)
        if table.num_rows != pages.num_rows:
            raise ValueError(f"{address}: expected {pages.num_rows} rows as in {documents}, found {table.num_rows}")
        for column in columns:
            pages = pages.append_column(column, table.column(column))
    return pages


def _columns(store: Store, address: str) -> list[str]:
    with store.open(address) as file:
        return list(pq.read_schema(file).names)
