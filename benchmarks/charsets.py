"""Pages of 30 charsets with 1, 2 and 5 wrong bytes: what is left of their text, and of their charset.

    python -m benchmarks.charsets PAGES... [--most 2000] [--show 0]

PAGES are WARC files, or Parquet files with a column ``html``: real pages in UTF-8, which are written again in the
charsets of their languages (`CHARSETS`; the language is the page's own ``lang``), at most ``--most`` in all, every
other one cut to its first `SHORT` characters, and declared by header, by ``<meta>``, or not at all. Bytes of the text
are broken in four ways: another byte, one that is not ASCII, one removed, one put in. Prints, for each charset and
declaration, how many undamaged pages are read right, the share of the characters of the text that the damaged ones
still have, how many are taken for another charset, and how many of those lose a character that no wrong byte stands
for (the others read the same in both). The same seed breaks the same bytes. Ends with status 1 where
under 99.5% of the characters of a damaged set are left, where a wrong byte changes the charset of a page that declares
one, or where it does for more than one in fifty that declare none (between relatives: `docs/decisions/charsets.md`).
"""

from __future__ import annotations

import argparse
import html
import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterator

import pyarrow.parquet as pq

from stages.documents.account import Account
from stages.documents.archives import Limits, payloads
from stages.documents.charset_names import decode
from stages.documents.charsets import to_utf8
from stages.documents.http import decode_body

CHARSETS = {
    "utf-8": "fr es de pt ja zh ko ru cs pl uk tr el ar th it sv",
    "windows-1252": "fr es de pt it sv nl da",
    "iso-8859-15": "fr de es",
    "iso-8859-1": "fr es de pt it",
    "macintosh": "fr de es",
    "windows-1250": "cs pl hu sk sl",
    "iso-8859-2": "cs pl hu sk sl",
    "iso-8859-16": "ro",
    "windows-1254": "tr az",
    "iso-8859-9": "tr",
    "windows-1257": "lt lv et",
    "iso-8859-13": "lt lv",
    "iso-8859-4": "lt lv et",
    "iso-8859-3": "eo mt tr",
    "windows-1251": "ru uk bg be sr mk",
    "koi8-r": "ru",
    "koi8-u": "uk",
    "iso-8859-5": "ru bg",
    "ibm866": "ru",
    "x-mac-cyrillic": "ru uk",
    "windows-1253": "el",
    "iso-8859-7": "el",
    "windows-1255": "he",
    "windows-1256": "ar fa",
    "windows-874": "th",
    "windows-1258": "vi",
    "shift_jis": "ja",
    "euc-jp": "ja",
    "iso-2022-jp": "ja",
    "gbk": "zh",
    "gb18030": "zh",
    "big5": "zh",
    "euc-kr": "ko",
}
"""Charset -> languages written in it."""
CODECS = {"x-mac-cyrillic": "mac_cyrillic", "macintosh": "mac_roman", "windows-874": "cp874", "shift_jis": "cp932"}
CODECS |= {"euc-kr": "cp949", "ibm866": "cp866"}
BREAKS = (1, 2, 5)
DECLARED = ("header", "meta", "nowhere")
MIN_CHARACTERS, MOST_CHANGED = 0.995, 0.02
SHORT = 600
"""Characters of text of every other page, which is put into a small frame."""
MAX_PAGE, MIN_OUTSIDE = 200_000, 12
"""Characters of a page, and those outside ASCII its text must have."""

_LANG = re.compile(r"""<html[^>]{0,300}?\blang\s*=\s*["']?\s*([A-Za-z]{2})\b""", re.IGNORECASE)
_META = re.compile(r"""<meta[^>]*charset[^>]*>|<\?xml[^>]*>""", re.IGNORECASE)
_MARKUP = re.compile(r"<(script|style|title)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL)


def pages(names: list[str]) -> Iterator[str]:
    """The pages of the files that are UTF-8."""
    for name in names:
        found: Iterator[bytes]
        if name.endswith(".parquet"):
            found = iter(pq.read_table(name, columns=["html"]).column("html").to_pylist())
        else:
            found = _bodies(name)
        for body in found:
            try:
                yield body.decode("utf-8-sig")
            except UnicodeDecodeError:
                continue


def _bodies(name: str) -> Iterator[bytes]:
    with open(name, "rb") as file:
        for head, body in payloads(file, Account(name), Limits(1 << 24, 1 << 24, frozenset())):
            yield decode_body(body, head.transfer_encoding, head.content_encoding, 1 << 24)[0]


def written(found: Iterator[str], most: int) -> dict[str, list[str]]:
    """Charset -> pages that it can write, at most the same number of each."""
    share = -(-most // len(CHARSETS))
    by_language: dict[str, list[str]] = defaultdict(list)
    for page in found:
        language = _LANG.search(page[:4096])
        text = text_of(page)
        if language and len(page) <= MAX_PAGE and len(text) - len(text.encode("ascii", "ignore")) >= MIN_OUTSIDE:
            page = _META.sub("", page)
            by_language[language[1].lower()].append(page if len(page) % 2 else shortened(page, language[1]))
    chosen: dict[str, list[str]] = {}
    left = most
    for number, (charset, languages) in enumerate(
        sorted(CHARSETS.items(), key=lambda item: _supply(item, by_language))
    ):
        share = -(-left // (len(CHARSETS) - number))
        able = [page for language in languages.split() for page in by_language[language] if _fits(page, charset)]
        step = max(1, len(able) // max(share, 1))
        chosen[charset] = able[::step][:share]
        left -= len(chosen[charset])
    return {charset: chosen[charset] for charset in CHARSETS}


def shortened(page: str, language: str) -> str:
    """The page's first characters in a small frame."""
    text = html.escape(" ".join(text_of(page).split())[:SHORT], quote=False)
    return f'<html lang="{language}"><head><title>T</title></head><body><p>{text}</p></body></html>'


def _supply(item: tuple[str, str], by_language: dict[str, list[str]]) -> int:
    return sum(len(by_language[language]) for language in item[1].split())


def _fits(page: str, charset: str) -> bool:
    """Whether nine in ten characters outside ASCII can be written."""
    outside = "".join(c for c in text_of(page) if c > "\x7f")
    left = outside.encode(CODECS.get(charset, charset), "ignore").decode(CODECS.get(charset, charset), "ignore")
    return len(left) >= max(0.9 * len(outside), MIN_OUTSIDE)


def encoded(page: str, charset: str) -> bytes:
    """The page in a charset; what that lacks as character references."""
    return page.encode(CODECS.get(charset, charset), "xmlcharrefreplace")


def text_of(page: str) -> str:
    """The characters outside markup."""
    return _MARKUP.sub(" ", page)


def broken(page: bytes, spans: list[tuple[int, int]], count: int, dice: random.Random) -> bytes:
    """The page with ``count`` bytes of its text broken, half of them where it is not ASCII."""
    out = bytearray(page)
    outside = [i for first, last in spans for i in range(first, last) if page[i] >= 128]
    for turn in range(count):
        first, last = dice.choice(spans)
        place = dice.choice(outside) if outside and turn % 2 == 0 else dice.randrange(first, last)
        place = min(place, len(out) - 1)
        kind = dice.randrange(4)
        if kind == 0:
            out[place] = dice.randrange(0x80, 0x100)
        elif kind == 1:
            out[place] = dice.choice(b"aeinorst ,.0")
        elif kind == 2:
            del out[place]
        else:
            out.insert(place, dice.randrange(0x80, 0x100))
    return bytes(out)


def text_spans(page: bytes) -> list[tuple[int, int]]:
    """Spans of text in a page's bytes."""
    spans, at = [], 0
    for found in re.finditer(_MARKUP.pattern.encode(), page, re.IGNORECASE | re.DOTALL):
        spans.append((at, found.start()))
        at = found.end()
    spans.append((at, len(page)))
    return [(first, last) for first, last in spans if page[first:last].strip()] or [(0, len(page))]


def equal_characters(found: str, truth: str) -> int:
    """Characters of ``truth`` that ``found`` has too, in order; after a difference both go on at the next 6 equal."""
    i = j = equal = 0
    while i < len(found) and j < len(truth):
        if found[i] == truth[j]:
            equal, i, j = equal + 1, i + 1, j + 1
            continue
        step = next(
            (
                (a, total - a)
                for total in range(1, 80)
                for a in range(total + 1)
                if found[i + a : i + a + 6] == truth[j + total - a : j + total - a + 6]
            ),
            None,
        )
        if step is None:
            i, j = i + 40, j + 40
        else:
            i, j = i + step[0], j + step[1]
    return equal


def measure(charset: str, chosen: list[str], declared: str, show: int) -> tuple[int, int, dict[int, list[int]]]:
    """(pages, read right undamaged, {bytes broken: [characters, left, pages of another charset, of these with
    other text])."""
    header = f"text/html; charset={charset}" if declared == "header" else "text/html"
    right, counts = 0, {count: [0, 0, 0, 0] for count in BREAKS}
    for number, page in enumerate(chosen):
        if declared == "meta":
            page = re.sub("(<head[^>]*>)", rf'\1<meta charset="{charset}">', page, count=1, flags=re.IGNORECASE)
        whole = encoded(page, charset)
        truth = text_of(whole.decode(CODECS.get(charset, charset)))
        utf8, name = to_utf8(whole, header)
        right += text_of(utf8.decode()) == truth
        if show and text_of(utf8.decode()) != truth:
            show -= 1
            print(f"    {charset} {declared} page {number}: read as {name}: {truth.split()[:8]}")
        spans = text_spans(whole)
        for count in BREAKS:
            data = broken(whole, spans, count, random.Random(f"{charset}/{number}/{count}"))
            damaged, other = to_utf8(data, header)
            counts[count][0] += len(truth)
            left = equal_characters(text_of(damaged.decode()), truth)
            counts[count][1] += left
            counts[count][2] += other != name
            counts[count][3] += other != name and left < equal_characters(text_of(decode(data, name)), truth)
            if show and other != name:
                show -= 1
                print(f"    {charset} {declared} page {number}, {count} broken: {name} -> {other}")
    return len(chosen), right, counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+")
    parser.add_argument("--most", type=int, default=2000)
    parser.add_argument("--show", type=int, default=0, help="pages to name for each charset and declaration")
    given = parser.parse_args()
    chosen = written(pages(given.pages), given.most)
    print(f"{sum(map(len, chosen.values()))} pages of {sum(map(bool, chosen.values()))} charsets")
    titles = "".join(f"{f'{count} broken':>12}{'other':>6}" for count in BREAKS)
    print(f"{'charset':<16}{'declared':<9}{'pages':>6}{'right':>7}{titles}")
    totals = {declared: {count: [0, 0, 0, 0] for count in BREAKS} for declared in DECLARED}
    for charset, those in chosen.items():
        for declared in DECLARED if those else ():
            number, right, counts = measure(charset, those, declared, given.show)
            shares = "".join(f"{100 * c[1] / max(c[0], 1):>11.3f}%{c[2]:>6}" for c in counts.values())
            print(f"{charset:<16}{declared:<9}{number:>6}{right:>7}{shares}", flush=True)
            for count in BREAKS:
                totals[declared][count] = [a + b for a, b in zip(totals[declared][count], counts[count], strict=True)]
    good = True
    for declared, sums in totals.items():
        for count, (characters, left, other, lost) in sums.items():
            share = left / max(characters, 1)
            most = 0 if declared != "nowhere" else MOST_CHANGED * sum(map(len, chosen.values()))
            good &= share >= MIN_CHARACTERS and other <= most
            print(
                f"declared {declared:<8} {count} broken: {100 * share:.3f}% of characters, {other} of another charset, "
                f"{lost} with other text for it"
            )
    if not good:
        sys.exit("a wrong byte costs more than itself")


if __name__ == "__main__":
    main()
