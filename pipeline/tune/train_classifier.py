"""`train-classifier`: a classifier from pages of a root or from files, measured on sites it has not seen.

Texts come from, in any number and mixture:

    source:NAME    pages of a source of the root, kept or not
    domain:NAME    pages that the mixture keeps in a domain
    FILE           JSONL, Parquet or text, the column ``text`` or another; labelled files give all labels

`train-quality` is the same for two labels, positive and negative. Of more texts of a label than are wanted, those with
the smallest hashes are taken: the same ones every time, and the same model, byte for byte. Held out are whole sites
(`stages.rules.classifier_training`), by the URLs of pages, or a field of files. Beside the model stands
``OUTPUT.json``: accuracy, macro F1 and confusion on held-out texts, the settings, and what the texts were, by content.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pipeline import recipe as recipes
from pipeline.errors import UserError, one_line
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store
from stages.figures import listed

PREFIXES = ("source:", "domain:")
POSITIVE, NEGATIVE = "positive", "negative"
POSITIVE_LABELS = ("1", "positive", "true", "True")
"""Labels that count as positive where the user names none."""
URL_FIELD = "url"
FEW_TEXTS = 1_000
"""Texts of a label below which a model and its figures say little."""
MATRIX_LABELS = 12
"""Labels up to which they are shown as a matrix; of more, the pairs confused most."""
MOST_CONFUSED = 20

Row = tuple[str, str, str]
"""(label, text, URL or nothing)"""


@dataclass(frozen=True)
class Texts:
    """Places of labelled texts."""

    places: tuple[tuple[str, str], ...]
    """(label, place) of places that hold texts of one label."""
    labelled: tuple[str, ...]
    text_field: str
    label_field: str
    url_field: str | None
    """None: `URL_FIELD`, in files that have it."""
    max_texts: int
    positive_labels: tuple[str, ...] | None = None
    """Labels of labelled files that count as positive, for quality, all others being negative: each is that of a row,
    or, of `POSITIVE_LABELS`, one is. None: labels as they are."""


def train_classifier(output: str, store: Store | None, name: str | None, texts: Texts, settings: dict[str, Any]) -> str:
    """Train, write model and sidecar; returns its figures and how to use it.

    Raises:
        UserError: where texts cannot be read, or of fewer than two labels.
    """
    snapshot = snapshots.load(store, name) if store is not None else None
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    unfinished = f"{output}.{os.getpid()}.unfinished"
    data: list[dict[str, Any]] = []
    try:
        chosen = smallest(given(texts, snapshot, data), texts.max_texts)
        report = recipes.train_classifier(chosen, unfinished, settings, data)
        os.replace(f"{unfinished}.json", f"{output}.json")
        os.replace(unfinished, output)
    except (ValueError, OSError) as error:
        raise UserError(one_line(error)) from error
    finally:
        for path in (unfinished, f"{unfinished}.json"):
            Path(path).unlink(missing_ok=True)
    stem = "".join(c if c.isalnum() else "_" for c in Path(output).stem)
    lower = ", lower_case: true" if settings["lower_case"] else ""
    if texts.positive_labels is not None:
        reads = f", max_bytes: {settings['max_bytes']}" if settings["max_bytes"] else ""
        usage = ["quality:", "  classifiers:", f"    {stem}: {{model: {output}{reads}{lower}}}"]
    else:
        reads = f", max_bytes: {settings['max_bytes']}, pieces: {settings['pieces']}"
        usage = ["labels:", "  labellers:", f"    {stem}: {{model: {output}{reads}{lower}}}"]
    size = f"{Path(output).stat().st_size / 1e6:.1f} MB"
    return "\n".join([*report_lines(report), f"{'model':<10} {output}, {size}", "", *usage]) + "\n"


def report_lines(report: dict[str, Any]) -> list[str]:
    """Figures of a model, as text."""
    held = report["held_out"]
    lines = [f"{key:<10} {held[key]:.4f}" for key in ("precision", "recall", "auc") if key in held]
    lines += [f"{'accuracy':<10} {held['accuracy']:.4f}", f"{'macro F1':<10} {held['macro_f1']:.4f}"]
    total = sum(report["texts"].values())
    lines += [
        f"{'held out':<10} {held['num_texts']:,} of {total:,} texts; {report['sites']:,} sites, none on both sides"
    ]
    divided = report["sites_divided"]
    if report["texts_without_site"]:
        lines[-1] += f"; {report['texts_without_site']:,} texts without an address, each a site of its own"
    if divided:
        lines[-1] = lines[-1].replace(
            "none on both sides", f"{', '.join(divided)} is of one site, which is on both sides"
        )
    lines += ["", f"{'label':<24} {'texts':>9} {'held out':>9} {'precision':>9} {'recall':>7} {'F1':>7}"]
    for label, row in held["labels"].items():
        figures = f"{row['precision']:>9.4f} {row['recall']:>7.4f} {row['f1']:>7.4f}"
        if not row["num_texts"]:
            figures = "  not measured: its texts are of too few sites"
        lines.append(f"{label:<24} {report['texts'][label]:>9,} {row['num_texts']:>9,} {figures}")
    few = sorted(label for label, count in report["texts"].items() if count < FEW_TEXTS)
    if few:
        lines += ["", f"fewer than {FEW_TEXTS:,} texts of {', '.join(few)}: the figures above say little; give more"]
    return [*lines, "", *confusion_lines(held["confusion"]), ""]


def confusion_lines(confusion: dict[str, dict[str, int]]) -> list[str]:
    """The confusion matrix, rows the labels of texts and columns the model's; of many labels the largest errors."""
    labels = list(confusion)
    if len(labels) <= MATRIX_LABELS:
        width = max(8, *(len(label) + 2 for label in labels))
        lines = [f"{'is / said':<{width}}" + "".join(f"{label:>{width}}" for label in labels)]
        for label in labels:
            counts = "".join(f"{confusion[label].get(other, 0):>{width},}" for other in labels)
            lines.append(f"{label:<{width}}{counts}")
        return lines
    wrong = [
        (n, label, other) for label, predicted in confusion.items() for other, n in predicted.items() if other != label
    ]
    wrong.sort(key=lambda entry: (-entry[0], entry[1:]))
    shown = [f"  {label} taken for {other}: {n:,}" for n, label, other in wrong[:MOST_CONFUSED]]
    return ["confused most", *(shown or ["  none"])]


def smallest(found: Iterator[Row], wanted: int) -> list[Row]:
    """The texts of each label with the smallest hashes, in order of these; a text that comes twice is taken once."""
    heaps: dict[str, list[tuple[int, Row]]] = {}
    held: dict[str, set[int]] = {}
    for row in found:
        heap, mine = heaps.setdefault(row[0], []), held.setdefault(row[0], set())
        key = xxhash.xxh3_64_intdigest(row[1].encode("utf-8", "replace"))
        if key in mine or (len(heap) == wanted and -heap[0][0] <= key):
            continue
        mine.add(key)
        heapq.heappush(heap, (-key, row))
        if len(heap) > wanted:
            mine.discard(-heapq.heappop(heap)[0])
    return [row for _, heap in sorted(heaps.items()) for _, row in sorted(heap, key=lambda pair: (-pair[0], pair[1]))]


def given(texts: Texts, snapshot: snapshots.Snapshot | None, data: list[dict[str, Any]]) -> Iterator[Row]:
    """All labelled texts; what they are from is added to ``data``."""
    labels: set[str] = set()
    addressed: list[bool] = []
    for label, place in texts.places:
        if place.startswith(PREFIXES):
            if snapshot is None:
                raise UserError(f"{place}: which root? give --root")
            data.append({"class": label, "from": place, "mixture": snapshot.name, **products(snapshot, place)})
            yield from ((label, text, url) for text, url in pages(snapshot, place))
        else:
            data.append({"class": label, "from": Path(place).name, "sha256": recipes.file_digest(place)})
            for text, url in fields(place, (texts.text_field,), texts.url_field or URL_FIELD):
                addressed.append(bool(url))
                yield label, text, url
    for place in texts.labelled:
        data.append({"class": None, "from": Path(place).name, "sha256": recipes.file_digest(place)})
        for text, own, url in fields(place, (texts.text_field, texts.label_field), texts.url_field or URL_FIELD):
            addressed.append(bool(url))
            labels.add(own)
            if texts.positive_labels is not None:
                own = POSITIVE if own in texts.positive_labels else NEGATIVE
            yield own, text, url
    if texts.url_field is not None and addressed and not any(addressed):
        raise UserError(f"--url-field {texts.url_field}: no row has it, so no site can be held out")
    if texts.labelled and texts.positive_labels is not None:
        check_positive(texts, labels)


def check_positive(texts: Texts, labels: set[str]) -> None:
    """Whether the labels that count as positive are those of rows: of a misspelt one all texts would be negative.

    Raises:
        UserError: one is not, or of those that count by default none is.
    """
    wanted = texts.positive_labels or ()
    missing = [label for label in wanted if label not in labels]
    if wanted == POSITIVE_LABELS:
        positive_places = any(label == POSITIVE for label, _ in texts.places)
        missing = missing if len(missing) == len(wanted) and not positive_places else []
    if missing:
        there = listed(sorted(labels), MATRIX_LABELS)
        raise UserError(f"--positive-label: no row has the label {' or '.join(missing)}; the labels are {there}")


def fields(path: str, names: tuple[str, ...], url_field: str) -> Iterator[tuple[str, ...]]:
    """The named fields of every row of a file as text, and behind them its URL, or nothing; rows of a blank text none.

    Raises:
        UserError: a row has none of that name, one that is no text or number, or a blank label.
    """
    for number, row in enumerate(recipes.file_rows(path, names, (url_field,)), 1):
        for place, name in enumerate(names):
            value = row.get(name)
            if value is None:
                raise UserError(f"{path}, row {number}: no field {name!r}; it has {', '.join(row)}")
            if isinstance(value, (bytes, Mapping, Sequence)) and not isinstance(value, str):
                raise UserError(f"{path}, row {number}: expected text as {name!r}, found {type(value).__name__}")
            if place and not str(value).strip():
                raise UserError(f"{path}, row {number}: expected a label as {name!r}, found none")
        if str(row[names[0]]).strip():
            yield (*(str(row[name]) for name in names), str(row.get(url_field) or ""))


def products(snapshot: snapshots.Snapshot, place: str) -> dict[str, str]:
    """The manifests that decide which pages these are."""
    names = ("documents",) if place.startswith("source:") else ("documents", "kept")
    return {name: snapshot.data["products"].get(name, "") for name in names}


def pages(snapshot: snapshots.Snapshot, place: str) -> Iterator[tuple[str, str]]:
    """The texts and URLs of a source's pages, or of those kept in a domain.

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
        texts = snapshot.store.read_table(entry.address, ["text", "url"])
        if decided is not None:
            domain = snapshot.store.read_table(decided.address, ["domain"]).column("domain")
            texts = texts.filter(pc.fill_null(pc.equal(domain, pa.scalar(name)), False))
        for text, url in zip(*texts.columns, strict=True):
            if value := text.as_py():
                found += 1
                yield value, url.as_py() or ""
    if not found:
        raise UserError(f"{place}: no page; the root has {kind}s {', '.join(sorted(known)) or 'none'}")
