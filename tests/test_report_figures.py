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

PublicSuffixList = pytest.importorskip("publicsuffixlist").PublicSuffixList
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

    aligned = zip(
        *(paths(product) for product in ("documents", "language", "quality", "kept", "clusters")), strict=True
    )
    pages = [
        f"SELECT d.* EXCLUDE (text), l.*, q.*, k.*, c.* FROM read_parquet('{d}') d"
        f" POSITIONAL JOIN read_parquet('{la}') l"
        f" POSITIONAL JOIN read_parquet('{q}') q POSITIONAL JOIN read_parquet('{k}') k"
        f" POSITIONAL JOIN read_parquet('{c}') c"
        for d, la, q, k, c in aligned
    ]
    union = " UNION ALL BY NAME ".join(pages)
    connection.execute(f"CREATE TABLE pages AS SELECT *, {belongs(snapshot)} AS belongs FROM ({union})")
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


def belongs(snapshot: Snapshot) -> str:
    """SQL for the domain of a page, kept or not, from the definitions beside the files of `kept`."""
    folder = next(snapshot.product("kept")).address.rpartition("/")[0]
    cases = []
    for name, domain in snapshot.store.read_json(f"{folder}/about.json")["identity"]["domains"]:
        tests = [
            f"{column} IN ({', '.join(repr(value) for value in domain[key])})"
            for key, column in (("sources", "source"), ("languages", "language"))
            if domain.get(key) is not None
        ]
        tests += [f"coalesce({column} >= {least}, false)" for column, least in domain.get("min", {}).items()]
        tests += [f"coalesce({column} <= {most}, false)" for column, most in domain.get("max", {}).items()]
        cases.append(f"WHEN {' AND '.join(tests) or 'true'} THEN '{name}'")
    return f"CASE {' '.join(cases)} END"


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


def test_records_and_raw_bytes(snapshot: Snapshot, stats: dict[str, Any]) -> None:
    reports = [snapshot.store.metadata(entry.address) for entry in snapshot.product("documents")]
    totals = stats["totals"]
    assert totals["files"] == len(reports)
    for column in ("records", "raw_bytes"):
        assert totals[column] == sum(report[column] for report in reports)
    lost = sum(entry["records"] for report in reports for entry in report["dropped"].values())
    assert totals["records"] == totals["pages"] + lost + sum(report["num_quarantined"] for report in reports)


def test_removed_pages_by_source_language_domain_and_reason(sql: Any, stats: dict[str, Any]) -> None:
    keys = "source, language, belongs, reason"
    text = f"SELECT {keys}, count(*), sum(text_bytes)::BIGINT FROM pages WHERE NOT keep GROUP BY ALL"
    assert rows(stats["removed"], "source", "language", "domain", "reason", "documents", "bytes") == query(sql, text)
    assert all(row["step"] == step_of(row["reason"]) for row in stats["removed"])


def test_estimated_tokens_of_removed_pages(sql: Any, stats: dict[str, Any]) -> None:
    text = """
        WITH known AS (SELECT language, num_tokens::HUGEINT AS t, text_bytes::HUGEINT AS b FROM tokens),
        rates AS (SELECT language, sum(t)::HUGEINT AS t, sum(b)::HUGEINT AS b FROM known GROUP BY ALL),
        whole AS (SELECT sum(t)::HUGEINT AS t, sum(b)::HUGEINT AS b FROM known),
        gone AS (
            SELECT source, language, belongs, reason, sum(text_bytes)::HUGEINT AS n
            FROM pages WHERE NOT keep GROUP BY ALL
        )
        SELECT source, language, belongs, reason,
            (n * coalesce(rates.t, whole.t) // coalesce(rates.b, whole.b))::BIGINT
        FROM gone LEFT JOIN rates USING (language), whole
    """
    assert rows(stats["removed"], "source", "language", "domain", "reason", "tokens") == query(sql, text)


def test_tokens_by_source_language_and_domain(sql: Any, stats: dict[str, Any]) -> None:
    counts = "count(*), sum(text_bytes)::BIGINT, sum(num_tokens)::BIGINT"
    found = query(sql, f"SELECT source, language, domain, {counts} FROM tokens GROUP BY ALL")
    assert rows(stats["tokens"], "source", "language", "domain", "documents", "bytes", "tokens") == found
    found = query(sql, f"SELECT domain, {counts} FROM tokens GROUP BY ALL")
    assert rows(stats["domains"], "domain", "documents", "bytes", "tokens") == found


@pytest.mark.parametrize("column", ["source", "language", "domain"])
def test_tables_by_source_language_and_domain(sql: Any, stats: dict[str, Any], column: str) -> None:
    by = "coalesce(belongs, '(none)')" if column == "domain" else column
    kept = "count(*) FILTER (keep), coalesce(sum(text_bytes) FILTER (keep), 0)::BIGINT"
    found = query(sql, f"SELECT {by}, count(*), sum(text_bytes)::BIGINT, {kept} FROM pages GROUP BY ALL")
    table = stats[f"{column}s"]
    assert rows(table, column, "pages", "text_bytes", "kept", "kept_bytes") == found
    found = query(sql, f"SELECT {column}, sum(num_tokens)::BIGINT, sum(text_bytes)::BIGINT FROM tokens GROUP BY ALL")
    num_bytes = "bytes" if column == "domain" else "tokenized_bytes"
    assert rows([row for row in table if row["tokens"]], column, "tokens", num_bytes) == found
    for row in table:
        gone = sql.execute(
            f"SELECT reason, count(*) FROM pages WHERE NOT keep AND {by} = ? GROUP BY ALL", [row[column]]
        ).fetchall()
        steps = dict.fromkeys(row["removed"], 0)
        for reason, documents in gone:
            steps[step_of(reason)] += documents
        assert steps == row["removed"]


def test_tokens_from_tokenization_to_the_corpus(sql: Any, stats: dict[str, Any]) -> None:
    account = stats["corpus"]
    unique = "SELECT sum(n)::BIGINT FROM (SELECT any_value(num_tokens) AS n FROM corpus GROUP BY doc_id)"
    assert account["unique"] == sql.execute(unique).fetchone()[0]
    assert account["training"] == sql.execute("SELECT sum(num_tokens)::BIGINT FROM corpus").fetchone()[0]
    assert account["tokenized"] == account["held_out"] + account["not_taken"] + account["unique"]
    assert account["training"] == account["unique"] + account["repeated"]
    assert min(account.values()) >= 0


def test_duplicates_by_source_and_language(sql: Any, stats: dict[str, Any]) -> None:
    for name in ("source", "language"):
        text = f"""
            SELECT {name}, count(*), count(*) FILTER (match = 'exact'), count(*) FILTER (match = 'fuzzy')
            FROM pages GROUP BY ALL
        """
        table = stats["clusters"][f"{name}s"]
        found = [(key, row["rows"], row["exact_removed"], row["fuzzy_removed"]) for key, row in table.items()]
        assert sorted(found, key=str) == query(sql, text)
    text = """
        SELECT (1::BIGINT << floor(log2(cluster_size))::BIGINT)::VARCHAR, count(*) FROM pages
        WHERE survivor IS NULL AND cluster_size > 1 GROUP BY ALL
    """
    assert sorted(stats["clusters"]["cluster_sizes"].items()) == query(sql, text)


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
        if entry["totals"]:
            column = entry["column"]
            text = f"coalesce(sum({column}), 0)::BIGINT, coalesce(sum({column}) FILTER (keep), 0)::BIGINT"
            text += f", count(*) FILTER ({column} > 0), count(*) FILTER ({column} > 0 AND keep)"
            assert sql.execute(f"SELECT {text} FROM pages").fetchone() == tuple(entry["totals"])
        checked += 1
    assert checked > 10
    assert bins.edges("counts")[-1] == 2**40


def test_hosts(sql: Any, surveyed: dict[str, Any]) -> None:
    host = "regexp_extract(coalesce(lower(url), ''), '^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:]+)', 1)"
    text = f"SELECT {host} AS host, count(*), count(*) FILTER (keep), sum(text_bytes)::BIGINT FROM pages GROUP BY ALL"
    found = [(name or "(none)", *counts) for name, *counts in query(sql, text)]
    assert rows(surveyed["hosts"], "host", "pages", "kept", "text_bytes") == sorted(found, key=str)


def test_registered_domains(sql: Any, surveyed: dict[str, Any]) -> None:
    expected: dict[str, list[int]] = {}
    suffixes = PublicSuffixList()
    for host in surveyed["hosts"]:
        number = host["host"].rpartition(".")[2].isdigit()
        name = host["host"] if number else suffixes.privatesuffix(host["host"]) or host["host"]
        found = expected.setdefault(name, [0, 0, 0])
        for i, column in enumerate(("pages", "kept", "text_bytes")):
            found[i] += host[column]
    assert rows(surveyed["registered"], "host", "pages", "kept", "text_bytes") == sorted(
        ((name, *counts) for name, counts in expected.items()), key=str
    )


def test_groups_of_pages(sql: Any, surveyed: dict[str, Any]) -> None:
    columns = {name: name for name in surveyed["groups"]} | {"month": "strftime(time AT TIME ZONE 'UTC', '%Y-%m')"}
    assert {"month", "licence", "script", "charset"} <= columns.keys()
    for name, column in columns.items():
        sums = "count(*), count(*) FILTER (keep), sum(text_bytes)::BIGINT"
        sums += ", coalesce(sum(text_bytes) FILTER (keep), 0)::BIGINT"
        found = query(sql, f"SELECT coalesce({column}, ''), {sums} FROM pages GROUP BY ALL")
        assert rows(surveyed["groups"][name], "value", "pages", "kept", "bytes", "kept_bytes") == found


def test_samples_are_pages_with_the_reason_they_are_shown_under(sql: Any, surveyed: dict[str, Any]) -> None:
    for sample in surveyed["samples"]:
        found = sql.execute(
            "SELECT reason, url, language FROM pages WHERE doc_id = ?", [bytes.fromhex(sample["doc_id"])]
        ).fetchall()
        assert (sample["reason"], sample["url"], sample["language"]) in found


def test_the_root_named_in_the_environment_is_a_folder() -> None:
    given = os.environ.get("GRISTMILL_CHECK_ROOT")
    assert given is None or Path(given).is_dir()
