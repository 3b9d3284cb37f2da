"""PDFs of few bytes that unfold to many: recognised before PDFium opens one, and a limit on its memory while it works.

`unfolds` looks at the streams themselves (a stream's stated length is not believed): those behind one or several Flate
filters whose bytes could make more than `MAX_STREAM` are inflated in small pieces and counted, not kept. Pictures
are left out, since PDFium inflates none for text. `bounded` is for whatever it does not see (a picture that is used as
a page, LZW, encrypted streams): PDFium gets no more than `MAX_MEMORY` beyond what the process has mapped, and ends the
process where it wants more, which quarantines the page (`pipeline.run.map_task`).

Price: a search through the file (GB/s), and inflating streams of more than 127 KB (about 300 MB/s of what comes out).
On systems other than Linux nothing limits the memory.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

MAX_STREAM = 128 << 20
"""Bytes to which a stream may unfold; PDFium takes twice as much."""
MAX_MEMORY = 1 << 30
"""Bytes that PDFium may map for a document."""
MAX_RATIO = 1032
"""Bytes that a byte behind a Flate filter makes at most."""
PIECE = 1 << 16
_HEAD = 4 << 10
"""Bytes before a stream in which its dictionary begins."""
_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_FILTERS = re.compile(rb"/Filter\s*(\[[^\]]*\]|/[A-Za-z0-9]+)")
_IMAGE = re.compile(rb"/Subtype\s*/Image\b")
_FLATE = (b"FlateDecode", b"Fl")


def unfolds(body: bytes, limit: int = MAX_STREAM) -> bool:
    """Whether some stream of a PDF unfolds to more bytes than a limit."""
    for found in _STREAM.finditer(body):
        head = body[max(0, found.start() - _HEAD) : found.start()]
        head = head[head.rfind(b" obj") + 1 :]
        layers = _layers(head)
        if not layers or _IMAGE.search(head):
            continue
        stop = body.find(b"endstream", found.end())
        stop = len(body) if stop < 0 else stop
        if (stop - found.end()) * MAX_RATIO**layers > limit and _size(body[found.end() : stop], layers, limit) > limit:
            return True
    return False


def _layers(head: bytes) -> int:
    """Flate filters with which a stream begins, from its dictionary."""
    found = _FILTERS.search(head)
    names = re.findall(rb"/([A-Za-z0-9]+)", found[1]) if found else []
    count = 0
    for name in names:
        if name not in _FLATE:
            break
        count += 1
    return count


def _size(data: bytes, layers: int, limit: int) -> int:
    """Bytes that come out of the last filter or any before it, the most of them; counted to a little past a limit."""
    most = 0
    pieces: Iterable[bytes] = (data[at : at + PIECE] for at in range(0, len(data), PIECE))
    counts = [0] * layers

    def counted(source: Iterable[bytes], layer: int) -> Iterator[bytes]:
        for piece in _inflated(source):
            counts[layer] += len(piece)
            yield piece

    for layer in range(layers):
        pieces = counted(pieces, layer)
    for _ in pieces:
        most = max(counts)
        if most > limit:
            break
    return max(most, *counts)


def _inflated(source: Iterable[bytes]) -> Iterator[bytes]:
    """Output of a zlib stream, in pieces, to its end or to the first byte that is wrong."""
    inflater = zlib.decompressobj()
    try:
        for data in source:
            while data and not inflater.eof:
                yield inflater.decompress(data, PIECE)
                data = inflater.unconsumed_tail
    except zlib.error:
        return


@contextmanager
def bounded(memory: int = MAX_MEMORY) -> Iterator[None]:
    """Inside, the process may map so many bytes more than it has."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            mapped = int(file.read().split()[0]) * resource.getpagesize()
        before = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError):
        yield
        return
    wanted = mapped + memory
    known = [value for value in (wanted, *before) if value != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(known), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
