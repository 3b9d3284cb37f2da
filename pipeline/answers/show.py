"""`show`: one page through all products, found by its doc_id or URL."""

from __future__ import annotations

from typing import Any

from pipeline.answers import trace
from pipeline.recipe import answers, graph
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.pages import Found, find, rows_of, token_row
from pipeline.store.storage import Store
from pipeline.terminal import safe_line

EXCERPT = 600


def page_text(store: Store, name: str | None, page: str) -> str:
    """The page's row in every product, as text."""
    snapshot = snapshots.load(store, name)
    return "\n".join(describe(snapshot, entry) for entry in find(snapshot, page))


def describe(snapshot: snapshots.Snapshot, found: Found) -> str:
    document = dict(found.document)
    text = document.pop("text")
    lines = ["documents", *fields(document), "", excerpt(text), ""]
    for product in graph.sidecars():
        entry = snapshot.entry(product, found.split)
        if entry:
            row = rows_of(snapshot.store, entry.address, found.row).to_pylist()[0]
            row.pop("minhash", None)
            if product == "kept":
                row["failed"] = answers.failed_rules(row["failed"], entry.report["rules"])
            lines += [product, *fields(row), ""]
    tokens = snapshot.entry("tokens", found.split)
    if tokens:
        lines += ["tokens", *fields(token_fields(snapshot.store, tokens.address, document["doc_id"])), ""]
    return "\n".join(lines)


def fields(row: dict[str, Any]) -> list[str]:
    width = max((len(key) for key in row), default=0)
    return [f"  {key:<{width}}  {plain(value)}" for key, value in row.items()]


def plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else safe_line(str(value))


def excerpt(text: str) -> str:
    shown = text[:EXCERPT] + (f" ... ({len(text)} characters)" if len(text) > EXCERPT else "")
    return "\n".join(f"  | {line}" for line in shown.split("\n")) if shown.strip() else "  | (no text)"


def token_fields(store: Store, address: str, doc_id: bytes) -> dict[str, Any]:
    row = token_row(store, address, doc_id)
    if row is None:
        return {"num_tokens": "none: the page was dropped"}
    ids = row["input_ids"]
    keep = {key: row[key] for key in ("domain", "order_key", "text_bytes")}
    return {**keep, "num_tokens": len(ids), "input_ids": f"{ids[:12]} ..."}


def raw_record(store: Store, name: str | None, page: str) -> bytes:
    """The original record of a page, byte for byte, from the input file (which must still be there)."""
    snapshot = snapshots.load(store, name)
    found = find(snapshot, page)[0]
    return trace.raw_record(snapshot, found.split, found.document)
