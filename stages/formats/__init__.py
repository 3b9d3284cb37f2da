"""The container and compression for which a file name stands.

Shared by `stages.sources` (lists and splits files) and `stages.documents` (reads them). A name gives a `Format`
by its suffixes (`x.warc.gz` is warc and gzip); the YAML's ``format:`` may override the container. Compression is
read from the name here and checked against the first bytes where the file is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".lz4": "lz4", ".bz2": "bz2", ".xz": "xz"}
TAR_SUFFIXES = {".tgz": ".tar.gz", ".tbz2": ".tar.bz2", ".txz": ".tar.xz", ".tzst": ".tar.zst"}
"""Short forms of two suffixes."""

Division = Literal["members", "packed members", "lines", "records", "row groups", "batches", "whole"]
"""Places where a file may be entered in the middle: at compressed members (``packed members``: of archives a package
holds as they are), at line ends (``records``: where values may hold
line ends, only if the source says that none do), at the parts its footer names, or nowhere."""


@dataclass(frozen=True)
class Container:
    """One kind of file: its suffixes, and where it may be divided. `stages.documents.readers` reads it."""

    name: str
    suffixes: tuple[str, ...]
    divides: Division = "whole"


CONTAINERS = {
    container.name: container
    for container in (
        Container("warc", (".warc", ".wet", ".wat"), "members"),
        Container("arc", (".arc",), "members"),
        Container("wacz", (".wacz",), "packed members"),
        Container("jsonl", (".jsonl", ".ndjson"), "lines"),
        Container("parquet", (".parquet",), "row groups"),
        Container("arrow", (".arrow", ".ipc", ".feather"), "batches"),
        Container("csv", (".csv",), "records"),
        Container("tsv", (".tsv",), "records"),
        Container("html", (".html", ".htm", ".xhtml")),
        Container("text", (".md", ".markdown", ".rst", ".txt")),
        Container("pdf", (".pdf",)),
        Container("docx", (".docx",)),
        Container("epub", (".epub",)),
        Container("tar", (".tar",)),
        Container("zip", (".zip",)),
        Container("mediawiki", (".xml",)),
    )
}
"""All kinds of files by name: an entry here and one in `stages.documents.readers` add one."""


def container_of(name: str) -> Container:
    """The kind of file of that name; one of the user's own, ``module:function``, is read whole."""
    return CONTAINERS[name] if name in CONTAINERS else Container(name, ())


SUFFIXES = {suffix: container.name for container in CONTAINERS.values() for suffix in container.suffixes}


@dataclass(frozen=True)
class Format:
    """``container`` is a name of `CONTAINERS`, ``compression`` one of `COMPRESSIONS`' values or ``"none"``."""

    container: str
    compression: str


def format_of(name: str, container: str | None = None) -> Format | None:
    """The format a file name stands for, None if its suffix says nothing and no ``container`` is given."""
    stem, compression = name.lower(), "none"
    dot = stem.rfind(".")
    if dot >= 0 and stem[dot:] in TAR_SUFFIXES:
        stem = stem[:dot] + TAR_SUFFIXES[stem[dot:]]
        dot = stem.rfind(".")
    if dot >= 0 and stem[dot:] in COMPRESSIONS:
        stem, compression = stem[:dot], COMPRESSIONS[stem[dot:]]
        dot = stem.rfind(".")
    if container is not None:
        return Format(container, compression)
    found = SUFFIXES.get(stem[dot:]) if dot >= 0 else None
    return Format(found, compression) if found is not None else None
