"""A tokenizer: its reference, its fast encoder where one is proven equal, and its identity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets, Unsigned, offsets_of
from stages.kernels.columns.rows import append_token
from stages.tokenizers import probe

Ids = npt.NDArray[np.uint32]


class TokenizerError(ValueError):
    """A tokenizer that cannot be found, read or used; the message says what to do."""


class Reference(Protocol):
    """The library whose ids are right. ``encode`` adds no token and takes special spellings as text."""

    library: str
    library_version: str
    vocab_size: int
    """Largest id + 1, added and special tokens included."""
    bos_id: int | None
    eos_id: int | None
    pad_id: int | None
    unk_id: int | None
    special_spellings: tuple[str, ...]

    def encode(self, text: bytes) -> Ids: ...

    def decode(self, ids: Sequence[int]) -> bytes:
        """The text of these ids, those of special tokens left out."""
        ...

    def id_of(self, piece: str) -> int | None: ...


class FastEncoderError(RuntimeError):
    """The fast encoder cannot do a text; the reference has to do the work."""


class FastEncode(Protocol):
    """A batch of texts to (ids, offsets): no special token anywhere, but ``eos`` behind each text where it is given."""

    def __call__(
        self, data: Bytes, offsets: Offsets, eos: int | None = None, dtype: npt.DTypeLike = np.uint32
    ) -> tuple[Unsigned, Offsets]: ...


Proven = tuple[FastEncode | None, str | None]
"""The fast encoder, or why there is none."""

Opened = tuple[Reference, list[Callable[[], FastEncode]]]
"""A model file's reference, and makers of the fast encoders to try."""


@dataclass(frozen=True)
class Tokenizer:
    """One tokenizer, ready to encode batches. Not to be shared between threads."""

    name: str
    sha256: str
    reference: Reference
    eos_id: int
    probe_sha256: str
    proven: Callable[[], Proven]
    """Makes and proves the fast encoder at its first use: who only needs the identity does not wait for it."""

    @property
    def fast(self) -> FastEncode | None:
        return self.proven()[0]

    @property
    def why_slow(self) -> str | None:
        """The reason why there is no fast encoder; None if there is one."""
        return self.proven()[1]

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint16 if self.reference.vocab_size <= 1 << 16 else np.uint32)

    def identity(self) -> dict[str, Any]:
        """Facts that make two tokenizers the same for a trainer; the `tokenizer` block of every manifest."""
        reference = self.reference
        return {
            "name": self.name,
            "sha256": self.sha256,
            "library": reference.library,
            "library_version": reference.library_version,
            "vocab_size": reference.vocab_size,
            "bos_id": reference.bos_id,
            "eos_id": self.eos_id,
            "pad_id": reference.pad_id,
            "unk_id": reference.unk_id,
            "add_bos": False,
            "add_eos": True,
            "dtype": self.dtype.name,
            "probe_version": probe.PROBE_VERSION,
            "probe_sha256": self.probe_sha256,
        }

    def encode(self, data: Bytes, offsets: Offsets, fast: bool = True) -> tuple[Unsigned, Offsets]:
        """Ids of every text of a batch, EOS behind each, as (ids, offsets); ``fast=False``: by the reference."""
        if fast and self.fast:
            return self.fast(data, offsets, self.eos_id, self.dtype)
        ids, bounds = encode_by_reference(self.reference, data, offsets)
        return append_token(ids, bounds, self.eos_id, self.dtype)

    def is_right(self, text: Bytes, ids: Unsigned) -> bool:
        """Whether ``ids``, EOS at their end, are those of the reference for a text."""
        return np.array_equal(ids[:-1], self.reference.encode(text.tobytes())) and ids[-1] == self.eos_id


def encode_by_reference(reference: Reference, data: Bytes, offsets: Offsets) -> tuple[Ids, Offsets]:
    """A batch through the reference library, text by text."""
    rows = [reference.encode(data[offsets[d] : offsets[d + 1]].tobytes()) for d in range(len(offsets) - 1)]
    bounds = offsets_of([len(row) for row in rows])
    return np.concatenate(rows).astype(np.uint32, copy=False) if rows else np.empty(0, np.uint32), bounds


def first_difference(fast: FastEncode, reference: Reference, data: Bytes, offsets: Offsets) -> int | None:
    """Row of the first text whose ids differ between the two; None if none does."""
    ids, bounds = fast(data, offsets)
    for d in range(len(offsets) - 1):
        expected = reference.encode(data[offsets[d] : offsets[d + 1]].tobytes())
        if not np.array_equal(expected, ids[bounds[d] : bounds[d + 1]]):
            return d
    return None
