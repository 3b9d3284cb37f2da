"""Splits of whole files: what paths, folders, globs and lists of paths stand for.

Contract: `file_splits` turns paths, folders, globs and lists of paths (local, ``s3://``, ``gs://``, ``hf://``,
``https://``) into `Split`s, sorted by file and start, the same whatever the order in which a file system lists its
files and whatever the number of workers. A path that exists as it is written is that file or folder, whatever
characters it has; the others are patterns from the first part on that does not exist. ``Split.file`` is relative to the
folder before the pattern, so doc_ids survive a move of the data; ``Split.etag`` changes when the content may have
(`stages.formats.listing`).

Large files are split into equal parts of about ``split_bytes`` where their format can be entered in the middle
(`stages.formats.splitting`), many small ones are grouped. Price: one listing per path; the footer of each Parquet or
Arrow file above ``split_bytes``.
Limits: two files of one source with the same relative name are an error, because they would get the same doc_ids;
``base`` in the YAML tells them apart.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from dataclasses import dataclass
from typing import Any

from pyarrow import fs

from stages.contract import Split
from stages.formats import SUFFIXES, format_of, splitting
from stages.formats.listing import LISTED, Entry, Say, entries, is_folder, is_utf8, shown, stat
from stages.formats.locations import is_http, is_uri, locate, meant_uri, open_file, place_of
from stages.formats.web_file import stat_http
from stages.sources.left_out import LeftOut
from stages.sources.params import SourceError, SourceParams

COMMON_CRAWL = "https://data.commoncrawl.org/"
LISTS = (".paths", ".paths.gz")
"""Suffixes of files that list files, one a line."""
MAX_MESSAGE = 400
"""Characters of a library's error that are shown; Google's go on for thousands."""
_WILDCARD = re.compile(r"[*?\[{]")
_IN_BRACKETS = re.compile(r"[\\\[\]^&~|]")
"""Characters with a meaning inside the brackets of a regular expression, and none inside those of a glob."""


@dataclass(frozen=True, slots=True)
class Found:
    """One file of a source."""

    file: str
    uri: str
    size: int
    etag: str


def file_splits(name: str, params: SourceParams, say: Say, without: str = "") -> list[Split]:
    """All splits of the files under ``paths``, sorted by (file, start).

    Args:
        say: called with a line for every file that is left out, and why.
        without: the root of the run, a path or URI: a folder that it stands in is read without it.

    Raises:
        SourceError: a path that is missing or cannot be read, a glob that matches nothing, a file whose format its
            name does not show, two files with one name.
    """
    found: dict[str, Found] = {}
    for path in params.paths:
        for one in files_of(name, path, params, lambda line: say(f"source {name}: {line}"), without):
            other = found.setdefault(one.file, one)
            if other.uri != one.uri:
                raise SourceError(
                    f"source {name}: {shown(other.uri)} and {shown(one.uri)} would both be called {one.file!r};"
                    " set `base:` to a folder above both"
                )
            if format_of(one.file, params.format) is None:
                raise SourceError(
                    f"source {name}: {shown(one.uri)} has no suffix we know ({', '.join(sorted(SUFFIXES))});"
                    " set `format:`"
                )
    small = min(params.group_bytes // 16, params.split_bytes)
    grouped = sorted((one for one in found.values() if 0 < one.size < small), key=lambda one: one.file)
    splits = [split for one in found.values() if not 0 < one.size < small for split in _parts(name, one, params)]
    for group in splitting.groups([(one.file, one.size) for one in grouped], params.group_bytes):
        splits.append(_group(name, [grouped[index] for index in group]))
    return sorted(splits)


def _parts(name: str, one: Found, params: SourceParams) -> list[Split]:
    kind = format_of(one.file, params.format)
    assert kind is not None  # `list_splits` has looked
    try:
        ranges = splitting.ranges(
            one.uri, kind, one.size, params.split_bytes, newlines_in_values=params.newlines_in_values
        )
    except (OSError, ValueError) as error:
        raise SourceError(f"source {name}: cannot read {shown(one.uri)}: {one_line(error)}") from error
    return [Split(name, one.file, start, end, unit, one.uri, size, one.etag) for start, end, unit, size in ranges]


def _group(name: str, group: list[Found]) -> Split:
    if len(group) == 1:
        return Split(name, group[0].file, 0, 0, "file", group[0].uri, group[0].size, group[0].etag)
    etag = splitting.digest([(one.file, one.size, one.etag) for one in group])
    parts = tuple((one.file, one.uri, one.size) for one in group)
    size = sum(one.size for one in group)
    return Split(name, group[0].file, 0, len(group), "files", group[0].uri, size, etag, parts)


def files_of(name: str, path: str, params: SourceParams, say: Say, without: str = "") -> list[Found]:
    """The files one path stands for."""
    try:
        if is_http(path) and not path.endswith(LISTS):
            remote = stat_http(path)
            return [Found(_relative(path, params), path, remote.size, remote.etag)]
        if is_http(path) or place_of(path).path.endswith(LISTS):
            return _listed(name, path, params)
        return _globbed(name, path, params, say, without)
    except FileNotFoundError:
        raise SourceError(f"source {name}: {shown(path)} does not exist{meant_uri(path)}") from None
    except SourceError:
        raise
    except (OSError, ValueError) as error:
        message = one_line(error).removeprefix(f"{path}: ")
        raise SourceError(f"source {name}: cannot list {shown(path)}: {message}") from error


def _relative(uri: str, params: SourceParams) -> str:
    """Name of a single remote file: below ``base``, else its last part."""
    if params.base is not None and uri.startswith(params.base.rstrip("/") + "/"):
        return uri[len(params.base.rstrip("/")) + 1 :]
    return uri.rpartition("/")[2]


def _listed(name: str, path: str, params: SourceParams) -> list[Found]:
    """The files a list names, one a line. Sizes are asked for on disks and object stores, not on web servers."""
    lines = [line.removesuffix("\r") for line in opened_text(path).split("\n") if line.strip()]
    prefix = params.prefix
    first = next((line for line in lines if not line.startswith("#")), "")
    if prefix is None and first.startswith(("crawl-data/", "cc-index/")):
        prefix = COMMON_CRAWL
    found: list[Found] = []
    count = 0
    for line in lines:
        if count == params.first:
            break
        one = _listed_file(path, line, prefix) or _listed_file(path, line.strip(), prefix)
        if one is None and line.startswith("#"):
            continue
        count += 1
        if one is not None:
            found.append(one)
        elif params.missing != "skip":
            uri = _listed_uri(path, line, prefix)
            raise SourceError(
                f"source {name}: {shown(path)} lists {shown(uri)}, which does not exist; `missing: skip` passes over it"
            )
    if not count:
        raise SourceError(f"source {name}: {shown(path)} lists no file")
    return found


def _listed_uri(path: str, entry: str, prefix: str | None) -> str:
    return entry if is_uri(entry) or entry.startswith("/") else _beside(path, entry, prefix)


def _listed_file(path: str, entry: str, prefix: str | None) -> Found | None:
    """The file that a line of a list names; None where that is no file, or a comment: web servers are not asked."""
    uri = _listed_uri(path, entry, prefix)
    if is_http(uri):
        return None if entry.startswith("#") or entry != entry.strip() else Found(entry, uri, 0, LISTED)
    about = stat(*locate(uri))
    return about and Found(entry, uri, about.size, about.tag)


def opened_text(path: str) -> str:
    """A text file, gzip or not.

    Raises:
        ValueError: a damaged one, or one that is no UTF-8.
    """
    with open_file(path) as file:
        content = file.read()
    try:
        return (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode("utf-8-sig")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"a damaged gzip file: {error}") from error


def _beside(path: str, entry: str, prefix: str | None) -> str:
    """Location of an entry of a list: behind ``prefix``, or in the folder of the list."""
    if prefix is not None:
        return prefix + entry
    if is_http(path):
        return path.rpartition("/")[0] + "/" + entry
    place = place_of(path)
    return place.beside(place.path.rpartition("/")[0] + "/" + entry).uri()


def _globbed(name: str, path: str, params: SourceParams, say: Say, without: str) -> list[Found]:
    place = place_of(path)
    filesystem, whole = locate(path)
    if path.endswith("?") and place.scheme and stat(filesystem, whole) is None:
        whole += "?"  # a wildcard, and no end of a name
    folder, pattern = anchor(filesystem, whole)
    try:
        matching = _matching(name, filesystem, folder, pattern, params, say, _near(without, filesystem))
    except FileNotFoundError:
        raise SourceError(
            f"source {name}: {shown(place.beside(folder).uri())} does not exist{meant_uri(path)}"
        ) from None
    if not matching:
        raise SourceError(f"source {name}: no file of a known format matches {shown(path)}")
    base = _base(folder, matching, pattern is not None, params.base)
    found = []
    matching.reverse()
    while matching:  # what was taken over is let go: there may be millions
        one = matching.pop()
        if base and not one.path.startswith(base + "/"):
            raise SourceError(f"source {name}: {one.path} is not under its base {params.base}")
        file = one.path[len(base) + 1 :] if base else one.path.lstrip("/")
        found.append(Found(file, place.beside(one.path).uri(), one.size, one.tag))
    return found


def anchor(filesystem: Any, path: str) -> tuple[str, str | None]:
    """A path as (folder or file, pattern below it); no pattern where all of it is a name.

    From left to right, a part with wildcards that exists as it is written is a name; the pattern begins at the
    first that does not.
    """
    path = path.rstrip("/") or "/"
    parts = path.split("/")
    for position, part in enumerate(parts):
        if not _WILDCARD.search(part):
            continue
        here = "/".join(parts[: position + 1])
        last = position + 1 == len(parts)
        if is_folder(filesystem, here) or (last and stat(filesystem, here) is not None):
            continue
        return "/".join(parts[:position]), "/".join(parts[position:])
    return path, None


def _near(without: str, filesystem: Any) -> str:
    """The path of the root of the run where that is on the same file system; else nothing."""
    if not without:
        return ""
    other, path = locate(without)
    return path.rstrip("/") if other == filesystem else ""


def _matching(
    name: str, filesystem: Any, root: str, pattern: str | None, params: SourceParams, say: Say, without: str
) -> list[Entry]:
    """Files under ``root`` that match ``pattern``; without one, ``root`` itself or every known file in that folder."""
    alone = stat(filesystem, root) if pattern is None else None
    if alone is not None:
        return [alone]
    if not is_folder(filesystem, root):
        raise FileNotFoundError(root)
    recursive = pattern is None or "/" in pattern or "**" in pattern
    regex = glob_regex(pattern) if pattern is not None else None
    cut = len(root.rstrip("/")) + 1
    if recursive and without and _is_same(filesystem, root, without):
        raise ValueError("it is the root of this run, whose own files would be read as pages; give a folder of input")
    found = []
    left_out = LeftOut()
    seen = _hidden(pattern)
    for one in entries(filesystem, root, recursive, say, without):
        below = one.path[cut:]
        if regex is not None and not regex.fullmatch(below):
            continue
        is_known = regex is not None or format_of(one.path, params.format) is not None
        if seen.search(below):
            if is_known:
                left_out.hidden(one.path)
        elif not is_known:
            left_out.unknown(one.path)
        elif is_utf8(one.path):
            found.append(one)
        else:
            say(f"{shown(one.path)} is left out: its name is no UTF-8, and so no name for a document; rename it")
    if not found and left_out.suffixes():
        raise SourceError(
            f"source {name}: no file of a known format lies in {shown(root)}; it has {left_out.suffixes()};"
            " set `format:`"
        )
    left_out.report(say)
    return found


def _hidden(pattern: str | None) -> re.Pattern[str]:
    """Finds in a path what programs leave beside the data: files and folders named ``.x`` or ``_x``.

    A pattern with a part that begins in this way means such names.
    """
    marks = {mark for mark in "._" if not any(part.startswith(mark) for part in (pattern or "").split("/"))}
    return re.compile(f"(?:^|/)(?![.][.]?/)[{re.escape(''.join(sorted(marks)))}]" if marks else "(?!)")


def _is_same(filesystem: Any, folder: str, other: str) -> bool:
    if not isinstance(filesystem, fs.LocalFileSystem):
        return folder.rstrip("/") == other
    return os.path.exists(other) and os.path.samefile(folder or "/", other)


def _base(root: str, found: list[Entry], is_glob: bool, base: str | None) -> str:
    if base is not None:
        return place_of(base).path.rstrip("/")
    alone = not is_glob and len(found) == 1 and found[0].path == root
    return (root.rpartition("/")[0] if alone else root).rstrip("/")


def glob_regex(pattern: str) -> re.Pattern[str]:
    """A shell glob as a regular expression: ``*`` and ``?`` stop at ``/``, ``**`` does not, ``{a,b}`` is either."""
    out, position, depth = [], 0, 0
    while position < len(pattern):
        char = pattern[position]
        if pattern.startswith("**/", position):
            out.append("(?:.*/)?")
            position += 2
        elif pattern.startswith("**", position):
            out.append(".*")
            position += 1
        elif char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and "]" in pattern[position + 2 :]:
            end = pattern.index("]", position + 2)
            inner = pattern[position + 1 : end]
            mark, inner = ("^", inner[1:]) if inner[0] in "!^" else ("", inner)
            plain = _IN_BRACKETS.sub(r"\\\g<0>", inner)
            out.append(f"(?!/)[{mark}{plain}]")
            position = end
        elif char == "{":
            out.append("(?:")
            depth += 1
        elif char == "}" and depth:
            out.append(")")
            depth -= 1
        elif char == "," and depth:
            out.append("|")
        else:
            out.append(re.escape(char))
        position += 1
    try:
        return re.compile("".join(out) + ")" * depth, re.DOTALL)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no pattern of names: {error}") from error


def one_line(error: Exception) -> str:
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return line if len(line) <= MAX_MESSAGE else line[:MAX_MESSAGE] + "…"
