"""Words as spaCy's English tokenizer counts them, punctuation apart: the unit `spacy`, from a kernel.

The algorithm is the documented one. What stands between white space is looked at alone: as long as it is no special
case (``don't`` is ``do``, ``n't``), one prefix and one suffix are cut off at a time; what is left is one word if it is
an address (``example.org/a``), else it is cut at infixes (a hyphen between letters, ``...``). Most words are of letters
alone: for them only the special cases are asked.

Words that touch and together are a special case (``):`` behind a word) are put together again.

Deviations from spaCy 3.8: letters are those of Unicode, not spaCy's list of scripts; addresses of four numbers are no
addresses; emoticons of more than 16 bytes are not known. Of 634,000 words of 400 English pages of the reference four
differ.

Price: about 100 MB/s of English text.

Legend: see `stages.kernels.words.words`; bounds: 2 numbers a word, bytes from ``offsets[0]`` on.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.unicode import bitmaps, characters
from stages.kernels.unicode.bitmaps import Planes, find_planes, first_bits, next_bit, window
from stages.kernels.words.spacy_tables import (
    BEFORE_STOP,
    CURRENCY,
    DIGIT,
    HYPHEN,
    ICON,
    LOWERISH,
    MAX_BYTES,
    PREFIX,
    QUOTE,
    SUFFIX,
    UPPERISH,
    kinds,
    special_table,
    unit_table,
)
from stages.kernels.words.unspaced import cut_unspaced
from stages.kernels.words.words import Words, measure_words, span_hash

_ZERO = np.uint64(0)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_LETTER = LOWERISH | UPPERISH
_MAX_UNIT_CHARACTERS = 5
_MAX_LABEL = 64
_MOST_JOINED = 4


def split_spacy_words(data: Bytes, offsets: Offsets, planes_BK: Planes | None = None) -> Words:
    """Words of every document of (data, offsets)."""
    if planes_BK is None:
        planes_BK = find_planes(data, offsets)
    every_D = np.ones(len(offsets) - 1, np.bool_)
    return measure_words(data, offsets, planes_BK, *_bounds(data, offsets, planes_BK, every_D))


def split_script_words(data: Bytes, offsets: Offsets, planes_BK: Planes | None = None) -> Words:
    """The same, scripts without spaces cut as `stages.kernels.words.unspaced` says."""
    if planes_BK is None:
        planes_BK = find_planes(data, offsets)
    every_D = np.ones(len(offsets) - 1, np.bool_)
    return measure_words(data, offsets, planes_BK, *script_bounds(data, offsets, planes_BK, every_D))


def script_bounds(
    data: Bytes, offsets: Offsets, planes_BK: Planes, wanted_D: npt.NDArray[np.bool_]
) -> tuple[Offsets, npt.NDArray[np.int32]]:
    """(words_D1, bounds_W2) of the unit `script`; of the documents that are not wanted, none."""
    return cut_unspaced(data, offsets, planes_BK, *_bounds(data, offsets, planes_BK, wanted_D))


def _bounds(
    data: Bytes, offsets: Offsets, planes_BK: Planes, wanted_D: npt.NDArray[np.bool_]
) -> tuple[Offsets, npt.NDArray[np.int32]]:
    words_D1 = np.zeros(len(offsets), np.int64)
    bounds = np.empty(2 * int(offsets[-1] - offsets[0]) + 2, np.int32)
    num_words = _split(data, offsets, planes_BK, wanted_D, kinds(), *special_table(), unit_table(), words_D1, bounds)
    return words_D1, bounds[: 2 * num_words].reshape(-1, 2)


@lean_inline_kernel
def _kind_before(data, i, start, table):  # type: ignore[no-untyped-def]
    """(kind, first byte) of the character that ends at i; kind 0 where there is none."""
    if i <= start:
        return 0, i
    i -= 1
    if data[i] < 0x80:
        return np.int64(table[data[i]]), i
    first, least = i, max(start, i - 3)  # where bytes are no UTF-8, any number could stand before
    while first > least and data[first] & 0xC0 == 0x80:
        first -= 1
    cp, end = characters.code_point(data, first, i + 1)
    if end != i + 1:
        return np.int64(0), i
    return np.int64(table[cp]), first


@lean_inline_kernel
def _kind_at(data, i, stop, table):  # type: ignore[no-untyped-def]
    """(kind, byte behind) of the character at i; kind 0 where there is none."""
    if i >= stop:
        return 0, i
    if data[i] < 0x80:
        return np.int64(table[data[i]]), i + 1
    cp, end = characters.code_point(data, i, stop)
    return np.int64(table[cp]), end


@lean_inline_kernel
def _find(data, start, stop, keys_E):  # type: ignore[no-untyped-def]
    """The entry of a text in a table, or -1."""
    if stop - start > MAX_BYTES or stop <= start:
        return -1
    key = span_hash(data, start, stop)
    slot = np.int64(key) & (len(keys_E) - 1)
    while keys_E[slot] != 0:
        if keys_E[slot] == key:
            return slot
        slot = (slot + 1) & (len(keys_E) - 1)
    return -1


@lean_inline_kernel
def _prefix(data, a, b, table):  # type: ignore[no-untyped-def]
    """How many bytes the prefix of a:b has; 0 for none."""
    c = data[a]
    if c == 46:
        i = a
        while i < b and data[i] == 46:
            i += 1
        return i - a if i - a >= 2 else 0
    if c == 43:
        return 0 if a + 1 < b and 48 <= data[a + 1] <= 57 else 1
    kind, behind = _kind_at(data, a, b, table)
    if kind & PREFIX:
        return behind - a
    if c == 85 and a + 2 < b and data[a + 1] == 83 and data[a + 2] == 36:
        return 3
    if (c == 65 or c == 67) and a + 1 < b and data[a + 1] == 36:
        return 2
    return 0


@lean_inline_kernel
def _suffix(data, a, b, table, units):  # type: ignore[no-untyped-def]
    """The first byte of the suffix of a:b; b for none."""
    c = data[b - 1]
    kind, i = _kind_before(data, b, a, table)
    if c == 46:
        first = b
        while first > a and data[first - 1] == 46:
            first -= 1
        if b - first >= 2:
            return first
        before, k = _kind_before(data, i, a, table)
        if before & BEFORE_STOP:
            return i
        before_that, _ = _kind_before(data, k, a, table)
        if before & UPPERISH and before_that & UPPERISH:
            return i
        degrees = k - 2 >= a and data[k - 2] == 0xC2 and data[k - 1] == 0xB0
        letter = np.int64(data[k]) & ~32
        return i if degrees and (letter == 67 or letter == 70 or letter == 75) else b
    if (c == 115 or c == 83) and b - a >= 2:  # 's
        if data[b - 2] == 39:
            return b - 2
        if b - a >= 4 and data[b - 4] == 0xE2 and data[b - 3] == 0x80 and data[b - 2] == 0x99:
            return b - 4
    if kind & SUFFIX:
        two = c == 0xA6 and i - a >= 3 and data[i - 3] == 0xE2 and data[i - 2] == 0x80 and data[i - 1] == 0xA6
        return i - 3 if two and data[i] == 0xE2 and data[i + 1] == 0x80 else i
    if c == 43:
        before, _ = _kind_before(data, i, a, table)
        return i if before & DIGIT else b
    if kind & CURRENCY:
        k = i
        if c == 36 and i - 2 >= a and data[i - 2] == 85 and data[i - 1] == 83:
            k = i - 2
        elif c == 36 and i - 1 >= a and (data[i - 1] == 65 or data[i - 1] == 67):
            k = i - 1
        before, _ = _kind_before(data, k, a, table)
        return k if before & DIGIT else b
    if kind & DIGIT:
        return b
    # A unit of measurement behind a digit.
    k = i
    for _ in range(_MAX_UNIT_CHARACTERS):
        before, first = _kind_before(data, k, a, table)
        if before & DIGIT:
            return k if _find(data, k, b, units) >= 0 else b
        if first == k:
            break
        k = first
    return b


@lean_inline_kernel
def _is_address(data, a, b, table):  # type: ignore[no-untyped-def]
    """Whether a:b is an address: scheme, name and password, host with a top domain, port, path; all but the host are
    optional."""
    if b - a < 4:
        return False
    if _ends_in_host(data, a, b, table):
        return True
    i = a
    while i < b and (
        data[i] == 43
        or data[i] == 45
        or data[i] == 46
        or data[i] == 95
        or data[i] >= 0x80
        or table[data[i]] & (_LETTER | DIGIT)
    ):
        i += 1
    if i - a < 2 or i + 3 > b or data[i] != 58 or data[i + 1] != 47 or data[i + 2] != 47:
        return False
    return _ends_in_host(data, i + 3, b, table)


@lean_inline_kernel
def _ends_in_host(data, a, b, table):  # type: ignore[no-untyped-def]
    """Whether a host, port and path are all of a:b, or all that follows one of its '@'."""
    if _is_host(data, a, b, table):
        return True
    found = False
    i = a + 1
    while i < b and not found:
        found = data[i] == 64 and _is_host(data, i + 1, b, table)
        i += 1
    return found


@lean_inline_kernel
def _is_host(data, a, b, table):  # type: ignore[no-untyped-def]
    i = a
    label, dots = 0, 0  # characters of the label so far
    inner = False  # the last character may stand inside a label only
    small = True
    while i < b:
        c = data[i]
        if c == 46:
            if label == 0 or label > _MAX_LABEL or inner:
                return False
            dots += 1
            label, small = 0, True
            i += 1
            continue
        kind, behind = _kind_at(data, i, b, table)
        if c == 45 or c == 95:
            if label == 0:
                return False
            inner, small = True, False
        elif c >= 0x80 or kind & (_LETTER | DIGIT):
            inner = False
            small = small and kind & LOWERISH != 0
        else:
            break
        label += 1
        i = behind
    if dots == 0 or not small or label < 2 or label >= _MAX_LABEL:
        return False
    if i < b and data[i] == 58:
        first = i + 1
        i = first
        while i < b and 48 <= data[i] <= 57:
            i += 1
        if not 2 <= i - first <= 5:
            return False
    return i == b or data[i] == 47 or data[i] == 63 or data[i] == 35


@lean_inline_kernel
def _infix(data, a, i, b, before, kind, behind, table):  # type: ignore[no-untyped-def]
    """The byte behind the infix that begins at i, within a:b; i for none. ``before``: kind of the character before."""
    c = data[i]
    if kind & _LETTER or kind & DIGIT:
        return i
    if kind & ICON:
        return behind
    if c == 0xE2 and behind == i + 3 and data[i + 1] == 0x80 and data[i + 2] == 0xA6:
        return behind
    after, _ = _kind_at(data, behind, b, table)
    if c == 46:
        k = i
        while k < b and data[k] == 46:
            k += 1
        if k - i >= 2:
            return k
        return behind if before & (LOWERISH | QUOTE) and after & (UPPERISH | QUOTE) else i
    follows = after & DIGIT or (behind < b and data[behind] == 45)
    if before & DIGIT and (c == 43 or c == 45 or c == 42 or c == 94) and follows:
        return behind
    if c == 44:
        return behind if before & _LETTER and after & _LETTER else i
    if not before & (_LETTER | DIGIT):
        return i
    if kind & HYPHEN:
        if after & _LETTER:
            return behind
        most = 3 if c == 45 else 2 if c == 0xE2 and data[i + 2] == 0x94 else 1
        size = behind - i
        end = behind
        for _ in range(most - 1):
            same = end + size <= b
            for k in range(size):
                same = same and data[end + k] == data[i + k]
            if not same:
                return i
            end += size
            after, _ = _kind_at(data, end, b, table)
            if after & _LETTER:
                return end
        return i
    if c == 58 or c == 60 or c == 62 or c == 61 or c == 47:
        return behind if after & _LETTER else i
    return i


@lean_inline_kernel
def _cut(data, base, a, b, table, keys_E, first_E, sizes, units, bounds, n):  # type: ignore[no-untyped-def]
    """Write the words of a:b (bytes of the data) from ``bounds[2 * n]`` on; how many there are then.

    Suffixes wait at the far end of ``bounds``: it has room for a word a byte.
    """
    far = len(bounds)
    suffixes = 0
    special = np.int64(-1)
    while a < b:
        special = np.int64(_find(data, a, b, keys_E))
        if special >= 0:
            break
        prefix = _prefix(data, a, b, table)
        if prefix:
            bounds[2 * n], bounds[2 * n + 1] = a - base, a + prefix - base
            n += 1
            a += prefix
            if a == b or _find(data, a, b, keys_E) >= 0:
                continue
        suffix = _suffix(data, a, b, table, units)
        if suffix < b:
            suffixes += 1
            bounds[far - 2 * suffixes], bounds[far - 2 * suffixes + 1] = suffix - base, b - base
            b = suffix
        elif prefix == 0:
            break
    if special >= 0:
        k = first_E[special]
        while sizes[k]:
            bounds[2 * n], bounds[2 * n + 1] = a - base, a + sizes[k] - base
            n += 1
            a += sizes[k]
            k += 1
    elif a < b:
        if not _is_address(data, a, b, table):
            i = first = a
            before = np.int64(0)
            while i < b:
                kind, behind = _kind_at(data, i, b, table)
                end = _infix(data, a, i, b, before, kind, behind, table)
                if end == i:
                    before, i = kind, behind
                    continue
                if i > a:  # not the first of all
                    if i > first:
                        bounds[2 * n], bounds[2 * n + 1] = first - base, i - base
                        n += 1
                    bounds[2 * n], bounds[2 * n + 1] = i - base, end - base
                    n += 1
                    first = end
                before, _ = _kind_before(data, end, a, table)
                i = end
            a = first
        if a < b:
            bounds[2 * n], bounds[2 * n + 1] = a - base, b - base
            n += 1
    for k in range(suffixes, 0, -1):
        bounds[2 * n], bounds[2 * n + 1] = bounds[far - 2 * k], bounds[far - 2 * k + 1]
        n += 1
    return n


@lean_inline_kernel
def _join(data, base, begin, n, keys_E, first_E, sizes, bounds):  # type: ignore[no-untyped-def]
    """Put words begin:n, which touch each other, together again where two to four of them are a special case."""
    out = w = begin
    while w < n:
        stop = min(w + _MOST_JOINED, n)
        while stop > w + 1:
            entry = np.int64(_find(data, base + bounds[2 * w], base + bounds[2 * stop - 1], keys_E))
            if entry >= 0 and sizes[first_E[entry] + 1] == 0:
                break
            stop -= 1
        bounds[2 * out], bounds[2 * out + 1] = bounds[2 * w], bounds[2 * stop - 1]
        out += 1
        w = stop
    return out


@lean_kernel
def _split(  # type: ignore[no-untyped-def]
    data, offsets, planes_BK, wanted_D, table, keys_E, first_E, sizes, units, words_D1, bounds
):
    n = 0
    base = offsets[0]
    for d in range(len(offsets) - 1):
        at, stop = offsets[d] - base, offsets[d + 1] - base
        while wanted_D[d] and at < stop:
            start = next_bit(planes_BK, bitmaps.SPACE, _FULL, at, stop)
            end = next_bit(planes_BK, bitmaps.SPACE, _ZERO, start, stop)
            at = end
            size = end - start
            if size == 0:
                continue
            if size <= 64:
                mask = first_bits(size)
                letters = window(planes_BK, bitmaps.ALPHA, start) & mask
                # Letters alone: no affix, no infix.
                if letters == window(planes_BK, bitmaps.STARTS, start) & mask and (
                    size > MAX_BYTES or _find(data, base + start, base + end, keys_E) < 0
                ):
                    bounds[2 * n], bounds[2 * n + 1] = start, end
                    n += 1
                    continue
            first = n
            n = _cut(data, base, base + start, base + end, table, keys_E, first_E, sizes, units, bounds, n)
            if n - first > 1:
                n = _join(data, base, first, n, keys_E, first_E, sizes, bounds)
        words_D1[d + 1] = n
    return n
