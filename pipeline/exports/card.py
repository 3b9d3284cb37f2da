"""Companions of a corpus: the tables of the report as files, a dataset card and Croissant JSON-LD."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pipeline.answers import stats as reporting
from pipeline.errors import UserError
from pipeline.exports.export import corpus_of
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store


@dataclass(frozen=True)
class About:
    """Facts about a corpus that no file of a run holds, so its user gives them."""

    licence: str | None = None
    title: str | None = None
    description: str = ""
    url: str | None = None
    creators: tuple[str, ...] = ()
    version: str = "1.0.0"
    date: str | None = None


def write_tables(store: Store, name: str | None, suffix: str, folder: str) -> str:
    """Every table of the report as ``.csv`` or ``.parquet`` into a folder; returns a line on what was written."""
    files = reporting.tables(store, name, suffix)
    out = Store(folder)
    for file, data in files.items():
        out.write_bytes(file, data)
    out.sweep()
    return f"{folder}: {len(files)} tables"


def write_cards(store: Store, name: str | None, phase: str | None, folder: str, about: About) -> list[str]:
    """README.md and, with an address, croissant.json into a folder; returns lines on what was written.

    Raises:
        UserError: the corpus is not finished.
    """
    snapshot = snapshots.load(store, name)
    address = corpus_of(snapshot, phase)
    if not snapshot.complete or address is None or not store.exists(address):
        raise UserError(f"mixture {snapshot.name} has no finished corpus to describe")
    stats = reporting.stats_of(snapshot)
    if phase is not None:
        stats = reporting.of_phase(stats, phase, store.read_json(address))
    out = Store(folder)
    out.write_bytes(
        "README.md", reporting.dataset_card(stats, about.licence, about.title, about.description, about.url is not None)
    )
    out.sweep()
    if about.url is None:
        return [out.uri("README.md"), "no croissant.json: it must say where the dataset is found; give --url"]
    manifest = store.read_bytes(address)
    out.write_bytes(
        "croissant.json",
        reporting.croissant(
            stats,
            manifest_sha256=hashlib.sha256(manifest).hexdigest(),
            manifest_bytes=len(manifest),
            url=about.url,
            licence=about.licence,
            creators=about.creators,
            description=about.description,
            version=about.version,
            date=about.date,
        ),
    )
    out.sweep()
    return [out.uri("README.md"), out.uri("croissant.json")]
