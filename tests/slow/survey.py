"""Distributions, hosts, groups and samples of pages, by DuckDB: for `slow_report`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import xxhash
from publicsuffixlist import PublicSuffixList

from stages.rules import families
from tests.slow.files import Files

RULES = {rule.name: (family, rule) for family, rules in families.RULES.items() for rule in rules}
SAMPLES, SAMPLE_CHARACTERS, MAX_ROWS = 4, 2000, 10_000
Row = dict[str, Any]


def threshold(files: Files, rule: str, otherwise: Callable[[Row], float | None] = lambda params: None) -> float | None:
    """What the mixture sets for a rule, where it sets a number; of several sources, that of most pages.

    ``otherwise``: what holds by the settings of `kept` where no number is set.
    """
    pages: Counter[float] = Counter()
    for entry in files.snapshot.product("kept"):
        params = files.store.read_json(f"{entry.address.rpartition('/')[0]}/about.json")["params"]
        setting = params["rules"].get(rule)
        setting = otherwise(params) if setting is None or isinstance(setting, bool) else setting
        if setting is not None and not isinstance(setting, bool):
            pages[setting] += entry.report["rows"]
    return max(sorted(pages), key=pages.__getitem__) if pages else RULES[rule][1].threshold if rule in RULES else None


def described(files: Files, name: str) -> Row | None:
    if name.startswith(("below_min_", "above_max_")):
        side, column = name[6:9], name[10:]
        return {"family": "limit", "column": column, "side": side, "threshold": threshold(files, name)}
    if name == "low_language_confidence":
        least = threshold(files, name, lambda params: params["min_confidence"] or None)
        return {"family": "language", "column": "confidence", "side": "min", "threshold": least} if least else None
    if name == "near_duplicate":
        folder = files.snapshot.data["clusters"].rpartition("-")[0]
        alike = files.store.read_json(f"{folder}/about.json")["params"]["threshold"]
        most = threshold(files, name, lambda params: alike)
        return {"family": "clusters", "column": "similarity", "side": "from", "threshold": most}
    if name not in RULES:
        return None
    family, rule = RULES[name]
    return {"family": family, "column": rule.column, "side": rule.side, "threshold": threshold(files, name)}


def survey(files: Files) -> Row:
    text = "SELECT host, count(*) AS pages, count(*) FILTER (keep) AS kept, sum(text_bytes)::BIGINT AS text_bytes"
    hosts = host_rows(files.rows(f"{text} FROM pages GROUP BY ALL"))
    return {
        "histograms": list(histograms(files)),
        "hosts": sorted(hosts, key=lambda row: (-row["pages"], row["host"]))[:MAX_ROWS],
        "hosts_error": 0,
        "registered": registered(hosts),
        "registered_error": 0,
        "groups": groups(files),
        "samples": samples(files),
    }


def host_rows(found: list[Row]) -> list[Row]:
    pages, kept = (sum(row[name] for row in found) for name in ("pages", "kept"))
    return [
        row
        | {"host": row["host"] or "(none)", "share": row["pages"] / pages, "kept_share": row["kept"] / row["pages"]}
        | {"share_kept": row["kept"] / kept if kept else None}
        for row in found
    ]


def registered(hosts: list[Row]) -> list[Row]:
    sums: dict[str, Row] = {}
    suffixes = PublicSuffixList()
    for row in hosts:
        number = row["host"].rpartition(".")[2].isdigit()
        name = row["host"] if number else suffixes.privatesuffix(row["host"]) or row["host"]
        found = sums.setdefault(name, {"host": name, "pages": 0, "kept": 0, "text_bytes": 0})
        for column in ("pages", "kept", "text_bytes"):
            found[column] += row[column]
    return host_rows(list(sums.values()))


def edges_of(kind: str) -> list[float]:
    if kind == "fractions":
        return [0.0, 5e-324, *(k / 50 for k in range(1, 51))]
    if kind == "counts":
        return [*range(8), *(2.0**e + q * 2.0 ** (e - 2) for e in range(3, 40) for q in range(4)), 2.0**40]
    return [0.0, 5e-324, *(2.0**e + q * 2.0 ** (e - 3) for e in range(-4, 20) for q in range(8)), 2.0**20]


FRACTIONS = ("fraction", "confidence", "similarity", "score", "probability", "ratio", "_per_word")
NOT_MEASURED = ("row", "place", "offset", "raw_bytes", "failed", "file_row_number", "near_duplicate")


def histograms(files: Files) -> Iterator[Row]:
    active = {rule for entry in files.snapshot.product("kept") for rule in entry.report["rules"]}
    for column, kind in files.sql.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'pages'"
    ).fetchall():
        whole = kind in ("BIGINT", "INTEGER", "UBIGINT", "SMALLINT", "TINYINT")
        if column in NOT_MEASURED or not (whole or kind in ("DOUBLE", "FLOAT")):
            continue
        edges = edges_of("counts" if whole else "fractions" if column.endswith(FRACTIONS) else "numbers")
        found: Row = {"column": column, "edges": edges}
        for key, condition in (("all", "true"), ("kept", "keep")):
            text = f"SELECT {column}::DOUBLE AS v FROM pages WHERE {condition} AND {column} IS NOT NULL"
            numbers = files.sql.execute(text).fetchnumpy()["v"]
            found[key] = np.histogram(numbers, [-np.inf, *edges[1:-1], np.inf])[0].tolist()
        found["nulls"] = files.one(f"SELECT count(*) FROM pages WHERE {column} IS NULL")
        text = f"coalesce(sum({column}), 0)::BIGINT, coalesce(sum({column}) FILTER (keep), 0)::BIGINT"
        text += f", count(*) FILTER ({column} > 0), count(*) FILTER ({column} > 0 AND keep)"
        found["totals"] = list(files.sql.execute(f"SELECT {text} FROM pages").fetchone()) if whole else None
        found["thresholds"] = [
            {"rule": name, "side": rule.side, "value": threshold(files, name), "for": ""}
            for name, (_, rule) in RULES.items()
            if rule.column == column and name in active
        ]
        found["thresholds"] += [
            {"rule": name, "side": RULES[name][1].side, "value": value, "for": ", ".join(other["languages"])}
            for other in (files.mixture or {}).get("kept", {}).get("overrides", [])
            for name, value in other["rules"].items()
            if RULES[name][1].column == column and not isinstance(value, bool)
        ]
        yield found


def groups(files: Files) -> Row:
    columns = {"month": "strftime(time AT TIME ZONE 'UTC', '%Y-%m')", "licence": "licence", "charset": "charset"}
    columns |= {"script": "script"}
    measured = [path for product in ("quality", "contamination") for path in files.paths(product)]
    quality = {name for path in measured for name in pa.parquet.read_schema(path).names}
    for column, kind in files.sql.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'pages'"
    ).fetchall():
        if kind == "VARCHAR" and (column in quality or column == "match"):
            columns[column] = column
    sums = "count(*) AS pages, count(*) FILTER (keep) AS kept, sum(text_bytes)::BIGINT AS bytes"
    sums += ", coalesce(sum(text_bytes) FILTER (keep), 0)::BIGINT AS kept_bytes"
    columns.pop("match", None)
    return {
        name: files.rows(f"SELECT coalesce({column}, '') AS value, {sums} FROM pages GROUP BY ALL")
        for name, column in columns.items()
    }


def samples(files: Files) -> list[Row]:
    """Of every reason the pages whose doc_ids have the smallest keyed hashes."""
    columns = "doc_id, reason, source, url, language, text_bytes, place, row"
    found: dict[str | None, list[tuple[Any, ...]]] = {}
    for row in files.rows(f"SELECT {columns} FROM pages"):
        key = xxhash.xxh3_64_intdigest(row["doc_id"], 7)
        found.setdefault(row["reason"], []).append((key, row["doc_id"].hex(), row))
    paths = files.paths("documents")
    chosen = []
    for reason, pages in found.items():
        column = sample_column(files, reason)
        for _, doc_id, row in sorted(pages, key=lambda entry: entry[:2])[:SAMPLES]:
            place, number = row.pop("place"), row.pop("row")
            text = files.one(
                f"SELECT text FROM read_parquet('{paths[place]}', file_row_number = true) WHERE file_row_number = ?",
                number,
            )
            where = "FROM pages WHERE place = ? AND row = ?"
            value = files.one(f"SELECT {column} {where}", place, number) if column else None
            chosen.append(row | {"doc_id": doc_id, "text": text[:SAMPLE_CHARACTERS], "column": column, "value": value})
    return chosen


def sample_column(files: Files, reason: str | None) -> str | None:
    named = {"near_duplicate": "similarity", "low_language_confidence": "confidence"}
    column = named.get(reason or "") or (RULES[reason][1].column if reason in RULES else None)
    known = {
        row["column_name"] for row in files.rows("SELECT column_name FROM duckdb_columns() WHERE table_name = 'pages'")
    }
    return column if column in known else None
