"""The files of a finished run as DuckDB sees them: tables, and nothing computed but the domain each page belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import yaml

from pipeline.recipe.snapshot import Snapshot
from tests.slow import inputs as slow_inputs
from tests.slow import pairs as slow_pairs

ALIGNED = ("documents", "language", "quality", "contamination", "kept", "eligible", "clusters", "lines", "scores")
Row = dict[str, Any]


class Files:
    """A connection with what the files of a finished run hold.

    pages    all aligned products side by side, without text; ``place`` (number of the file), ``row``, ``belongs``
             (the domain a page belongs to, kept or not), ``host``
    tokens   rows of `tokens`, with num_tokens
    held     rows beside the shards of every domain, with ``split``
    corpus   rows beside the shards of the corpus, with ``phase`` (number; '' and 0 where there is but one)
    records  what the input files hold (`slow_inputs`)
    """

    def __init__(self, snapshot: Snapshot, mixture: Path | None) -> None:
        self.snapshot, self.store = snapshot, snapshot.store
        self.mixture = yaml.safe_load(mixture.read_text()) if mixture else None
        self.sql = duckdb.connect()
        self.sql.execute("SET TimeZone = 'UTC'")
        self.about = self._about()
        self._pages()
        self._tokens()
        self._shards()
        records = slow_inputs.records(snapshot)  # noqa: F841 - DuckDB sees it by name
        self.sql.execute("CREATE TABLE records AS SELECT * FROM records")

    def rows(self, text: str, *values: Any) -> list[Row]:
        found = self.sql.execute(text, list(values))
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def one(self, text: str, *values: Any) -> Any:
        return self.sql.execute(text, list(values)).fetchone()[0]

    def paths(self, product: str) -> list[str]:
        return [self.store.path(entry.address) for entry in self.snapshot.product(product)]

    def _about(self) -> Row:
        folder = next(self.snapshot.product("kept")).address.rpartition("/")[0]
        found: Row = self.store.read_json(f"{folder}/about.json")
        return found

    def _pages(self) -> None:
        products = {product: paths for product in ALIGNED if (paths := self.paths(product))}
        parts = []
        for place, files in enumerate(zip(*products.values(), strict=True)):
            joined = " POSITIONAL JOIN ".join(f"read_parquet('{file}') p{i}" for i, file in enumerate(files))
            columns = ", ".join(f"p{i}.*" if i else "p0.* EXCLUDE (text)" for i in range(len(files)))
            parts.append(f"SELECT {columns}, {place} AS place, p0.file_row_number AS row FROM {joined}")
        text = " UNION ALL BY NAME ".join(parts).replace("') p0", "', file_row_number = true) p0")
        self.sql.execute(f"CREATE TABLE pages AS {text}")
        host = "regexp_extract(coalesce(lower(url), ''), '^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:]+)', 1)"
        self.sql.execute(f"CREATE OR REPLACE TABLE pages AS SELECT *, {host} AS host FROM pages")
        self.domains = dict(self.about["identity"]["domains"])
        self.edges = slow_pairs.edges(self, self.domains)
        self.sql.execute(f"CREATE OR REPLACE TABLE pages AS SELECT *, {self._belongs()} AS belongs FROM pages")

    def _belongs(self) -> str:
        cases = []
        for name, domain in self.domains.items():
            tests = [
                f"{column} IN ({', '.join(repr(value) for value in domain[key])})"
                for key, column in (("sources", "source"), ("languages", "language"))
                if domain.get(key) is not None
            ]
            tests += [f"coalesce({column} >= {least}, false)" for column, least in domain.get("min", {}).items()]
            tests += [f"coalesce({column} <= {most}, false)" for column, most in domain.get("max", {}).items()]
            for column in domain.get("percentiles") or {}:
                tests.append(self._in_bucket(column, self.edges[name, column]))
            cases.append(f"WHEN {' AND '.join(tests) or 'true'} THEN '{name}'")
        return f"CASE {' '.join(cases)} END"

    @staticmethod
    def _in_bucket(column: str, edges: dict[str, tuple[float | None, float | None]]) -> str:
        cases = []
        for language, (least, below) in edges.items():
            limits = [f"{column} >= {least!r}"] if least is not None else []
            limits += [f"{column} < {below!r}"] if below is not None else []
            cases.append(f"WHEN '{language}' THEN coalesce({' AND '.join(limits) or f'{column} IS NOT NULL'}, false)")
        return f"CASE language {' '.join(cases)} ELSE false END"

    def _tokens(self) -> None:
        parts = []
        for path in self.paths("tokens"):
            with pa.memory_map(path) as file:
                table = pa.ipc.open_file(file).read_all()
            lengths = pc.list_value_length(table["input_ids"])
            named = table.select(["domain", "source", "language", "text_bytes", "doc_id"])
            parts.append(named.append_column("num_tokens", lengths))
        tokens = pa.concat_tables(parts)  # noqa: F841 - DuckDB sees it by name
        self.sql.execute("CREATE TABLE tokens AS SELECT * FROM tokens")

    def _shards(self) -> None:
        held, taken = [], []
        for domain, address in self.snapshot.data["shards"].items():
            folder = self.store.path(address.rpartition("/")[0])
            split = f"regexp_extract(filename, '{folder}/([a-z]+)/', 1)"
            read = f"read_parquet('{folder}/*/docs-*.parquet', filename = true)"
            held.append(f"SELECT '{domain}' AS domain, {split} AS split, doc_id, num_tokens, text_bytes FROM {read}")
        for number, (phase, address) in enumerate(self.snapshot.corpora().items()):
            folder = self.store.path(address.rpartition("/")[0])
            read = f"read_parquet('{folder}/train/docs-*.parquet')"
            columns = "domain, doc_id, num_tokens, text_bytes, pass"
            taken.append(f"SELECT {number} AS number, '{phase}' AS phase, {columns} FROM {read}")
        self.sql.execute(f"CREATE TABLE held AS {' UNION ALL '.join(held)}")
        self.sql.execute(f"CREATE TABLE corpus AS {' UNION ALL '.join(taken)}")
