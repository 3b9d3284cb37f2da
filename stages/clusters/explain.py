"""`dedup-report`: what deduplication did, for people, from ``summary.json`` and the files it points at.

Pairs by similarity, cluster sizes, loss per source and language, and the largest clusters with excerpts and what
joins them: the first pages that stay and that go. Price: reads the files of the splits that hold these pages, at most
four splits a cluster, however large the corpus is.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from stages.clusters.params import ClusterInput
from stages.contract import Store
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.unicode.normalise import normalise

EXCERPT_CHARACTERS = 160
SHINGLES_SHOWN = 5


def dedup_report(
    store: Store, splits: list[ClusterInput], directory: str, largest: int = 5, ngram: int = 5
) -> dict[str, Any]:
    """The summary of a finished run, with the ``largest`` clusters explained under ``clusters``."""
    summary: dict[str, Any] = store.read_json(f"{directory}/summary.json")
    inputs = {split.name: split for split in splits}
    places: dict[str, set[int]] = {}
    for entry in summary["largest_shown"][:largest]:
        for name, row in entry["pages"]:
            places.setdefault(name, set()).add(row)
    members: dict[str, list[dict[str, Any]]] = {}
    for name in sorted(places.keys() & inputs.keys()):  # pages of an earlier crawl are counted only
        column = store.read_table(f"{directory}/{name}.parquet", ["cluster", "survivor", "similarity", "via"])
        for page in _pages(store, inputs[name], np.array(sorted(places[name])), column):
            members.setdefault(page.pop("cluster"), []).append(page)
    summary["clusters"] = [
        _explained(entry["cluster"], members.get(entry["cluster"], []), ngram)
        | {"pages": entry["pages"], "stay": shown["stay"]}
        for entry, shown in zip(summary["largest_clusters"][:largest], summary["largest_shown"][:largest], strict=True)
    ]
    return summary


def report_lines(report: dict[str, Any]) -> list[str]:
    """`dedup_report` as text."""
    removed = report["exact_removed"] + report["fuzzy_removed"] + report["url_removed"]
    same_address = f" and {report['url_removed']:,} of one address" if report["url_removed"] else ""
    lines = [
        f"{report['rows']:,} pages, {report['passing']:,} pass every other rule; of these {report['exact_removed']:,}"
        f" exact and {report['fuzzy_removed']:,} similar copies"
        f"{same_address} removed ({removed / max(report['passing'], 1):.1%}); {report['pairs_compared']:,} pairs"
        f" compared on the text, {report['pairs_verified']:,} at or above the threshold",
        "",
        "compared pairs by similarity",
    ]
    most = max(report["pairs_by_similarity"].values(), default=1)
    for similarity, count in sorted(report["pairs_by_similarity"].items()):
        lines.append(f"  {similarity}  {count:10,}  {'#' * round(40 * count / most)}")
    lines += ["", "pages that stay, by the size of their cluster (from this size up to the next)"]
    for size, count in sorted(report["cluster_sizes"].items(), key=lambda entry: int(entry[0])):
        lines.append(f"  {int(size):8,}  {count:10,}")
    for kind in ("sources", "languages"):
        lines += ["", f"loss by {kind[:-1]}            pages    passing      exact    similar    address   lost"]
        for name, counts in sorted(report[kind].items(), key=lambda entry: (-entry[1]["rows"], entry[0])):
            gone = [counts[name] for name in ("exact_removed", "fuzzy_removed", "url_removed")]
            columns = "".join(f" {count:10,}" for count in (counts["rows"], counts["passing"], *gone))
            lines.append(f"  {name:20.20s}{columns}  {sum(gone) / max(counts['passing'], 1):6.1%}")
    for cluster in report["clusters"]:
        lines += ["", f"cluster {cluster['cluster']}: {cluster['pages']:,} pages, {cluster['stay']:,} of them stay"]
        for page in cluster["examples"]:
            fate = "stays"
            if page["survivor"] is not None:
                similarity = page["similarity"]
                fate = "removed, same address" if similarity is None else f"removed, similarity {similarity:.3f}"
                fate += f", equal to {page['via']}" if page["via"] and similarity is not None else ""
            lines.append(f"  {page['url'] or page['doc_id']}  ({fate})")
            lines.append(f"    {page['excerpt']}")
        lines += [f"  joined by: {text!r} ({share:.0%} of the pages shown)" for text, share in cluster["shingles"]]
    return lines


def _pages(store: Store, split: ClusterInput, rows: Any, column: pa.Table) -> list[dict[str, Any]]:
    """Id, address, fate and text of some rows; reads only the row groups that hold them."""
    if split.documents is None:
        return []
    decided = column.take(pa.array(rows)).to_pylist()
    tables = store.read_rows(split.documents, rows, ["doc_id", "url", "text"])
    found = [page for _, table in tables for page in table.to_pylist()]
    return [
        {
            "cluster": row["cluster"].hex(),
            "doc_id": page["doc_id"].hex(),
            "url": page["url"],
            "survivor": row["survivor"].hex() if row["survivor"] else None,
            "similarity": row["similarity"],
            "via": row["via"].hex() if row.get("via") else None,
            "text": page["text"],
        }
        for page, row in zip(found, decided, strict=True)
    ]


def _explained(name: str, pages: list[dict[str, Any]], ngram: int) -> dict[str, Any]:
    shown = sorted(pages, key=lambda page: (page["survivor"] is not None, page["doc_id"]))
    counts: Counter[str] = Counter()
    for page in shown:
        counts.update(_readable_shingles(page["text"], ngram))
    common = sorted(counts.items(), key=lambda entry: (-entry[1], -len(entry[0]), entry[0]))[:SHINGLES_SHOWN]
    examples = [
        {
            **{key: page[key] for key in ("doc_id", "url", "survivor", "similarity", "via")},
            "excerpt": _excerpt(page["text"]),
        }
        for page in shown
    ]
    shares = [(text, count / len(shown)) for text, count in common]
    return {"cluster": name, "examples": examples, "shingles": shares}


def _excerpt(text: str) -> str:
    return " ".join(text[: 2 * EXCERPT_CHARACTERS].split())[:EXCERPT_CHARACTERS]


def _readable_shingles(text: str, ngram: int) -> set[str]:
    data, offsets, spaceless = normalise(*text_buffers(pa.array([text], pa.large_string())))
    normal = data[: offsets[-1]].tobytes().decode()
    units = list(normal) if spaceless[0] else normal.split()
    glue = "" if spaceless[0] else " "
    return {glue.join(units[start : start + ngram]) for start in range(max(1, len(units) - ngram + 1))} - {""}
