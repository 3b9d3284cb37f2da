"""Personal data and credentials: how many a page has, and where, for the view `redacted` of `kept`.

| kind | column | what it is |
|---|---|---|
| `email` | `privacy_num_emails` | an e-mail address (pattern of the FineWeb recipe, datatrove 0.10.1) |
| `ip` | `privacy_num_ips` | an IPv4 address that is public (the same recipe's pattern; `ipaddress` decides) |
| `phone` | `privacy_num_phones` | a number after a + and a country code, or in the North American form; ours |
| `secret` | `privacy_num_secrets` | private key blocks, and keys of services; ours |

`privacy_spans` lists them (bytes of the text, sorted, not overlapping; e-mail first, then ip, phone, secret where two
overlap). Seven deviations from the reference. Two find what it leaves: an e-mail address directly behind a letter of
another script, as Chinese and Japanese have it (`联系joe@a.example`), and one with accented Latin letters
(`josé@a.example`, `info@müller.example`). Five of its finds are no personal data: four numbers of a
longer row (`1.2.3.4.5`, a version, a section, an object identifier) are no IP address; an e-mail address in a URL
(`/path?mail=a@b.c`) begins behind its path, and one of which nothing is left so (`/@joe.example`, a user's page) is
none; `react@18.2.0` and `logo@2x.png` are none; a number in parentheses behind a country code is one telephone number.
Services: AWS, GitHub, Google, Slack, Stripe, OpenAI, Anthropic, Hugging Face. No rule: a page is not dropped for an
address.

Method: a kernel finds the places (`stages.kernels.words.sieve`), the patterns look at the bytes around each. Price:
2 GB/s on pages without hits, about 10 µs a hit.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.words import sieve
from stages.rules.rule import Rule

KINDS = ("email", "ip", "phone", "secret")
SPAN = pa.struct(
    [
        pa.field("start", pa.int32(), nullable=False),
        pa.field("stop", pa.int32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
    ]
)
FIELDS = (
    *(pa.field(f"privacy_num_{kind}s", pa.int64(), nullable=False) for kind in KINDS),
    pa.field("privacy_spans", pa.list_(SPAN), nullable=False),
)
RULES: tuple[Rule, ...] = ()

_ACCENTED = "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_ATOM = rf"[A-Za-z0-9{_ACCENTED}!#$%&'*+/=?^_`{{|}}~-]+"
_NAME = rf"[A-Za-z0-9{_ACCENTED}](?:[A-Za-z0-9{_ACCENTED}-]*[A-Za-z0-9{_ACCENTED}])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
_ATOM_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+/=?^_`{|}~-.")
_HOST_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.[]:")
EMAIL = re.compile(
    rf"(?:\b|(?<=[^\W\u0000-\u024f])){_ATOM}(?:\.{_ATOM})*@(?:(?:{_NAME}\.)+{_NAME}|"
    rf"\[(?:{_OCTET}\.){{3}}(?:{_OCTET}|[A-Za-z0-9-]*[A-Za-z0-9]:)])"
)
_NO_ADDRESS = re.compile(r"@(?:[^\[]*\.)?\d+$|@\d(?:\.\d)?x\.(?:png|jpe?g|gif|webp|svg|avif)$", re.IGNORECASE)
"""A version (``react@18.2.0``), for no domain ends in a number, or a picture for screens (``logo@2x.png``)."""
IP = re.compile(rf"(?<![0-9])(?<![0-9]\.)(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9]|\.[0-9])".encode())
PHONE = re.compile(
    rb"(?<![\w.+-])(?:(?=\(?\+(?:[ .()-]{0,2}\d){8,15}(?!\d))(?:\(\+[1-9]\d{0,2}\)|\+[1-9]\d{0,2}))"
    rb"(?:[ .-]?\(?\d{1,4}\)?)(?:[ .-]?\d{2,4}){1,5}(?![\w-])"
    rb"|(?<![\w.-])(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?![\w-])"
)
SECRET = re.compile(
    rb"(?<!\w)(?:A[KS]IA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|gh[pousr]_[0-9A-Za-z]{36,}|xox[abeoprs]-[0-9A-Za-z-]{10,}"
    rb"|[rs]k_live_[0-9A-Za-z]{24,}|github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}|hf_[0-9A-Za-z]{34}"
    rb"|sk-(?:(?:proj|svcacct|admin|ant-[0-9a-z]+)-[0-9A-Za-z_-]{40,}|[0-9A-Za-z]{48}))(?!\w)"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,32000}?-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
)
_AROUND = {"phone": 32, "secret": 512}
_LONGEST_ADDRESS = 2_000
_LONGEST_KEY_BLOCK = 32_768


def measure(data: Bytes, offsets: Offsets) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    num_documents = len(offsets) - 1
    found = sieve.candidates(data, offsets)
    rows = np.searchsorted(offsets, found[:, 0], "right") - 1
    counts = np.zeros((num_documents, len(KINDS)), np.int64)
    ends = np.zeros(num_documents + 1, np.int32)
    starts: list[int] = []
    stops: list[int] = []
    kinds: list[str] = []
    cuts = np.flatnonzero(np.diff(rows, prepend=-1, append=num_documents)).tolist()
    for first, last in itertools.pairwise(cuts):
        d = int(rows[first])
        start = int(offsets[d])
        page = data[start : int(offsets[d + 1])].tobytes()
        places = [(at - start, KINDS[kind]) for at, kind in found[first:last].tolist()]
        for begin, end, kind in page_spans(page, places):
            counts[d, KINDS.index(kind)] += 1
            starts.append(begin)
            stops.append(end)
            kinds.append(kind)
        ends[d + 1] = len(starts)
    spans = pa.StructArray.from_arrays(
        [pa.array(starts, pa.int32()), pa.array(stops, pa.int32()), pa.array(kinds, pa.string())], fields=list(SPAN)
    )
    columns = [pa.array(counts[:, k]) for k in range(len(KINDS))]
    return [*columns, pa.ListArray.from_arrays(pa.array(np.maximum.accumulate(ends)), spans, type=pa.list_(SPAN))]


def page_spans(page: bytes, places: list[tuple[int, str]]) -> list[tuple[int, int, str]]:
    """(start, stop, kind) of what stands at the places (byte, kind) of a page; sorted, not overlapping."""
    spans: list[tuple[int, int, str]] = []
    for kind in KINDS:
        taken = list(spans)
        done = looked = 0
        for at, what in places:
            if what != kind or at < max(done, looked):
                continue
            found, looked = _emails(page, at, done) if kind == "email" else (list(_at(page, at, done, kind)), 0)
            for first, last in found:
                done = max(done, last)
                if all(last <= a or first >= b for a, b, _ in taken):
                    spans.append((first, last, kind))
    return sorted(spans)


def is_global(address: str) -> bool:
    """Whether this is a public IPv4 address; numbers with leading zeros, as in versions (1.01.11.2), are none."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _at(page: bytes, at: int, done: int, kind: str) -> Iterator[tuple[int, int]]:
    if kind == "ip":
        first, last = at, at
        while first > done and page[first - 1] in b"0123456789.":
            first -= 1
        while last < len(page) and page[last] in b"0123456789.":
            last += 1
        for match in IP.finditer(page, first, last):
            if is_global(match.group().decode()):
                yield match.span()
    else:
        around = _AROUND[kind]
        last = at + (_LONGEST_KEY_BLOCK if page[at : at + 6] == b"-BEGIN" else around)
        pattern = PHONE if kind == "phone" else SECRET
        for match in pattern.finditer(page, max(done, at - around), min(len(page), last)):
            if match.start() <= at <= match.end():
                yield match.span()


def _emails(page: bytes, at: int, done: int) -> tuple[list[tuple[int, int]], int]:
    """Addresses in the run of address characters around an '@', and up to where every '@' has been looked at: all of
    the run, or half of what lies behind the '@' of one that goes on. The pattern's \\b sees one character before it."""
    first, last = at, at + 1
    while first > max(done, at - _LONGEST_ADDRESS):
        size = 1 if page[first - 1] in _ATOM_BYTES else 2 * _is_accented(page, first - 2)
        if not size or first - size < done:
            break
        first -= size
    furthest = min(len(page), at + _LONGEST_ADDRESS)
    while last < furthest:
        size = 1 if page[last] in _HOST_BYTES or page[last] == 64 else 2 * _is_accented(page, last)
        if not size:
            break
        last += size
    before = first
    while before > 0 and page[before - 1] & 0xC0 == 0x80:
        before -= 1
    before = max(before - 1, 0)
    head = page[before:first].decode("utf-8", "replace")
    run = page[first:last].decode("utf-8", "surrogateescape")
    found: list[tuple[int, int]] = []
    place = len(head)
    while match := EMAIL.search(head + run, place):
        start, place = match.start() - len(head), match.end()
        address = match.group()
        begin = _behind_path(address)
        if begin < address.rindex("@") and not _NO_ADDRESS.search(address):
            stop = place - len(head)
            found.append((first + _num_bytes(run[: start + begin]), first + _num_bytes(run[:stop])))
        else:
            place = match.start() + address.index("@") + 1
    return found, last if last < furthest else at + _LONGEST_ADDRESS // 2


def _is_accented(page: bytes, at: int) -> bool:
    """Whether two bytes may be a Latin letter beyond ASCII (U+00C0 to U+024F)."""
    return 0 <= at < len(page) - 1 and 0xC3 <= page[at] <= 0xC9 and page[at + 1] & 0xC0 == 0x80


def _num_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _behind_path(address: str) -> int:
    """Where an address begins that the pattern took with the URL it stands in: behind the last of ``?&=;/`` before it.

    An address by itself may hold these too, so only where it has a ``/`` or a ``?`` is it taken to be part of a URL.
    """
    name = address[: address.rindex("@")]
    if "/" not in name and "?" not in name:
        return 0
    return max(name.rfind(mark) for mark in "?&=;/") + 1
