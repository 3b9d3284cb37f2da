"""Which of some known words each text has.

For `overlaps`, which notes them of a sample of pages. Words are the high halves of the hashes of
`stages.kernels.words.folded_words`. Price: one lookup in a table of eight bytes a known word for each word of a text,
about 5 ns.

Legend: V known words, sorted, uint32; W words of texts, uint64 hashes; offsets_D1 int64 (words of each text).
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment,arg-type"

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel, lean_kernel

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


class KnownWords:
    """Looks words up; holds the scratch memory of one thread (a byte a known word)."""

    def __init__(self, words_V: npt.NDArray[np.uint32]) -> None:
        self._words_V = words_V
        self._index_E = np.full(1 << max(4, (2 * len(words_V)).bit_length()), -1, np.int32)
        self._seen_V = np.zeros(len(words_V), np.uint8)
        _insert(words_V, self._index_E)

    def of_texts(
        self, hashes_W: npt.NDArray[np.uint64], offsets_D1: npt.NDArray[np.int64], wanted_D: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """(indices into words_V, where those of each text begin and the last end); of texts that are not wanted none.

        The indices of a text are sorted, each once.
        """
        sizes = np.minimum(np.diff(offsets_D1)[wanted_D], len(self._words_V))
        found = np.empty(int(sizes.sum()), np.int32)
        bounds_D1 = np.zeros(len(offsets_D1), np.int32)
        _look_up(hashes_W, offsets_D1, wanted_D, self._words_V, self._index_E, self._seen_V, found, bounds_D1)
        for first, behind in zip(bounds_D1[:-1][wanted_D].tolist(), bounds_D1[1:][wanted_D].tolist(), strict=True):
            found[first:behind].sort()
        return found[: bounds_D1[-1]], bounds_D1


@lean_inline_kernel
def _slot(word, last):  # type: ignore[no-untyped-def]
    return np.int64((np.uint64(word) * _SPREAD) >> _HALF) & last


@lean_kernel
def _insert(words_V, index_E):  # type: ignore[no-untyped-def]
    last = len(index_E) - 1
    for v in range(len(words_V)):
        slot = _slot(words_V[v], last)
        while index_E[slot] >= 0:
            slot = (slot + 1) & last
        index_E[slot] = v


@lean_kernel
def _look_up(hashes_W, offsets_D1, wanted_D, words_V, index_E, seen_V, found, bounds_D1):  # type: ignore[no-untyped-def]
    last = len(index_E) - 1
    count = np.int64(0)
    for d in range(len(offsets_D1) - 1):
        begun = count
        if wanted_D[d]:
            for w in range(offsets_D1[d], offsets_D1[d + 1]):
                word = np.uint32(hashes_W[w] >> _HALF)
                slot = _slot(word, last)
                while index_E[slot] >= 0:
                    v = index_E[slot]
                    if words_V[v] == word:
                        if seen_V[v] == 0:
                            seen_V[v] = 1
                            found[count] = v
                            count += 1
                        break
                    slot = (slot + 1) & last
        for k in range(begun, count):
            seen_V[found[k]] = 0
        bounds_D1[d + 1] = count
