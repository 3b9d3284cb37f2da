"""Every figure of stats.json, computed again from the product files by DuckDB: equal.

GRISTMILL_CHECK_ROOT names the root of a finished run to check instead of a small one made here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline import reporting
from pipeline import snapshot as snapshots
from pipeline.snapshot import Snapshot
from pipeline.storage import Store
from stages.report import bins, survey
from stages.report.funnel import CUT, step_of
from tests.corpora import write_corpus, write_mixture
from tests.runs import run_inline

duckdb: Any = pytest.importorskip("duckdb")
Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    given = os.environ.get("GRISTMILL_CHECK_ROOT")
    if given:
        return snapshots.load(Store(given))
    folder = tmp_path_factory.mktemp("figures")
    write_corpus(folder / "in")
    write_mixture(folder / "small.yaml", folder / "in", min_words=120)
    run_inline(folder / "small.yaml", folder / "root")
    return snapshots.load(Store(str(folder / "root")))


@pytest.fixture(scope="module")
def stats(snapshot: Snapshot) -> dict[str, Any]:
    return reporting.stats_of(snapshot)


@pytest.fixture(scope="module")
def sql(snapshot: Snapshot) -> Iterator[Any]:
    """A connection with `pages` (all aligned products side by side), `tokens` and `corpus`."""
    connection = duckdb.connect()
    store = snapshot.store

    def paths(product: str) -> list[str]:
        return [store.path(entry.address) for entry in snapshot.product(product)]

    aligned = zip(*(paths(product) for product in ("documents", "language", "quality", "kept")), strict=True)
    pages = [
        f"SELECT d.* EXCLUDE (text), l.*, q.*, k.* FROM read_parquet('{d}') d POSITIONAL JOIN read_parquet('{la}') l"
        f" POSITIONAL JOIN read_parquet('{q}') q POSITIONAL JOIN read_parquet('{k}') k"
        for d, la, q, k in aligned
    ]
    connection.execute("CREATE TABLE pages AS " + " UNION ALL BY NAME ".join(pages))
    columns = ["domain", "source", "language", "text_bytes"]
    parts = []
    for path in paths("tokens"):
        with pa.memory_map(path) as file:
            table = pa.ipc.open_file(file).read_all()
        lengths = pc.list_value_length(table["input_ids"])
        parts.append(table.select(columns).append_column("num_tokens", lengths))
    tokens = pa.concat_tables(parts)  # noqa: F841 - DuckDB sees it by name
    connection.execute("CREATE TABLE tokens AS SELECT * FROM tokens")
    folder = store.path(snapshot.data["corpus"].rpartition("/")[0])
    connection.execute(f"CREATE TABLE corpus AS SELECT * FROM read_parquet('{folder}/train/docs-*.parquet')")
    yield connection
    connection.close()


def rows(table: list[dict[str, Any]], *columns: str) -> Rows:
    return sorted((tuple(row[column] for column in columns) for row in table), key=str)


def query(sql: Any, text: str) -> Rows:
    return sorted((tuple(row) for row in sql.execute(text).fetchall()), key=str)


def test_totals(sql: Any, stats: dict[str, Any]) -> None:
    totals = stats["totals"]
    found = sql.execute("SELECT count(*), sum(text_bytes)::BIGINT, count(*) FILTER (keep) FROM pages").fetchone()
    assert found == (totals["pages"], totals["text_bytes"], totals["kept"])
    assert sql.execute("SELECT sum(num_tokens)::BIGINT FROM tokens").fetchone()[0] == totals["tokens"]
    assert sql.execute("SELECT sum(num_tokens)::BIGINT FROM corpus").fetchone()[0] == totals["training_tokens"]


def test_removed_pages_by_source_language_and_reason(sql: Any, stats: dict[str, Any]) -> None:
    found = query(
        sql,
        "SELECT source, language, reason, count(*), sum(text_bytes)::BIGINT FROM pages WHERE NOT keep GROUP BY ALL",
    )
    assert rows(stats["removed"], "source", "language", "reason", "documents", "bytes") == found
    assert all(row["step"] == step_of(row["reason"]) for row in stats["removed"])


def test_estimated_tokens_of_removed_pages(sql: Any, stats: dict[str, Any]) -> None:
    text = """
        WITH known AS (SELECT language, num_tokens::HUGEINT AS t, text_bytes::HUGEINT AS b FROM tokens),
        rates AS (SELECT language, sum(t)::HUGEINT AS t, sum(b)::HUGEINT AS b FROM known GROUP BY ALL),
        whole AS (SELECT sum(t)::HUGEINT AS t, sum(b)::HUGEINT AS b FROM known),
        gone AS (SELECT source, language, reason, sum(text_bytes)::HUGEINT AS n FROM pages WHERE NOT keep GROUP BY ALL)
        SELECT source, language, reason, (n * coalesce(rates.t, whole.t) // coalesce(rates.b, whole.b))::BIGINT
        FROM gone LEFT JOIN rates USING (language), whole
    """
    assert rows(stats["removed"], "source", "language", "reason", "tokens") == query(sql, text)


def test_tokens_by_source_language_and_domain(sql: Any, stats: dict[str, Any]) -> None:
    counts = "count(*), sum(text_bytes)::BIGINT, sum(num_tokens)::BIGINT"
    found = query(sql, f"SELECT source, language, domain, {counts} FROM tokens GROUP BY ALL")
    assert rows(stats["tokens"], "source", "language", "domain", "documents", "bytes", "tokens") == found
    found = query(sql, f"SELECT domain, {counts} FROM tokens GROUP BY ALL")
    assert rows(stats["domains"], "domain", "documents", "bytes", "tokens") == found


@pytest.mark.parametrize("column", ["source", "language"])
def test_tables_by_source_and_language(sql: Any, stats: dict[str, Any], column: str) -> None:
    kept = "count(*) FILTER (keep), coalesce(sum(text_bytes) FILTER (keep), 0)::BIGINT"
    found = query(sql, f"SELECT {column}, count(*), sum(text_bytes)::BIGINT, {kept} FROM pages GROUP BY ALL")
    table = stats[f"{column}s"]
    assert rows(table, column, "pages", "text_bytes", "kept", "kept_bytes") == found
    found = query(sql, f"SELECT {column}, sum(num_tokens)::BIGINT, sum(text_bytes)::BIGINT FROM tokens GROUP BY ALL")
    assert rows([row for row in table if row["tokens"]], column, "tokens", "tokenized_bytes") == found


def test_the_funnel(sql: Any, stats: dict[str, Any]) -> None:
    left = list(sql.execute("SELECT count(*), sum(text_bytes)::BIGINT FROM pages").fetchone())
    for step in stats["funnel"][1:-1]:
        for row in step["removed"]:
            if "bytes" in row:
                gone = sql.execute(
                    "SELECT count(*), sum(text_bytes)::BIGINT FROM pages WHERE reason = ?", [row["reason"]]
                ).fetchone()
                assert gone == (row["documents"], row["bytes"])
                left = [left[0] - gone[0], left[1] - gone[1]]
        assert [step["documents"], step["bytes"]] == left
    last = stats["funnel"][-1]
    found = sql.execute("SELECT count(*), sum(text_bytes)::BIGINT, sum(num_tokens)::BIGINT FROM tokens").fetchone()
    assert (last["documents"], last["bytes"], last["tokens"]) == found
    assert sum(row["bytes"] for row in last["removed"] if row["reason"] == CUT) == left[1] - found[1]


def test_rules_whatever_else_a_page_fails(sql: Any, snapshot: Snapshot, stats: dict[str, Any]) -> None:
    """Bits mean the rules that are on for the file's source, so they are counted file by file."""
    counts: dict[str, list[int]] = {}
    for entry in snapshot.product("kept"):
        table = snapshot.store.read_table(entry.address, ["failed", "reason"])
        failed = table.column("failed").to_numpy()
        for bit, rule in enumerate(entry.report["rules"]):
            mask = np.uint64(1 << bit)
            found = counts.setdefault(rule, [0, 0])
            found[0] += int(((failed & mask) != 0).sum())
            found[1] += int((failed == mask).sum())
    expected = sorted((rule, *found) for rule, found in counts.items())
    assert rows(stats["rules"], "rule", "documents", "alone") == expected


def test_realised_shares_of_the_mixture(sql: Any, stats: dict[str, Any]) -> None:
    share = "sum(num_tokens) / (SELECT sum(num_tokens) FROM corpus)"
    text = f"SELECT domain, sum(num_tokens)::BIGINT, {share} FROM corpus GROUP BY ALL"
    for name, tokens, realised in query(sql, text):
        row = next(row for row in stats["mixture"] if row["domain"] == name)
        assert row["tokens"] == tokens
        assert row["realised_share"] == pytest.approx(realised, rel=1e-12)
        available = sql.execute("SELECT sum(num_tokens)::BIGINT FROM tokens WHERE domain = ?", [name]).fetchone()[0]
        assert row["available_tokens"] <= available  # less where a part is held out of training
        assert row["epochs"] == pytest.approx(tokens / row["available_tokens"])


@pytest.fixture(scope="module")
def surveyed(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The survey of the run, written beside it under another root."""
    store = snapshot.store
    products = [[entry.address for entry in snapshot.product(p)] for p in ("documents", "language", "quality", "kept")]
    clusters: list[Any] = [entry.address for entry in snapshot.product("clusters")] or [None] * len(products[0])
    parts = []
    for documents, language, quality, kept, cluster in zip(*products, clusters, strict=True):
        out = f"survey-check/{len(parts)}.parquet"
        survey.survey(
            store, documents=documents, language=language, quality=quality, kept=kept, clusters=cluster, output=out
        )
        parts.append(out)
    survey.merge(store, inputs=parts, output="survey-check/all.parquet")
    found = survey.finish(store, "survey-check/all.parquet")
    store.remove("survey-check")
    return found


def test_histograms(sql: Any, surveyed: dict[str, Any]) -> None:
    names = [row[0] for row in sql.execute("DESCRIBE pages").fetchall()]
    checked = 0
    for entry in surveyed["histograms"]:
        if entry["column"] not in names:
            continue
        edges = entry["edges"]
        for key, condition in (("all", "true"), ("kept", "keep")):
            text = f"SELECT {entry['column']}::DOUBLE FROM pages WHERE {condition} AND {entry['column']} IS NOT NULL"
            values = np.array([row[0] for row in sql.execute(text).fetchall()])
            bounds = [-np.inf, *edges[1:-1], np.inf]
            assert np.histogram(values, bounds)[0].tolist() == entry[key]
        nulls = sql.execute(f"SELECT count(*) FROM pages WHERE {entry['column']} IS NULL").fetchone()[0]
        assert nulls == entry["nulls"]
        checked += 1
    assert checked > 10
    assert bins.edges("counts")[-1] == 2**40


def test_hosts(sql: Any, surveyed: dict[str, Any]) -> None:
    host = "regexp_extract(coalesce(lower(url), ''), '^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:]+)', 1)"
    text = f"SELECT {host} AS host, count(*), count(*) FILTER (keep), sum(text_bytes)::BIGINT FROM pages GROUP BY ALL"
    found = [(name or "(none)", *counts) for name, *counts in query(sql, text)]
    assert rows(surveyed["hosts"], "host", "pages", "kept", "text_bytes") == sorted(found, key=str)


def test_samples_are_pages_with_the_reason_they_are_shown_under(sql: Any, surveyed: dict[str, Any]) -> None:
    for sample in surveyed["samples"]:
        found = sql.execute(
            "SELECT reason, url, language FROM pages WHERE doc_id = ?", [bytes.fromhex(sample["doc_id"])]
        ).fetchall()
        assert (sample["reason"], sample["url"], sample["language"]) in found


def test_the_root_named_in_the_environment_is_a_folder() -> None:
    given = os.environ.get("GRISTMILL_CHECK_ROOT")
    assert given is None or Path(given).is_dir()
