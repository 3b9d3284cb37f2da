"""`why`: the whole life of a page, from the record it was read from to the training shards it is in, or why it is not.

    where        source, file, position, split
    document     its row of `documents`, and the start of its text
    language     label, script, confidence
    measurements every column of the measured products, and what else a rule looks at, with the rules that
                 look at it and their thresholds here
    decision     kept or not, the reason, every rule it failed, domain, its bucket, how much of the text was cut, and
                 the lines of robots.txt by which its service asks not to use it
    repeats      which stretches of its text stand elsewhere, the page that keeps each, and whether the view cuts them
    cluster      its duplicates: survivor, similarity, how the two texts differ, and whether it was eligible to stay
    tokens       how many, and the first of them
    shards       each training document made of it: shard, row, and which pass over the domain

All is read through key indices (`pipeline.store.key_index`): a few row groups, whatever the size of the root.
"""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import takewhile
from typing import Any

import pyarrow as pa

from pipeline.errors import UserError
from pipeline.recipe import answers, graph, lineage, pages
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.pages import Found, rows_of, token_row
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.key_index import KeyIndex, shard_index
from stages.schemas import label_column

EXCERPT = 600
DIFF_READ = 400
"""Lines of each text that are compared, from the first that differs."""
HUNK = re.compile(r"^@@ -(\d+)(.*) \+(\d+)(.*)$")
DIFF_LINES = 24
FIRST_IDS = 12
REPEATS_SHOWN = 20
REPEAT_EXCERPT = 160
"""Bytes."""
MAX_DOCUMENTS = 1000
OWN_SECTIONS = ("language", "clusters")
"""Products that decide and have a section of their own in a life; the columns of the others are its measurements."""


def lives(snapshot: Snapshot, page: str, say: Callable[[str], None] = pages.tell) -> list[dict[str, Any]]:
    """The lives of all pages with this doc_id or URL (a URL may have been crawled more than once)."""
    index = pages.index_of(snapshot, say)
    return [life(snapshot, found, index, say) for found in pages.find(snapshot, page, index)]


def life(snapshot: Snapshot, found: Found, index: KeyIndex, say: Callable[[str], None]) -> dict[str, Any]:
    """See the module; plain data, doc_ids and hashes in hex."""
    document = dict(found.document)
    text = document.pop("text")
    sections: dict[str, Any] = {
        "mixture": snapshot.name,
        "where": {key: document.pop(key) for key in ("source", "file", "offset")}
        | {"split": found.split, "row": found.row},
        "document": plain(document) | {"excerpt": text[:EXCERPT], "characters": len(text)},
    }
    sections |= derivation(snapshot, found, index)
    rows = sidecars(snapshot, found)
    if "language" in rows:
        sections["language"] = plain(rows["language"][1].to_pylist()[0])
    page = joined_columns(found, rows)
    kept = rows.get("kept")
    rules = page_rules(snapshot, kept, page) if kept else []
    if "quality" in rows:
        parts = [rows[name][1].to_pylist()[0] for name in graph.DECIDING if name in rows and name not in OWN_SECTIONS]
        numbers = {key: value for row in parts for key, value in row.items()}
        others = [
            r["column"] for r in rules if r["side"] and r["column"] not in numbers and r["column"] != "text_bytes"
        ]
        first = {name: page.column(name)[0].as_py() for name in dict.fromkeys(others) if name in page.column_names}
        sections["measurements"] = measurements(first | numbers, rules)
    if kept:
        sections["decision"] = decision(kept, rules) | {"buckets": buckets(snapshot, kept, page)}
        sections["decision"]["asked"] = robots_requests(snapshot, kept, document["url"])
    if "repeats" in rows:
        sections["repeats"] = repeated(snapshot, rows, text, index)
    if "clusters" in rows:
        sections["cluster"] = cluster(snapshot, rows["clusters"][1].to_pylist()[0], text, index)
        sections["cluster"] |= (
            plain(rows["eligible"][1].select(["eligible"]).to_pylist()[0]) if "eligible" in rows else {}
        )
    entry = snapshot.entry("tokens", found.split)
    row = token_row(snapshot.store, entry.address, document["doc_id"]) if entry else None
    if row:
        ids = row["input_ids"]
        sections["tokens"] = {"domain": row["domain"], "tokens": len(ids), "text_bytes": row["text_bytes"]}
        sections["tokens"] |= {"order_key": f"{row['order_key']:016x}", "first_ids": ids[:FIRST_IDS]}
        sections["shards"] = training(snapshot, document["doc_id"], row["domain"], say)
    return sections


def derivation(snapshot: Snapshot, found: Found, index: KeyIndex) -> dict[str, Any]:
    """The page and transform that a page was made by, or the pages made of it; nothing without transforms."""
    parents = lineage.parents(snapshot)
    if not parents:
        return {}
    page = found.document
    if page.get("derived_from"):
        entry = snapshot.entry("documents", found.split)
        assert entry is not None
        about = snapshot.store.read_json(entry.about)["params"]
        parent = pages.find(snapshot, page["derived_from"].hex(), index)[0].document
        made = {"transform": page["transform"], "function": about["function"], "params": about["params"]}
        where = {key: as_json(parent[key]) for key in ("doc_id", "url", "source", "file", "offset", "text_bytes")}
        return {"derived_from": made | {"ordinal": page["ordinal"], "page": where}}
    addresses = pages.addresses(snapshot)
    children = lineage.children(snapshot.store, addresses, parents, found.split, [page["doc_id"]])
    sources = [entry["source"] for entry in snapshot.splits()]
    return {
        "derived": [
            {"transform": sources[split], "doc_id": child.hex()}
            for split, pairs in children.items()
            for child, _ in pairs
        ]
    }


def plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: as_json(value) for key, value in row.items()}


def as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [as_json(entry) for entry in value]
    return value if value is None or isinstance(value, (bool, int, float, str, dict)) else str(value)


Rows = dict[str, tuple[Any, pa.Table]]


def sidecars(snapshot: Snapshot, found: Found) -> Rows:
    """The page's row in every aligned product that is there, each with its manifest entry."""
    rows = {}
    for product in graph.sidecars():
        entry = snapshot.entry(product, found.split)
        if entry:
            rows[product] = (entry, rows_of(snapshot.store, entry.address, found.row))
    return rows


def joined_columns(found: Found, rows: Rows) -> pa.Table:
    """All columns of a page that rules and domains may name, side by side."""
    page = found.table.select(["source", "text_bytes"])  # making an array of values would load pandas: half a second
    for product in (name for name in graph.DECIDING if name in rows):
        table = rows[product][1]
        for name in table.column_names:
            page = page.append_column(name, table.column(name))
    return page


def page_rules(snapshot: Snapshot, kept: tuple[Any, pa.Table], page: pa.Table) -> list[dict[str, Any]]:
    """The rules that held for the page, each with ``value`` and whether it ``fails``; none where no file holds them."""
    entry, table = kept
    if not snapshot.store.exists(entry.about):
        return []
    buckets = snapshot.data.get("buckets")
    edges = snapshot.store.read_json(buckets) if buckets else None
    failed = answers.failed_rules(table.column("failed")[0].as_py(), entry.report["rules"])
    rules = [
        rule
        | {
            "value": as_json(page.column(rule["column"])[0].as_py()) if rule["column"] in page.column_names else None,
            "fails": rule["rule"] in failed,
        }
        for rule in answers.page_rules(snapshot.store.read_json(entry.about), page, edges)
    ]
    similar = "match" in page.column_names and page.column("match")[0].as_py() == "fuzzy"
    for rule in rules:
        if rule["rule"] == "near_duplicate" and not similar:
            rule["side"] = None  # of other copies no similarity decided
        elif rule["rule"] == "near_duplicate" and not rule["threshold"]:  # then what `clusters` holds for alike is
            rule["threshold"] = likeness(snapshot)
    return rules


def likeness(snapshot: Snapshot) -> float | None:
    """The similarity from which on `clusters` took pages for duplicates."""
    about = f"{(snapshot.data.get('clusters') or '').rpartition('-')[0]}/about.json"
    if not snapshot.store.exists(about):
        return None
    threshold: float | None = snapshot.store.read_json(about)["params"].get("threshold")
    return threshold


def buckets(snapshot: Snapshot, kept: tuple[Any, pa.Table], page: pa.Table) -> list[dict[str, Any]]:
    """Of the percentiles that the page's domain selects by: column, value, and the edges in the page's language."""
    domain = kept[1].column("domain")[0].as_py()
    place = snapshot.data.get("buckets")
    if domain is None or place is None or "language" not in page.column_names:
        return []
    about = snapshot.store.read_json(kept[0].about)
    mine = [entry for entry in about["identity"]["domains"] if entry[0] == domain]
    language = page.column("language")[0].as_py()
    return [
        {key: row[key] for key in ("column", "from", "to", "least", "below")}
        | {"language": language, "value": as_json(page.column(row["column"])[0].as_py())}
        for row in answers.bucket_edges(mine, snapshot.store.read_json(place))
        if row["language"] == language and is_of(page, mine, row)
    ]


def is_of(page: pa.Table, mine: list[tuple[str, dict[str, Any]]], row: dict[str, Any]) -> bool:
    """Whether a bucket ranks pages of the page's label, where it ranks within labels."""
    labeller = mine[0][1].get("within")
    return "label" not in row or row["label"] == page.column(label_column(str(labeller)))[0].as_py()


def measurements(row: dict[str, Any], rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every column in order, with its rules; of lists (spans) the number of entries."""
    keys = ("rule", "side", "threshold", "fails")
    return [
        {
            "column": name,
            "value": len(value) if isinstance(value, list) else as_json(value),
            "rules": [{key: rule[key] for key in keys} for rule in rules if rule["column"] == name],
        }
        for name, value in row.items()
    ]


def decision(kept: tuple[Any, pa.Table], rules: list[dict[str, Any]]) -> dict[str, Any]:
    """The decision of `kept`, and every rule that failed with its value and threshold, and in words (``says``)."""
    entry, table = kept
    row = table.to_pylist()[0]
    names = answers.failed_rules(row["failed"], entry.report["rules"])
    known = {rule["rule"]: rule for rule in rules}
    keys = ("rule", "family", "column", "side", "threshold", "value")
    failed = [
        {key: known.get(name, {"rule": name}).get(key) for key in keys} | {"says": answers.says(name)} for name in names
    ]
    cut = sum(span["stop"] - span["start"] for span in row["spans"] or ())
    return {
        "keep": row["keep"],
        "reason": row["reason"],
        "listed": row.get("listed"),
        "failed": failed,
        "domain": row["domain"],
        "spans": len(row["spans"] or ()),
        "bytes_cut_or_replaced": cut,
        "rules_asked": len(entry.report["rules"]),
    }


def robots_requests(snapshot: Snapshot, kept: tuple[Any, pa.Table], url: str | None) -> list[dict[str, Any]]:
    """Requests of the page's service not to use it: each rule that it fails, and the line and file that state it."""
    entry, table = kept
    place = entry.report.get("robots")
    if not place or not snapshot.store.exists(place) or not snapshot.store.exists(entry.about):
        return []
    failed = answers.failed_rules(table.column("failed")[0].as_py(), entry.report["rules"])
    found = answers.failed_robots(snapshot.store, place, snapshot.store.read_json(entry.about)["params"], url)
    return [request for request in found if request["rule"] in failed]


def repeated(snapshot: Snapshot, rows: Rows, text: str, index: KeyIndex) -> dict[str, Any]:
    """Stretches of a page's text that stand elsewhere, each with the page, and the byte of it, where it stays."""
    row = rows["repeats"][1].to_pylist()[0]
    data = text.encode()
    stays: dict[str, dict[str, Any]] = {}
    repeats = []
    for span in row["repeats"][:REPEATS_SHOWN]:
        name = span["doc_id"].hex()
        if name not in stays:
            try:
                page = pages.find(snapshot, name, index)[0].document
                stays[name] = {key: as_json(page[key]) for key in ("url", "source", "file")}
            except UserError as error:
                stays[name] = {"problem": str(error)}
        shown = data[span["start"] : min(span["stop"], span["start"] + REPEAT_EXCERPT)].decode(errors="ignore")
        place = {key: span[key] for key in ("start", "stop", "at")}
        repeats.append(place | {"stays_on": name, **stays[name], "excerpt": " ".join(shown.split())})
    views: set[str] = set()
    if "kept" in rows:
        about = rows["kept"][0].about
        views = set(snapshot.store.read_json(about)["params"]["views"]) if snapshot.store.exists(about) else views
    counts = {key: row[key] for key in ("num_repeats", "repeats_bytes", "repeats_fraction", "repeats_kept_bytes")}
    return counts | {"cut": "without_repeats" in views, "repeats": repeats}


def cluster(snapshot: Snapshot, row: dict[str, Any], text: str, index: KeyIndex) -> dict[str, Any]:
    """The page's cluster; of a copy, the page that stays in its place and how it differs from that."""
    details = plain({key: value for key, value in row.items() if key != "copies"}) | {"copies": row.get("copies")}
    if row["survivor"] is None:
        return details
    try:
        stays = survivor(snapshot, row["survivor"].hex(), index)
    except UserError as error:
        return details | {"survivor_page": {"problem": str(error)}}
    where = {key: as_json(stays[key]) for key in ("url", "source", "file", "offset", "title", "text_bytes")}
    details["survivor_page"] = where
    details["difference"] = difference(stays["text"], text)
    return details


def survivor(snapshot: Snapshot, doc_id: str, index: KeyIndex) -> dict[str, Any]:
    """The page that stays: of this mixture, or of an earlier one it was compared with.

    Raises:
        UserError: none of them has it (any more).
    """
    try:
        return pages.find(snapshot, doc_id, index)[0].document
    except UserError:
        for other in earlier(snapshot):
            with suppress(UserError):
                if (found := pages.index_of(other)).ready():  # nothing is made in another's root
                    return pages.find(other, doc_id, found)[0].document
        raise


def earlier(snapshot: Snapshot) -> Iterator[Snapshot]:
    """The earlier mixtures it was compared with, as far as they are still there."""
    places = f"runs/earlier/{snapshot.name}.json"
    entries = snapshot.store.read_json(places) if snapshot.store.exists(places) else snapshot.data.get("earlier", ())
    for entry in entries:
        with suppress(UserError):
            yield snapshots.find(snapshot.store, entry)


def difference(stays: str, gone: str) -> list[str]:
    """Lines that differ, as a unified diff without head: ``-`` only in the page that stays, ``+`` only in this one.

    Begins at the first line that differs, wherever that is; empty only where the texts are equal.
    """
    if stays == gone:
        return []
    a, b = stays.splitlines(), gone.splitlines()
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
    tails = zip(reversed(a[same:]), reversed(b[same:]), strict=False)
    tail = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], tails))
    first = max(0, same - 1)
    middles = [lines[first : len(lines) - tail + 1] for lines in (a, b)]
    parts = [lines[:DIFF_READ] for lines in middles]
    lines = list(difflib.unified_diff(parts[0], parts[1], lineterm="", n=1))[2:]
    lines = [HUNK.sub(lambda m: f"@@ -{int(m[1]) + first}{m[2]} +{int(m[3]) + first}{m[4]}", line) for line in lines]
    more = [f"... and {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else []
    unread = any(len(middle) > DIFF_READ for middle in middles)
    rest = ["... and perhaps more further on"] if unread and not more else []
    return lines[:DIFF_LINES] + more + rest or ["... nothing but their line ends"]


def training(snapshot: Snapshot, doc_id: bytes, domain: str, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Every training document made of a page: in the shards of its domain, and in the corpus once per pass."""
    wanted = [(domain, snapshot.data.get("shards", {}).get(domain))]
    wanted += [(f"corpus {phase}".strip(), address) for phase, address in snapshot.corpora().items()]
    found = []
    for name, address in wanted:
        if address is None or not snapshot.store.exists(address):
            continue
        folder = address.rpartition("/")[0]
        entries = snapshot.store.read_json(address)["shards"]
        for shard, row in shard_index(snapshot.store, address, say).find("doc_id", doc_id, MAX_DOCUMENTS):
            entry = entries[shard]
            docs = posixpath.normpath(f"{folder}/{entry['docs']}")
            document = rows_of(snapshot.store, docs, row).to_pylist()[0]
            if document["doc_id"] == doc_id:
                path = posixpath.normpath(f"{folder}/{entry['path']}")
                place = {"of": name, "shard": path, "row": row, "tokens": document["num_tokens"]}
                place |= {"split": entry.get("split", "train"), "pass": document.get("pass", 0)}
                found.append(place | {"times": entry.get("multiplicity", 1)})
    return found
