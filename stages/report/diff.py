"""Changes between two runs: every figure of two stats.json side by side, as data, text and a page.

For whom: the researcher who changed a threshold or a share and wants to see what came of it, and scripts that ask
whether anything did (``equal``). Figures are compared, and pages where `stages.report.changes` was asked too: without
it, two corpora with equal figures can hold other documents.

    diff            two stats -> {"a", "b", "equal", "tables": [...]}, only rows that differ
    render_diff_text, render_diff_html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stages.report import page
from stages.report.changes import tables_of as page_changes
from stages.report.columns import Column, Table, shown
from stages.report.funnel import STEPS
from stages.report.terminal import clean, table
from stages.untrusted import cleaned

Stats = Mapping[str, Any]

# Table of stats -> (heading, key columns, numbers compared). The first number decides the order.
COMPARED: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "funnel": ("What was left after each step", ("step",), ("documents", "bytes", "tokens")),
    "reasons": ("What was removed", ("reason",), ("documents", "bytes", "tokens")),
    "mixture": ("The mixture", ("domain",), ("tokens", "realised_share", "requested_share", "epochs")),
    "phases": ("Phases of training", ("phase", "domain"), ("tokens", "realised_share", "requested_share", "epochs")),
    "domains": ("Tokens available, by domain", ("domain",), ("tokens", "documents")),
    "languages": ("Languages", ("language",), ("tokens", "pages", "kept")),
    "sources": ("Sources", ("source",), ("tokens", "files", "records", "pages", "kept")),
    "rules": ("Rules, whatever else a page fails", ("rule",), ("documents", "alone", "threshold")),
    "hosts": ("Hosts", ("host",), ("kept", "pages")),
}
SHARES = ("realised_share", "requested_share")
NUMBERS = ("epochs", "threshold")
BYTES = ("raw_bytes", "text_bytes")
"""Totals that are sizes."""
SEEN = 0.00005
"""Change of a share that is shown: half a hundredth of a point."""
ASKED = 0.01
"""Change of a requested share, over itself, that rounding of tokens does not bring: a small one may be doubled."""
SHOWN = 20


def diff(a: Stats, b: Stats, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The figures that differ; ``changes`` (`stages.report.changes.add_up`) is passed on, and counted in ``equal``.

    Returns:
        ``{"a": name, "b": name, "equal": bool, "totals": [{"figure", "a", "b"}], "tables": {name: [row]}}``; a row has
        the key columns and, per number, ``[before, after]`` (None: not there). Totals are listed whole.
    """
    totals = [{"figure": key, "a": a["totals"].get(key), "b": b["totals"].get(key)} for key in b["totals"]]
    tables = {}
    for name, (_, keys, numbers) in COMPARED.items():
        before, after = entries(a, name), entries(b, name)
        if name == "funnel":
            before, after = passed_over(before, after), passed_over(after, before)
        rows = changed(before, after, keys, numbers, name == "reasons")
        if name == "funnel":
            rows.sort(key=lambda row: STEPS.index(row["step"]))
        if rows:
            tables[name] = rows
    equal = not tables and all(row["a"] == row["b"] for row in totals) and not (changes and changes["transitions"])
    found = {"a": a["name"], "b": b["name"], "equal": equal, "totals": totals, "tables": tables}
    return found | {"changes": dict(changes) if changes else None}


def passed_over(funnel: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A funnel with the steps that another has and that were not switched on here: they took nothing."""
    there = {row["step"]: row for row in funnel}
    known = {row["step"] for row in other}
    last = max((STEPS.index(step) for step in there), default=-1)  # a run that is not finished has none behind
    rows: list[Mapping[str, Any]] = []
    for place, step in enumerate(STEPS):
        if step in there:
            rows.append(there[step])
        elif step in known and rows and place < last:
            rows.append({**rows[-1], "step": step})
    return rows


def entries(stats: Stats, name: str) -> Sequence[Mapping[str, Any]]:
    found = (stats["survey"] or {}).get("hosts", []) if name == "hosts" else stats[name]
    rows: Sequence[Mapping[str, Any]] = found
    return rows


def changed(
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    keys: tuple[str, ...],
    numbers: tuple[str, ...],
    estimates: bool = False,
) -> list[dict[str, Any]]:
    """Rows whose numbers differ, the largest change of the first number first.

    An estimate of tokens (``estimates``: of all rows; else of those that say so) follows from what other pages hold, so
    it alone is no difference.
    """
    old = {tuple(row[key] for key in keys): row for row in before}
    new = {tuple(row[key] for key in keys): row for row in after}
    rows = []
    for key in sorted({*old, *new}, key=str):
        pairs = {number: [old.get(key, {}).get(number), new.get(key, {}).get(number)] for number in numbers}
        guessed = estimates or all(side.get(key, {}).get("estimated") for side in (old, new))
        compared = [number for number in numbers if not (guessed and number == "tokens")]
        if any(differs(pairs[number], number) for number in compared):
            rows.append(dict(zip(keys, key, strict=True)) | pairs)
    return sorted(rows, key=lambda row: -abs(change(row[numbers[0]]) or 0))


def differs(pair: Sequence[float | None], number: str) -> bool:
    """Whether a number changed; of shares, which move with the size of all, what is seen in hundredths of a point.
    Requested ones are settings, so that small ones count, too."""
    before, after = pair
    if number in SHARES and before is not None and after is not None:
        asked = number == "requested_share" and abs(after - before) > ASKED * max(before, after)
        return asked or abs(after - before) >= SEEN
    return before != after


def change(pair: Sequence[float | None], number: str = "") -> float | None:
    """After minus before, what is missing counting as nothing; None where both are, and where a threshold was not."""
    before, after = pair
    if number in NUMBERS and (before is None or after is None):
        return None
    return None if before is None and after is None else (after or 0) - (before or 0)


def kind_of(number: str) -> str:
    return "share" if number in SHARES else "number" if number in NUMBERS else "bytes" if number == "bytes" else "count"


def change_kind(number: str) -> str:
    if number == "bytes":
        return "bytes_change"
    return "points" if number in SHARES else "number_change" if number in NUMBERS else "change"


def tables_of(found: Mapping[str, Any]) -> list[Table]:
    """The diff as tables: key, then before, after and change of each number."""
    tables = [
        totals_of(found, "totals", "Totals", "count"),
        totals_of(found, "totals_bytes", "Totals in bytes", "bytes"),
    ]
    if found["changes"]:
        tables += [each for each in page_changes(found["changes"]) if each.rows]
    for name, changes in found["tables"].items():
        caption, keys, numbers = COMPARED[name]
        columns = [Column(key, key.capitalize(), "language" if key == "language" else "text") for key in keys]
        for number in numbers:
            label = number.replace("_", " ").capitalize()
            columns += [Column(f"{number}_before", f"{label} before", kind_of(number))]
            columns += [Column(f"{number}_after", "after", kind_of(number))]
            points = "points" if number in SHARES else "change"
            columns += [Column(f"{number}_change", points, change_kind(number))]
        cells = [
            [
                *(row[key] for key in keys),
                *(cell for number in numbers for cell in (*row[number], change(row[number], number))),
            ]
            for row in changes
        ]
        tables.append(Table(name, caption, tuple(columns), cells))
    return tables


def totals_of(found: Mapping[str, Any], name: str, caption: str, kind: str) -> Table:
    """The totals that are counts, or those that are sizes, whether they changed or not."""
    columns = (
        Column("figure", "Figure", "text"),
        Column("a", "Before", kind),
        Column("b", "After", kind),
        Column("change", "Change", change_kind(kind)),
    )
    rows = [row for row in found["totals"] if (row["figure"] in BYTES) == (kind == "bytes")]
    cells = [[row["figure"].replace("_", " "), row["a"], row["b"], change((row["a"], row["b"]))] for row in rows]
    return Table(name, caption, columns, cells)


def render_diff_text(found: Mapping[str, Any]) -> str:
    """Tables for a terminal; ends with a line feed."""
    if found["equal"]:
        return f"{clean(found['a'])} and {clean(found['b'])}: no figure differs\n"
    parts = [f"{clean(found['a'])} -> {clean(found['b'])}"]
    for each in tables_of(found):
        # Before is left out: after and change say it, and lines stay within a terminal.
        keep = [i for i, column in enumerate(each.columns) if not column.key.endswith("_before")]
        heads = [each.columns[i].label for i in keep]
        named = [column.key.removesuffix("_after").replace("_", " ") for column in each.columns]
        heads = [
            named[i] if each.columns[i].key.endswith("_after") else head for i, head in zip(keep, heads, strict=True)
        ]
        rows = [[shown(row[i], each.columns[i].kind)[0] for i in keep] for row in each.rows[:SHOWN]]
        more = f"\n{len(each.rows) - SHOWN} more" if len(each.rows) > SHOWN else ""
        parts.append(f"{each.caption}\n{table(heads, rows)}{more}")
    return "\n\n".join(parts) + "\n"


def render_diff_html(found: Mapping[str, Any]) -> str:
    """The diff as one self-contained page, in the manner of the report."""
    safe = cleaned(dict(found))
    tables = {each.name: page.table_view(each) for each in tables_of(safe)}
    template = page.environment().get_template("diff.html.j2")
    parts = page.inline(page.read("page.css.j2"), page.read("page.js.j2"))
    return template.render(a=safe["a"], b=safe["b"], equal=safe["equal"], tables=tables, **parts)
