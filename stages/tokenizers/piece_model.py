"""The content of a SentencePiece model file: its pieces, their scores and kinds, and how it prepares text.

Read from the bytes of the file (protocol buffers' wire format: numbered fields, each a number, four or eight bytes, or
a counted string), because the library gives neither the kinds of all pieces nor the settings.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

UNIGRAM, BPE = 1, 2
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
WORD_MARK = "\u2581"
"""Sign of a space in pieces."""


@dataclass(frozen=True)
class PieceModel:
    """The parts of a model that decide ids."""

    pieces: list[str]
    scores: npt.NDArray[np.float32]
    kinds: npt.NDArray[np.int64]
    model_type: int
    byte_fallback: bool
    space_as_suffix: bool
    normalised: bool
    """Whether text is changed by a table of characters before it is cut."""
    dummy_prefix: bool
    removes_spaces: bool
    escapes_spaces: bool


def parse(model: bytes) -> PieceModel:
    """The contents of a model file.

    Raises:
        ValueError: the bytes are not such a file.
    """
    try:
        pieces, scores, kinds = [], [], []
        trainer: dict[int, int | bytes] = {}
        normaliser: dict[int, int | bytes] = {}
        for field, value in _fields(model):
            if field == 1 and isinstance(value, bytes):
                piece = dict(_fields(value))
                pieces.append(bytes(piece.get(1, b"")).decode())
                scores.append(struct.unpack("<f", bytes(piece.get(2, bytes(4))))[0])
                kinds.append(int(piece.get(3, NORMAL)))
            elif field == 2 and isinstance(value, bytes):
                trainer |= dict(_fields(value))
            elif field == 3 and isinstance(value, bytes):
                normaliser |= dict(_fields(value))
    except (IndexError, struct.error, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a SentencePiece model: {error}") from error
    return PieceModel(
        pieces=pieces,
        scores=np.array(scores, np.float32),
        kinds=np.array(kinds, np.int64),
        model_type=int(trainer.get(3, UNIGRAM)),
        byte_fallback=bool(trainer.get(35, 0)),
        space_as_suffix=bool(trainer.get(24, 0)),
        normalised=bool(normaliser.get(2, b"")),
        dummy_prefix=bool(normaliser.get(3, 1)),
        removes_spaces=bool(normaliser.get(4, 1)),
        escapes_spaces=bool(normaliser.get(5, 1)),
    )


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"not a SentencePiece model: field of kind {kind} at byte {at}")
        if at + size > len(message):
            raise IndexError(f"field of {size} bytes at byte {at} of {len(message)}")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
