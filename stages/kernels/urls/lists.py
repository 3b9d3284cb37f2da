"""Which lists a URL falls under: host suffixes, whole hosts, address prefixes, substrings; a column of URLs at a time.

Legend: N bytes of URLs, U URLs, T slots, S states. data_N uint8, offsets_U1 int64. Keys are 64-bit polynomial hashes,
in an open-addressing table of (keys_T uint64, masks_T uint64), T a power of two, key 0 meaning empty; bit i of a mask
says that the entry is in list i. A host is hashed from its end, so that one pass meets every suffix at a dot; a whole
host with one step more (`WHOLE`); an address (host and path) from its start, so that one pass meets every prefix at
a ``/``, ``?``, ``#`` or its end. Substrings run through an Aho-Corasick automaton over bytes.

Hosts and addresses are compared in lower case, without ``www.`` kept or cut: what a rule says is what is compared.
Price: about 0.15 microseconds a URL. Limit: two of n names share a key with a chance of n**2 / 2**65.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import inline_kernel, kernel

Keys = npt.NDArray[np.uint64]
Masks = npt.NDArray[np.uint64]
WHOLE = np.uint64(256)
"""Follows the bytes of a host that stands for itself alone."""


class Automaton(NamedTuple):
    """Next state by byte, the lists whose words end in a state, and the bytes of the longest word of the first."""

    next_S256: npt.NDArray[np.int32]
    masks_S: Masks
    bytes_S: npt.NDArray[np.int32]


class Matches(NamedTuple):
    """For each URL its lists, and where in it stands what the first of them names: bytes [start, stop) of the URL."""

    masks_U: Masks
    starts_U: npt.NDArray[np.int32]
    stops_U: npt.NDArray[np.int32]


def table(
    data: Bytes, offsets: Offsets, masks: Masks, whole: npt.NDArray[np.bool_], *, from_end: bool
) -> tuple[Keys, Masks]:
    """The lookup table of lower-case names; a name given twice is in all the lists of both. ``whole``: no suffix."""
    size = 16
    while 2 * size < 3 * len(masks):
        size *= 2
    keys_T, masks_T = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    _fill(data, offsets, masks, whole, from_end, keys_T, masks_T)
    return keys_T, masks_T


def match(
    data_N: Bytes, offsets_U1: Offsets, suffixes: tuple[Keys, Masks], prefixes: tuple[Keys, Masks], automaton: Automaton
) -> Matches:
    """The lists of every URL."""
    num_urls = len(offsets_U1) - 1
    found = Matches(np.zeros(num_urls, np.uint64), np.zeros(num_urls, np.int32), np.zeros(num_urls, np.int32))
    _match(data_N, offsets_U1, *suffixes, *prefixes, *automaton, *found)
    return found


@inline_kernel
def _lower(byte: np.uint8) -> np.uint64:
    if 65 <= byte <= 90:
        return np.uint64(byte) + np.uint64(32)
    return np.uint64(byte)


@inline_kernel
def _step(key: np.uint64, byte: np.uint64) -> np.uint64:
    """One byte more: wrap-around multiplication, then a fold, so that low bits depend on all bytes."""
    key = (key + byte + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return key ^ (key >> np.uint64(29))


@inline_kernel
def _lookup(keys_T: Keys, masks_T: Masks, key: np.uint64) -> np.uint64:
    mask = np.uint64(len(keys_T) - 1)
    slot = key & mask
    while keys_T[slot] != 0:
        if keys_T[slot] == key:
            return np.uint64(masks_T[slot])
        slot = (slot + np.uint64(1)) & mask
    return np.uint64(0)


@kernel
def _fill(data, offsets, masks, whole, from_end, keys_T, masks_T):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(keys_T) - 1)
    for i in range(len(masks)):
        key = np.uint64(0)
        first, last = offsets[i], offsets[i + 1]
        for j in range(last - first):
            place = last - 1 - j if from_end else first + j
            key = _step(key, _lower(data[place]))
        if whole[i]:
            key = _step(key, WHOLE)
        slot = key & mask
        while keys_T[slot] != 0 and keys_T[slot] != key:
            slot = (slot + np.uint64(1)) & mask
        keys_T[slot] = key
        masks_T[slot] |= masks[i]


@inline_kernel
def _host(data_N, start, stop):  # type: ignore[no-untyped-def]
    """(first, last) byte of the host: after the scheme and user, before port and path."""
    first = start
    for i in range(start, min(stop - 2, start + 32)):
        if data_N[i] == 58 and data_N[i + 1] == 47 and data_N[i + 2] == 47:  # "://"
            first = i + 3
            break
        if data_N[i] == 47 or data_N[i] == 63:
            break
    last = first
    while last < stop and data_N[last] != 47 and data_N[last] != 63 and data_N[last] != 35:
        if data_N[last] == 64:  # "@"
            first = last + 1
        last += 1
    end = last
    for i in range(last - 1, max(first, last - 7), -1):
        if data_N[i] == 58:
            end = i
            break
        if data_N[i] < 48 or data_N[i] > 57:
            break
    if end > first and data_N[end - 1] == 46:  # a dot at the end names the same host
        end -= 1
    return first, end, last


@inline_kernel
def _first(mask: np.uint64) -> np.uint64:
    """The lowest bit that is set, or beyond all where none is: to compare which list comes first."""
    return (mask & (~mask + np.uint64(1))) - np.uint64(1)


@kernel
def _match(  # type: ignore[no-untyped-def]
    data_N, offsets_U1, suffix_keys, suffix_masks, prefix_keys, prefix_masks, next_S256, masks_S, bytes_S,
    masks_U, starts_U, stops_U,
):  # fmt: skip
    any_prefix = False
    for key in prefix_keys:  # `max` of an array would load SciPy with the kernel
        any_prefix |= key > 0
    for u in range(len(masks_U)):
        start, stop = offsets_U1[u], offsets_U1[u + 1]
        first, end, after = _host(data_N, start, stop)
        found = np.uint64(0)
        key = np.uint64(0)
        for i in range(end - 1, first - 1, -1):
            key = _step(key, _lower(data_N[i]))
            if i == first or data_N[i - 1] == 46:
                mask = _lookup(suffix_keys, suffix_masks, key)
                if i == first:
                    mask |= _lookup(suffix_keys, suffix_masks, _step(key, WHOLE))
                if _first(mask) < _first(found):
                    starts_U[u], stops_U[u] = i - start, end - start
                found |= mask
        if any_prefix:
            key = np.uint64(0)
            for i in range(first, end):
                key = _step(key, _lower(data_N[i]))
            for i in range(after, stop + 1):
                if i == stop or data_N[i] == 47 or data_N[i] == 63 or data_N[i] == 35:
                    mask = _lookup(prefix_keys, prefix_masks, key)
                    if _first(mask) < _first(found):
                        starts_U[u], stops_U[u] = first - start, i - start
                    found |= mask
                if i < stop:
                    key = _step(key, _lower(data_N[i]))
        if len(masks_S) > 1:
            state = np.int64(0)
            for i in range(start, stop):
                state = np.int64(next_S256[state, np.int64(_lower(data_N[i]))])
                mask = masks_S[state]
                if _first(mask) < _first(found):
                    starts_U[u], stops_U[u] = i + 1 - bytes_S[state] - start, i + 1 - start
                found |= mask
        masks_U[u] = found


def automaton(words: list[bytes], masks: list[int]) -> Automaton:
    """Aho-Corasick over lower-case words: the words that end in a state are in the lists of its mask."""
    children: list[dict[int, int]] = [{}]
    ends: list[int] = [0]
    sizes: list[int] = [0]
    for word, mask in zip(words, masks, strict=True):
        state = 0
        for byte in word:
            if byte not in children[state]:
                children[state][byte] = len(children)
                children.append({})
                ends.append(0)
                sizes.append(0)
            state = children[state][byte]
        ends[state] |= mask
        sizes[state] = len(word)
    following = np.zeros((len(children), 256), np.int32)
    back = [0] * len(children)
    queue = [0]
    for state in queue:
        following[state] = following[back[state]] if state else 0
        shorter = ends[back[state]]
        if shorter & -shorter and (not ends[state] or shorter & -shorter < ends[state] & -ends[state]):
            sizes[state] = sizes[back[state]]
        ends[state] |= shorter
        for byte, child in sorted(children[state].items()):
            back[child] = int(following[state, byte]) if state else 0
            following[state, byte] = child
            queue.append(child)
    return Automaton(following, np.asarray(ends, np.uint64), np.asarray(sizes, np.int32))
