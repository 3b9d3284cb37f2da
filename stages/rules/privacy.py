"""Personal data and credentials: how many a page has, and where, for the view `redacted` of `kept`.

| kind | column | what it is |
|---|---|---|
| `email` | `privacy_num_emails` | an e-mail address (pattern of the FineWeb recipe, datatrove 0.10.1) |
| `ip` | `privacy_num_ips` | an IPv4 address that is public (the same recipe's pattern; `ipaddress` decides) |
| `phone` | `privacy_num_phones` | a number after + and country code, or in North American form (a 1 before it or not) |
| `secret` | `privacy_num_secrets` | private key blocks, and keys of services; ours |

`privacy_spans` lists them (bytes of the text, sorted, not overlapping; e-mail first, then ip, phone, secret where two
overlap). Nine deviations from the reference. Four find what it leaves: an e-mail address directly behind a letter of
another script, as Chinese and Japanese have it (`联系joe@a.example`), one with accented Latin letters
(`josé@a.example`, `info@müller.example`), one with letters of other scripts (`почта@пример.рф`,
`stages.rules.international_addresses`), and IP addresses in the digits of other scripts, as telephone numbers
(`+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧`, `stages.rules.other_digits`). Five of its finds are no personal data: four numbers of a
longer row (`1.2.3.4.5`, a version, a section, an object identifier) are no IP address; an e-mail address in a URL
(`/path?mail=a@b.c`) begins behind its path, and one of which nothing is left so (`/@joe.example`, a user's page) is
none; `react@18.2.0` and `logo@2x.png` are none; a number in parentheses behind a country code is one telephone number.
What looks like a key and is words is none: keys that OpenAI's prefix begins have capitals and digits
(`/sk-proj-a-title-of-many-words`), Slack's have digits (`xoxb-your-token-here`), `xoxo-` goes on with one; and between
the two lines of a private key stands no third, and no prose (words of `_BLOCK_WORD` bytes at the mean).
Services: AWS, GitHub, Google, Slack, Stripe, OpenAI, Anthropic, Hugging Face. No rule: a page is not dropped for an
address.

Method: a kernel finds the places (`stages.kernels.words.sieve`), the patterns look at the bytes around each. Price:
2 GB/s on pages without hits, about 10 µs a hit, 20 in other scripts.
Limits: keys are ASCII; there is no rule for cards and accounts in any digits.
"""

from __future__ import annotations

import bisect
import ipaddress
import itertools
import re
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.words import sieve
from stages.rules import international_addresses, other_digits
from stages.rules.rule import Rule

KINDS = ("email", "ip", "phone", "secret")
_PLACES = (*KINDS, "number")
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

_LETTERS = "A-Za-z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_ATOM = rf"[{_LETTERS}!#$%&'*+/=?^_`{{|}}~-]"
_NAME = rf"[{_LETTERS}](?:[{_LETTERS}-]*[{_LETTERS}])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
_ATOM_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+/=?^_`{|}~-.")
_HOST_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.[]:")
_NAME_BACKWARDS = re.compile(rf"{_ATOM}+(?:\.{_ATOM}+)*")
"""Name before the '@', read backwards, as long as it may be."""
_NAME_BEGINS = re.compile(rf"(?:\b|(?<=[^\W\u0000-\u024f])){_ATOM}")
_HOST = re.compile(rf"(?:{_NAME}\.)+{_NAME}|\[(?:{_OCTET}\.){{3}}(?:{_OCTET}|[A-Za-z0-9-]*[A-Za-z0-9]:)]")
_NO_ADDRESS = re.compile(r"@(?:[^\[]*\.)?\d+$|@\d(?:\.\d)?x\.(?:png|jpe?g|gif|webp|svg|avif)$", re.IGNORECASE)
"""A version (``react@18.2.0``), for no domain ends in a number, or a picture for screens (``logo@2x.png``)."""
IP = re.compile(rf"(?<![0-9])(?<![0-9]\.)(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9]|\.[0-9])".encode())
PHONE = re.compile(
    rb"(?<![\w.+-])(?:(?=\(?\+(?:[ .()-]{0,2}\d){8,15}(?!\d))(?:\(\+[1-9]\d{0,2}\)|\+[1-9]\d{0,2}))"
    rb"(?:[ .-]?\(?\d{1,4}\)?)(?:[ .-]?\d{2,4}){1,5}(?![\w-])"
    rb"|(?<![\w.-])(?:1[.-]|1 ?(?=\())?(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?!(?!x\d)[\w-])"
)
KEY = re.compile(
    rb"(?<!\w)(?:A[KS]IA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|gh[pousr]_[0-9A-Za-z]{36,}"
    rb"|xox(?:[abepr]-(?=[A-Za-z-]{0,60}\d)|[os]-(?=\d))[0-9A-Za-z-]{10,}"
    rb"|[rs]k_live_[0-9A-Za-z]{24,}|github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}|hf_[0-9A-Za-z]{34}"
    rb"|sk-(?:(?:(?:proj|svcacct|admin)-(?=[0-9a-z_-]{0,200}[A-Z])(?=[A-Za-z_-]{0,200}[0-9])|ant-[a-z]{1,20}\d+-)"
    rb"[0-9A-Za-z_-]{40,}|[0-9A-Za-z]{48}))(?!\w)"
)
_KEY_BEFORE = {b"A": (0,), b"_": (2, 3, 6), b"-": (2, 4)}
"""Bytes from the beginning of a key to the byte at which the kernel finds it."""
_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?)-----")
_BLOCK_ENDS = re.compile(rb"-----+END ([A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?)-----")
_LONGEST_BLOCK = 32_000
_BLOCK_WORD = 12
"""Bytes for each word of a block, at least: a key's are lines of 64, those of prose about keys have five letters."""
_PHONE_AROUND = 32
_LONGEST_ADDRESS = 2_000


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
        places = [(at - start, _PLACES[kind]) for at, kind in found[first:last].tolist()]
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
    of_other_digits = [at for at, what in places if what == "number"]
    for kind in KINDS:
        taken = sorted(spans)
        wanted = (kind, "number") if kind in _IN_OTHER_DIGITS else (kind,)
        done, looked = 0, dict.fromkeys(wanted, 0)
        together: list[tuple[int, int]] = []
        for at, what in places:
            if what not in wanted or at < done or (what == kind and at < looked[what]):
                continue
            if what == kind:
                found, looked[what] = _FIND[kind](page, at, done)
            else:
                if at >= looked[what]:
                    together, looked[what] = other_digits.numbers(
                        page, at, done, of_other_digits, *_IN_OTHER_DIGITS[kind]
                    )
                behind = bisect.bisect_right(together, (at, len(page)))
                found = [span for span in together[max(0, behind - 1) : behind] if done <= span[0] and at <= span[1]]
            for first, last in found:
                done = max(done, last)
                if _is_free(taken, first, last):
                    spans.append((first, last, kind))
        if kind == "email" and not page.isascii():
            signs = [at for at, what in places if what == kind]
            spans = [
                (*span, kind) for span in international_addresses.added(page, signs, [(a, b) for a, b, _ in spans])
            ]
    return sorted(spans)


def is_global(address: str) -> bool:
    """Whether this is a public IPv4 address; numbers with leading zeros, as in versions (1.01.11.2), are none."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _is_free(taken: list[tuple[int, int, str]], first: int, last: int) -> bool:
    """Whether no span of a sorted list without overlaps shares a byte with this one."""
    behind = bisect.bisect_left(taken, (last,))
    return behind == 0 or taken[behind - 1][1] <= first


Found = tuple[list[tuple[int, int]], int]
"""Spans that stand around a place, rising; and up to where every place has been looked at."""


def _ips(page: bytes, at: int, done: int) -> Found:
    first, last = at, at
    while first > done and page[first - 1] in b"0123456789.":
        first -= 1
    while last < len(page) and page[last] in b"0123456789.":
        last += 1
    return [match.span() for match in IP.finditer(page, first, last) if is_global(match.group().decode())], last


def _phones(page: bytes, at: int, done: int) -> Found:
    around = PHONE.finditer(page, max(done, at - _PHONE_AROUND), min(len(page), at + _PHONE_AROUND))
    return [match.span() for match in around if match.start() <= at <= match.end()], 0


def _secrets(page: bytes, at: int, done: int) -> Found:
    """A key whose prefix ends at a place, or the block of a private key whose first word stands behind it."""
    if page.startswith(b"-BEGIN", at):
        begin = _BLOCK.match(page, at - 4) if at - 4 >= done else None
        dashes = page.find(b"-----", begin.end(), begin.end() + _LONGEST_BLOCK + 5) if begin else -1
        end = _BLOCK_ENDS.match(page, dashes) if dashes >= 0 else None
        if begin is None or end is None or not _is_key(page[begin.end() : dashes]):
            return [], 0
        return [(begin.start(), end.end())], 0
    starts = (at - before for before in _KEY_BEFORE[page[at : at + 1]] if at - before >= done)
    return [match.span() for match in (KEY.match(page, start) for start in starts) if match][:1], 0


def _is_key(block: bytes) -> bool:
    """Whether a private key stands between two lines of dashes, and no prose about them."""
    num_words = len(block.split())
    return num_words == 1 or len(block) >= _BLOCK_WORD * num_words > 0


def _emails(page: bytes, at: int, done: int) -> Found:
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
    found = [(first + _num_bytes(run[:start]), first + _num_bytes(run[:stop])) for start, stop in _in_run(head, run)]
    return found, last if last < furthest else at + _LONGEST_ADDRESS // 2


def _in_run(head: str, run: str) -> Iterator[tuple[int, int]]:
    """Addresses in a run, behind a character of another kind. From each '@' on: a pattern of the whole
    would try every beginning of a long run without an address up to its end."""
    text = head + run
    free = len(head)
    at = text.find("@", free)
    while at >= 0:
        host = _HOST.match(text, at + 1)
        name = _NAME_BACKWARDS.match(text[free:at][::-1]) if host else None
        begin = _NAME_BEGINS.search(text, at - name.end(), at) if name else None
        free = at + 1
        if host and begin:
            address = text[begin.start() : host.end()]
            behind_path = _behind_path(address)
            if behind_path < address.rindex("@") and not _NO_ADDRESS.search(address):
                yield begin.start() + behind_path - len(head), host.end() - len(head)
                free = host.end()
        at = text.find("@", free)


def _is_accented(page: bytes, at: int) -> bool:
    """Whether two bytes may be a Latin letter beyond ASCII (U+00C0 to U+024F)."""
    return 0 <= at < len(page) - 1 and 0xC3 <= page[at] <= 0xC9 and page[at + 1] & 0xC0 == 0x80


def _num_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _behind_path(address: str) -> int:
    """Start of an address that the pattern took with the URL it stands in: behind the last of ``?&=;/`` before it.

    An address by itself may hold these too, so only where it has a ``/`` or a ``?`` is it taken to be part of a URL.
    """
    name = address[: address.rindex("@")]
    if "/" not in name and "?" not in name:
        return 0
    return max(name.rfind(mark) for mark in "?&=;/") + 1


_IN_OTHER_DIGITS: dict[str, tuple[re.Pattern[bytes], Callable[[str], bool]]] = {
    "ip": (IP, is_global),
    "phone": (PHONE, lambda number: True),
}
_FIND: dict[str, Callable[[bytes, int, int], Found]] = {
    "email": _emails,
    "ip": _ips,
    "phone": _phones,
    "secret": _secrets,
}
