"""Which phrases stand in texts, however they are made up, and how often: one pass of an automaton.

Method: Aho and Corasick (1975) over code points, with two states in which nothing has begun: `OUTSIDE` words, where
every phrase may begin, and `INSIDE` one, where only those may that stand anywhere. Most of a text is the rest of a word
that begins no phrase: it is passed over without the table; where every phrase begins with a character of a script
without spaces (Han, kana, Thai, ...), all is passed over up to the next of these. Code points that no phrase has are
two classes (in words or not), the others are numbered, so a row of the table is short. Price: about 2.5 ns a byte of
text that is not passed over.

Legend: N bytes of data, D documents, L lists, P phrases, S states, C classes of code points; planes_BK:
`stages.kernels.unicode.bitmaps`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.unicode import bitmaps, characters
from stages.kernels.unicode.bitmaps import IN_WORD, Planes, at_bit, next_bit
from stages.kernels.words.holders import Holders, count_phrase, holders

_UNDERLINE = 0x5F
OUTSIDE, INSIDE = 0, 1
"""States in which no phrase has begun, and classes of the code points that no phrase has."""

Numbers = npt.NDArray[np.int64]


class Automaton(NamedTuple):
    """The automaton of all lists together."""

    class_of: npt.NDArray[np.uint16]
    """Per code point, capitals as small letters."""
    next_SC: npt.NDArray[np.int32]
    passed_256: npt.NDArray[np.bool_]
    """Bytes that leave a text `INSIDE` a word."""
    phrase_S: Numbers
    """The longest phrase that ends in a state, -1 if none."""
    shorter_P: Numbers
    """The next shorter phrase that ends where this one does, -1 if none."""
    bounded_P: npt.NDArray[np.bool_]
    unspaced: bool
    """Whether each phrase begins with a character of a script without spaces."""
    held: Holders


def build_automaton(phrases: Mapping[str, Sequence[int]], anywhere: Sequence[bool], once: int) -> Automaton:
    """The automaton of phrases and the lists that hold them; ``anywhere`` tells which may stand within words. Lists
    below ``once`` count each of their phrases once a document, the others every place."""
    lower, classes = characters.lower(), characters.classes()
    in_word = classes & IN_WORD != 0
    in_word[_UNDERLINE] = True
    known = sorted({point for points in phrases for point in map(ord, points)})
    class_of = in_word.astype(np.uint16)  # OUTSIDE or INSIDE
    class_of[known] = np.arange(2, len(known) + 2)
    rest = np.array([OUTSIDE, INSIDE, *in_word[known].astype(int)], np.int32)
    children: list[dict[int, int]] = [{}, {}]
    phrase_of = [-1, -1]
    for root, chosen in ((OUTSIDE, range(len(phrases))), (INSIDE, np.flatnonzero(anywhere).tolist())):
        spelt = list(phrases)
        for place in chosen:
            state = root
            for point in map(ord, spelt[place]):
                state = children[state].setdefault(int(class_of[point]), len(children))
                if state == len(children):
                    children.append({})
                    phrase_of.append(-1)
            phrase_of[state] = place
    next_SC, shorter = _complete(children, phrase_of, rest, len(phrases))
    class_of = class_of[lower]
    passed_256 = np.zeros(256, np.bool_)
    passed_256[:128] = next_SC[INSIDE, class_of[:128]] == INSIDE
    return Automaton(
        class_of,
        next_SC,
        passed_256,
        np.array(phrase_of, np.int64),
        np.array(shorter, np.int64),
        ~np.array(anywhere, np.bool_),
        all(anywhere) and all(classes[ord(phrase[0])] & characters.UNSPACED for phrase in phrases),
        holders(phrases.values(), once),
    )


def _complete(
    children: list[dict[int, int]], phrase_of: list[int], rest_C: npt.NDArray[np.int32], num_phrases: int
) -> tuple[npt.NDArray[np.int32], list[int]]:
    """(next_SC, shorter_P) of the trees that begin at `OUTSIDE` and `INSIDE`; ``phrase_of`` a state becomes the longest
    that ends there. Where no phrase goes on, ``rest_C`` is the next state."""
    next_SC = np.zeros((len(children), len(rest_C)), np.int32)
    back, shorter, queue = [0] * len(children), [-1] * num_phrases, [OUTSIDE, INSIDE]
    for state in queue:
        beginning = state in (OUTSIDE, INSIDE)
        next_SC[state] = rest_C if beginning else next_SC[back[state]]
        if not beginning:
            longest = phrase_of[back[state]]
            if phrase_of[state] < 0:
                phrase_of[state] = longest
            else:
                shorter[phrase_of[state]] = longest
        for number, child in children[state].items():
            back[child] = int(rest_C[number] if beginning else next_SC[state, number])
            next_SC[state, number] = child
            queue.append(child)
    return next_SC, shorter


def count_with(automaton: Automaton, data: Bytes, offsets: Offsets, planes_BK: Planes, counts_DL: Numbers) -> None:
    """Add the counts of every document to ``counts_DL``."""
    seen_P = np.full(len(automaton.bounded_P), -1, np.int64)
    done_S = np.full(len(automaton.phrase_S), -1, np.int64)
    _count(data, offsets, planes_BK, characters.classes(), *automaton[:-1], *automaton.held, seen_P, done_S, counts_DL)


@lean_kernel
def _count(  # type: ignore[no-untyped-def]
    data, offsets, planes_BK, classes, class_of, next_SC, passed_256, phrase_S, shorter_P, bounded_P, unspaced,
    lists_P1, once_P, list_of, seen_P, done_S, counts_DL,
):  # fmt: skip
    """``done_S`` has the last document in which all that may end in a state was counted for good."""
    base = offsets[0]
    for d in range(len(offsets) - 1):
        i, stop = offsets[d], offsets[d + 1]
        state = np.int64(OUTSIDE)
        while i < stop:
            if unspaced and not at_bit(planes_BK, bitmaps.UNSPACED, i - base) and state <= INSIDE:
                i = base + next_bit(planes_BK, bitmaps.UNSPACED, np.uint64(0), i - base, stop - base)
                if i == stop:
                    break
            elif not unspaced and state == INSIDE:
                while i < stop and passed_256[data[i]]:
                    i += 1
                if i == stop:
                    break
            cp, after = np.int64(data[i]), i + 1
            if cp >= 0x80:
                cp, after = characters.code_point(data, i, stop)
            i = after
            state = np.int64(next_SC[state, class_of[cp]])
            phrase = phrase_S[state]
            if (phrase < 0) | (done_S[state] == d):
                continue
            done = True
            while phrase >= 0:
                if not bounded_P[phrase] or _is_end(data, i, stop, classes):
                    count_phrase(phrase, d, lists_P1, once_P, list_of, seen_P, counts_DL)
                done &= not bounded_P[phrase] and once_P[phrase] == lists_P1[phrase]
                phrase = shorter_P[phrase]
            if done:
                done_S[state] = d


@lean_inline_kernel
def _is_end(data, i, stop, classes):  # type: ignore[no-untyped-def]
    """Whether no character of a word stands at byte i."""
    if i == stop:
        return True
    cp, _ = characters.code_point(data, i, stop)
    return not (classes[cp] & IN_WORD or cp == _UNDERLINE)
