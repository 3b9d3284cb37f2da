"""report.html: one file that needs nothing else: no request, no library, no clock.

Everything is drawn on the server side of things, here: numbers, bars, tables with their first rows. The script in the
page only sorts, filters and lengthens the tables, and shows exact numbers. A policy in the page itself forbids all
requests and every script but that one (by its hash), so text from pages cannot do anything even if it got through the
escaping. Page text and names pass through `stages.untrusted`.

Price: 50 ms and about 100 KB, and 60 bytes for each further row of a table.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from stages import figures
from stages.report import charts
from stages.report.columns import FATES, Table, shown
from stages.report.remarks import remarks
from stages.report.surveyed import GROUPS
from stages.report.tables import build_tables, costs_table
from stages.untrusted import cleaned, passage, script_data

FIRST_ROWS = 20
"""Rows of a table before "show more"."""
MAX_ROWS = 20_000
SAMPLE_CHARACTERS = 1500
KEPT = {"min": "from", "max": "up to", "from": "below"}

STEP_NAMES = {
    "records": ("Records read", "All records of the input files."),
    "documents": ("Pages with text", "Records that are pages, could be read, and have text."),
    "addresses": ("Not on a list", "Hosts, addresses and words that the mixture shuts out."),
    "language": ("In a wanted language", "The language label, and how sure it is."),
    "quality": ("Passed the rules", "Quality rules, each at its threshold."),
    "kept": ("In a domain", "Belongs to one of the mixture's domains."),
    "clusters": ("Not a duplicate", "Of the pages left: exact copies, then near copies, verified on the text."),
    "tokens": ("Tokenized", "After spans were cut from the text."),
    "corpus": ("In the corpus", "What the mixture takes, repeats included."),
}


def render_html(stats: Mapping[str, Any], costs: Mapping[str, Any] | None = None) -> str:
    """The report as one self-contained HTML document; the arguments are those of `Page` and its ``html``."""
    return Page(stats).html(costs)


class Page:
    """A report that is drawn once, for as many documents as are wanted: they differ in the costs that they show.

    Args:
        stats: from `build_stats`.
    """

    def __init__(self, stats: Mapping[str, Any]) -> None:
        samples = sample_groups(stats)
        figures_of = cleaned({key: value for key, value in stats.items() if key != "survey"})
        survey = cleaned({key: value for key, value in (stats["survey"] or {}).items() if key != "samples"})
        figures_of["survey"] = survey or None
        tables = build_tables(figures_of)
        self._drawn = draw(
            "page.html.j2",
            stats=figures_of,
            totals=figures_of["totals"],
            funnel=funnel_view(figures_of),
            cards=cards(figures_of),
            remarks=remarks(figures_of),
            harm=bool({"personal_data", "contamination", "contamination_verdicts"} & set(names_of(tables))),
            tables={table.name: table_view(table) for table in tables},
            histograms=charts.histograms(figures_of),
            scripts=[f"by_{name}" for name in GROUPS if f"by_{name}" in names_of(tables)],
            counted=[name for name in names_of(tables) if name.startswith("by_") and name[3:] not in GROUPS],
            sizes=charts.cluster_sizes(figures_of),
            similarities=charts.similarities(figures_of),
            samples=samples,
            shares=charts.shares(figures_of),
            share_rows=len(charts.share_rows(figures_of)),
            **inline(read("page.css.j2"), read("page.js.j2")),
            costs_link=Markup(COSTS_LINK),
            costs_section=Markup(COSTS_SECTION),
        )

    def html(self, costs: Mapping[str, Any] | None = None) -> str:
        """The document.

        Args:
            costs: {stage: {"seconds", "bytes", "pages", "tasks", "retries", "peak_memory"}}, each number optional;
                shown, but no part of stats.json, because they differ from run to run.
        """
        shown_costs = costs_table(cleaned(dict(costs))) if costs else None
        link = section = ""
        if shown_costs is not None and shown_costs.rows:
            link = '<li><a href="#costs">Cost</a></li>'
            section = draw("costs.html.j2", tables={shown_costs.name: table_view(shown_costs)}) + "\n"
        return self._drawn.replace(COSTS_LINK, link, 1).replace(COSTS_SECTION, section, 1)


COSTS_LINK, COSTS_SECTION = "\0link\0", "\0section\0"
"""Places where costs are put in: no text that is shown has such a character (`cleaned`)."""


def draw(template: str, **values: Any) -> str:
    return environment().get_template(template).render(fates=FATES, **values)


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        short=figures.short,
        size=figures.size,
        exact=figures.exact,
        seconds=figures.duration,
        words=words,
        breakable=breakable,
    )
    made.globals.update(percent=figures.percent)
    return made


def read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8").strip()


def content_hash(text: str) -> str:
    """The hash of a text for the content security policy: the browser hashes what stands between the tags."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def inline(style: str, script: str) -> dict[str, Any]:
    """A style sheet and a script that stand in a page, as its template has them, and their hashes for its policy."""
    found = {"style": style, "script": script}
    hashes = {f"{name}_hash": content_hash(text) for name, text in found.items()}
    return {name: Markup(text) for name, text in found.items()} | hashes  # our own files


def words(reason: str) -> str:
    """A snake_case reason as words."""
    return reason.replace("_", " ")


def breakable(reason: str) -> Markup:
    """A snake_case reason that may be broken at its underscores."""
    return Markup("_<wbr>").join(reason.split("_"))


def cards(stats: Mapping[str, Any]) -> list[dict[str, str]]:
    """The figures at the top: label, short number, exact number, what it is a part of."""
    totals = stats["totals"]
    mixture = stats["mixture"]
    kept = figures.percent(totals["kept"], totals["pages"])
    tokenized = sum(row["bytes"] for row in stats["tokens"])
    rate = f"{figures.fixed(tokenized / totals['tokens'], 2)} bytes of text per token" if totals["tokens"] else ""
    unique = sum(row["unique_tokens"] or 0 for row in mixture)
    times = (
        f"{figures.fixed(totals['training_tokens'] / unique, 2)} times each, on average" if unique and mixture else ""
    )
    found = [
        ("Records read", totals["records"], f"{figures.size(totals['raw_bytes'])} in {_files(totals['files'])}"),
        ("Pages", totals["pages"], f"{figures.size(totals['text_bytes'])} of text"),
        ("Pages kept", totals["kept"], f"{kept} of pages" if totals["kept"] is not None else "not known yet"),
        ("Tokens available", totals["tokens"], rate or "not known yet"),
        ("Tokens in the corpus", totals["training_tokens"], times or ("" if stats["complete"] else "not known yet")),
    ]
    return [
        {"label": label, "value": figures.short(value), "exact": figures.exact(value), "note": note}
        for label, value, note in found
    ]


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def funnel_view(stats: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Steps with the widths of their bars, in hundredths, for each of the three units."""
    steps = [*stats["funnel"], *corpus_step(stats)]
    tops = {
        "documents": max((step["documents"] or 0 for step in steps), default=0),
        "bytes": max((step["bytes"] or 0 for step in steps[1:]), default=0),
        "tokens": max((step["tokens"] or 0 for step in steps), default=0),
    }
    totals = stats["totals"]
    estimated = max((step["tokens"] or 0 for step in stats["funnel"]), default=0)
    pages = {"documents": totals["pages"], "bytes": totals["text_bytes"], "tokens": estimated}
    views = []
    for index, step in enumerate(steps):
        label, about = STEP_NAMES[step["step"]]
        units = {}
        for unit, top in tops.items():
            before = steps[index - 1][unit] if index > 1 or (index == 1 and unit == "documents") else None
            units[unit] = unit_view(step, unit, before, top, pages[unit], raw=index == 0)
        removed = sorted(step["removed"], key=lambda row: (-row["documents"], row["reason"]))
        views.append({"step": step["step"], "label": label, "about": about, "units": units, "removed": removed})
        views[-1]["account"] = step.get("account", "")
    return views


def corpus_step(stats: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The last step: what training reads, and how its tokens follow from those tokenized."""
    found = stats.get("corpus")
    if not found:
        return []
    documents, num_bytes = (sum(row[key] or 0 for row in stats["mixture"]) for key in ("documents", "text_bytes"))
    signs = (("held_out", "−", "held out"), ("not_taken", "−", "not taken"), ("repeated", "+", "repeated"))
    account = ", ".join(f"{sign}{figures.short(found[key])} {text}" for key, sign, text in signs if found[key])
    step = {"step": "corpus", "documents": documents, "bytes": num_bytes, "tokens": found["training"], "removed": []}
    return [step | {"estimated": False, "account": f"tokens: {account}" if account else ""}]


def names_of(tables: list[Table]) -> list[str]:
    return [table.name for table in tables]


def unit_view(
    step: Mapping[str, Any], unit: str, before: int | None, top: int, pages: int | None, *, raw: bool
) -> dict[str, Any]:
    value = step[unit]
    gone = before - value if before is not None and value is not None else None
    drawn = bool(top) and value is not None and not (raw and unit != "documents")
    number = figures.size if unit == "bytes" else figures.short
    pieces = unit == "documents" and step["step"] == "tokens" and bool(gone and gone < 0)  # long ones were cut
    mark = "~" if step["estimated"] and unit == "tokens" else ""
    width = round(100 * value / top, 2) if drawn else 0
    lost = round(min(100 - width, 100 * max(gone or 0, 0) / top), 2) if drawn and gone else 0
    return {
        "value": "–" if value is None else mark + number(value),
        "exact": "" if value is None else ("about " if mark else "") + figures.exact(value) + f" {unit}",
        "note": "raw, before extraction" if raw and unit == "bytes" else "pieces of documents" if pieces else "",
        "of_pages": "" if raw or pieces or value is None or step["step"] == "corpus" else figures.percent(value, pages),
        "gone": "" if not gone else ("+" if gone < 0 else "−") + number(abs(gone)),
        "more": bool(gone and gone < 0),
        "gone_share": figures.percent(gone, before) if gone and gone > 0 else "",
        "width": width,
        "lost": lost,
    }


def table_view(table: Table) -> dict[str, Any]:
    """First rows as text, all rows as data for the script."""
    kinds = [column.kind for column in table.columns]
    rows = table.rows[:MAX_ROWS]
    tops = [top(rows, i) if column.bar else 0 for i, column in enumerate(table.columns)]
    fates = {"fates": FATES} if "parts" in kinds else {}
    first = []
    for row in rows[:FIRST_ROWS]:
        cells = []
        for value, kind, most in zip(row, kinds, tops, strict=True):
            text, full = shown(value, kind)
            bar = round(100 * value / most, 2) if most and value else None
            parts = segments(value) if kind == "parts" else None
            cell = {"text": text, "full": full, "bar": bar if most else None, "has_bar": bool(most), "parts": parts}
            cells.append(cell)
        first.append(cells)
    return {
        "name": table.name,
        "caption": table.caption,
        "columns": table.columns,
        "rows": first,
        "total": len(rows),
        "left_out": len(table.rows) - len(rows),
        "tools": len(rows) > 8,
        "data": script_data({"kinds": kinds, "tops": tops, "first": FIRST_ROWS, "rows": rows} | fates),
    }


def segments(counts: list[int] | None) -> list[tuple[int, float, float]]:
    """(number of the part, where it begins, how wide it is) in hundredths, of the parts that are not empty."""
    found, place, whole = [], 0.0, sum(counts or ())
    for number, count in enumerate(counts or ()):
        if count:
            found.append((number, round(place, 2), round(100 * count / whole, 2)))
            place += 100 * count / whole
    return found


def top(rows: list[list[Any]], index: int) -> float:
    return max((row[index] for row in rows if row[index] is not None), default=0)


def sample_groups(stats: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Samples by reason, kept pages first, text bounded and made visible."""
    found: dict[str | None, list[dict[str, Any]]] = {}
    rules = {row["reason"]: row["rule"] for row in stats["reasons"] if row["rule"]}
    for sample in (stats["survey"] or {}).get("samples", []):
        entry = {key: cleaned(value) for key, value in sample.items() if key != "text"}
        text = passage(sample["text"].strip(), SAMPLE_CHARACTERS)
        entry |= {"text": text, "cut": len(text) > SAMPLE_CHARACTERS, "measured": measured(entry, rules)}
        found.setdefault(entry["reason"], []).append(entry)
    order = sorted(found, key=lambda reason: (reason is not None, reason or ""))
    return [{"reason": reason, "pages": found[reason]} for reason in order]


def measured(sample: Mapping[str, Any], rules: Mapping[str, Any]) -> str:
    """The measure for which a sample was removed: its value of the reason's column, and what would have been kept."""
    if not sample.get("column") or sample.get("value") is None:
        return ""
    value = sample["value"]
    text = f"{sample['column']} {f'{value:g}' if isinstance(value, float) else value}"
    rule = rules.get(sample["reason"])
    if not rule:
        return text
    return f"{text}, kept {KEPT[rule['side']]} {rule['threshold']:g}"
