"""SentencePiece BPE models by our own kernels (`stages.kernels.bpe.units`): the tables they need, and the encoder.

Taken are models whose ids follow from pieces, scores and bytes alone: BPE with byte fallback, no normalisation, white
space kept, no unused pieces. `Unsuited` names what else a model needs; others encode it then. Price: a quarter of a
second and 2 MB for the tables of 32,000 pieces, and `CACHE_BYTES` for the units of text known, in each process. A unit
without any cut takes 36 bytes a character while it is encoded.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.kernels.bpe.merges import EMPTY, MAX_SYMBOLS, SHORT, fill_pairs
from stages.kernels.bpe.units import CHUNK, JOINED, MASKS, SLACK, USER_DEFINED, bit_of, encode_units
from stages.kernels.columns.ragged import Bytes, Offsets, Unsigned, offsets_of, read_only
from stages.kernels.columns.rows import append_token
from stages.tokenizers import piece_model
from stages.tokenizers.piece_model import BYTE, NORMAL, WORD_MARK, PieceModel
from stages.tokenizers.tokenizer import FastEncoderError

CACHE_BYTES = 16 << 20
_SCRATCH = 1 << 14
_CODE_POINTS = 0x110000
_BITS_A_PAIR = 32
_MIN_BITS = 1 << 16
_LINE = 64


class Unsuited(ValueError):
    """The model needs something that the kernels do not do."""


@dataclass(frozen=True)
class Tables:
    """The arrays that `encode_units` reads; names as there."""

    symbols_R: npt.NDArray[np.int32]
    ascii_J: Bytes
    bits_J: Bytes
    starts_256: Bytes
    buckets_257: Offsets
    users_B: Bytes
    user_bounds_U1: Offsets
    user_ids_U: npt.NDArray[np.uint32]
    bytes_256: npt.NDArray[np.uint32]
    pairs_P: npt.NDArray[np.uint64]
    ranks_S: npt.NDArray[np.uint32]
    num_ids: int

    def arguments(self) -> tuple[Any, ...]:
        """The arrays in the order of the kernel's parameters; read-only, as it is compiled for."""
        values = vars(self).values()
        return tuple(read_only(value) if isinstance(value, np.ndarray) else value for value in values)


def tables_of(model: PieceModel) -> Tables:
    """The tables of a model.

    Raises:
        Unsuited: it is none of those the kernels encode.
    """
    _check(model)
    num_ids = len(model.pieces)
    ids = {piece: number for number, piece in enumerate(model.pieces) if model.kinds[number] == NORMAL}
    users = _users(model)
    starts = {piece[0] for piece, _ in users}
    pairs = _neighbours(ids)
    starts_256 = np.zeros(256, np.uint8)
    for start in _spellings(starts):
        starts_256[start.encode()[0]] = USER_DEFINED
    ascii_J, bits_J = _cuts(pairs, starts_256)
    letters = _spellings({piece for piece in ids if len(piece) == 1})
    symbols_R = np.zeros(max(map(ord, letters), default=0) + 1, np.int32)
    for letter in letters:
        symbols_R[ord(letter)] = ids[WORD_MARK if letter == " " else letter] + 1
    users_B = np.frombuffer(b"".join(piece.encode() for piece, _ in users) + b"\0", np.uint8)
    firsts = np.array([piece.encode()[0] for piece, _ in users], np.int64)
    return Tables(
        symbols_R=symbols_R,
        ascii_J=ascii_J,
        bits_J=bits_J,
        starts_256=starts_256,
        buckets_257=offsets_of(np.bincount(firsts, minlength=256)),
        users_B=users_B,
        user_bounds_U1=offsets_of([len(piece.encode()) for piece, _ in users]),
        user_ids_U=np.array([number for _, number in users] or [0], np.uint32),
        bytes_256=_bytes(model),
        pairs_P=_merges(ids, num_ids),
        ranks_S=np.unique(-model.scores, return_inverse=True)[1].astype(np.uint32),
        num_ids=num_ids,
    )


def _check(model: PieceModel) -> None:
    unsuited = {
        "not BPE": model.model_type != piece_model.BPE,
        "no byte fallback": not model.byte_fallback,
        "text is normalised": model.normalised,
        "white space is removed": model.removes_spaces,
        "spaces are kept as they are": not model.escapes_spaces,
        "spaces go to the end of words": model.space_as_suffix,
        "unused pieces": bool(np.any(model.kinds == piece_model.UNUSED)),
        "scores that are not numbers": not np.all(np.isfinite(model.scores)),
        "spaces or nothing in pieces": any(not piece or " " in piece for piece in model.pieces),
        "reserved pieces of one character": any(
            len(piece) == 1 and kind in (piece_model.CONTROL, piece_model.UNKNOWN, BYTE)
            for piece, kind in zip(model.pieces, model.kinds, strict=True)
        ),
        "user-defined pieces that begin with a space behind a space put before the text": model.dummy_prefix
        and any(piece.startswith(WORD_MARK) for piece, _ in _users(model)),
        "no piece for a space": not any(
            piece == WORD_MARK and kind == NORMAL for piece, kind in zip(model.pieces, model.kinds, strict=True)
        ),
        "too many pieces": len(model.pieces) + _CODE_POINTS >= MAX_SYMBOLS,
    }
    reasons = [reason for reason, found in unsuited.items() if found]
    if reasons:
        raise Unsuited(", ".join(reasons))


def _users(model: PieceModel) -> list[tuple[str, int]]:
    """User-defined pieces and their ids, by their first byte, the longest first."""
    found = [(model.pieces[i], i) for i in np.flatnonzero(model.kinds == piece_model.USER_DEFINED).tolist()]
    return sorted(found, key=lambda item: (item[0].encode()[:1], -len(item[0].encode()), item[0]))


def _neighbours(ids: dict[str, int]) -> set[tuple[str, str]]:
    """Characters side by side in some piece; U+2581 also as the space it stands for in a text."""
    found: set[tuple[str, str]] = set()
    for piece in ids:
        found.update(itertools.pairwise(piece))
    return {(a, b) for left, right in found for a in _spellings({left}) for b in _spellings({right})}


def _spellings(letters: set[str]) -> set[str]:
    return letters | {" "} if WORD_MARK in letters else letters


def _cuts(pairs: set[tuple[str, str]], starts_256: Bytes) -> tuple[Bytes, Bytes]:
    """Neighbours that may be merged across: by two ASCII characters (128 * 128), and a bitmap of all pairs."""
    codes = np.array([(ord(a), ord(b)) for a, b in pairs], np.uint64).reshape(-1, 2)
    num_bits = max(_MIN_BITS, 1 << (_BITS_A_PAIR * len(codes)).bit_length())
    bits = np.zeros(num_bits, np.uint8)
    bits[bit_of(codes[:, 0], codes[:, 1], num_bits)] = 1
    ascii_JJ = np.zeros((128, 128), np.uint8)
    ascii_JJ[:] = starts_256[:128]
    plain = codes[np.all(codes < 128, axis=1)]
    ascii_JJ[plain[:, 0], plain[:, 1]] |= JOINED
    return ascii_JJ.reshape(-1), np.packbits(bits, bitorder="little")


def _merges(ids: dict[str, int], num_ids: int) -> npt.NDArray[np.uint64]:
    """The pair table: every piece by every two symbols whose spellings make it up."""
    lefts, rights, merged = [], [], []
    letters = {letter: num_ids + ord(letter) for piece in ids for letter in piece if letter not in ids}
    symbols = letters | ids
    find = symbols.get
    for piece, number in ids.items():
        for k in range(1, len(piece)):
            left = find(piece[:k])
            if left is not None:
                right = find(piece[k:])
                if right is not None:
                    lefts.append(left)
                    rights.append(right)
                    merged.append(number)
    pairs_P = np.full(1 << max(4, (2 * len(merged)).bit_length()), EMPTY, np.uint64)
    fill_pairs(np.array(lefts, np.int64), np.array(rights, np.int64), np.array(merged, np.int64), pairs_P)
    return pairs_P


def _bytes(model: PieceModel) -> npt.NDArray[np.uint32]:
    """The id of every byte."""
    found = {model.pieces[i]: i for i in np.flatnonzero(model.kinds == BYTE).tolist()}
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    if any(name not in found for name in names):
        raise Unsuited("bytes without a piece")
    return np.array([found[name] for name in names], np.uint32)


class BpeEncoder:
    """Batches of text to ids; not to be shared between threads. It keeps the units it met, which changes no id."""

    def __init__(self, model: bytes, cache_bytes: int = CACHE_BYTES, scratch: int = _SCRATCH) -> None:
        """``cache_bytes``: a power of two; ``scratch``: characters a unit may have before more memory is taken.

        Raises:
            Unsuited: see `tables_of`.
        """
        parsed = piece_model.parse(model)
        self._tables = tables_of(parsed).arguments()
        self._in_texts = np.isin(parsed.kinds, (NORMAL, piece_model.USER_DEFINED, BYTE))
        self._dummy_prefix = parsed.dummy_prefix
        self._cache = _aligned(cache_bytes)
        self._width = 0
        """Bytes of the ids that the cache holds."""
        self._scratch = max(scratch, 2 * SHORT)

    def __call__(
        self, data: Bytes, offsets: Offsets, eos: int | None = None, dtype: npt.DTypeLike = np.uint32
    ) -> tuple[Unsigned, Offsets]:
        """Ids of every text, ``eos`` behind each if it is given, as (ids, offsets).

        Raises:
            FastEncoderError: a text is not UTF-8.
            ValueError: ``eos`` is inside a text.
        """
        dtype = np.dtype(dtype)
        if eos is not None and self._in_texts[eos]:
            return append_token(*self._encode(data, offsets, -1, np.dtype(np.uint32)), eos, dtype)
        return self._encode(data, offsets, -1 if eos is None else eos, dtype)

    def _encode(self, data: Bytes, offsets: Offsets, eos: int, dtype: np.dtype) -> tuple[Unsigned, Offsets]:
        rows = len(offsets) - 1
        width = dtype.itemsize
        if width != self._width:
            self._cache[:], self._width = 0, width
        data, offsets = read_only(np.ascontiguousarray(data)), read_only(np.ascontiguousarray(offsets))
        try:
            pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(data)).validate(full=True)
        except pa.ArrowInvalid as error:
            raise FastEncoderError(f"text that is not UTF-8: {error}") from error
        spare = 2 * rows  # the space before a document, and its end
        out = np.empty((int(offsets[-1] - offsets[0]) + spare) * width + SLACK, np.uint8)
        bounds = np.zeros(rows + 1, np.int64)
        first = (eos, self._dummy_prefix, width)
        scratch = _scratch(self._scratch)
        done = 0
        while done < rows:
            done = encode_units(
                data, offsets, done, *first, *self._tables, read_only(MASKS), self._cache, *scratch, out, bounds
            )
            if done < rows:
                scratch = _scratch(int(bounds[done + 1]))
        return out[: bounds[-1]].view(dtype), bounds // width


def _scratch(symbols: int) -> tuple[npt.NDArray[Any], ...]:
    cuts = np.empty(CHUNK + 2, np.int64)
    four = tuple(np.empty(symbols, np.int32) for _ in range(4))
    slots = np.empty(CHUNK + 2, np.uint64)
    return (cuts, slots, *four, np.empty(SHORT, np.uint32), np.empty(2 * symbols, np.uint64))


def _aligned(num_bytes: int) -> npt.NDArray[np.uint64]:
    """Zeros that begin with a line of the processor's cache: so a unit takes one line and not two."""
    room = np.zeros(num_bytes + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    return room[start : start + num_bytes].view(np.uint64)
