"""The compiled loops of `stages.kernels.urls.keys`, which has their contract."""

from __future__ import annotations

import numpy as np

from stages.kernels.jit import inline_kernel, kernel

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_START = np.uint64(0x27D4EB2F165667C5)


@inline_kernel
def _mixed(key):  # type: ignore[no-untyped-def]
    key = key * _MULTIPLIER
    return key ^ (key >> np.uint64(29))


@inline_kernel
def _key(data, first, last, lower):  # type: ignore[no-untyped-def]
    key = _START
    for at in range(first, last, 8):
        word = np.uint64(0)
        for i in range(at, min(at + 8, last)):
            byte = np.uint64(data[i])
            if lower and 65 <= data[i] <= 90:
                byte += np.uint64(32)
            word |= byte << np.uint64(8 * (i - at))
        key = _mixed(key ^ word)
    return _mixed(key ^ np.uint64(last - first))


@inline_kernel
def _is_letter(byte):  # type: ignore[no-untyped-def]
    return 65 <= byte <= 90 or 97 <= byte <= 122


@inline_kernel
def _host(data, start, stop):  # type: ignore[no-untyped-def]
    """(first, last) byte of the host: what `keys.HOST` finds, without dots at its end; first = last: there is none."""
    at = start
    if at == stop or not _is_letter(data[at]):
        return start, start
    while at < stop and (_is_letter(data[at]) or 48 <= data[at] <= 57 or data[at] in (43, 45, 46)):
        at += 1
    if at + 3 > stop or data[at] != 58 or data[at + 1] != 47 or data[at + 2] != 47:  # "://"
        return start, start
    begin = at + 3
    first = begin
    for i in range(begin, stop):
        if data[i] in (47, 63, 35):
            break
        if data[i] == 64:
            first = i + 1
            break
    last = first
    while last < stop and data[last] not in (47, 63, 35, 58):
        last += 1
    if last == first and first > begin:  # nothing after the "@": then it is no user's
        first = last = begin
        while last < stop and data[last] not in (47, 63, 35, 58):
            last += 1
    while last > first and data[last - 1] == 46:
        last -= 1
    return first, last


@kernel
def fill(data_N, offsets_U1, keys_U, hosts_U):  # type: ignore[no-untyped-def]
    for u in range(len(keys_U)):
        start, stop = offsets_U1[u], offsets_U1[u + 1]
        keys_U[u] = _key(data_N, start, stop, False)
        first, last = _host(data_N, start, stop)
        hosts_U[u] = _key(data_N, first, last, True) if last > first else np.uint64(0)
