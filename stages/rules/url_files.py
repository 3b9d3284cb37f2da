"""Files of URL lists as people have them: entries by what they cover.

| kind | an entry covers | for example |
|---|---|---|
| `domains` | a host and all below it | `bad.com`, `||bad.com^` |
| `hosts` | this host alone | `www.bad.com` |
| `registered_domains` | all of the domain somebody registered (Public Suffix List) | `www.bad.co.uk`: `bad.co.uk` |
| `urls` | an address and what lies below it | `mixed.net/adult` |
| `substrings` | addresses that contain it, in any case | `casino` |
| `expressions` | addresses in which it is found (RE2; `(?i)` for any case) | `^https?://[^/]*porn` |

A folder is a category as UT1 and squidGuard have them: files `domains`, `urls`, `expressions`, each optional. A file's
kind is its name where that is one of these (a file called ``hosts`` is a hosts file); else an entry with a slash behind
its host is one of `urls`, and any other one of `domains`. Hosts files (``0.0.0.0 name``), ``#`` and ``!`` comments,
Adblock's ``||name^``, gzip and byte order marks (UTF-16 too) are understood. Lines that name this machine
(``localhost``) are left out.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import unicodedata
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal

from stages.formats.locations import is_uri, open_file
from stages.rules.row_files import in_utf8

Kind = Literal["domains", "hosts", "registered_domains", "urls", "substrings", "expressions"]
KINDS: tuple[Kind, ...] = ("domains", "hosts", "registered_domains", "urls", "substrings", "expressions")
Entries = dict[Kind, list[bytes]]

_FOLDER = ("domains", "urls", "expressions")
_PLAIN = bytes(range(0x61, 0x7B)) + b"0123456789.-_\n"
_SCHEME = re.compile(rb"^[a-z][a-z0-9+.-]*://")
_NUMBER = re.compile(rb"[0-9]+(\.[0-9]+){3}|[0-9a-f]*:[0-9a-f:]*")
_HOST = re.compile(rb"([^/?#]*)(.*)", re.DOTALL)
_PORT = re.compile(rb":[0-9]*$")
_IPV6 = re.compile(rb"\[[0-9a-f]*:[0-9a-f:.]*\]")
_LOCAL = frozenset((b"localhost", b"localhost.localdomain", b"broadcasthost", b"local", b"0.0.0.0", b"[::1]"))


def files_of(path: str) -> list[str]:
    """The file itself, or the files of a category's folder.

    Raises:
        ValueError: a folder that is no category.
    """
    folder = Path(path)
    if is_uri(path) or not folder.is_dir():
        return [path]
    found = [str(folder / name) for name in _FOLDER if (folder / name).is_file()]
    if not found:
        inside = sorted(entry.parent.name for entry in folder.glob("*/domains"))
        hint = f"; give each of its categories a list of its own: {', '.join(inside)}" if inside else ""
        raise ValueError(f"{path}: expected files called domains, urls or expressions in this folder, found none{hint}")
    return found


@lru_cache(maxsize=256)
def _sha256(path: str, changed: tuple[int, int]) -> str:
    with open_file(path) as file:
        data = file.read()
    inside = gzip.decompress(data) if path.endswith(".gz") else data
    text = in_utf8(inside)
    return hashlib.sha256(data if text is inside else text).hexdigest()


def identity(path: str) -> list[str]:
    """SHA-256 of each of its files, of one with a byte order mark as it is read.

    One that was hashed in this process and did not change is not read again.

    Raises:
        FileNotFoundError, ValueError: nothing there, or nothing that can be a list.
    """
    digests = []
    for name in files_of(path):
        stamp = (0, 0)
        if not is_uri(name):
            about = Path(name).stat()
            stamp = (about.st_mtime_ns, about.st_size)
        digests.append(_sha256(name, stamp))
    return digests


def read(path: str, kind: Kind | None = None) -> Entries:
    """The entries of a file or folder, in lower case but for expressions.

    Raises:
        FileNotFoundError, ValueError: nothing there, or no entry in it.
    """
    found: Entries = {one: [] for one in KINDS}
    for name in files_of(path):
        with open_file(name) as file:
            data = file.read()
        inside = gzip.decompress(data) if name.endswith(".gz") else data
        for one, entries in parse(in_utf8(inside), name, kind).items():
            found[one] += entries
    if not any(found.values()):
        raise ValueError(f"{path}: no entry in this list")
    return found


def parse(data: bytes, name: str, kind: Kind | None = None) -> Entries:
    """The entries of one file's content, whatever its line ends.

    An address without a host, ``file:///data/pages``, is a substring of those that it covers.
    """
    found: Entries = {one: [] for one in KINDS}
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    stem = Path(name.removesuffix(".gz")).stem
    own = kind or next((one for one in KINDS if one == stem and one != "hosts"), None)
    if own in ("expressions", "substrings"):
        lines = (line.strip() for line in data.split(b"\n"))
        lines = (line for line in lines if line and not line.startswith(b"#"))
        found[own] = [line if own == "expressions" else line.lower() for line in lines]
        return found
    if not data.translate(None, _PLAIN) and own != "urls":  # names alone, as the large lists are
        found[own or "domains"] = [line for line in data.split(b"\n") if line and line not in _LOCAL]
        return found
    for line in data.lower().split(b"\n"):
        for entry in _entries(line):
            host, rest = _parts(entry)
            if not host and entry.startswith(b"file:") and len(entry.strip(b"/")) > len(b"file:"):
                found["substrings"].append(entry)  # an address without a host
            if own in (None, "domains", "registered_domains"):
                host = host.removeprefix(b"*.")
            if host and host + rest not in _LOCAL:
                found["urls" if rest or own == "urls" else own or "domains"].append(host + rest)
    return found


def spellings(entry: bytes) -> list[bytes]:
    """The entry and, where its host has labels beyond ASCII, with all of these in letters, and all in punycode."""
    if entry.isascii() and b"xn--" not in entry:
        return [entry]
    end = min((entry.find(sign) for sign in (b"/", b"?", b"#") if sign in entry), default=len(entry))
    try:
        labels = [_letters(label) for label in entry[:end].decode("utf-8").split(".")]
        hosts = (".".join(labels).encode(), ".".join(map(_punycode, labels)).encode())
        return list(dict.fromkeys([entry, *(host + entry[end:] for host in hosts)]))
    except UnicodeError:
        return [entry]


def _letters(label: str) -> str:
    return label[4:].encode().decode("punycode") if label.startswith("xn--") else label


def _punycode(label: str) -> str:
    return label if label.isascii() else "xn--" + unicodedata.normalize("NFKC", label).encode("punycode").decode()


def _parts(entry: bytes) -> tuple[bytes, bytes]:
    """The host of an entry as hosts are compared, without user, port and dots at its end; and what follows it.

    Of what follows only ASCII is in lower case, as in the addresses that it is compared with.
    """
    bare = _SCHEME.sub(b"", entry).rstrip(b"/")
    host, rest = _HOST.match(bare).groups()  # type: ignore[union-attr]
    host = host.rpartition(b"@")[2]
    with suppress(UnicodeDecodeError):
        host = host.decode("utf-8").lower().encode("utf-8")
    if _NUMBER.fullmatch(host) and host.count(b":") > 1:
        return b"[" + host + b"]", rest
    return _PORT.sub(b"", host).rstrip(b"."), rest


def _entries(line: bytes) -> list[bytes]:
    """The entries of one line: none, one, or the names of a line of a hosts file."""
    line = line.strip()
    if line.startswith((b"#", b"!")) or (line.startswith(b"[") and not _IPV6.match(line)):
        return []
    words = re.split(rb"\s#|\s//", line, maxsplit=1)[0].split()
    if len(words) > 1 and _NUMBER.fullmatch(words[0]):
        return words[1:]
    return [re.sub(rb"^\|\||\^.*$", b"", words[0])] if words else []
