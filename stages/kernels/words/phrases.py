"""Which phrases of fixed lists stand in texts, and how often: whole words, in any case, one pass.

A phrase stands where its characters do, compared in small letters, with no letter, digit, mark or ``_`` right before or
behind; a phrase with a character of a script without spaces (Han, kana, Thai, ...) stands anywhere. White space in a
phrase is compared like any character.

Method: Aho and Corasick (1975) over code points. Those that no phrase has lead back to the start, the others are
numbered, so a row of the table is short. Price: about 4 ns a byte of text.

Legend: N bytes of data, D documents, L lists, P phrases, S states, C classes of code points (0: in no phrase).
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_kernel
from stages.kernels.unicode import characters

MAX_CHARACTERS = 255
_WORD = characters.ALPHA | characters.DIGIT | characters.MARK
_RING = 256

Numbers = npt.NDArray[np.int64]


class Phrases(NamedTuple):
    """The automaton of all lists together."""

    class_of: npt.NDArray[np.uint16]
    """Per code point, capitals as small letters."""
    next_SC: npt.NDArray[np.int32]
    phrase_S: Numbers
    """The longest phrase that ends in a state, -1 if none."""
    shorter_P: Numbers
    """The next shorter phrase that ends where this one does, -1 if none."""
    characters_P: Numbers
    bounded_P: npt.NDArray[np.bool_]
    lists_P1: Numbers
    """Where the lists of a phrase begin in ``list_of``."""
    list_of: Numbers
    num_lists: int


def build_phrases(lists: Sequence[Sequence[str]]) -> Phrases:
    """Compile lists of phrases; a phrase may be in several.

    Raises:
        ValueError: for a phrase that is empty or has more than `MAX_CHARACTERS` characters.
    """
    lower, classes = characters.lower(), characters.classes()
    holders: dict[tuple[int, ...], list[int]] = {}
    for number, phrases in enumerate(lists):
        for phrase in dict.fromkeys(phrases):
            points = tuple(int(lower[ord(character)]) for character in phrase.strip())
            if not 0 < len(points) <= MAX_CHARACTERS:
                raise ValueError(f"expected phrases of 1 to {MAX_CHARACTERS} characters, found {phrase!r}")
            holders.setdefault(points, []).append(number)
    known = sorted({point for points in holders for point in points})
    number_of = np.zeros(characters.NUM_CODE_POINTS, np.uint16)
    number_of[known] = np.arange(1, len(known) + 1)
    children: list[dict[int, int]] = [{}]
    phrase_of = [-1]
    for place, held in enumerate(holders):
        state = 0
        for point in held:
            state = children[state].setdefault(int(number_of[point]), len(children))
            if state == len(children):
                children.append({})
                phrase_of.append(-1)
        phrase_of[state] = place
    next_SC = np.zeros((len(children), len(known) + 1), np.int32)
    back, shorter, queue = [0] * len(children), [-1] * len(holders), [0]
    for state in queue:
        if state:
            next_SC[state] = next_SC[back[state]]
            if phrase_of[state] < 0:
                phrase_of[state] = phrase_of[back[state]]
            else:
                shorter[phrase_of[state]] = phrase_of[back[state]]
        for number, child in children[state].items():
            back[child] = int(next_SC[state, number]) if state else 0
            next_SC[state, number] = child
            queue.append(child)
    unspaced = [
        any(classes[p] & characters.UNSPACED and classes[p] & characters.ALPHA for p in points) for points in holders
    ]
    ends = np.cumsum([len(numbers) for numbers in holders.values()], dtype=np.int64)
    return Phrases(
        number_of[lower],
        next_SC,
        np.array(phrase_of, np.int64),
        np.array(shorter, np.int64),
        np.array([len(points) for points in holders], np.int64),
        ~np.array(unspaced, np.bool_),
        np.concatenate(([0], ends)).astype(np.int64),
        np.array([number for numbers in holders.values() for number in set(numbers)], np.int64),
        len(lists),
    )


def count_phrases(data: Bytes, offsets: Offsets, phrases: Phrases) -> tuple[Numbers, Numbers]:
    """(places_DL, different_DL): how often phrases of each list stand in each document, and how many different ones."""
    shape = (len(offsets) - 1, phrases.num_lists)
    places_DL, different_DL = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    seen_P = np.full(len(phrases.characters_P), -1, np.int64)
    ring = np.zeros(_RING, np.int64)
    _count(data, offsets, characters.classes(), *phrases[:-1], seen_P, ring, places_DL, different_DL)
    return places_DL, different_DL


@lean_kernel
def _count(  # type: ignore[no-untyped-def]
    data, offsets, classes, class_of, next_SC, phrase_S, shorter_P, characters_P, bounded_P, lists_P1, list_of,
    seen_P, ring, places_DL, different_DL,
):  # fmt: skip
    for d in range(len(offsets) - 1):
        i, stop = offsets[d], offsets[d + 1]
        state = np.int64(0)
        k = np.int64(0)  # code points before this one
        while i < stop:
            cp, after = np.int64(data[i]), i + 1
            if cp >= 0x80:
                cp, after = characters.code_point(data, i, stop)
            ring[k & (_RING - 1)] = (classes[cp] & _WORD) | (cp == 0x5F)
            k += 1
            i = after
            state = np.int64(next_SC[state, class_of[cp]])
            phrase = phrase_S[state]
            if phrase < 0:
                continue
            open_end = True
            if i < stop:
                following = np.int64(data[i])
                if following >= 0x80:
                    following, after = characters.code_point(data, i, stop)
                open_end = not (classes[following] & _WORD or following == 0x5F)
            while phrase >= 0:
                before = k - characters_P[phrase] - 1
                if not bounded_P[phrase] or (open_end and (before < 0 or not ring[before & (_RING - 1)])):
                    new = seen_P[phrase] != d
                    seen_P[phrase] = d
                    for at in range(lists_P1[phrase], lists_P1[phrase + 1]):
                        places_DL[d, list_of[at]] += 1
                        different_DL[d, list_of[at]] += new
                phrase = shorter_P[phrase]
