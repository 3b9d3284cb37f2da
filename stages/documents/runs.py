"""Records read many at a time: what a `members.Run` holds, framed by one kernel call.

`Inlet` hands out the pieces of a file: `Framed` stretches of records that a strict parser reads, for those who ask for
them, and chunks for all else. Memory: one run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.documents.members import Chunk, Pieces, Run
from stages.kernels.columns.ragged import offsets_of
from stages.kernels.warc.record_heads import HEAD, KIND, Frames, frame


@dataclass(frozen=True, slots=True)
class Framed:
    """Records of members of their own. ``frames`` as `kernels.record_heads` has them, a row each."""

    members: list[bytearray]
    places: list[int]
    heads: bytes
    """The bytes into which the spans of ``frames`` point."""
    frames: Frames


class Inlet:
    """The pieces of a file one after the other."""

    def __init__(self, source: Pieces, *, framing: bool) -> None:
        self._source = source
        self._framing = framing
        self._run = Run([], [])
        self._at = 0
        self._framed: Framed | None = None
        self._breaks: list[int] = []
        """Members of the run that are not framed, and its end."""

    def next(self) -> Chunk | None:
        """The next chunk, be it framed or not; None at the end of the file."""
        if self._at == len(self._run.members):
            piece = next(self._source, None)
            if piece is None or isinstance(piece, Chunk):
                return piece
            self._take(piece)
        chunk = Chunk(bytes(self._run.members[self._at]), self._run.places[self._at], True)
        self._at += 1
        return chunk

    def give_up(self) -> Chunk | None:
        """The next chunk that does not belong to the present member."""
        if self._at < len(self._run.members):
            return self.next()
        try:
            piece = self._source.send(True)
        except StopIteration:
            return None
        if isinstance(piece, Chunk):
            return piece
        self._take(piece)
        return self.next()

    def at_framed(self) -> bool:
        """Whether `framed` would give something, as far as can be said without reading on."""
        return self._framing and self._at < len(self._run.members) and self._next_break() > self._at

    def framed(self) -> Framed | Chunk | None:
        """The records framed from here to the next that is not; a chunk where there is none; None at the end."""
        if self._at == len(self._run.members):
            piece = next(self._source, None)
            if piece is None or isinstance(piece, Chunk):
                return piece
            self._take(piece)
        start, stop = self._at, self._next_break()
        if start == stop or self._framed is None:
            return self.next()
        self._at = stop
        return stretch(self._framed, start, stop)

    def _next_break(self) -> int:
        return next(place for place in self._breaks if place >= self._at)

    def _take(self, run: Run) -> None:
        self._run, self._at = run, 0
        if not self._framing:
            return
        self._framed = framed(run)
        self._breaks = breaks(self._framed)


def framed(run: Run) -> Framed:
    """The members of a run with their frames; `breaks` says which of them are none."""
    members = run.members
    sizes = np.fromiter(map(len, members), np.int64, len(members))
    offsets = offsets_of(np.minimum(sizes, HEAD))
    heads = b"".join([member[:HEAD] for member in members])
    tails = b"".join([member[-4:].rjust(4) for member in members])
    return Framed(members, run.places, heads, frame(heads, offsets, sizes, tails))


def breaks(found: Framed) -> list[int]:
    """The members that hold no sound record of their own, and one past the last."""
    return [*np.flatnonzero(found.frames[:, KIND] == 0).tolist(), len(found.members)]


def stretch(found: Framed, start: int, stop: int) -> Framed:
    """The members numbered [start, stop)."""
    return Framed(found.members[start:stop], found.places[start:stop], found.heads, found.frames[start:stop])
