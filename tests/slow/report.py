"""stats.json computed again, from the product files and the inputs, by DuckDB: the slow twin of `stages.report`.

`expected` has the same keys; nothing of `stages.report` computes here. Names of things (which rule looks at which
column, under which step of the funnel a reason stands) are taken from where they are defined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import xxhash

from stages.report.funnel import STEPS, step_of
from tests.slow import inputs as slow_inputs
from tests.slow import mixture as slow_mixture
from tests.slow import pairs as slow_pairs
from tests.slow import survey as slow_survey
from tests.slow.files import Files
from tests.slow.survey import described

Row = dict[str, Any]


def expected(files: Files) -> dict[str, Callable[[], Any]]:
    """What computes each part of stats.json."""
    return {
        "totals": lambda: totals(files),
        "funnel": lambda: funnel(files),
        "corpus": lambda: slow_mixture.corpus_account(files),
        "removed": lambda: removed(files),
        "tokens": lambda: tokens(files),
        "sources": lambda: sources(files),
        "languages": lambda: [by(files, "language", name) for name in values(files, "language")],
        "domains": lambda: domains(files),
        "reasons": lambda: reasons(files),
        "rules": lambda: rules(files),
        "listed": lambda: files.rows(
            "SELECT listed AS entry, count(*) AS documents FROM pages WHERE listed IS NOT NULL GROUP BY ALL"
        ),
        "asked": lambda: asked(files),
        "views": lambda: views(files),
        "mixture": lambda: slow_mixture.mixture(files),
        "phases": lambda: slow_mixture.phases(files),
        "shards": lambda: slow_mixture.shards(files),
        "held_out": lambda: slow_mixture.held_out(files),
        "buckets": lambda: slow_mixture.buckets(files),
        "lengths": lambda: slow_mixture.lengths(files),
        "input": lambda: inputs(files),
        "clusters": lambda: slow_pairs.clusters(files),
        "survey": lambda: slow_survey.survey(files),
    }


SUMS = "count(*) AS documents, coalesce(sum(text_bytes), 0)::BIGINT AS bytes"


def totals(files: Files) -> Row:
    found = files.rows(
        "SELECT count(*) AS pages, sum(text_bytes)::BIGINT AS text_bytes, count(*) FILTER (keep) AS kept FROM pages"
    )[0]
    return found | {
        "files": files.one("SELECT count(DISTINCT place) FROM pages"),
        "records": files.one("SELECT count(*) FROM records"),
        "raw_bytes": files.one("SELECT sum(raw_bytes)::BIGINT FROM records"),
        "tokens": files.one("SELECT sum(num_tokens)::BIGINT FROM tokens"),
        "training_tokens": files.one("SELECT sum(num_tokens)::BIGINT FROM corpus"),
    }


def removed(files: Files) -> list[Row]:
    """Dropped pages by group; their tokens by the rate of their language, rounded down per group."""
    text = """
        WITH known AS (SELECT language, num_tokens::HUGEINT AS t, text_bytes::HUGEINT AS b FROM tokens),
        rates AS (SELECT language, sum(t)::HUGEINT AS t, sum(b)::HUGEINT AS b FROM known GROUP BY ALL),
        whole AS (SELECT sum(t)::HUGEINT AS t, sum(b)::HUGEINT AS b FROM known),
        gone AS (
            SELECT source, language, belongs, reason, count(*) AS documents, sum(text_bytes)::HUGEINT AS n
            FROM pages WHERE NOT keep GROUP BY ALL
        )
        SELECT source, language, belongs AS domain, reason, documents, n::BIGINT AS bytes,
            (n * coalesce(rates.t, whole.t) // coalesce(rates.b, whole.b))::BIGINT AS tokens
        FROM gone LEFT JOIN rates USING (language), whole
    """
    return [row | {"step": step_of(row["reason"])} for row in files.rows(text)]


def by_reason(found: list[Row]) -> list[Row]:
    sums: dict[str, Row] = {}
    for row in found:
        mine = sums.setdefault(row["reason"], {"reason": row["reason"], "documents": 0, "bytes": 0, "tokens": 0})
        for name in ("documents", "bytes", "tokens"):
            mine[name] += row[name]
    return list(sums.values())


def lost_records(files: Files) -> list[Row]:
    return files.rows(
        "SELECT lost AS reason, count(*) AS documents, sum(raw_bytes)::BIGINT AS raw_bytes, NULL AS tokens"
        " FROM records WHERE lost IS NOT NULL GROUP BY ALL"
    )


def funnel(files: Files) -> list[Row]:
    records = files.rows("SELECT count(*) AS documents, sum(raw_bytes)::BIGINT AS bytes FROM records")[0]
    steps = [records | {"step": "records", "tokens": None, "estimated": False, "removed": []}]
    last = files.rows(f"SELECT {SUMS}, sum(num_tokens)::BIGINT AS tokens FROM tokens")[0]
    left = files.rows(f"SELECT {SUMS} FROM pages")[0]
    gone = removed(files)
    left["tokens"] = last["tokens"] + sum(row["tokens"] for row in gone)
    for step in STEPS[1:-1]:
        here = by_reason([row for row in gone if row["step"] == step])
        if step == "addresses" and not here:
            continue
        left = {name: left[name] - sum(row[name] for row in here) for name in left}
        estimated = left["tokens"] > last["tokens"]
        before = lost_records(files) if step == "documents" else []
        steps.append({**left, "step": step, "estimated": estimated, "removed": [*before, *here]})
    cut = {name: left[name] - last[name] for name in left} | {"reason": "text_cut"}
    reasons = [cut] if cut["documents"] or cut["bytes"] else []
    return [*steps, last | {"step": "tokens", "estimated": False, "removed": reasons}]


def tokens(files: Files) -> list[Row]:
    return files.rows(
        f"SELECT source, language, domain, {SUMS}, sum(num_tokens)::BIGINT AS tokens FROM tokens GROUP BY ALL"
    )


def values(files: Files, column: str) -> list[str]:
    return [row[column] for row in files.rows(f"SELECT DISTINCT {column} FROM pages")]


def by(files: Files, column: str, name: str) -> Row:
    """Pages of one source, language or domain: what each step took of them, what is left."""
    key = "coalesce(belongs, '(none)')" if column == "domain" else column
    text = f"""
        SELECT count(*) AS pages, sum(text_bytes)::BIGINT AS text_bytes, count(*) FILTER (keep) AS kept,
            coalesce(sum(text_bytes) FILTER (keep), 0)::BIGINT AS kept_bytes FROM pages WHERE {key} = ?
    """
    found = files.rows(text, name)[0]
    text = f"""
        SELECT coalesce(sum(num_tokens), 0)::BIGINT AS tokens, coalesce(sum(text_bytes), 0)::BIGINT AS tokenized_bytes
        FROM tokens WHERE {column} = ?
    """
    found |= files.rows(text, name)[0]
    gone = [row for row in removed(files) if (row[column] or "(none)") == name]
    steps = dict.fromkeys(STEPS[1:-1], 0)
    for row in gone:
        steps[row["step"]] += row["documents"]
    return found | {column: name, "removed": steps, "removed_tokens": sum(row["tokens"] for row in gone)}


def sources(files: Files) -> list[Row]:
    found = []
    for name in values(files, "source"):
        text = """
            SELECT count(*) AS records, sum(raw_bytes)::BIGINT AS raw_bytes,
                count(*) FILTER (lost IS NOT NULL) AS no_page FROM records WHERE source = ?
        """
        row = by(files, "source", name) | files.rows(text, name)[0]
        row["files"] = files.one("SELECT count(DISTINCT place) FROM pages WHERE source = ?", name)
        del row["removed_tokens"]
        found.append(row)
    return found


def domains(files: Files) -> list[Row]:
    found = []
    for name in [
        row["belongs"] for row in files.rows("SELECT DISTINCT coalesce(belongs, '(none)') AS belongs FROM pages")
    ]:
        row = by(files, "domain", name)
        row["bytes"] = row.pop("tokenized_bytes")
        row["documents"] = files.one("SELECT count(*) FROM tokens WHERE domain = ?", name)
        text = "SELECT language, sum(num_tokens)::BIGINT AS n FROM tokens WHERE domain = ? GROUP BY ALL"
        row["languages"] = {entry["language"]: entry["n"] for entry in files.rows(text, name)}
        found.append(row)
    return found


def rules(files: Files) -> list[Row]:
    """Rules are those that are on for the file's source, so they are counted file by file."""
    counts: dict[str, Counter[str]] = {}
    for place, entry in enumerate(files.snapshot.product("kept")):
        for rule in entry.report["rules"]:
            text = f"""
                SELECT count(*) FILTER (list_contains(failed, '{rule}')) AS documents,
                    coalesce(sum(text_bytes) FILTER (list_contains(failed, '{rule}')), 0)::BIGINT AS bytes,
                    count(*) FILTER (reason = ?) AS first, count(*) FILTER (failed = ['{rule}']) AS alone
                FROM pages WHERE place = ?
            """
            counts.setdefault(rule, Counter()).update(files.rows(text, rule, place)[0])
    names = ("documents", "bytes", "first", "alone")
    return [{"rule": r, **{n: c[n] for n in names}} | (described(files, r) or {}) for r, c in counts.items()]


def asked(files: Files) -> list[Row]:
    """Pages that a service's files ask not to use, by rule and source; tokens by the rate of their language."""
    sums: dict[tuple[str, str], Counter[str]] = {}
    for place, entry in enumerate(files.snapshot.product("kept")):
        for rule in entry.report["rules"]:
            if not rule.startswith(("robots_txt_", "ai_txt_", "tdmrep_")):
                continue
            text = f"""
                WITH known AS (SELECT language, num_tokens::HUGEINT AS t, text_bytes::HUGEINT AS b FROM tokens),
                rates AS (SELECT language, sum(t)::HUGEINT AS t, sum(b)::HUGEINT AS b FROM known GROUP BY ALL),
                whole AS (SELECT sum(t)::HUGEINT AS t, sum(b)::HUGEINT AS b FROM known)
                SELECT source, language, count(*) AS documents, sum(pages.text_bytes)::BIGINT AS bytes,
                    count(*) FILTER (failed = ['{rule}']) AS alone,
                    any_value(coalesce(rates.t, whole.t)) AS t, any_value(coalesce(rates.b, whole.b)) AS b
                FROM pages LEFT JOIN rates USING (language), whole
                WHERE place = ? AND list_contains(failed, '{rule}') GROUP BY ALL
            """
            for row in files.rows(text, place):
                groups = sums.setdefault((rule, row.pop("source")), Counter())
                t, b = int(row.pop("t")), int(row.pop("b"))
                groups.update({k: row[k] for k in ("documents", "bytes", "alone")})
                groups[f"{row['language']} bytes"] += row["bytes"]
                groups[f"{row['language']} rate"] = t * 10**20 + b
    found = []
    for (rule, source), counts in sums.items():
        languages = [name.removesuffix(" bytes") for name in counts if name.endswith(" bytes")]
        rates = {name: divmod(counts[f"{name} rate"], 10**20) for name in languages}
        tokens = sum(counts[f"{name} bytes"] * rates[name][0] // rates[name][1] for name in languages)
        agent = rule.removeprefix("robots_txt_disallows_")
        who = {"asked_by": "robots.txt", "agent": agent} if agent != rule else {"asked_by": rule, "agent": None}
        row = {name: counts[name] for name in ("documents", "bytes", "alone")}
        found.append({**who, "source": source, "tokens": tokens, **row})
    return found


def reasons(files: Files) -> list[Row]:
    nothing = {"bytes": None, "rule": None, "fails": None, "alone": None}
    found = [row | nothing | {"step": "documents"} for row in lost_records(files)]
    counts = {row["rule"]: row for row in rules(files)}
    for row in by_reason(removed(files)):
        rule = counts[row["reason"]]
        about = {"raw_bytes": None, "rule": described(files, row["reason"]), "step": step_of(row["reason"])}
        found.append(row | about | {"fails": rule["documents"], "alone": rule["alone"]})
    return found


def views(files: Files) -> list[Row]:
    """What the columns of spans of each view cut or replace in kept pages."""
    found: list[Row] = []
    columns = {"redacted": "privacy_spans", "without_repeated_lines": "repeated_lines_spans"}
    for view in files.about["params"]["views"]:
        spans = f"SELECT place, row, unnest({columns[view]}) AS s FROM pages WHERE keep"
        text = "count(DISTINCT (place, row)) AS documents, count(*) AS spans"
        text += ", coalesce(sum(s.stop - s.start), 0)::BIGINT AS bytes"
        found += [{"view": view} | files.rows(f"SELECT {text} FROM ({spans})")[0]]
        if view == "redacted":
            kinds = files.rows(f"SELECT s.kind AS kind, count(*) AS spans FROM ({spans}) GROUP BY ALL")
            rest = {"documents": None, "bytes": None}
            found += [{"view": f"redacted: {row['kind']}", "spans": row["spans"], **rest} for row in kinds]
    return found


def inputs(files: Files) -> Row:
    quarantined = files.one("SELECT count(*) FROM records WHERE lost = 'quarantined'")
    types = files.rows("SELECT content_type, count(*) AS n FROM records WHERE lost = 'not_html' GROUP BY ALL")
    notes = files.rows("SELECT note, count(*) AS n FROM pages WHERE note IS NOT NULL GROUP BY ALL")
    cut = slow_inputs.cut_members(files.snapshot)
    slow: Counter[str] = Counter()
    for entry in files.snapshot.product("tokens"):
        if not entry.report["fast"]:
            slow[entry.report["why_slow"]] += 1
    return {
        "quarantined": quarantined,
        "bad": len(cut),
        "listed": [place | {"kind": "bad", "reason": "truncated_member"} for place in cut],
        "content_types": {row["content_type"]: row["n"] for row in types},
        "notes": {row["note"]: row["n"] for row in notes},
        "reference_tokenized_files": dict(slow),
    }


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Every number (or word, or null) of a tree by its path; rows of a list are named by the words they hold."""
    if isinstance(value, dict):
        return {k: v for key, entry in value.items() for k, v in leaves(entry, f"{path}.{key}").items()} or {path: {}}
    if isinstance(value, list):
        found: dict[str, Any] = {path: len(value)}
        seen: Counter[str] = Counter()
        for number, entry in enumerate(value):
            name = str(number)
            if isinstance(entry, dict):
                words = [f"{k}={v}" for k, v in sorted(entry.items()) if isinstance(v, str) or v is None]
                name = ",".join(words)
                name = name if len(name) < 200 else xxhash.xxh3_64_hexdigest(name.encode("utf-8", "replace"))
                seen[name] += 1
                name += f"#{seen[name]}" if seen[name] > 1 else ""
            found |= leaves(entry, f"{path}[{name}]")
        return found
    return {path: value}
