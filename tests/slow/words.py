"""Slow, obvious twins of the word units: regular expressions over one string, from the kernels' docstrings."""

from __future__ import annotations

import re
from functools import cache

from stages.kernels.unicode import characters
from stages.kernels.words import spacy_tables as tables
from stages.kernels.words import unspaced


def white_space(text: str) -> list[str]:
    return text.split()


def in_class(*flags: int) -> str:
    """The inside of a regular expression's class of characters."""
    inside = [c for c, kind in enumerate(tables.kinds().tolist()) if any(kind & flag for flag in flags)]
    known = set(inside)
    firsts = [c for c in inside if c - 1 not in known]
    lasts = [c for c in inside if c + 1 not in known]
    return "".join(f"{re.escape(chr(a))}-{re.escape(chr(b))}" for a, b in zip(firsts, lasts, strict=True))


@cache
def patterns() -> dict[str, re.Pattern[str]]:
    letters = in_class(tables.LOWERISH, tables.UPPERISH)
    upper, lower = in_class(tables.UPPERISH), in_class(tables.LOWERISH)
    quotes, icons, currencies = in_class(tables.QUOTE), in_class(tables.ICON), in_class(tables.CURRENCY)
    units = "|".join(sorted(tables._UNITS.split(), key=len, reverse=True))
    prefix = rf"\+(?![0-9])|[{in_class(tables.PREFIX)}]|\.\.+|US\$|C\$|A\$"
    suffix = "|".join(
        [
            rf"\.\.+|……|['’][sS]|[{in_class(tables.SUFFIX)}]",
            rf"(?<=[0-9])\+|(?<=°[FfCcKk])\.|(?<=[0-9])(?:US\$|C\$|A\$|[{currencies}]|{units})",
            rf"(?<=[{in_class(tables.BEFORE_STOP)}])\.|(?<=[{upper}][{upper}])\.",
        ]
    )
    infix = "|".join(
        [
            rf"\.\.+|…|[{icons}]|(?<=[0-9])[+\-*^](?=[0-9-])",
            rf"(?<=[{lower}{quotes}])\.(?=[{upper}{quotes}])|(?<=[{letters}]),(?=[{letters}])",
            rf"(?<=[{letters}0-9])(?:-{{1,3}}|–|—{{1,2}}|~|[:<>=/])(?=[{letters}])",
        ]
    )
    part = rf"[{letters}0-9\x80-\U0010ffff]"
    label = rf"(?:{part}(?:{part}|[-_]){{0,62}})?{part}"
    host = rf"(?:{label}\.)+[{lower}]{{2,63}}(?::[0-9]{{2,5}})?(?:[/?#].*)?"
    scheme = rf"(?:[{letters}0-9+._\x80-\U0010ffff-]{{2,}}://)?"
    return {
        "prefix": re.compile(prefix),
        "suffix": re.compile(rf"(?:{suffix})\Z"),
        "infix": re.compile(infix),
        "address": re.compile(rf"(?:{scheme}|)(?:.+@)?{host}", re.DOTALL),
    }


@cache
def special_cases() -> dict[str, tuple[str, ...]]:
    cases = tables.special_cases()
    return {text: pieces for text, pieces in cases.items() if len(text.encode()) <= tables.MAX_BYTES}


def spacy(text: str) -> list[str]:
    return [word for chunk in text.split() for word in joined(cut(chunk))]


def cut(chunk: str) -> list[str]:
    """As in spaCy's documentation, "How spaCy's tokenizer works"."""
    cases, rules = special_cases(), patterns()
    words: list[str] = []
    suffixes: list[str] = []
    while chunk and chunk not in cases:
        prefix = rules["prefix"].match(chunk)
        if prefix:
            words.append(prefix.group())
            chunk = chunk[prefix.end() :]
            if not chunk or chunk in cases:
                continue
        suffix = rules["suffix"].search(chunk)
        if suffix:
            suffixes.append(suffix.group())
            chunk = chunk[: suffix.start()]
        elif not prefix:
            break
    if chunk in cases:
        words += cases[chunk]
    elif rules["address"].fullmatch(chunk):
        words.append(chunk)
    else:
        at = 0
        for match in rules["infix"].finditer(chunk):
            if match.start() > 0:
                words += [chunk[at : match.start()], match.group()]
                at = match.end()
        words.append(chunk[at:])
    return [word for word in words + suffixes[::-1] if word]


def joined(words: list[str]) -> list[str]:
    """Two to four words that are one special case together, as one word."""
    found = []
    while words:
        sizes = [n for n in (4, 3, 2) if len(words) >= n and special_cases().get("".join(words[:n]), ()) != ()]
        sizes = [n for n in sizes if len(special_cases()["".join(words[:n])]) == 1]
        size = sizes[0] if sizes else 1
        found.append("".join(words[:size]))
        words = words[size:]
    return found


def script(text: str) -> list[str]:
    return [piece for word in spacy(text) for piece in pieces(word)]


def pieces(word: str) -> list[str]:
    """A word cut by `stages.kernels.words.unspaced`."""
    if not any(characters.classes()[ord(c)] & characters.UNSPACED for c in word):
        return [word]
    found = [""]
    group, letters, last = -1, 0, -1
    for i, character in enumerate(word):
        here = int(unspaced.groups()[ord(character)])
        after = int(unspaced.groups()[ord(word[i + 1])]) if i + 1 < len(word) else -1
        if here < unspaced.EXTENDS:
            silent = group == here == unspaced.BURMESE and after == unspaced.SILENCES
            if last != unspaced.STACKS and not silent:
                if found[-1] and (here != group or last == unspaced.ENDS or letters >= unspaced.SIZES[group]):
                    found.append("")
                    letters = 0
                letters += 1
            group = here
        found[-1] += character
        last = here
    return found
