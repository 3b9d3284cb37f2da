"""Addresses of pages: one spelling of each, the host, and the domain that somebody registered.

The registered domain (`news.bbc.co.uk` -> `bbc.co.uk`) is found by the Public Suffix List, private part included
(`a.github.io` is somebody's own), from the package `publicsuffixlist`, which has the list inside.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from publicsuffixlist import PublicSuffixList

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
_NUMBERS = re.compile(r"[0-9.]+|.*:.*")


def host(url: str) -> str:
    """The host of an address in lower case, without user, port and a dot at its end; empty if there is none."""
    rest = _SCHEME.sub("", url.strip())
    end = min((rest.find(c) for c in "/?#" if c in rest), default=len(rest))
    name = rest[:end].rpartition("@")[2].lower()
    return re.sub(r":[0-9]*$", "", name).rstrip(".")


def ascii_host(name: str) -> str:
    """A host in lower case with its labels beyond ASCII in punycode, so that both spellings are one.

    Labels of more than `MAX_LABEL` characters, which no host has, stay: punycode takes the square of their length.
    """
    if name.isascii():
        return name
    labels = unicodedata.normalize("NFKC", name).lower().split(".")
    plain = (label.isascii() or len(label) > MAX_LABEL for label in labels)
    return ".".join(
        label if stays else "xn--" + label.encode("punycode").decode()
        for label, stays in zip(labels, plain, strict=True)
    )


MAX_LABEL = 63
"""Characters of a label of a host (RFC 1035, 2.3.4)."""


def registered_domain(name: str) -> str:
    """The registered domain of a host; the host itself where it is an address in numbers or a public suffix."""
    return name if _NUMBERS.fullmatch(name) else suffix_list().privatesuffix(name) or name


def is_public_suffix(name: str) -> bool:
    """Whether a name is a suffix of the registries (`com`, `co.uk`), under which everybody registers."""
    return bool(suffix_list(only_icann=True).is_public(name))


@lru_cache(maxsize=2)
def suffix_list(only_icann: bool = False) -> Any:
    """The list, read once a process."""
    return PublicSuffixList(only_icann=only_icann)


def suffix_list_version() -> str:
    """Everything beside the name that decides `registered_domain`: the release of the list."""
    return version("publicsuffixlist")


def normalise(url: str, *, drop: Mapping[str, bool] | None = None) -> str:
    """One spelling of an address, to find repeats (RFC 3986, 6.2.2): scheme and host in lower case, no default port,
    no fragment, dot segments resolved, an empty path as ``/``, query kept but for tracking parameters (``drop``)."""
    scheme, mark, rest = url.strip().partition("://")
    if not mark:
        return url.strip()
    scheme = scheme.lower()
    end = min((rest.find(c) for c in "/?#" if c in rest), default=len(rest))
    host, tail = rest[:end].lower(), rest[end:].partition("#")[0]
    host = host.removesuffix(":80" if scheme == "http" else ":443" if scheme == "https" else "\0").rstrip(".")
    path, question, query = tail.partition("?")
    kept = [part for part in query.split("&") if part and not _is_tracking(part.partition("=")[0].lower(), drop)]
    segments: list[str] = []
    for segment in (path or "/").split("/"):
        if segment == ".." and len(segments) > 1:
            segments.pop()
        elif segment not in (".", ".."):
            segments.append(segment)
    if path.endswith(("/.", "/..")):
        segments.append("")
    return f"{scheme}://{host}{'/'.join(segments) or '/'}" + (f"{question}{'&'.join(kept)}" if kept else "")


TRACKING = frozenset(("fbclid", "gclid", "dclid", "msclkid", "yclid", "igshid", "mc_cid", "mc_eid", "_ga", "ref_src"))


def _is_tracking(name: str, drop: Mapping[str, bool] | None) -> bool:
    if drop is not None and name in drop:
        return drop[name]
    return name.startswith("utm_") or name in TRACKING
