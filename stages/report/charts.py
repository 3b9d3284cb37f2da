"""The charts of the report as numbers: widths and positions in hundredths of the chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.figures import exact, fixed, percent, short
from stages.report import grids
from stages.report.shortfall import came_short, is_short
from stages.schemas import GRID_MARK

Stats = Mapping[str, Any]
TOKENS = "tokens of a document"
CHIEF = (TOKENS, "text_bytes", "confidence", "similarity", "cluster_size", "gopher_num_tokens")
"""Columns that are shown without being asked for, whether a rule looks at them or not."""
LABEL_ROOM = 22
"""Hundredths of a chart that the label of a threshold takes."""
MAX_SHARES = 32
"""Bars drawn; the tables below the chart have all."""


def share_rows(stats: Stats) -> list[dict[str, Any]]:
    """Domains of the mixture, those of large grids added up by label, largest first."""
    many = grids.large(row["domain"] for row in stats["mixture"])
    rows = [row for row in grids.folded(stats, many) if row["realised"] is not None]
    return sorted(rows, key=lambda row: -row["realised"]) if many else rows


def shares(stats: Stats) -> list[dict[str, Any]]:
    """Requested against realised share of each of these, on one scale."""
    rows = share_rows(stats)[:MAX_SHARES]
    top = max((max(row["realised"], row["requested"] or 0) for row in rows), default=0) or 1
    lacking = {row["domain"] for row in came_short(stats)}
    lacking |= {grids.rows_of(name) for name in lacking if GRID_MARK in name}
    views = []
    for row in rows:
        requested, realised, most = row["requested"], row["realised"], row["most_epochs"]
        views.append(
            {
                "domain": row["domain"],
                "buckets": row["domains"] if row["domains"] > 1 else None,
                "requested": None if requested is None else round(100 * requested / top, 2),
                "realised": round(100 * realised / top, 2),
                "requested_text": percent(requested, 1),
                "realised_text": percent(realised, 1),
                "short": row["domain"] in lacking and is_short(requested, realised),
                "epochs": f"{'to ' if row['domains'] > 1 else ''}{fixed(most, 2)}" if most is not None else "–",
                "repeated": most is not None and most > 1,
            }
        )
    return views


def histograms(stats: Stats) -> list[dict[str, Any]]:
    """Lengths in tokens, then one view per surveyed column, those with a threshold first."""
    survey = stats["survey"] or {}
    entries = sorted(survey.get("histograms", []), key=lambda entry: (not entry["thresholds"], order(entry["column"])))
    lengths = stats.get("lengths")
    if lengths:
        counts = {"all": lengths["documents"], "kept": lengths["documents"]}
        entries.insert(0, {"column": TOKENS, "edges": lengths["edges"], **counts, "nulls": 0, "thresholds": []})
    return [view for view in (histogram(entry) for entry in entries) if view]


def order(column: str) -> tuple[int, str]:
    """The chief columns first, the rest by name."""
    return (CHIEF.index(column) if column in CHIEF else len(CHIEF), column)


def histogram(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """``entry``: {"column", "edges", "all", "kept", "nulls", "thresholds": [{"value", "side", "rule"}]}.

    Empty bins before the first used and after the last used one are left out.
    """
    counts, kept, edges = entry["all"], entry["kept"], entry["edges"]
    used = [i for i, count in enumerate(counts) if count]
    if not used:
        return None
    first, last = used[0], used[-1]
    for threshold in entry["thresholds"]:
        inside = [i for i in range(len(edges) - 1) if edges[i] <= threshold["value"] <= edges[i + 1]]
        first, last = min([first, *inside]), max([last, *inside])
    shown = range(first, last + 1)
    top = max(counts[i] for i in shown)
    step = 100 / len(shown)
    bars = [
        {
            "x": round((i - first) * step, 3),
            "width": round(step * 0.86, 3),
            "height": round(100 * counts[i] / top, 2),
            "kept": round(100 * kept[i] / top, 2),
            "label": f"{interval(edges[i], edges[i + 1])}: {exact(counts[i])} pages, {exact(kept[i])} kept",
        }
        for i in shown
    ]
    total = sum(counts)
    marks = [
        {
            **threshold,
            "x": round(position(threshold["value"], edges, first, step), 3),
            "label": label(threshold["value"]) + (f" {threshold['for']}" if threshold.get("for") else ""),
        }
        for threshold in entry["thresholds"]
    ]
    for mark in marks:  # a limit is written on the side where pages fall, where there is room
        left = mark["x"] > 80 or (mark["side"] == "min" and mark["x"] > 20)
        mark["anchor"] = "end" if left else "start"
    for number, mark in enumerate(marks):  # two labels that would lie upon each other: the first is written
        mark["written"] = all(abs(mark["x"] - other["x"]) > LABEL_ROOM for other in marks[:number] if other["written"])
    return {
        "column": entry["column"],
        "chief": bool(marks) or entry["column"] in CHIEF,
        "bars": bars,
        "marks": marks,
        "low": label(edges[first]),
        "high": label(edges[last + 1]),
        "median": label(quantile(counts, edges, 0.5)),
        "p5": label(quantile(counts, edges, 0.05)),
        "p95": label(quantile(counts, edges, 0.95)),
        "pages": short(total),
        "nulls": short(entry["nulls"]) if entry["nulls"] else "",
    }


def position(value: float, edges: list[float], first: int, step: float) -> float:
    """Position of a value on the axis, bins being equally wide on it."""
    for i in range(len(edges) - 1):
        if value < edges[i + 1] or i == len(edges) - 2:
            inside = (value - edges[i]) / (edges[i + 1] - edges[i]) if edges[i + 1] > edges[i] else 0
            return (i - first + min(max(inside, 0), 1)) * step
    return 0.0


def quantile(counts: list[int], edges: list[float], q: float) -> float:
    """Within a bin values are taken as evenly spread; bins of one whole number, or of 0, state it."""
    wanted = q * sum(counts)
    for i, count in enumerate(counts):
        if count and wanted <= count:
            if edges[i].is_integer() and (edges[i + 1] == edges[i] + 1 or edges[i + 1] < 1e-300):
                return edges[i]
            return edges[i] + (edges[i + 1] - edges[i]) * wanted / count
        wanted -= count
    return edges[-1]


def label(value: float) -> str:
    """A value on an axis."""
    if abs(value) < 1e-300:
        return "0"
    if abs(value) >= 1000:
        return short(value)
    return f"{value:.3g}"


def interval(low: float, high: float) -> str:
    return "0" if high < 1e-300 else f"{label(low)} to {label(high)}"


def cluster_sizes(stats: Stats) -> list[dict[str, Any]]:
    """Pages that stay in a cluster, by its size from each power of two up to the next; a chain has several of them."""
    sizes = {int(size): count for size, count in ((stats["clusters"] or {}).get("cluster_sizes") or {}).items()}
    return counted({f"{size}–{2 * size - 1} pages": sizes[size] for size in sorted(sizes)})


def similarities(stats: Stats) -> list[dict[str, Any]]:
    """Number of compared pairs by similarity, in steps of 0.05."""
    pairs = (stats["clusters"] or {}).get("pairs_by_similarity") or {}
    return counted({f"from {lower}": pairs[lower] for lower in sorted(pairs, key=float)})


def counted(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    top = max(counts.values(), default=0)
    return [
        {"label": name, "count": exact(count), "width": round(100 * count / top, 2)}
        for name, count in counts.items()
        if top
    ]
