"""The columns of one split that decide, side by side, from its aligned files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.contract import Store
from stages.kept.decide import (
    BLANK,
    CLUSTER_COLUMNS,
    DOCUMENT_COLUMNS,
    LANGUAGE_COLUMNS,
    SPANS,
    Edges,
    prepare,
    quality_columns,
)
from stages.kept.params import Domain, Params, right_rules
from stages.kept.spans import cut_bytes, half_cut, is_blank, merged_spans
from stages.rules import rights, robots_files, url_lists

ALWAYS = {"documents": DOCUMENT_COLUMNS, "language": LANGUAGE_COLUMNS, "clusters": CLUSTER_COLUMNS}
"""Columns of these products that are always read; of the others, those that rules and domains name."""

PARENT = "derived_from"
"""The column of `documents` that names the page a derived page was made of."""


def decide_split(
    store: Store,
    files: Mapping[str, str],
    params: Params,
    domains: Sequence[Domain],
    urls: str | None,
    robots: str | None,
    edges: Edges | str | None,
) -> tuple[pa.Table, pa.Table, Edges | None]:
    """(pages of a split, what is decided of them, edges of percentiles); arguments as those of `stages.kept.keep`."""
    lists = url_lists.load(store, urls) if urls else None
    edges = store.read_json(edges) if isinstance(edges, str) else edges
    pages = read_pages(store, files, params, domains, urls=bool(lists))
    robots_rules = robots_files.load(store, robots) if robots else None
    return pages, prepare(params, domains, lists, edges, robots_rules)(pages), edges


def read_pages(
    store: Store, files: Mapping[str, str], params: Params, domains: Sequence[Domain], *, urls: bool
) -> pa.Table:
    """The table that `decide.prepare` reads; with ``urls`` the addresses too.

    Args:
        files: addresses of the split's aligned products, by name.

    Raises:
        ValueError: the files have not the same number of rows, or none has a column that is needed.
    """
    measured = {name: _columns(store, files[name]) for name in files if name not in ALWAYS or name == "language"}
    needed = quality_columns(params, domains, [column for columns in measured.values() for column in columns])
    wanted: dict[str, list[str]] = {name: list(ALWAYS[name]) for name in files if name in ALWAYS}
    for column in needed:
        holder = next((name for name, columns in measured.items() if column in columns), None)
        if holder is None:
            raise ValueError(f"no product has the column {column!r}; looked in {', '.join(map(files.get, measured))}")  # type: ignore[arg-type]
        wanted.setdefault(holder, []).append(column)
    urls |= bool(params.robots and params.robots.files)
    stated = [rights.COLUMNS[name] for name in right_rules(params) if name in rights.COLUMNS]
    more = [*(("url",) if urls else ()), *stated]
    pages = store.read_table(files["documents"], [*wanted.pop("documents"), *more])
    for name, columns in wanted.items():
        table = store.read_table(files[name], columns)
        if table.num_rows != pages.num_rows:
            raise ValueError(
                f"{files[name]}: expected {pages.num_rows} rows as in {files['documents']}, found {table.num_rows}"
            )
        for column in columns:
            pages = pages.append_column(column, table.column(column))
    return _cut(store, files["documents"], pages, params) if params.views else pages


def _cut(store: Store, documents: str, pages: pa.Table, params: Params) -> pa.Table:
    """The pages with what the views cut, and whether it leaves white space alone: the text of few is read for it."""
    spans = merged_spans(pages, params)
    blank = np.zeros(pages.num_rows, np.bool_)
    rows = np.flatnonzero(half_cut(cut_bytes(spans), pages.column("text_bytes").to_numpy()))
    for place, table in store.read_rows(documents, rows, ["text"]):
        for row, text in zip(rows[place].tolist(), table.column("text").to_pylist(), strict=True):
            blank[row] = is_blank(text, spans[row].as_py())
    return pages.append_column(SPANS, spans).append_column(BLANK, pa.array(blank))


def spared_parents(store: Store, documents: str, params: Params) -> pa.Array | None:
    """The pages that a split's pages were made of, for which these do not go; None where there are none."""
    if params.against_parent or PARENT not in _columns(store, documents):
        return None
    return store.read_table(documents, [PARENT]).column(PARENT).combine_chunks()


def _columns(store: Store, address: str) -> list[str]:
    with store.open(address) as file:
        return list(pq.read_schema(file).names)
