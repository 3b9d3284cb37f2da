"""Files damaged in every way a transfer or a bad writer damages them, from a seed."""

from __future__ import annotations

import gzip
import random
import re
import zlib

_NUMBER = re.compile(rb"(?i)(content-length: ?)(\d+)")


def mutate(content: bytes, seed: int) -> bytes:
    """One of many ways to break ``content``; gzip files are broken inside their members half of the time."""
    rng = random.Random(seed)
    if content.startswith(b"\x1f\x8b") and rng.random() < 0.5:
        plain = _inflate(content)
        if plain:
            cut = rng.randrange(len(plain))
            broken = _break(plain, rng)
            return gzip.compress(broken[:cut], 1, mtime=0) + gzip.compress(broken[cut:], 1, mtime=0)
    for _ in range(rng.choice((1, 1, 2, 5))):
        content = _break(content, rng)
    return content


def _break(content: bytes, rng: random.Random) -> bytes:
    if not content:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(50)))
    place = rng.randrange(len(content))
    size = min(len(content) - place, rng.choice((1, 2, 10, 200, 5000)))
    way = rng.randrange(8)
    if way == 0:  # flip bits
        out = bytearray(content)
        for _ in range(rng.choice((1, 3, 30))):
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
        return bytes(out)
    if way == 1:  # cut the end
        return content[:place]
    if way == 2:  # cut out a piece
        return content[:place] + content[place + size :]
    if way == 3:  # repeat a piece
        return (
            content[: place + size] + content[place : place + size] * rng.choice((1, 2, 20)) + content[place + size :]
        )
    if way == 4:  # noise in place of a piece
        return content[:place] + rng.randbytes(size) + content[place + size :]
    if way == 5:  # noise between
        return content[:place] + rng.randbytes(rng.randrange(300)) + content[place:]
    if way == 6:  # lengths
        change = rng.choice((b"0", b"-1", b"", b"99999999999999999999", b"x", b"%d" % rng.randrange(10**6)))
        found = list(_NUMBER.finditer(content))
        if found:
            one = rng.choice(found)
            return content[: one.start(2)] + change + content[one.end(2) :]
    other = rng.randrange(len(content))  # a piece from elsewhere
    return content[:place] + content[other : other + size] + content[place + size :]


def _inflate(content: bytes) -> bytes:
    out = b""
    while content and len(out) < 1 << 20:
        inflater = zlib.decompressobj(31)
        try:
            out += inflater.decompress(content, 1 << 20)
        except zlib.error:
            break
        content = inflater.unused_data
    return out
