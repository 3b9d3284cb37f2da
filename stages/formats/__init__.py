"""Which container and compression a file name stands for.

Shared by `stages.sources` (lists and splits files) and `stages.documents` (reads them). A name gives a `Format`
by its suffixes (`x.warc.gz` is warc and gzip); the YAML's ``format:`` may override the container. Compression is
read from the name here and checked against the first bytes where the file is read.
"""

from __future__ import annotations

from dataclasses import dataclass

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".lz4": "lz4", ".bz2": "bz2"}

CONTAINERS = {
    ".warc": "warc",
    ".wet": "warc",
    ".wat": "warc",
    ".arc": "arc",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
    ".csv": "csv",
    ".tsv": "tsv",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "text",
    ".markdown": "text",
    ".rst": "text",
    ".txt": "text",
    ".tar": "tar",
    ".xml": "mediawiki",
}

CONTAINER_NAMES = tuple(sorted(set(CONTAINERS.values())))


@dataclass(frozen=True)
class Format:
    """``container`` is one of `CONTAINER_NAMES`, ``compression`` one of `COMPRESSIONS`' values or ``"none"``."""

    container: str
    compression: str


def format_of(name: str, container: str | None = None) -> Format | None:
    """The format a file name stands for, None if its suffix says nothing and no ``container`` is given."""
    stem, compression = name.lower(), "none"
    if stem.endswith(".tgz"):
        stem = stem[:-4] + ".tar.gz"
    dot = stem.rfind(".")
    if dot >= 0 and stem[dot:] in COMPRESSIONS:
        stem, compression = stem[:dot], COMPRESSIONS[stem[dot:]]
        dot = stem.rfind(".")
    if container is not None:
        return Format(container, compression)
    found = CONTAINERS.get(stem[dot:]) if dot >= 0 else None
    return Format(found, compression) if found is not None else None
