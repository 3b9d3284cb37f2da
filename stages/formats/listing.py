"""Files of a folder, on disks and in object stores alike: names as they are, sizes, and tags of content.

The tag is an object's ETag on S3 (a copy has that of its original), a hash of its content on the
Hugging Face Hub, elsewhere the time of last change and the size.

What cannot be read under its name is left out and remarked: a local name that is no UTF-8, a link that leads nowhere,
a link to one of the folders it stands in (that is entered once), a pipe, a socket, a device, on Google Cloud Storage
a key with an empty part; and so is one folder that the caller names, under whatever name a link leads there.
"""

from __future__ import annotations

import os
import stat as modes
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from typing import Any, NamedTuple

from pyarrow import fs

from stages.contract import Split
from stages.formats import splitting
from stages.formats.locations import is_http, locate, tagging
from stages.formats.s3 import S3
from stages.formats.web_file import has_tag, stat_http

Say = Callable[[str], None]
LISTED = "listed"
"""The tag of a file on a web server that a list names: it is asked for only when it is read."""
LOOKING = 16
NEXT_SECOND = 1.1
"""Seconds after which a date in HTTP, which counts whole ones, is another."""
LOOKS = 12
"""Requests by which it is seen whether the tag of a file on a web server stays."""
Part = tuple[str, str, int]
"""A file of a split: its name, URI and bytes."""
OWN_ROOT = "is not entered: it is the root of this run, whose files are no input"


class Entry(NamedTuple):
    """A file: its path on its file system, bytes, and tag."""

    path: str
    size: int
    tag: str


def stat(filesystem: Any, path: str) -> Entry | None:
    """The file of exactly this name, or None.

    Raises:
        OSError: where a pipe, a socket or a device has it.
    """
    tags = tagging(filesystem)
    if tags is not None:
        found = tags.stat(path)
        return found and Entry(path, found.size, found.etag)
    if isinstance(filesystem, fs.LocalFileSystem):
        try:
            about = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if kind := special(about.st_mode):
            raise OSError(f"{shown(path)}: it is {kind} and no file")
        return _local_entry(path, about) if modes.S_ISREG(about.st_mode) else None
    info = filesystem.get_file_info(path)
    return _arrow_entry(info) if info.type == fs.FileType.File else None


def is_folder(filesystem: Any, path: str) -> bool:
    """Whether there is a folder of exactly this name; in an object store, whether something lies below it."""
    tags = tagging(filesystem)
    if tags is not None:
        return tags.is_folder(path)
    if isinstance(filesystem, fs.LocalFileSystem):
        return os.path.isdir(path or "/")
    return bool(filesystem.get_file_info(path).type == fs.FileType.Directory)


def entries(filesystem: Any, folder: str, recursive: bool, say: Say, without: str = "") -> Iterator[Entry]:
    """The files in a folder, or below it, in no order that means anything.

    Args:
        say: called with a line about what is left out.
        without: a folder that is not entered; empty for none.
    """
    if not isinstance(filesystem, fs.LocalFileSystem):
        yield from _outside(_far_entries(filesystem, folder, recursive, say), without, say)
        return
    about = os.stat(folder or "/")
    skipped = _key(without) if without else None
    yield from _walk(folder.rstrip("/"), recursive, {(about.st_dev, about.st_ino): folder}, skipped, say)


def _far_entries(filesystem: Any, folder: str, recursive: bool, say: Say) -> Iterator[Entry]:
    tags = tagging(filesystem)
    if tags is not None:
        yield from (Entry(one.path, one.size, one.etag) for one in tags.listed(folder, recursive))
    else:
        for info in filesystem.get_file_info(fs.FileSelector(folder, recursive=recursive)):
            if info.type != fs.FileType.File:
                continue
            if "//" in info.path:
                say(f"{info.path!r} is left out: Google's client reads no name with an empty part")
            else:
                yield _arrow_entry(info)


def _outside(found: Iterator[Entry], without: str, say: Say) -> Iterator[Entry]:
    """The entries that are not below a folder."""
    reported = not without
    for one in found:
        if not without or not one.path.startswith(f"{without}/"):
            yield one
        elif not reported:
            say(f"{shown(without)} {OWN_ROOT}")
            reported = True


Key = tuple[int, int]
"""Device and inode of a folder."""


def _key(folder: str) -> Key | None:
    with suppress(OSError):
        about = os.stat(folder)
        return about.st_dev, about.st_ino
    return None


def _walk(folder: str, recursive: bool, above: dict[Key, str], without: Key | None, say: Say) -> Iterator[Entry]:
    """``above``: the folders this one stands in, itself included."""
    folders: list[tuple[str, Key]] = []
    with os.scandir(folder or "/") as found:
        for one in found:  # none of them is kept: each holds half a KiB
            path = f"{folder}/{one.name}"
            try:
                about = one.stat()
            except FileNotFoundError:
                say(f"{shown(path)} is left out: it is a link that leads nowhere")
                continue
            except OSError as error:
                say(f"{shown(path)} is left out: {error.strerror}")
                continue
            if modes.S_ISREG(about.st_mode):
                yield _local_entry(path, about)
            elif recursive and modes.S_ISDIR(about.st_mode):
                key = (about.st_dev, about.st_ino)
                if key == without:
                    say(f"{shown(path)} {OWN_ROOT}")
                elif key in above:
                    say(f"{shown(path)} is not entered: it leads back to {shown(above[key])}, which it stands in")
                else:
                    folders.append((path, key))
            elif kind := special(about.st_mode):
                say(f"{shown(path)} is left out: it is {kind} and no file")
    for path, key in folders:
        yield from _walk(path, recursive, above | {key: path}, without, say)


def special(mode: int) -> str:
    """Kind of a place on a disk that is neither file nor folder; empty for those."""
    kinds = (modes.S_ISFIFO, "a pipe"), (modes.S_ISSOCK, "a socket"), (modes.S_ISCHR, "a device")
    return next((kind for is_kind, kind in (*kinds, (modes.S_ISBLK, "a device")) if is_kind(mode)), "")


def _local_entry(path: str, about: os.stat_result) -> Entry:
    return Entry(path, about.st_size, local_etag(about))


def check_unchanged(split: Split) -> None:
    """Check, when a split has been read, that its files are as they were when they were listed.

    Otherwise what was read, of a file that grew or was replaced, would stand under the etag of the file before. Records
    read by an index are checked one by one, and a file that a list names on a web server was not looked at before.

    Price: a request for each file that is far away, `LOOKING` at a time; more where the tag is another.
    Limit: of servers whose tags come and go (`_has_steady_tag`) nothing but sizes is known.

    Raises:
        ValueError: a file has another size or tag.
    """
    files = split.parts or ((split.file, split.uri, split.size),)
    if split.unit == "ranges" or split.etag == LISTED:
        return
    with ThreadPoolExecutor(LOOKING) as threads:
        for look in (_looked_at, _listed_anew):
            found = list(threads.map(look, files))
            if None in found:
                return  # removed after it was read: what was read is what was listed, as far as can be known
            resized = split.unit in ("file", "files") and [one[1] for one in found if one] != [one[2] for one in files]
            tag = splitting.digest(found) if split.parts else found[0][2]  # type: ignore[index]
            if tag == split.etag and not resized:
                return
        if resized or all(threads.map(_has_steady_tag, files[:LOOKING])):
            raise ValueError(
                f"{shown(split.label)} changed while the run read it; start the run again when nothing writes to it"
            )


def _looked_at(part: Part) -> tuple[str, int, str] | None:
    """Name, size and tag of a file of a split as it is now; None where it is gone."""
    file, uri, _ = part
    try:
        if not is_http(uri):
            found = stat(*locate(uri))
            return found and (file, found.size, found.tag)
        return (file, *stat_http(uri))
    except FileNotFoundError:
        return None


def _listed_anew(part: Part) -> tuple[str, int, str] | None:
    """The same, of an object on S3 as a listing states it, which is how most files were found."""
    filesystem, path = (None, "") if is_http(part[1]) else locate(part[1])
    tags = tagging(filesystem)
    if not isinstance(tags, S3):
        return _looked_at(part)
    try:
        found = tags.listed_alone(path)
    except PermissionError:  # whoever names each object needs no right to list them
        return _looked_at(part)
    return found and (part[0], found.size, found.etag)


def _has_steady_tag(part: Part) -> bool:
    """Whether a file has one tag, or one after another, and none that comes back: servers behind one address may each
    have a tag of their own for the same file, or state the time of each answer. True of what lies on no web server."""
    if not is_http(part[1]):
        return True
    if not has_tag(part[1]):
        time.sleep(NEXT_SECOND)  # a file that was replaced in the second of the answer has a tag in the next
        if not has_tag(part[1]):
            return False
    seen = [stat_http(part[1]) for _ in range(LOOKS)]
    changes = sum(one != other for one, other in pairwise(seen))
    return len({one.size for one in seen}) > 1 or changes < len(set(seen))


def local_etag(about: os.stat_result) -> str:
    """The etag of a file on a disk: nanoseconds of its last change, and bytes."""
    return f"{about.st_mtime_ns}-{about.st_size}"


def _arrow_entry(info: Any) -> Entry:
    return Entry(info.path, info.size, f"{info.mtime_ns or 0}-{info.size}")


def is_utf8(path: str) -> bool:
    """Whether a local path is text; the bytes of one that is not come as lone surrogates."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: str) -> str:
    """A path as text for a message: bytes that are none as ``\\xe9``, and so are controls, which a terminal obeys."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
