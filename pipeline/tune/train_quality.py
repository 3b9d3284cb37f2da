"""`train-quality`: a classifier of quality from pages of a root or from files, measured on texts it has not seen.

Texts come from, in any number and mixture:

    source:NAME    pages of a source of the root, kept or not
    domain:NAME    pages that the mixture keeps in a domain
    FILE           JSONL, Parquet or text, the column ``text`` or another; labelled files give both classes

Of more texts than are wanted, those with the smallest hashes are taken: the same ones every time, and the same model,
byte for byte. Beside the model stands ``OUTPUT.json``: precision, recall and AUC on held-out texts, the settings, and
what the texts were, by content.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pipeline import recipe as recipes
from pipeline.errors import UserError, told
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store

PREFIXES = ("source:", "domain:")


@dataclass(frozen=True)
class Texts:
    """Where the texts of the two classes are."""

    positives: tuple[str, ...]
    negatives: tuple[str, ...]
    labelled: tuple[str, ...]
    text_field: str
    label_field: str
    positive_labels: tuple[str, ...]
    max_texts: int


def train_quality(output: str, store: Store | None, name: str | None, texts: Texts, settings: dict[str, Any]) -> str:
    """Train, write model and sidecar, and say how good it is and how to use it.

    Raises:
        UserError: where texts cannot be read or a class has none.
    """
    snapshot = snapshots.load(store, name) if store is not None else None
    if not (texts.labelled or (texts.positives and texts.negatives)):
        raise UserError("expected --positives and --negatives, or --labelled; found neither")
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    unfinished = f"{output}.{os.getpid()}.unfinished"
    data: list[dict[str, Any]] = []
    try:
        classes = {label: smallest(given(texts, label, snapshot, data), texts.max_texts) for label in (True, False)}
        report = recipes.train_classifier(classes[True], classes[False], unfinished, settings, data)
        os.replace(f"{unfinished}.json", f"{output}.json")
        os.replace(unfinished, output)
    except (ValueError, OSError) as error:
        raise UserError(told(error)) from error
    finally:
        for path in (unfinished, f"{unfinished}.json"):
            Path(path).unlink(missing_ok=True)
    held = report["held_out"]
    lines = [f"{key:<10} {held[key]:.4f}" for key in ("precision", "recall", "auc")]
    lines += [f"{'held out':<10} {held['num_positives']:,} positives, {held['num_negatives']:,} negatives"]
    lines += [f"{'texts':<10} {report['num_positives']:,} positives, {report['num_negatives']:,} negatives"]
    stem = "".join(c if c.isalnum() else "_" for c in Path(output).stem)
    lower = ", lower_case: true" if settings["lower_case"] else ""
    lines += [f"{'model':<10} {output}", "", "quality:", "  classifiers:", f"    {stem}: {{model: {output}{lower}}}"]
    return "\n".join(lines) + "\n"


def smallest(found: Iterator[str], wanted: int) -> list[str]:
    """The texts with the smallest hashes, in order of these; a text that comes twice is taken once."""
    heap: list[tuple[int, str]] = []
    held: set[int] = set()
    for text in found:
        key = xxhash.xxh3_64_intdigest(text.encode("utf-8", "replace"))
        if key in held or (len(heap) == wanted and -heap[0][0] <= key):
            continue
        held.add(key)
        heapq.heappush(heap, (-key, text))
        if len(heap) > wanted:
            held.discard(-heapq.heappop(heap)[0])
    return [text for _, text in sorted(heap, key=lambda pair: -pair[0])]


def given(
    texts: Texts, positive: bool, snapshot: snapshots.Snapshot | None, data: list[dict[str, Any]]
) -> Iterator[str]:
    """All texts of a class; what they are from is added to ``data``."""
    label = "positive" if positive else "negative"
    for place in texts.positives if positive else texts.negatives:
        if place.startswith(PREFIXES):
            if snapshot is None:
                raise UserError(f"{place}: which root? give --root")
            data.append({"class": label, "from": place, "mixture": snapshot.name, **products(snapshot, place)})
            yield from pages(snapshot, place)
        else:
            data.append({"class": label, "from": Path(place).name, "sha256": recipes.file_digest(place)})
            yield from (row[0] for row in fields(place, (texts.text_field,)))
    for place in texts.labelled:
        data.append({"class": label, "from": Path(place).name, "sha256": recipes.file_digest(place)})
        for text, own in fields(place, (texts.text_field, texts.label_field)):
            if (own in texts.positive_labels) == positive:
                yield text


def fields(path: str, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The named fields of every row of a file as text.

    Raises:
        UserError: a row has none of that name.
    """
    for number, row in enumerate(recipes.file_rows(path, names), 1):
        missing = next((name for name in names if row.get(name) is None), None)
        if missing:
            raise UserError(f"{path}, row {number}: no field {missing!r}; it has {', '.join(row)}")
        yield tuple(str(row[name]) for name in names)


def products(snapshot: snapshots.Snapshot, place: str) -> dict[str, str]:
    """The manifests that decide which pages these are."""
    names = ("documents",) if place.startswith("source:") else ("documents", "kept")
    return {name: snapshot.data["products"].get(name, "") for name in names}


def pages(snapshot: snapshots.Snapshot, place: str) -> Iterator[str]:
    """The texts of a source's pages, or of those kept in a domain.

    Raises:
        UserError: no such source or domain.
    """
    kind, _, name = place.partition(":")
    kept = snapshot.product("kept") if kind == "domain" else None
    known: set[str] = set()
    found = 0
    for entry in snapshot.product("documents"):
        decided = next(kept) if kept is not None else None
        if decided is None:
            known.add(entry.report["source"])
            if entry.report["source"] != name:
                continue
        else:
            here = {group["domain"] for group in decided.report["groups"] if group["reason"] is None}
            known |= here
            if name not in here:
                continue
        texts = snapshot.store.read_table(entry.address, ["text"]).column("text")
        if decided is not None:
            domain = snapshot.store.read_table(decided.address, ["domain"]).column("domain")
            texts = texts.filter(pc.fill_null(pc.equal(domain, pa.scalar(name)), False))
        for text in texts:
            if value := text.as_py():
                found += 1
                yield value
    if not found:
        raise UserError(f"{place}: no page; the root has {kind}s {', '.join(sorted(known)) or 'none'}")
