"""SentencePiece BPE over (data, offsets): text cut into units that cannot touch each other, most of them known.

**Where text may be cut.** Whatever merging joins is a piece, so two characters next to each other can end in one piece
only if they stand side by side inside some piece. Between two characters that do so in no piece the text is cut: no
merge reaches across, so neither side's merges depend on the other's, and the ids are those of the two sides one after
the other. The table of such pairs may say yes too often (it is a bitmap of hashes) but never no: a cut left out costs
time alone. Western text falls into about its words, other scripts and digits into single characters or a few.

**What is known.** A unit of at most `KEY_BYTES` bytes, its ids at most `ID_BYTES`, is kept in a table of fixed size
that the encoder keeps. Whole units are compared, so what the table holds decides how long a text takes and never what
its ids are. Of its two places a new unit takes the second if the first is taken; met again, it moves to the first.

**User-defined pieces** are found first, the longest at each place, as sentencepiece does; no merge reaches into them.
The space is U+2581 to the model; keys hold it as it stands in the text.

Text must be valid UTF-8. Price: `docs/decisions/tokenizers.md`. The two loops, over characters to find the cuts of some
kilobytes and over units, have next to no branch that depends on the text: a mispredicted one costs as much as
finding a unit. One loop for both ran at half the speed.

Legend: N bytes, D documents, O bytes of ids, S symbols, R code points with an entry (those above have none), J bits of
the bitmap (a power of two) in uint8, U user-defined pieces, B their bytes, W words of the cache (8 a unit), and those
of `bpe_merges`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import Any

import numpy as np

from stages.kernels.bpe.merges import SHORT, merge_long, merge_short
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import load_8, prefetch, store_8

KEY_BYTES = 32
ID_BYTES = 24
WORDS = 8
"""Words of a unit in the cache, one line of memory: four of its key; its bytes of text and of ids; three of ids."""
CHUNK = 2048
"""Bytes whose cuts are found together."""
SLACK = ID_BYTES
"""Bytes behind the last id that may be written."""
JOINED, USER_DEFINED = 1, 2
"""Bits for two neighbouring characters: they occur side by side in a piece; the second may begin a user-defined one."""
SPACE, WORD_MARK = 0x20, 0x2581

MASKS = np.array([[(1 << 8 * min(max(size - 8 * k, 0), 8)) - 1 for k in range(4)] for size in range(33)], np.uint64)
"""For a unit of so many bytes, which of the 32 from its start belong to it."""

_ROW = np.uint64(0x9E3779B1)
_K0, _K1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_K2, _K3 = np.uint64(0x165667B19E3779F9), np.uint64(0xD6E8FEB86659FD93)
_1, _2, _3, _4, _5, _6, _7, _8 = (np.uint64(k) for k in range(1, 9))
_29, _32 = np.uint64(29), np.uint64(32)


def bit_of(left: Any, right: Any, num_bits: int) -> Any:
    """Place of a pair of code points in the bitmap; arrays or numbers of uint64, wrap-around intended."""
    return (left * _ROW + right) & np.uint64(num_bits - 1)


@lean_inline_kernel
def _joined(left, right, bits_J):  # type: ignore[no-untyped-def]
    place = (np.uint64(left) * _ROW + np.uint64(right)) & np.uint64(bits_J.shape[0] * 8 - 1)
    return np.int64(bits_J[place >> _3] >> np.uint8(place & _7) & np.uint8(1))


@lean_inline_kernel
def _size(byte):  # type: ignore[no-untyped-def]
    """Bytes of a character, by its first one."""
    return 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4


@lean_inline_kernel
def _code(data_N, p, size):  # type: ignore[no-untyped-def]
    """Code point of the character of ``size`` bytes at p."""
    k = np.uint64(p)
    first = np.int64(data_N[k])
    if size == 1:
        return first
    second = np.int64(data_N[k + _1]) & 0x3F
    if size == 2:
        return (first & 0x1F) << 6 | second
    third = np.int64(data_N[k + _2]) & 0x3F
    if size == 3:
        return (first & 0x0F) << 12 | second << 6 | third
    return (first & 0x07) << 18 | second << 12 | third << 6 | np.int64(data_N[k + _3]) & 0x3F


@lean_inline_kernel
def _symbol(code, symbols_R, num_ids):  # type: ignore[no-untyped-def]
    """The symbol of a character: its id, which symbols_R holds plus one, or a number of its own above all ids."""
    found = np.int64(symbols_R[np.uint64(code)]) if code < symbols_R.shape[0] else np.int64(0)
    return found - 1 if found else num_ids + code


@lean_inline_kernel
def _user_defined(data_N, p, stop, buckets_257, users_B, user_bounds_U1):  # type: ignore[no-untyped-def]
    """The longest user-defined piece at p as number << 32 | bytes of text; -1 if there is none."""
    first = 0xE2 if data_N[p] == SPACE else np.int64(data_N[p])
    for u in range(buckets_257[first], buckets_257[first + 1]):
        i, k, last = p, user_bounds_U1[u], user_bounds_U1[u + 1]
        while k < last and i < stop:
            if data_N[i] == users_B[k]:
                k += 1
            elif data_N[i] == SPACE and users_B[k] == 0xE2 and users_B[k + 1] == 0x96 and users_B[k + 2] == 0x81:
                k += 3
            else:
                break
            i += 1
        if k == last:
            return np.int64(u) << 32 | (i - p)
    return np.int64(-1)


@lean_inline_kernel
def _find_cuts(  # type: ignore[no-untyped-def]
    data_N, p, limit, stop, ascii_J, bits_J, starts_256, buckets_257, users_B, user_bounds_U1, cuts_C
):
    """Write the ends of the units from p on that are seen before ``limit``, but at least one; how many.

    The last one is the end of the document if that is reached. A user-defined piece is a unit of its own.
    """
    num = 0
    q = p
    left = np.int64(-1)
    while True:
        if 0 <= left < 0x80:
            while q < limit:  # ASCII after ASCII, which most text is: as few instructions as can be
                first = np.int64(data_N[np.uint64(q)])
                if first >= 0x80:
                    break
                joined = np.int64(ascii_J[np.uint64(left << 7 | first)])
                if joined & USER_DEFINED:
                    break
                cuts_C[np.uint64(num)] = q
                num += 1 - joined
                left = first
                q += 1
        if q >= limit:
            if num > 0 or q >= stop:
                break
            limit = min(q + CHUNK, stop)  # a unit longer than a chunk
            continue
        first = np.int64(data_N[np.uint64(q)])
        size = _size(first)
        right = _code(data_N, q, size)
        joined = np.int64(starts_256[np.uint64(first)]) | JOINED
        if left >= 0:
            joined = np.int64(starts_256[np.uint64(first)]) | _joined(left, right, bits_J)
        if joined & USER_DEFINED:
            found = _user_defined(data_N, q, stop, buckets_257, users_B, user_bounds_U1)
            if found >= 0:
                if left >= 0:
                    cuts_C[np.uint64(num)] = q
                    num += 1
                q += found & 0xFFFFFFFF
                cuts_C[np.uint64(num)] = q
                num += 1
                left = np.int64(-1)
                continue
        cuts_C[np.uint64(num)] = q
        num += 1 - (joined & JOINED)
        left = right
        q += size
    if q >= stop and left >= 0:
        cuts_C[np.uint64(num)] = stop
        num += 1
    return num


@lean_inline_kernel
def _put_symbol(symbol, num_ids, bytes_256, width, out_O, o):  # type: ignore[no-untyped-def]
    """Write a symbol's id, or those of its bytes if it is a character without one; where the next id goes."""
    if symbol < num_ids:
        store_8(out_O, o, np.uint64(symbol))
        return o + width
    code = symbol - num_ids
    size = 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4
    lead = 0 if size == 1 else 0xC0 if size == 2 else 0xE0 if size == 3 else 0xF0
    store_8(out_O, o, np.uint64(bytes_256[lead | code >> 6 * (size - 1)]))
    for k in range(1, size):
        store_8(out_O, o + k * width, np.uint64(bytes_256[0x80 | code >> 6 * (size - 1 - k) & 0x3F]))
    return o + size * width


@lean_inline_kernel
def _key_word(data_N, p, stop):  # type: ignore[no-untyped-def]
    """Eight bytes at p, zeros for those from ``stop`` on."""
    word = np.uint64(0)
    for k in range(min(8, stop - p)):
        word |= np.uint64(data_N[p + k]) << np.uint64(8 * k)
    return word


@lean_inline_kernel
def _key(data_N, p, size, masks_33):  # type: ignore[no-untyped-def]
    """The bytes of a unit as four numbers."""
    k = np.uint64(size)
    w0, w1 = load_8(data_N, p) & masks_33[k, 0], load_8(data_N, p + 8) & masks_33[k, 1]
    return w0, w1, load_8(data_N, p + 16) & masks_33[k, 2], load_8(data_N, p + 24) & masks_33[k, 3]


@lean_inline_kernel
def _slot(w0, w1, w2, w3):  # type: ignore[no-untyped-def]
    """First word of a unit in the cache, modulo its size; 64-bit wrap-around intended."""
    mixed = (w0 * _K0 ^ w1 * _K1) + (w2 * _K2 ^ w3 * _K3)
    mixed = (mixed ^ (mixed >> _29)) * _K1
    return (mixed >> _32) * np.uint64(WORDS)


@lean_inline_kernel
def _differs(cache_W, slot, w0, w1, w2, w3, size):  # type: ignore[no-untyped-def]
    """0 if the unit in a slot is this one."""
    other = w0 ^ cache_W[slot] | w1 ^ cache_W[slot + _1] | w2 ^ cache_W[slot + _2] | w3 ^ cache_W[slot + _3]
    return other | np.uint64(size) ^ (cache_W[slot + _4] & np.uint64(0xFF))


@lean_inline_kernel
def _swap(cache_W, slot):  # type: ignore[no-untyped-def]
    """Exchange the units in the two places of a slot."""
    other = slot ^ np.uint64(WORDS)
    for k in range(np.uint64(WORDS)):
        cache_W[slot + k], cache_W[other + k] = cache_W[other + k], cache_W[slot + k]


@lean_inline_kernel
def _keep(cache_W, slot, w0, w1, w2, w3, size, out_O, o, num_bytes):  # type: ignore[no-untyped-def]
    """Keep a unit and its ids at out[o]."""
    if cache_W[slot + _4]:
        slot ^= np.uint64(WORDS)
    cache_W[slot], cache_W[slot + _1], cache_W[slot + _2], cache_W[slot + _3] = w0, w1, w2, w3
    cache_W[slot + _4] = np.uint64(size) | np.uint64(num_bytes) << _8
    cache_W[slot + _5] = _key_word(out_O, o, o + num_bytes)
    cache_W[slot + _6] = _key_word(out_O, o + 8, o + num_bytes)
    cache_W[slot + _7] = _key_word(out_O, o + 16, o + num_bytes)


@lean_kernel
def encode_units(  # type: ignore[no-untyped-def]
    data_N, offsets_D1, begun, eos, dummy_prefix, width,
    symbols_R, ascii_J, bits_J, starts_256, buckets_257, users_B, user_bounds_U1, user_ids_U, bytes_256,
    pairs_P, ranks_S, num_ids, masks_33,
    cache_W, cuts_C, slots_C, symbols_C, merged_C, nexts_C, befores_C, rank_C, heap_2C, out_O, bounds_D1,
):  # fmt: skip
    """Encode documents from number ``begun`` on, ``eos`` behind each unless it is -1; the number of the next one.

    Ids are written as ``width`` bytes each, as all in the cache are; ``bounds_D1[begun]`` says where, in bytes. The
    number returned is below D if that document has a unit longer than the scratch arrays; the place of its end in
    bounds then tells the symbols they must hold.
    """
    o = bounds_D1[begun]
    documents = offsets_D1.shape[0] - 1
    last_key = data_N.shape[0] - KEY_BYTES
    way_mask = np.uint64(cache_W.shape[0] - 1)
    for d in range(begun, documents):
        p, stop = offsets_D1[d], offsets_D1[d + 1]
        prefix = dummy_prefix and p < stop
        while p < stop:
            limit = min(p + CHUNK, stop)
            num_cuts = _find_cuts(
                data_N, p, limit, stop, ascii_J, bits_J, starts_256, buckets_257, users_B, user_bounds_U1, cuts_C
            )
            begin = p
            for c in range(num_cuts):  # ask for the places of all units before any is looked at
                q = np.int64(cuts_C[np.uint64(c)])
                if q - begin <= KEY_BYTES and begin <= last_key:
                    w0, w1, w2, w3 = _key(data_N, begin, q - begin, masks_33)
                    slot = _slot(w0, w1, w2, w3) & way_mask
                    prefetch(cache_W, np.int64(slot))
                    slots_C[np.uint64(c)] = slot
                begin = q
            for c in range(num_cuts):
                q = np.int64(cuts_C[np.uint64(c)])
                size = q - p
                slot = np.uint64(0)
                w0 = w1 = w2 = w3 = np.uint64(0)
                cached = size <= KEY_BYTES and p <= last_key and not prefix
                if cached:
                    w0, w1, w2, w3 = _key(data_N, p, size, masks_33)
                    slot = slots_C[np.uint64(c)]
                    other = _differs(cache_W, slot, w0, w1, w2, w3, size)
                    if other and not _differs(cache_W, slot ^ np.uint64(WORDS), w0, w1, w2, w3, size):
                        _swap(cache_W, slot)
                        other = np.uint64(0)
                    if not other:
                        store_8(out_O, o, cache_W[slot + _5])
                        store_8(out_O, o + 8, cache_W[slot + _6])
                        store_8(out_O, o + 16, cache_W[slot + _7])
                        o += np.int64(cache_W[slot + _4] >> _8)
                        p = q
                        continue
                first = o
                found = np.int64(-1)
                if starts_256[np.uint64(data_N[np.uint64(p)])]:
                    found = _user_defined(data_N, p, stop, buckets_257, users_B, user_bounds_U1)
                num = 0
                if prefix:
                    symbols_C[0] = _symbol(WORD_MARK, symbols_R, num_ids)
                    num = 1
                if found >= 0:
                    symbols_C[num] = user_ids_U[found >> 32]
                    num += 1
                else:
                    if size + 1 > symbols_C.shape[0]:
                        bounds_D1[d + 1] = size + 1
                        return d
                    i = p
                    while i < q:
                        bytes_i = _size(data_N[np.uint64(i)])
                        symbols_C[num] = _symbol(_code(data_N, i, bytes_i), symbols_R, num_ids)
                        num += 1
                        i += bytes_i
                    if num <= SHORT:
                        num = merge_short(num, pairs_P, ranks_S, symbols_C, merged_C, rank_C)
                    else:
                        num = merge_long(num, pairs_P, ranks_S, symbols_C, merged_C, nexts_C, befores_C, heap_2C)
                for k in range(num):
                    o = _put_symbol(np.int64(symbols_C[k]), num_ids, bytes_256, width, out_O, o)
                if cached and o - first <= ID_BYTES:
                    _keep(cache_W, slot, w0, w1, w2, w3, size, out_O, first, o - first)
                prefix = False
                p = q
        if eos >= 0:
            store_8(out_O, o, np.uint64(eos))
            o += width
        bounds_D1[d + 1] = o
    return documents
