"""What goes out with a corpus: the tables of the report as files, a dataset card and Croissant JSON-LD."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pipeline.answers import stats as reporting
from pipeline.errors import UserError
from pipeline.exports.export import corpus_of
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store


@dataclass(frozen=True)
class About:
    """What no file of a run knows, and nobody guesses."""

    licence: str | None = None
    title: str | None = None
    description: str = ""
    url: str | None = None
    creators: tuple[str, ...] = ()
    version: str = "1.0.0"
    date: str | None = None


def write_tables(store: Store, name: str | None, suffix: str, folder: str) -> str:
    """Every table of the report as ``.csv`` or ``.parquet`` into a folder; what was written, in a line."""
    files = reporting.tables(store, name, suffix)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        (Path(folder) / file).write_bytes(data)
    return f"{folder}: {len(files)} tables"


def write_cards(store: Store, name: str | None, phase: str | None, folder: str, about: About) -> list[str]:
    """README.md and, with an address, croissant.json into a folder; what was written, in lines.

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
    Path(folder).mkdir(parents=True, exist_ok=True)
    card = Path(folder) / "README.md"
    card.write_bytes(
        reporting.dataset_card(stats, about.licence, about.title, about.description, about.url is not None)
    )
    if about.url is None:
        return [str(card), "no croissant.json: it must say where the dataset is found; give --url"]
    manifest = store.read_bytes(address)
    found = Path(folder) / "croissant.json"
    found.write_bytes(
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
        )
    )
    return [str(card), str(found)]
