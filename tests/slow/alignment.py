"""Twins of `stages.kernels.words.folded_words` and `alignment`, written from their docstrings: clear, and slow."""

from __future__ import annotations

import re
import unicodedata

from stages.kernels.unicode import characters
from stages.kernels.words.alignment import AROUND, LONG, MOST_SKIPPED, NEAR, SHORT
from stages.kernels.words.sequences import MOST_PLACES

_SPELT = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
"""
NUMBERS = dict(zip(_SPELT.split(), [*map(str, range(21)), "30", "40", "50", "60", "70", "80", "90"], strict=True))
MARKUP = re.compile(
    r"<[A-Za-z/!][^<>]{0,198}>|&#(?P<dec>[0-9]{1,7});|&#[xX](?P<hex>[0-9A-Fa-f]{1,7});|&[A-Za-z]{2,8};"
    r"|\\u(?P<esc>[0-9A-Fa-f]{4})|\\[ntr]",
    re.DOTALL,
)
Word = tuple[str, int, int]
"""Folded word, first byte, byte behind the last."""
Run = tuple[int, int, int, int, int, int]
"""Sequence, alignment, first word, word behind the last, first byte, byte behind the last."""


def words(text: str) -> list[Word]:
    """The folded words of a text, with their bytes."""
    found: list[Word] = []
    spelt, begin, end, kind = "", 0, 0, ""
    tokens = [(folded, raw, at, at + size) for folded, raw, at, size in _characters(text)]

    def close() -> None:
        nonlocal spelt, kind
        word = NUMBERS.get(spelt, spelt) if kind == "letters" else spelt
        if word and word not in ("dollar", "dollars", "usd", "percent"):
            found.append((word, begin, end))
        spelt, kind = "", ""

    group = 0
    for folded, raw, at, behind in tokens:
        if folded is None:
            continue
        now = "" if not folded else "digits" if folded[0] in "0123456789" else "letters"
        if not now and kind == "digits" and group <= 3 and raw in ",.'\u00a0\u202f\u2009" and raw:
            after = text.encode()[behind : behind + 4]
            if re.match(rb"[0-9]{3}(?![0-9])", after):
                group = 0
                continue
        alone = now == "letters" and _unspaced(folded[0])
        if kind and (now != kind or alone or kind == "alone"):
            close()
        if now:
            if not kind:
                begin, kind, group = at, "alone" if alone else now, 0
            spelt += folded
            group += 1
            end = behind
    close()
    return found


def _characters(text: str) -> list[tuple[str | None, str, int, int]]:
    """(folded: '' no word, None not there; character, first byte, bytes) of each; markup is one of no word."""
    found: list[tuple[str | None, str, int, int]] = []
    at = i = 0
    while i < len(text):
        match = MARKUP.match(text, i)
        if match and len(match[0].encode()) <= 200:
            code = match["dec"] or match["hex"] or match["esc"]
            cp = int(code, 10 if match["dec"] else 16) if code else 0
            raw = chr(cp) if 0 < cp < 0x110000 else ""
            found.append(
                (_folded(raw), raw, at, len(match[0].encode())) if raw else ("", "", at, len(match[0].encode()))
            )
            at, i = at + len(match[0].encode()), i + len(match[0])
            continue
        size = len(text[i].encode())
        found.append((_folded(text[i]), text[i], at, size))
        at, i = at + size, i + 1
    return found


def _is_word(character: str) -> bool:
    return bool(characters.classes()[ord(character)] & (characters.ALPHA | characters.DIGIT | characters.MARK))


def _folded(character: str) -> str | None:
    if not character:
        return ""
    cp = ord(character)
    if unicodedata.category(character) == "Cf" or POINTS.match(character):
        return None
    if characters.classes()[cp] & characters.DIGIT:
        return str(unicodedata.decimal(character, character))
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).lower())
    if cp >= 0x20000 or 0xAC00 <= cp < 0xD7A4:
        plain = character
    if plain and all(POINTS.match(one) for one in plain):
        return None
    parts = "".join(one for one in plain if _is_word(one) and not POINTS.match(one))[:4]
    if parts and all(_is_word(one) or unicodedata.combining(one) for one in plain):
        return parts
    return character if _is_word(character) else ""


POINTS = re.compile(
    "[\u0300-\u036f\ufe00-\ufe0f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0640\u064b-\u0652\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]"
)
UNSPACED = re.compile("[\u0e00-\u109f\u1780-\u17ff\u2e80-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff]")


def _unspaced(character: str) -> bool:
    return bool(UNSPACED.match(character)) or ord(character) >= 0x20000


def seeds(sequences: list[list[str]], seeded: list[bool]) -> dict[tuple[str, ...], list[tuple[int, int]]]:
    """Four words in a row -> (sequence, word) of the places that have them, but for those of too many."""
    known: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for number, sequence in enumerate(sequences):
        for i in range(len(sequence) - 3) if seeded[number] else ():
            known.setdefault(tuple(sequence[i : i + 4]), []).append((number, i))
    return {seed: places for seed, places in known.items() if len(places) <= MOST_PLACES}


def runs(text: str, sequences: list[list[str]], seeded: list[bool], companions: list[tuple[int, int]]) -> list[Run]:
    """Where the sequences stand in a text."""
    page = words(text)
    spelt = [word for word, _, _ in page]
    known = seeds(sequences, seeded)
    hits: dict[int, dict[int, list[int]]] = {}
    for p in range(len(spelt) - 3):
        for number, i in known.get(tuple(spelt[p : p + 4]), ()):
            sequence = sequences[number]
            after = i + 4 < len(sequence) and p + 4 < len(spelt) and sequence[i + 4] == spelt[p + 4]
            before = i > 0 and p > 0 and sequence[i - 1] == spelt[p - 1]
            if after or before or len(sequence) == 4:
                hits.setdefault(number, {}).setdefault(p, []).append(i)
    found: list[Run] = []
    alignment = 0
    for number, places in hits.items():
        if len(sequences[number]) > LONG and sum(map(len, places.values())) < 2:
            continue
        for pieces, low, high in _alignments(sequences[number], spelt, places):
            made = [(number, i, j, p) for i, j, p in pieces]
            for c in range(*companions[number]):
                place = _find(
                    sequences[c], spelt, low, high, sum(len(sequences[k]) for k in range(*companions[number]))
                )
                if place is not None:
                    made.append((c, 0, len(sequences[c]), place))
            found += [(s, alignment, i, j, page[p][1], page[p + j - i - 1][2]) for s, i, j, p in made]
            alignment += 1
    return found


def _least(size: int) -> int:
    return max(3, size - size // 7) if size <= SHORT else min(14, max(10, 2 * size // 5))


def _alignments(
    sequence: list[str], page: list[str], places: dict[int, list[int]]
) -> list[tuple[list[tuple[int, int, int]], int, int]]:
    """(runs of (first, behind, word of the page), first word of the page, word behind the last) of each."""
    done = []
    taken: set[int] = set()
    pieces: list[tuple[int, int, int]] = []
    used, low = -1, -1

    def finish() -> None:
        nonlocal pieces, taken, low
        if len(taken) >= _least(len(sequence)):
            done.append((pieces, low, used))
        pieces, taken, low = [], set(), -1

    def length(i: int, p: int) -> int:
        k = 0
        while i + k < len(sequence) and p + k < len(page) and i + k not in taken and sequence[i + k] == page[p + k]:
            k += 1
        return k

    for p, starts in places.items():
        best = max((length(i, p) for i in starts), default=0) if p >= used else 0
        i = next((i for i in starts if length(i, p) == best), -1) if best else -1
        full = len(taken) >= _least(len(sequence))
        if low >= 0 and p >= used and (p - used > NEAR + len(sequence) // 2 or (i < 0 and full)):
            finish()
            used = max(used, 0)
            if i < 0:
                continue
        if best < 3:
            continue
        back = _followed(sequence, page, i, p, taken, max(used, 0), -1)
        pieces += back
        taken |= {k for a, b, _ in back for k in range(a, b)}
        forth = _followed(sequence, page, i, p, taken, max(used, 0), 1)
        pieces += forth
        taken |= {k for a, b, _ in forth for k in range(a, b)}
        firsts = [place for _, _, place in (*back, *forth)]
        low = min([*firsts, *([low] if low >= 0 else [])])
        used = max(used, *(place + b - a for a, b, place in forth))
    if low >= 0:
        finish()
    return done


def _followed(
    sequence: list[str], page: list[str], i: int, p: int, taken: set[int], floor: int, step: int
) -> list[tuple[int, int, int]]:
    """Runs from word i of the sequence and p of the page, backward (step -1, both left out) or forward."""
    mine = set(taken)
    found = []

    def same(u: int, v: int) -> bool:
        return 0 <= u < len(sequence) and floor <= v < len(page) and u not in mine and sequence[u] == page[v]

    def may(u: int, v: int) -> bool:
        return 0 <= u < len(sequence) and floor <= v < len(page)

    u, v = (i - 1, p - 1) if step < 0 else (i, p)
    while True:
        a, b = u, v
        while same(u, v):
            mine.add(u)
            u, v = u + step, v + step
        if u != a:
            found.append((u + 1, a + 1, v + 1) if step < 0 else (a, u, b))
        ways = [
            (x, cost - x)
            for cost in range(1, MOST_SKIPPED + 1)
            for x in range(cost + 1)
            if same(u + step * x, v + step * (cost - x))
            and (
                not may(u + step * (x + 1), v + step * (cost - x + 1))
                or sequence[u + step * (x + 1)] == page[v + step * (cost - x + 1)]
            )
        ]
        if not ways:
            return found
        u, v = u + step * ways[0][0], v + step * ways[0][1]


def _find(needle: list[str], page: list[str], low: int, high: int, size: int) -> int | None:
    """Where a companion stands: behind the sequence, else before it or in it."""

    def within(first: int, behind: int) -> int | None:
        places = (p for p in range(first, behind - len(needle) + 1) if page[p : p + len(needle)] == needle)
        return next(places, None)

    if not needle:
        return None
    behind = within(high, min(len(page), high + AROUND + 2 * size))
    return behind if behind is not None else within(max(0, low - AROUND), min(len(page), low + len(needle)))
