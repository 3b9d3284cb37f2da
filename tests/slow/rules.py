"""Slow, obvious twins of the quality kernels: written from the docstrings, in plain Python on one string at a time."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable

import numpy as np

from stages.kernels.unicode import characters as unicode
from stages.rules.madlad import CURSED


def is_symbol(character: str) -> bool:
    return bool(unicode.classes()[ord(character)] & unicode.SYMBOL)


def ratio(numerator: float | None, denominator: float) -> float | None:
    return numerator / denominator if denominator and numerator is not None else None


def gopher_quality(text: str) -> dict[str, float | None]:
    tokens = text.split()
    words = [token for token in tokens if not all(is_symbol(c) for c in token)]
    lines = text.splitlines()
    stop_words = {"the", "be", "to", "of", "and", "that", "have", "with"}
    return {
        "gopher_num_tokens": len(tokens),
        "gopher_num_words": len(words),
        "gopher_mean_word_characters": ratio(sum(map(len, words)), len(words)),
        "gopher_hashes_per_word": ratio(text.count("#"), len(tokens)),
        "gopher_ellipses_per_word": ratio(text.count("...") + text.count("…"), len(tokens)),
        "gopher_bullet_line_fraction": ratio(sum(line.lstrip().startswith(("•", "-")) for line in lines), len(lines)),
        "gopher_ellipsis_line_fraction": ratio(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "gopher_alphabetic_word_fraction": ratio(sum(any(c.isalpha() for c in token) for token in tokens), len(tokens)),
        "gopher_num_stop_words": len(stop_words & set(tokens)),
    }


def again(pieces: list[str]) -> list[str]:
    """The pieces that equal an earlier one."""
    return [piece for i, piece in enumerate(pieces) if piece in pieces[:i]]


def top_ngram(words: list[str], n: int) -> int | None:
    grams = Counter(" ".join(words[i : i + n]) for i in range(len(words) - n + 1))
    return max((len(gram) * times for gram, times in grams.most_common(1)), default=None)


def repeated_ngrams(words: list[str], n: int) -> int:
    met, i, characters = set(), 0, 0
    while i + n <= len(words):
        gram = tuple(words[i : i + n])
        if gram in met:
            characters += sum(map(len, gram))
            i += n
        else:
            met.add(gram)
            i += 1
    return characters


def gopher_repetition(text: str) -> dict[str, float | None]:
    words, size = text.split(), len(text)
    paragraphs = re.split("\n{2,}", text.strip())
    lines = re.split("\n+", text)
    columns = {
        "paragraph": ratio(len(again(paragraphs)), len(paragraphs)),
        "paragraph_character": ratio(sum(map(len, again(paragraphs))), size),
        "line": ratio(len(again(lines)), len(lines)),
        "line_character": ratio(sum(map(len, again(lines))), size),
    }
    columns |= {f"top_{n}_gram": ratio(top_ngram(words, n), size) for n in (2, 3, 4)}
    columns |= {f"{n}_gram": ratio(repeated_ngrams(words, n), size) for n in range(5, 11)}
    return {f"repetition_{name}_fraction": value for name, value in columns.items()}


CLOSERS = "\"'”’»)]}」』）】〉》］｝"
OTHER_MARKS = "".join(chr(c) for c in np.flatnonzero(unicode.classes() & unicode.TERMINAL) if c > 127)
BOUNDARY = re.compile(
    rf"(?:(?<!\.)\.(?![^\s{re.escape(CLOSERS)}])|[!?]++)[{re.escape(CLOSERS)}]*+\s++(?=\S)"
    rf"|[{re.escape(OTHER_MARKS)}]++[{re.escape(CLOSERS)}]*+\s*+(?=\S)"
)
CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]", re.ASCII)
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


def sentences(line: str) -> int:
    return 1 + len(BOUNDARY.findall(line))


def word_sentences(line: str, split: Callable[[str], list[str]]) -> int:
    """Sentences by words, as spaCy's sentencizer has them; ``split`` gives the words of a text."""
    tokens: list[str] = []
    for number, run in enumerate(re.split(r"(\s+)", line.strip())):
        tokens += split(run) if number % 2 == 0 else [] if run == " " else [run]
    count, ended = 1, False
    for token in tokens:
        if len(token) == 1 and unicode.classes()[ord(token)] & unicode.TERMINAL:
            ended = True
        elif ended and not all(unicode.classes()[ord(c)] & unicode.PUNCTUATION for c in token):
            count, ended = count + 1, False
    return count


def ascii_lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


FORMULA = re.compile(
    r"\\(?:\((?:(?!\\\)).)*\\\)|\[(?:(?!\\\]).)*\\\])|\$\$(?=[^\s$])(?:\\.|[^\\])*?\$\$"
    r"|(?<!\$)\$(?=[^\s$])(?:\\.|[^\\$])*?(?<=\S)\$(?!\d)|\\[^{]",
    re.S | re.A,
)
"""A formula, or an escaped character."""


def few_and_long(line: str, by_script: Callable[[str], list[str]] | None = None) -> tuple[bool, bool]:
    """(fewer than 3 words, a word of more than 1,000 characters) of a line; ``by_script`` cuts the words of a page
    without spaces, and either holds where it holds of words between white space too."""
    few, long = len(line.split()) < 3, any(len(word) > 1000 for word in line.split())
    if by_script:
        words = by_script(line)
        few &= sum(not all(map(is_symbol, word)) for word in words) < 3
        long &= any(len(word) > 1000 for word in words)
    return few, long


def c4_line(line: str, strict: bool, by_script: Callable[[str], list[str]] | None = None) -> tuple[str, str]:
    """(what happens to it, the line without citations)."""
    line = line.strip()
    few, long = few_and_long(line, by_script)
    if long:
        return "long_word", line
    whole, line = line, CITATION.sub("", line)
    if strict and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
        return "unterminated", line
    if few:
        return "few_word", line
    lower = ascii_lower(line)
    for name, phrases in {
        "lorem_ipsum": ["lorem ipsum"],
        "javascript": ["javascript"],
        "curly": "{",
        "policy": POLICY,
    }.items():
        held = FORMULA.sub("", whole) if name == "curly" else lower
        if any(phrase in held for phrase in phrases):
            return name, line
    return "kept", line


def c4(text: str, strict: bool = False) -> dict[str, float | None]:
    lines = [c4_line(line, strict) for line in text.splitlines()]
    names = [
        "kept",
        "unterminated" if strict else "long_word",
        "few_word",
        "lorem_ipsum",
        "javascript",
        "curly",
        "policy",
    ]
    prefix = "c4_strict" if strict else "c4"
    columns = {f"{prefix}_num_{name}_lines": sum(fate == name for fate, _ in lines) for name in names}
    columns[f"{prefix}_num_sentences"] = sum(sentences(line) for fate, line in lines if fate == "kept")
    return columns if strict else {"c4_num_lines": len(lines)} | columns


def c4_strict(text: str) -> dict[str, float | None]:
    return c4(text, strict=True)


def fineweb(text: str) -> dict[str, float | None]:
    lines = [line for line in text.split("\n") if line.strip()]
    marks = OTHER_MARKS + ".!?"
    return {
        "fineweb_num_lines": len(lines),
        "fineweb_punctuated_line_fraction": ratio(sum(line[-1] in marks for line in lines), len(lines)),
        "fineweb_short_line_fraction": ratio(sum(len(line) <= 30 for line in lines), len(lines)),
        "fineweb_repeated_line_character_fraction": ratio(sum(map(len, again(lines))), len(text.replace("\n", ""))),
        "fineweb_line_breaks_per_word": ratio(text.count("\n"), len(text.split())),
    }


def fineweb_cleaned(text: str) -> dict[str, float | None]:
    lines = [c4_line(line, False) for line in text.splitlines()]
    found = fineweb("\n".join(line for fate, line in lines if fate == "kept").strip())
    return {name.replace("fineweb_", "fineweb_cleaned_"): value for name, value in found.items()}


def line_kind(line: str) -> str | None:
    words, lower = line.split(), ascii_lower(line.strip())
    if not words:
        return None
    one_spaced = " ".join(words)
    capitals = sum(bool(unicode.classes()[ord(c)] & unicode.UPPER) for c in line)
    if 2 * capitals > len(one_spaced):
        return "uppercase"
    if all(map(str.isdecimal, words)):
        return "digit"
    counters = "likes shares comments retweets reposts quotes bookmarks upvotes downvotes downloads views followers"
    if len(words) == 2 and words[0].isdecimal() and ascii_lower(words[1]) in counters.split():
        return "counter"
    if len(words) == 1:
        return "one_word"
    framed = lower.startswith(("sign-in", "sign in")) or lower.endswith(("read more...", "read more…"))
    if len(words) <= 10 and (framed or "items in cart" in lower):
        return "boilerplate"
    return "ordinary"


def refinedweb(text: str) -> dict[str, float | None]:
    lines = [(line_kind(line), len(line.split())) for line in text.split("\n") if line.split()]
    columns: dict[str, float | None] = {
        f"refinedweb_num_{name}_lines": sum(kind == name for kind, _ in lines)
        for name in ("uppercase", "digit", "counter", "one_word", "boilerplate")
    }
    corrected = sum(words for kind, words in lines if kind != "ordinary")
    columns["refinedweb_corrected_word_fraction"] = ratio(corrected, len(text.split()))
    return columns


def marked_sentences(text: str) -> list[str]:
    """Cut behind marks that white space follows, and behind other scripts' marks with what closes behind them."""
    others = rf"[{re.escape(OTHER_MARKS)}][{re.escape(OTHER_MARKS + '.!?' + CLOSERS)}]*"
    behind = {match.end() for match in re.finditer(others, text)}
    found, start, at = [], 0, 0
    while at < len(text):
        at += 1
        ends = text[at - 1] in ".!?" and (at == len(text) or text[at] not in ".!?")
        if at == len(text) or (ends and is_space(text[at])) or at in behind:
            found.append(stripped(text[start:at]))
            start = at
    return [sentence for sentence in found if sentence]


def is_space(character: str) -> bool:
    return bool(unicode.classes()[ord(character)] & unicode.SPACE)


def stripped(text: str) -> str:
    while text and is_space(text[0]):
        text = text[1:]
    while text and is_space(text[-1]):
        text = text[:-1]
    return text


def runs_of_letters(text: str) -> list[str]:
    """Runs of letters, digits, marks and _, an apostrophe between two of them taken in."""
    kind = unicode.ALPHA | unicode.DIGIT | unicode.MARK
    inside = ["x" if c == "_" or unicode.classes()[ord(c)] & kind else c for c in text]
    return [text[m.start() : m.end()] for m in re.finditer("x+(?:['’]x+)*", "".join(inside))]


def madlad(text: str) -> dict[str, float | None]:
    """The paper's rules 2 to 5, sentence by sentence."""
    marks = marked_sentences(text)
    kinds = []
    for sentence in marks:
        words = runs_of_letters(sentence)
        capitals = sum(bool(unicode.classes()[ord(word[0])] & unicode.UPPER) for word in words)
        kinds.append(
            {
                "list_case": len(words) >= 12 and capitals > len(words) / 2,
                "odd_size": not 20 <= len(sentence) <= 500,
                "technical": sum(c in "0123456789{}+/()>" for c in sentence) > len(sentence) / 5,
                "cursed": any(re.search(one.replace("$", r"\Z"), sentence, re.ASCII) for one in CURSED),
            }
        )
    columns: dict[str, float | None] = {"madlad_num_sentences": len(marks)}
    for name in ("list_case", "odd_size", "technical", "cursed"):
        columns[f"madlad_num_{name}_sentences"] = sum(kind[name] for kind in kinds)
    both = sum(kind["list_case"] or kind["cursed"] for kind in kinds)
    columns["madlad_list_or_cursed_fraction"] = ratio(both, len(marks))
    columns["madlad_questionable_fraction"] = ratio(sum(any(kind.values()) for kind in kinds), len(marks))
    return columns


def chrome_line(line: str) -> tuple[str, list[str]]:
    """What becomes of a line without white space around it, and the phrases cut out of it."""
    words = line.split()
    capitals = sum(bool(unicode.classes()[ord(c)] & unicode.UPPER) for c in line)
    if 2 * capitals > len(" ".join(words)):
        return "uppercase", []
    if all(map(str.isdecimal, words)):
        return "digit", []
    counters = "likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes|downloads|views|followers"
    at = next((i for i, c in enumerate(line) if c.isalnum() or c == "_"), len(line))
    rest = "".join("0" if c.isdecimal() else " " if c.isspace() else c for c in line[at:])
    if re.match(f"0[,.0]*[KkMmBb]? +(?i:{counters})", rest, re.ASCII):
        return "counter", []
    if len(words) == 1:
        return "one_word", []
    phrases = [m[0] for m in re.finditer(r"\s?items in cart\s?|\s?Read more\.\.\.\Z|\ASign-in\s?", line, re.ASCII)]
    return "stays", phrases


def chrome(text: str) -> dict[str, float | None]:
    lines = [(chrome_line(line.strip()), len(line.split())) for line in text.split("\n") if line.split()]
    columns: dict[str, float | None] = {
        f"chrome_num_{name}_lines": sum(kind == name for (kind, _), _ in lines)
        for name in ("uppercase", "digit", "counter", "one_word")
    }
    columns["chrome_num_phrases"] = sum(len(phrases) for (_, phrases), _ in lines)
    gone = sum(words if kind != "stays" else sum(len(p.split()) for p in phrases) for (kind, phrases), words in lines)
    columns["chrome_removed_word_fraction"] = ratio(gone, len(text.split()))
    return columns


def redpajama(text: str) -> dict[str, float | None]:
    words, characters = text.split(), "".join(text.split())
    flags = [int(unicode.classes()[ord(c)]) for c in characters]
    shares = [times / len(words) for times in Counter(words).values()]

    def all_caps(word: str) -> bool:
        kinds = [int(unicode.classes()[ord(c)]) for c in word]
        return any(f & unicode.UPPER for f in kinds) and not any(f & unicode.LOWER for f in kinds)

    return {
        "redpajama_all_caps_word_fraction": ratio(sum(map(all_caps, words)), len(words)),
        "redpajama_capital_letter_fraction": ratio(
            sum(bool(f & unicode.UPPER) for f in flags), sum(map(str.isalpha, characters))
        ),
        "redpajama_digit_fraction": ratio(sum(map(str.isdecimal, characters)), len(characters)),
        "redpajama_curly_bracket_fraction": ratio(sum(c in "{}" for c in characters), len(characters)),
        "redpajama_unique_word_fraction": ratio(len(shares), len(words)),
        "redpajama_unigram_entropy": -sum(p * math.log(p) for p in shares) if words else None,
    }


_LATIN = "A-Za-z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_ATOM = rf"[{_LATIN}!#$%&'*+/=?^_`{{|}}~-]+"
_NAME = rf"[{_LATIN}](?:[{_LATIN}-]*[{_LATIN}])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
EMAIL = re.compile(
    rf"(?:\b|(?<=[^\W\u0000-\u024f])){_ATOM}(?:\.{_ATOM})*@(?:(?:{_NAME}\.)+{_NAME}|"
    rf"\[(?:{_OCTET}\.){{3}}(?:{_OCTET}|[A-Za-z0-9-]*[A-Za-z0-9]:)])"
)


def in_ascii_digits(text: str) -> tuple[bytes, list[int]]:
    """Text with digits of every script and full-width signs in ASCII, other characters as ``?``-like bytes, and the
    byte of the text at which each byte begins."""
    signs = dict(zip("＋－．（）\u3000\u2010\u2011\u2012\u2013\u2212", "+-.() -----", strict=True))
    folded, places = bytearray(), [0]
    for character in text:
        digit = str(unicodedata.decimal(character, ""))
        plain = digit or signs.get(character, character)
        folded += plain.encode() if plain.isascii() else b"\x80"
        places.append(places[-1] + len(character.encode("utf-8", "surrogatepass")))
    return bytes(folded), places


def privacy(text: str) -> dict[str, float | None]:
    """The patterns over the whole text, without any sieve."""
    from ipaddress import AddressValueError, IPv4Address

    from stages.rules import international_addresses
    from stages.rules.privacy import _NO_ADDRESS, IP, KEY, PHONE

    def public(text: str) -> bool:
        try:
            return IPv4Address(text).is_global
        except AddressValueError:
            return False

    raw = text.encode("utf-8", "surrogatepass")
    mails, at = [], 0
    while match := EMAIL.search(text, at):
        refused = _NO_ADDRESS.search(match.group()) is not None
        at = match.start() + match.group().index("@") + 1 if refused else match.end()  # what is refused takes no text
        mails += [] if refused else [match]
    taken = [(len(text[: m.start()].encode()), len(text[: m.end()].encode())) for m in mails]
    taken = international_addresses.added(raw, [at for at, byte in enumerate(raw) if byte == 64 and at], taken)
    counts = [len(taken)]
    folded, places = in_ascii_digits(text)
    line = rb"PRIVATE KEY(?: BLOCK)?-----"
    block = rb"-----BEGIN [A-Z ]*" + line + rb"(?P<key>(?:(?!-----)[\s\S])+)-----+END [A-Z ]*" + line
    for pattern in (IP, PHONE, re.compile(KEY.pattern + b"|" + block)):
        found = [m for m in pattern.finditer(raw) if pattern is not IP or public(m.group().decode())]
        keys = [m.groupdict().get("key") or b"key" for m in found]
        found = [
            m
            for m, key in zip(found, keys, strict=True)
            if len(key.split()) == 1 or len(key) >= 12 * len(key.split()) > 0
        ]
        spans = [m.span() for m in found]
        if pattern in (IP, PHONE):
            for m in pattern.finditer(folded):
                start, stop = places[m.start()], places[m.end()]
                free = all(stop <= a or start >= b for a, b in spans)
                whole = raw[start:stop].decode()
                kinds = {ord(c) - unicodedata.decimal(c) for c in whole if c.isdecimal()}
                kinds -= {48} if set("+＋") & set(whole[:2]) else set()
                of_one = not whole.isascii() and len(kinds) <= 1 and 48 not in kinds
                if free and of_one and (pattern is PHONE or public(m.group().decode())):
                    spans.append((start, stop))
        spans = [span for span in spans if all(span[1] <= a or span[0] >= b for a, b in taken)]
        counts.append(len(spans))
        taken += spans
    names = ("emails", "ips", "phones", "secrets")
    return {f"privacy_num_{name}": count for name, count in zip(names, counts, strict=True)}


def script(text: str) -> str:
    """ISO 15924 code of most letters, by bytes."""
    names = unicode.script_names()
    counts: Counter[str] = Counter()
    for c in text:
        if c.isalpha():
            counts[names[int(unicode.scripts()[ord(c)])]] += len(c.encode())
    kana = counts.pop("Hira", 0) + counts.pop("Kana", 0)
    counts["Hani"] += kana
    for name in ("Zyyy", "Zinh", "Zzzz"):
        counts.pop(name, 0)
    most = max(counts.values())
    best = min(name for name in counts if counts[name] == most)
    if most == 0:
        return "Zyyy"
    return "Jpan" if best == "Hani" and kana * 20 >= counts["Hani"] else best


ENCODED = {
    "base64": r"[a-zA-Z0-9+/\n=]{64,}",
    "hex": r"(?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}",
    "escapes": r"(?:\\u[0-9a-fA-F]{4}){8,}",
}
GENERATED = ("auto-generated", "autogenerated", "automatically generated", "generated automatically")


def code_lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def code(text: str) -> dict[str, float | None]:
    lines, lower = code_lines(text), ascii_lower(text)
    found = [[len(m[0]) for m in re.finditer(pattern, text, re.ASCII)] for pattern in ENCODED.values()]
    head = "\n".join(lower.split("\n")[:5])
    is_object = text.lstrip(" \t\n\v\f\r").startswith("{")
    return {
        "code_num_lines": len(lines),
        "code_mean_line_characters": ratio(sum(map(len, lines)), len(lines)),
        "code_max_line_characters": max(map(len, lines), default=0),
        "code_letter_fraction": ratio(sum(c.isalpha() for c in text), len(text)),
        "code_num_xml_declarations": int("<?xml version=" in lower[:100]),
        "code_num_generated_marks": sum(head.count(mark) for mark in (*GENERATED, "this file is generated")),
        "code_max_encoded_characters": max((n for sizes in found for n in sizes), default=0),
        "code_encoded_fraction": ratio(max(map(sum, found)), len(text)),
        "code_num_notebook_marks": int(is_object and '"cells"' in lower and '"nbformat"' in lower),
    }


def opencoder(text: str) -> dict[str, float | None]:
    lines = code_lines(text)
    with_text = [line for line in text.split("\n") if line.strip()]
    visible = [c for c in text if not c.isspace()]
    return {
        "opencoder_num_bytes": len(text.encode()),
        "opencoder_num_lines": len(lines),
        "opencoder_mean_line_characters": ratio(sum(map(len, lines)), len(lines)),
        "opencoder_letter_fraction": ratio(sum(c.isalpha() for c in visible), len(visible)),
        "opencoder_digit_fraction": ratio(sum(c.isdecimal() for c in text), len(text)),
        "opencoder_space_fraction": ratio(sum(c.isspace() for c in text), len(text)),
        "opencoder_replacement_fraction": ratio(text.count("\ufffd"), len(text)),
        "opencoder_repeated_line_fraction": ratio(len(again(with_text)), len(with_text)),
    }
