"""Every product of a finished mixture as tables: DuckDB and Polars on the files as they lie, joined row by row.

    python examples/read_products.py ROOT

A product has one Parquet file per split; row i of `quality` is about row i of `documents`, and so for every sidecar.
So (split, row) is the key, and nothing has to be copied or sorted. Sources may have other columns than each other
(`sources.NAME.carry`, pages that a transform made): they are joined by name.
"""

from __future__ import annotations

import sys

import duckdb
import polars

from pipeline.recipe import graph
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store


def files_of(root: str, product: str, name: str | None = None) -> list[str]:
    """The files of a product, a split each, in order."""
    snapshot = snapshots.load(Store(root), name)
    return [f"{root}/{entry.address}" for entry in snapshot.product(product)]


def views(root: str, name: str | None = None) -> duckdb.DuckDBPyConnection:
    """A connection with a view per aligned product, each with the columns ``split`` and ``row`` to join by."""
    connection = duckdb.connect()
    for product in ("documents", *graph.sidecars()):
        files = files_of(root, product, name)
        if files:
            listed = "[" + ", ".join("'" + file.replace("'", "''") + "'" for file in files) + "]"
            connection.execute(
                f"create view {product} as select list_position({listed}, filename) as split, file_row_number as row,"
                f" * exclude (filename, file_row_number)"
                f" from read_parquet({listed}, filename = true, file_row_number = true,"
                " union_by_name = true)"
            )
    return connection


def columns_of(root: str, product: str, columns: list[str]) -> polars.DataFrame:
    """Columns of a product, all splits in order."""
    return polars.concat([polars.read_parquet(file, columns=columns) for file in files_of(root, product)])


def main(root: str) -> None:
    """Two questions to a corpus: what a rule would cost, and how long kept pages are by language."""
    connection = views(root)
    print("pages that fewer than 100 words would drop, by what becomes of them now:")
    print(
        connection.sql(
            "select coalesce(reason, 'kept') as reason, count(*) as pages, sum(text_bytes) as bytes"
            " from documents join quality using (split, row) join kept using (split, row)"
            " where gopher_num_words < 100 group by all order by pages desc"
        )
    )
    pages = polars.concat(
        [
            columns_of(root, "documents", ["url", "text_bytes"]),
            columns_of(root, "language", ["language"]),
            columns_of(root, "kept", ["keep"]),
        ],
        how="horizontal",
    )
    kept = pages.filter(polars.col("keep"))
    print(kept.group_by("language").agg(polars.len(), polars.col("text_bytes").median()).sort("len", descending=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
