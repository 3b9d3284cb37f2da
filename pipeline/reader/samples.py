"""Training samples from token shards: windows of the stream, or packed documents, as NumPy arrays.

A sample is ``input_ids`` and ``labels`` (the next token of each; `IGNORE` where there is none to learn) of one
fixed length, and where documents begin in it. Labels are already shifted: compare logits[t] with labels[t].

`Windows` cuts the stream of all documents every `sequence_length` tokens. With ``overlap`` (Megatron's way) the
last label of a window is the first input of the next: floor((T - 1) / S) windows and every token but the first
is learned. Without (nanosets' way) a window takes S + 1 tokens of its own: floor(T / (S + 1)).
`Packed` follows a `PackingPlan`: no document is cut that fits, no label crosses documents, the rest is padding.

A batch is a dict of arrays: ``input_ids`` and ``labels`` (B x S), ``index`` (B, sample numbers), and with
``boundaries`` also ``cu_seqlens`` (int32, starts of documents and of rows in the flattened B*S tokens, with the
end last: what variable-length FlashAttention takes) and ``max_seqlen``, from which `position_ids` follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError
from pipeline.reader.packing import PackingPlan, pack
from pipeline.reader.shards import TokenShards

IGNORE = -100
NEAR = 64
"""A batch is announced as one range where it spans fewer than this many windows for each that it reads."""
Sample = dict[str, Any]


class Samples(Protocol):
    """Numbered training samples of one fixed length."""

    sequence_length: int

    def __len__(self) -> int: ...

    @property
    def identity(self) -> str:
        """Tells these samples from others: shards, length and cutting."""
        ...

    def batch(self, numbers: Sequence[int] | npt.NDArray[np.int64]) -> Sample:
        """Samples by number, stacked."""
        ...

    @property
    def looks_ahead(self) -> bool:
        """Whether it is worth announcing by `ahead` which samples will be asked for soon."""
        ...

    def ahead(self, numbers: npt.NDArray[np.int64]) -> None: ...


class Windows:
    """Windows of the stream of all documents, in the order of the shards.

    Args:
        sequence_length: S, inputs of a window.
        overlap: see the module.
        boundaries: also give document boundaries.
        mask_ends: labels after an EOS (the first token of the next document) are `IGNORE`.
        dtype: of ids in a batch; int64 is what PyTorch wants, the shards' own width is the cheapest.

    Raises:
        UserError: for a length below 1, or a dtype that cannot hold the ids.
    """

    def __init__(
        self,
        shards: TokenShards,
        sequence_length: int,
        overlap: bool = True,
        boundaries: bool = False,
        mask_ends: bool = False,
        dtype: npt.DTypeLike = np.int64,
    ) -> None:
        if sequence_length < 1:
            raise UserError(f"sequence_length must be 1 or more, found {sequence_length}")
        vocabulary = int(shards.manifest.tokenizer["vocab_size"])
        if not np.issubdtype(np.dtype(dtype), np.integer) or np.iinfo(np.dtype(dtype)).max < vocabulary - 1:
            raise UserError(f"dtype {np.dtype(dtype)} cannot hold the ids of a vocabulary of {vocabulary:,}")
        if mask_ends and not np.issubdtype(np.dtype(dtype), np.signedinteger):
            raise UserError(f"mask_ends marks labels with {IGNORE}, which {np.dtype(dtype)} cannot hold")
        self.shards, self.sequence_length, self.overlap = shards, sequence_length, overlap
        self.boundaries, self.mask_ends, self.dtype = boundaries, mask_ends, np.dtype(dtype)
        self._stride = sequence_length if overlap else sequence_length + 1

    def __len__(self) -> int:
        if self.overlap:
            return max(0, (self.shards.num_tokens - 1) // self.sequence_length)
        return self.shards.num_tokens // (self.sequence_length + 1)

    @property
    def identity(self) -> str:
        cutting = "overlap" if self.overlap else "disjoint"
        return f"{self.shards.manifest.identity}/windows/{self.sequence_length}/{cutting}"

    def window(self, number: int) -> npt.NDArray[Any]:
        """The S + 1 tokens of a window, in the shards' own width; a view where they lie in one record batch."""
        if not 0 <= number < len(self):
            raise IndexError(f"window {number} is outside 0..{len(self) - 1}")
        start = number * self._stride
        return self.shards.tokens(start, start + self.sequence_length + 1)

    @property
    def looks_ahead(self) -> bool:
        return self.shards.looks_ahead

    def ahead(self, numbers: npt.NDArray[np.int64]) -> None:
        length, stride = self.sequence_length + 1, self._stride
        first, last = int(numbers.min(initial=len(self))), int(numbers.max(initial=-1))
        if last - first < NEAR * len(numbers):
            self.shards.ahead([(first * stride, last * stride + length)] if len(numbers) else [])
        else:
            self.shards.ahead((number * stride, number * stride + length) for number in numbers.tolist())

    def batch(self, numbers: Sequence[int] | npt.NDArray[np.int64]) -> Sample:
        index = np.asarray(numbers, np.int64)
        length, stride, tokens = self.sequence_length, self._stride, self.shards.tokens
        if index.size and not 0 <= int(index.min()) <= int(index.max()) < len(self):
            raise IndexError(f"a window is outside 0..{len(self) - 1}")
        ids = np.empty((len(index), length + 1), self.dtype)
        for row, number in enumerate(index.tolist()):
            ids[row] = tokens(number * stride, number * stride + length + 1)
        sample: Sample = {"input_ids": ids[:, :-1], "labels": ids[:, 1:], "index": index}
        if self.mask_ends:
            ends = sample["input_ids"] == self.shards.eos_id
            sample["labels"] = np.where(ends, np.asarray(IGNORE, self.dtype), sample["labels"])
        if self.boundaries:
            starts = self.shards.document_starts
            places = ((number * stride, row * length) for row, number in enumerate(index.tolist()))
            sample.update(boundaries([starts(at, at + length, at - to) for at, to in places], len(index), length))
        return sample


class Packed:
    """Packed documents: sequences of a `PackingPlan`, shorter ones filled up with ``pad_id`` and `IGNORE` labels.

    A piece of a long document that goes on in another sequence still learns the token that follows it, so every
    document of n tokens gives n - 1 labels, wherever it is cut. Padding is one last document of its own.
    """

    def __init__(
        self, shards: TokenShards, sequence_length: int, plan: PackingPlan | None = None, pad_id: int | None = None
    ) -> None:
        self.shards, self.sequence_length = shards, sequence_length
        self.plan = pack(shards, sequence_length) if plan is None else plan
        if self.plan.sequence_length != sequence_length or self.plan.shards != shards.manifest.identity:
            raise UserError("this packing plan was made for other shards or another sequence_length")
        own = shards.manifest.tokenizer.get("pad_id")
        self.pad_id = pad_id if pad_id is not None else int(own) if own is not None and own >= 0 else shards.eos_id

    def __len__(self) -> int:
        return len(self.plan)

    @property
    def identity(self) -> str:
        return f"{self.plan.shards}/packed/{self.sequence_length}/{len(self.plan)}"

    def pieces(self, number: int) -> list[tuple[int, int]]:
        """(global token position, tokens) of each piece of a sequence."""
        low, high = int(self.plan.bins[number]), int(self.plan.bins[number + 1])
        return list(zip(self.plan.starts[low:high].tolist(), self.plan.sizes[low:high].tolist(), strict=True))

    @property
    def looks_ahead(self) -> bool:
        return self.shards.looks_ahead

    def ahead(self, numbers: npt.NDArray[np.int64]) -> None:
        pieces = (piece for number in numbers.tolist() for piece in self.pieces(number))
        self.shards.ahead((position, position + size + 1) for position, size in pieces)

    def batch(self, numbers: Sequence[int] | npt.NDArray[np.int64]) -> Sample:
        index = np.asarray(numbers, np.int64)
        if index.size and not 0 <= int(index.min()) <= int(index.max()) < len(self):
            raise IndexError(f"a sequence is outside 0..{len(self) - 1}")
        ids = np.full((len(index), self.sequence_length), self.pad_id, np.int64)
        labels = np.full_like(ids, IGNORE)
        starts: list[int] = []
        for row, number in enumerate(index.tolist()):
            at = 0
            for position, size in self.pieces(number):
                piece = self.shards.tokens(position, min(position + size + 1, self.shards.num_tokens))
                ids[row, at : at + size] = piece[:size]
                known = size - 1 if piece[size - 1] == self.shards.eos_id else size
                labels[row, at : at + known] = piece[1 : known + 1]
                at += size
                if at < self.sequence_length:
                    starts.append(row * self.sequence_length + at)
        edges = boundaries([np.array(starts, np.int64)], len(index), self.sequence_length)
        return {"input_ids": ids, "labels": labels, "index": index, **edges}


def boundaries(starts: Sequence[npt.NDArray[np.int64]], rows: int, length: int) -> Sample:
    """``cu_seqlens`` and ``max_seqlen`` of ``rows`` of ``length`` tokens.

    ``starts`` are arrays of places in the flattened tokens, not at a row's begin, where a document begins.
    """
    edges = np.concatenate([np.arange(rows + 1) * length, *starts], dtype=np.int32, casting="unsafe")
    edges.sort()
    return {"cu_seqlens": edges, "max_seqlen": int((edges[1:] - edges[:-1]).max(initial=0))}


def position_ids(cu_seqlens: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Place of each token in its document, from 0, for the flattened tokens that ``cu_seqlens`` divides."""
    return np.arange(int(cu_seqlens[-1])) - np.repeat(cu_seqlens[:-1], np.diff(cu_seqlens))
