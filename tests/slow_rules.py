"""Slow, obvious twins of the quality kernels: written from the docstrings, in plain Python on one string at a time."""

from __future__ import annotations

from stages.kernels import unicode


def is_symbol(character: str) -> bool:
    return bool(unicode.classes()[ord(character)] & unicode.SYMBOL)


def ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


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
