"""The stats report of a root: gathered from the reports inside its files, written beside the corpus.

Pages taken down (`remove`) are counted, and none of their text is shown, nor of copies that went with them.

``report/<address>/stats.json`` and ``report.html`` are reproducible like every product: they hold no times. The page
that a user is pointed to, ``runs/<mixture>/report.html``, adds what the run cost.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from pipeline.answers.why import likeness
from pipeline.recipe import answers, graph
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.pages import rows_of
from pipeline.recipe.removed import removed_ids
from pipeline.recipe.snapshot import Snapshot
from pipeline.store import costs, facts
from pipeline.store.address import digest
from pipeline.store.storage import Store
from stages import report
from stages.report import cards, export, stats, survey
from stages.report.ledger import Counted
from stages.report.remarks import repeated as repeated
from stages.seal import encode_html, encode_json

REPORT_VERSION = (stats.VERSION, survey.VERSION)


def stats_of(snapshot: Snapshot) -> dict[str, Any]:
    """The figures of a mixture, finished or not (then of what is there).

    Those of a finished one stand in its stats.json, which the same products always lead to.

    Raises:
        RunError: a file that a finished one is read from is missing.
    """
    store = snapshot.store
    made = f"{folder_of(snapshot)}/stats.json"
    if snapshot.complete and store.exists(made):
        found: dict[str, Any] = store.read_json(made)
        return found
    snapshot.check_there()

    def reports(product: str) -> Iterator[Any]:
        return (entry.report for entry in snapshot.product(product))

    documents: Any = counted(snapshot, "documents") or reports("documents")
    pending = snapshot.data.get("pending", {}).get("documents")
    if pending:
        documents = (store.metadata(address) for address in pending if store.exists(address))
    clusters, repeats, contamination = (summary_of(snapshot, name) for name in ("clusters", "repeats", "contamination"))
    removed = removed_ids(snapshot)
    return report.build_stats(
        snapshot.name,
        documents,
        counted(snapshot, "kept") or reports("kept"),
        clusters,
        counted(snapshot, "tokens") or reports("tokens"),
        snapshot.corpus(),
        repeats=_without(removed, repeats, "most_repeated"),
        contamination=_without(removed, contamination, "examples"),
        survey=_without(removed, survey_of(snapshot), "samples"),
        thresholds=thresholds_of(snapshot),
        own=own_rules_of(snapshot),
        overrides=overrides_of(snapshot),
        buckets=buckets_of(snapshot),
        held_out=held_out_of(snapshot),
        own_lines=own_lines_of(snapshot, removed),
    )


def _without(removed: frozenset[str], figures: dict[str, Any] | None, key: str) -> dict[str, Any] | None:
    """Figures whose examples (``key``) are of other pages than these."""
    if not removed or figures is None or key not in figures:
        return figures
    return figures | {key: [example for example in figures[key] if example["doc_id"] not in removed]}


def counted(snapshot: Snapshot, product: str) -> Counted[Any] | None:
    """The reports of a product as they were added up when they came; None where they were not."""
    address = snapshot.data["products"].get(product)
    if address is None or not snapshot.store.exists(address):
        return None
    found = facts.beside(snapshot.store, address)
    if found is None or found.counts is None:
        return None
    held = facts.Facts(found.read(COUNTED))
    known = {key: held.numbers(key) for key in COUNTED if key != "bad"}
    rows, text_bytes = (known["held_rows"], known["held_text_bytes"])
    listing = (known["num_quarantined"] > 0) | np.array([bool(bad) for bad in held.column("bad")], bool)

    def reports() -> Iterator[Any]:
        return (entry.report for entry in snapshot.product(product))

    return Counted(found.counts, rows, text_bytes, known["kept"], reports, listing if product == "documents" else None)


COUNTED = ("held_rows", "held_text_bytes", "kept", "num_quarantined", "bad")
"""Facts that a report asks of products that are counted."""


def summary_of(snapshot: Snapshot, product: str) -> dict[str, Any] | None:
    """The summary of an exchange, where it was made."""
    summary = f"{snapshot.data.get(product)}/summary.json"
    found: dict[str, Any] | None = snapshot.store.read_json(summary) if snapshot.store.exists(summary) else None
    return found


def folder_of(snapshot: Snapshot, version: tuple[int, ...] | None = None) -> str:
    """Folder of the report of a finished mixture, as this program or one of an earlier version writes it."""
    return f"report/{snapshot.name}-{digest([snapshot.data, version or REPORT_VERSION])}"


def made_folder(snapshot: Snapshot) -> str:
    """Folder of the report that is there: of an earlier version where only that wrote one."""
    now = folder_of(snapshot)
    there = {address.rpartition("/")[0] for address, _ in snapshot.store.list("report")}
    if now in there:
        return now
    earlier = itertools.product(*(range(version, 0, -1) for version in REPORT_VERSION))
    return next((folder for version in earlier if (folder := folder_of(snapshot, version)) in there), now)


def survey_of(snapshot: Snapshot) -> dict[str, Any] | None:
    """Distributions, hosts and samples; None before they are there, and where an earlier program wrote them."""
    address = snapshot.data.get("survey")
    if address is None or not address.endswith(survey.SUFFIX) or not snapshot.store.exists(address):
        return None
    return survey.finish(snapshot.store, address)


def thresholds_of(snapshot: Snapshot) -> dict[str, float]:
    """Thresholds the mixture sets itself. Where sources differ, that of most pages; overrides are not among them."""
    pages: dict[str, Counter[float]] = {}
    similar = likeness(snapshot)
    for params, rows in settings_of(snapshot):
        given = {"low_language_confidence": params.get("min_confidence") or None, "near_duplicate": similar}
        set_here = {rule: setting for rule, setting in params.get("rules", {}).items() if not isinstance(setting, bool)}
        given |= {rule: setting for rule, setting in set_here.items() if setting or rule != "near_duplicate"}
        for rule, setting in given.items():
            if setting is not None:
                pages.setdefault(rule, Counter())[setting] += rows
    return {rule: max(sorted(found), key=found.__getitem__) for rule, found in sorted(pages.items())}


def own_rules_of(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """Rules of the user's own: their columns, sides and thresholds by name."""
    return {name: dict(rule) for params, _ in settings_of(snapshot) for name, rule in params.get("own", {}).items()}


def settings_of(snapshot: Snapshot) -> list[tuple[dict[str, Any], int]]:
    """The settings of `kept` of every source that has other ones, and how many pages they hold for."""
    rows: Counter[str] = Counter()
    address = snapshot.data["products"].get("kept")
    if address is not None and snapshot.store.exists(address):
        held = facts.read(snapshot.store, address, ["address", "rows"])
        for file, count in zip(held.column("address"), held.column("rows"), strict=True):
            rows[f"{file.rpartition('/')[0]}/about.json"] += count
    return [(snapshot.store.read_json(place)["params"], n) for place, n in rows.items() if snapshot.store.exists(place)]


def overrides_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Thresholds for some sources, languages or domains alone."""
    found = []
    for params, _ in settings_of(snapshot):
        for override in params.get("overrides", []):
            whom = [", ".join(override[key]) for key in ("sources", "languages", "domains") if override.get(key)]
            for rule, setting in override["rules"].items():
                entry = {"rule": rule, "value": setting, "for": " in ".join(whom)}
                if not isinstance(setting, bool) and entry not in found:
                    found.append(entry)
    return found


def buckets_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Edges of the buckets that domains select by, by language."""
    address = snapshot.data.get("buckets")
    if not address or not snapshot.store.exists(address):
        return []
    entry = next(snapshot.product("kept"), None)
    if entry is None or not snapshot.store.exists(entry.about):
        return []
    domains = snapshot.store.read_json(entry.about)["identity"]["domains"]
    return answers.bucket_edges(domains, snapshot.store.read_json(address))


def own_lines_of(snapshot: Snapshot, removed: frozenset[str]) -> list[dict[str, Any]]:
    """Of each rule of `lines.rules` the first lines that it marks, in the first splits; none of ``removed`` pages."""
    shown: dict[str, list[dict[str, Any]]] = {}
    for split, entry in enumerate(islice(snapshot.product("own_lines"), SPLITS_LOOKED)):
        documents = snapshot.entry("documents", split)
        spans = snapshot.store.read_table(entry.address, ["own_lines_spans"]).column(0)
        for row, marked in enumerate(spans.to_pylist()):
            wanted = [span for span in marked if len(shown.get(span["kind"], ())) < EXAMPLES]
            if not wanted or documents is None:
                continue
            [page] = rows_of(snapshot.store, documents.address, row).select(["doc_id", "text"]).to_pylist()
            for span in wanted if page["doc_id"].hex() not in removed else ():
                found = shown.setdefault(span["kind"], [])
                line = (
                    page["text"].encode()[span["start"] : span["stop"]].strip()[:EXAMPLE_BYTES].decode(errors="ignore")
                )
                if len(found) < EXAMPLES and all(line != one["line"] for one in found):
                    found.append({"rule": span["kind"], "line": line, "doc_id": page["doc_id"].hex()})
    return [one for rule in sorted(shown) for one in shown[rule]]


EXAMPLES, EXAMPLE_BYTES, SPLITS_LOOKED = 5, 160, 16


def held_out_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Folder, documents and tokens of each domain's splits other than training."""
    rows = []
    for domain, address in sorted((snapshot.data.get("shards") or {}).items()):
        if snapshot.store.exists(address):
            splits = snapshot.store.read_json(address)["splits"]
            others = {name: held for name, held in splits.items() if name != "train" and held["documents"]}
            folder = address.rpartition("/")[0]
            rows += [
                {"domain": domain, "split": name, "folder": f"{folder}/{name}", **held} for name, held in others.items()
            ]
    return rows


def held_out_lines(store: Store, name: str) -> list[str]:
    """Folder, documents and tokens of the held-out splits of each domain, a line each."""
    snapshot = snapshots.load(store, name)
    return [
        f"{row['split']:<7} {store.uri(row['folder'])} ({named}, {row['tokens']:,} tokens of {row['domain']})"
        for row in held_out_of(snapshot)
        for named in ("1 document" if row["documents"] == 1 else f"{row['documents']:,} documents",)
    ]


def costs_of(snapshot: Snapshot) -> dict[str, dict[str, float]]:
    """Costs of making the files of this mixture, whichever run made them."""
    found = [costs.hashes_of(snapshot.addresses(product)) for product in snapshot.data["products"]]
    return costs.gather(snapshot.store, np.concatenate([*found, costs.hashes_of(())]), graph.BY_SPLIT)


def write(store: Store, name: str) -> str:
    """Write the report of a finished mixture; the URI of its page with costs."""
    snapshot = snapshots.load(store, name)
    stats = stats_of(snapshot)
    folder = folder_of(snapshot)
    if store.problem(f"{folder}/stats.json"):
        store.write_bytes(f"{folder}/stats.json", encode_json(stats, "replace"))
    drawn = report.Page(stats)
    if store.problem(f"{folder}/report.html"):
        write_page(store, f"{folder}/report.html", drawn.html())
    page = f"runs/{name}/report.html"
    write_page(store, page, drawn.html(costs_of(snapshot)))
    return store.uri(page)


def write_page(store: Store, address: str, page: str) -> None:
    """Write a page, with its checksum."""
    store.write_bytes(address, encode_html(page.encode("utf-8", "replace")))


def of_phase(figures: dict[str, Any], phase: str, corpus: dict[str, Any]) -> dict[str, Any]:
    """The figures of a run as those of one phase of training alone; ``corpus`` is its manifest."""
    return figures | {
        "name": f"{figures['name']}-{phase}",
        "mixture": [row for row in figures["phases"] if row["phase"] == phase],
        "phases": [],
        "shards": stats.shard_figures(corpus),
        "totals": figures["totals"] | {"training_tokens": corpus["tokens"]},
    }


def dataset_card(
    stats: dict[str, Any], licence: str | None, title: str | None, description: str, croissant: bool = False
) -> bytes:
    """README.md for the Hugging Face Hub."""
    card = cards.dataset_card(stats, licence=licence, title=title, description=description, croissant=croissant)
    return str(card).encode("utf-8", "replace")


def croissant(stats: dict[str, Any], **about: Any) -> bytes:
    """Croissant JSON-LD; the arguments are those of `stages.report.cards.croissant`."""
    return bytes(cards.encode_croissant(cards.croissant(stats, **about)))


def tables(store: Store, name: str | None, suffix: str) -> dict[str, bytes]:
    """Every table of the report as a file, by name; ``suffix`` is ``.csv`` or ``.parquet``."""
    snapshot = snapshots.load(store, name)
    files = export.export_tables(stats_of(snapshot), costs_of(snapshot))
    return {file: data for file, data in files.items() if file.endswith(suffix)}


def html(store: Store, name: str | None) -> str:
    snapshot = snapshots.load(store, name)
    return str(report.render_html(stats_of(snapshot), costs_of(snapshot)))


def json_text(store: Store, name: str | None) -> str:
    return str(report.encode(stats_of(snapshots.load(store, name))).decode())


def text(store: Store, name: str | None) -> str:
    return str(report.render_text(stats_of(snapshots.load(store, name))))
