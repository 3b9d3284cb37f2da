"""The files of `kept.robots.files`: their list, the digest of their content, and the table compiled of them.

| file | content |
|---|---|
| `*.warc`, `*.warc.gz`, `*.warc.zst` | answers of servers, status and redirects too (Common Crawl's ``robotstxt``) |
| `HOST/robots.txt`, `HOST/ai.txt`, `HOST/.well-known/tdmrep.json` | what that host answers, by http and https |
| `HOST.txt`, `HOST.robots.txt`, `HOST.ai.txt`, `HOST.tdmrep.json` | the same by the name alone |

HOST is ``www.example.com`` or, with a port, ``www.example.com_8080``. Each may end in ``.gz``. Other files in a folder
are passed over. A name is relative to the folder given, or to what stands before the first wildcard: so a copy of the
folder elsewhere is the same input.

Price: every byte is read once for its digest (SHA-256; what did not change is not read again in a process), and
once to compile, by the process that starts the run.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pipeline.store.storage import Store
from stages.documents.answers import answers
from stages.formats.listing import entries, is_folder, shown, stat
from stages.formats.locations import is_http, locate, open_file, place_of
from stages.formats.web_file import stat_http
from stages.rules import rights, robots_answers, robots_files
from stages.rules.robots_answers import Answer
from stages.rules.robots_txt import MAX_BYTES
from stages.sources.files import anchor, glob_regex

_ARCHIVE = re.compile(r"\.warc(\.\w+)?$")
_HOST = r"(?P<host>[A-Za-z0-9_\u0080-\U0010ffff](?:[A-Za-z0-9._-]|[\u0080-\U0010ffff])*?)(?:_(?P<port>[0-9]{1,5}))?"
_NAMES = (
    (r"/robots\.txt", "/robots.txt"),
    (r"/ai\.txt", "/ai.txt"),
    (r"/\.well-known/tdmrep\.json", "/.well-known/tdmrep.json"),
    (r"\.ai\.txt", "/ai.txt"),
    (r"\.tdmrep\.json", "/.well-known/tdmrep.json"),
    (r"(?:\.robots)?\.txt", "/robots.txt"),
)
SHOWN = {"said": "have one", "free": "have none", "closed": "gave an error of their own", "elsewhere": "lead elsewhere"}


class Named(NamedTuple):
    """A file: its name, for people and for the service in it, its URI, and a tag that changes with its content."""

    name: str
    uri: str
    tag: str


def listed(params: rights.Robots) -> list[Named]:
    """The files, sorted by name.

    Raises:
        FileNotFoundError, ValueError: nothing there, or no file that names a service.
    """
    found: dict[str, Named] = {}
    for path in params.files:
        here = [one for one in _listed(path) if _ARCHIVE.search(one.name) or served(one.name)]
        if not here:
            raise ValueError(f"{path}: expected WARC files, or files called HOST/robots.txt or HOST.txt; found none")
        for one in here:
            if found.setdefault(one.name, one).uri != one.uri:
                raise ValueError(f"{shown(one.uri)} and {shown(found[one.name].uri)} are both called {one.name!r}")
    return [found[name] for name in sorted(found)]


def _listed(path: str) -> list[Named]:
    if is_http(path):
        remote = stat_http(path)
        return [Named(path.rpartition("/")[2], path, remote.etag)]
    filesystem, whole = locate(path)
    place = place_of(path)
    root, pattern = anchor(filesystem, whole)
    alone = stat(filesystem, root) if pattern is None else None
    if alone is not None:
        return [Named("/".join(root.split("/")[-2:]), place.beside(root).uri(), alone.tag)]
    if not is_folder(filesystem, root):
        raise FileNotFoundError(f"{path} does not exist")
    wanted = glob_regex(pattern) if pattern is not None else None
    base = root.rstrip("/")
    named = [(one.path[len(base) + 1 :], one) for one in entries(filesystem, root, True, lambda _: None)]
    return [
        Named(name, place.beside(one.path).uri(), one.tag)
        for name, one in named
        if wanted is None or wanted.match(name)
    ]


def served(name: str) -> str | None:
    """The address by https that a file's name stands for; None where it stands for none."""
    plain = name.removesuffix(".gz")
    for rest, path in _NAMES:
        match = re.search(rf"(?:^|/){_HOST}{rest}$", plain)  # compiled once, by the first file
        if match and match["host"] not in ("robots", "ai"):
            port = f":{match['port']}" if match["port"] else ""
            return f"https://{match['host']}{port}{path}"
    return None


def identity(params: rights.Robots) -> list[str]:
    """Name and SHA-256 of every file.

    Raises:
        FileNotFoundError, ValueError, OSError: see `listed`.
    """
    return [f"{one.name} sha256:{_sha256(one.uri, one.tag)}" for one in listed(params)]


@lru_cache(maxsize=1 << 16)
def _sha256(uri: str, tag: str) -> str:
    digest = hashlib.sha256()
    with open_file(uri) as file:
        while piece := file.read(8 << 20):
            digest.update(piece)
    return digest.hexdigest()


def check(params: rights.Robots) -> None:
    """Look at the files before any work is done.

    Raises:
        FileNotFoundError, ValueError, OSError: see `listed`; and where one is empty.
    """
    for one in listed(params):
        with open_file(one.uri) as file:
            if not file.read(1) and _ARCHIVE.search(one.name):
                raise ValueError(f"{shown(one.uri)} is empty: expected records of a WARC file")


def address(params: rights.Robots) -> str:
    """Address of the compiled table of these files under a root."""
    return robots_files.address(params.agents, identity(params))


def compile_files(params: rights.Robots, store: Store, place: str) -> list[str]:
    """Write the compiled table; returns remarks about the files.

    Raises:
        ValueError, OSError: a file is damaged, or none names a service.
    """
    rows, counts = robots_answers.compile_answers(_answers(params), params.agents)
    if not rows:
        raise ValueError(f"{', '.join(params.files)}: no robots.txt, ai.txt or tdmrep.json in these files")
    robots_files.save(store, place, rows, params.agents)
    return remarks(counts)


def _answers(params: rights.Robots) -> Iterator[Answer]:
    for one in listed(params):
        if _ARCHIVE.search(one.name):
            yield from answers(one.uri, one.name)
            continue
        with open_file(one.uri) as file:
            body = bytes(file.read(MAX_BYTES + 1))
        if one.name.endswith(".gz"):
            with open_file(one.uri) as file:
                try:
                    body = gzip.GzipFile(fileobj=file).read(MAX_BYTES + 1)
                except (EOFError, zlib.error) as error:
                    raise ValueError(f"{shown(one.uri)}: cannot be inflated: {error}") from error
        yield Answer(served(one.name) or "", "", 200, "", body, one.name)


def remarks(counts: Counter[str]) -> list[str]:
    """Remarks about the files that were read, a sentence a kind."""
    sentences = []
    for kind, name in KINDS.items():
        states = [
            f"{counts[f'{kind} {state}']:,} {words}" for state, words in SHOWN.items() if counts[f"{kind} {state}"]
        ]
        odd = [f"{counts[f'{kind} {note}']:,} {words}" for note, words in ODD.items() if counts[f"{kind} {note}"]]
        if states:
            sentences.append(f"{name} of services: {', '.join([*states, *odd])}")
    return sentences


KINDS = {
    "robots": "robots.txt",
    "ai": "ai.txt",
    "tdm": "tdmrep.json",
    robots_answers.USE: "preferences on training in robots.txt",
}
ODD = {"cut": f"are read to their first {MAX_BYTES >> 10} KiB", "no_text": "are no text and say nothing"}
