"""Documents that share a training sequence: best-fit packing without truncation.

Method: Ding et al. 2024, "Fewer truncations improve language modeling" (arXiv 2404.10830), section 3: a document
longer than the sequence is cut into whole sequences and a rest; the pieces, longest first, each go where they
leave the least room (best-fit decreasing). Room is looked up in a tree over capacities: O(pieces x log length).
Our deviation: documents are packed in blocks of `BLOCK_DOCUMENTS` in the order of the shards, so memory while
packing is flat; the last bins of a block cost less than 0.01% of the sequences at the default size. Inside a sequence
pieces stand in the order of the corpus; sequences are ordered by block, so shuffle them (`Permutation` does).

Price: 12 bytes a piece and 8 a sequence, in memory or in three files that are mapped (`save`, `load`);
about 5 million documents/s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError
from pipeline.reader.shards import TokenShards

BLOCK_DOCUMENTS = 1 << 20
_FILES = ("bins", "starts", "sizes")


@dataclass(frozen=True)
class PackingPlan:
    """Sequences made of pieces of documents.

    ``bins`` (sequences + 1, int64) gives the pieces of each sequence; a piece is ``sizes`` (int32) tokens from the
    global position ``starts`` (int64).
    """

    sequence_length: int
    bins: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int32]
    shards: str
    """Identity of the shards it was made for."""

    def __len__(self) -> int:
        return len(self.bins) - 1

    def save(self, folder: str | Path) -> None:
        """Write the plan as three .npy files and, last, `plan.json`; one that stands there goes first."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.json").unlink(missing_ok=True)
        for name in _FILES:
            np.save(folder / f"{name}.npy", getattr(self, name))
        head = {"sequence_length": self.sequence_length, "shards": self.shards, "sequences": len(self)}
        (folder / "plan.json").write_text(json.dumps(head, sort_keys=True) + "\n")

    @classmethod
    def load(cls, folder: str | Path, shards: TokenShards | None = None) -> PackingPlan:
        """Map a saved plan; refuses a plan made for other shards, and one whose files are not of one plan."""
        folder = Path(folder)
        try:
            head = json.loads((folder / "plan.json").read_text())
        except FileNotFoundError:
            raise UserError(f"{folder}: no plan.json here; expected a saved packing plan") from None
        if shards is not None and head["shards"] != shards.manifest.identity:
            raise UserError(f"{folder}: this packing plan was made for other shards than {shards.manifest.folder}")
        arrays: dict[str, Any] = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _FILES}
        bins, pieces = arrays["bins"], len(arrays["starts"])
        if len(bins) != head["sequences"] + 1 or int(bins[-1]) != pieces or len(arrays["sizes"]) != pieces:
            raise UserError(f"{folder}: these files are of more than one packing plan; pack and save it again")
        return cls(sequence_length=int(head["sequence_length"]), shards=head["shards"], **arrays)


def pack(shards: TokenShards, sequence_length: int, block_documents: int = BLOCK_DOCUMENTS) -> PackingPlan:
    """Best-fit packing of every token of ``shards`` into sequences of at most ``sequence_length`` tokens."""
    if sequence_length < 2:
        raise UserError(f"sequence_length must be 2 or more, found {sequence_length}")
    bins, starts, sizes = [np.zeros(1, np.int64)], [], []
    for block_starts in _blocks(shards, block_documents):
        piece_starts, piece_sizes = split_documents(block_starts, sequence_length)
        bin_of, num_bins = best_fit(piece_sizes, sequence_length)
        order = np.argsort(bin_of, kind="stable")
        counts = np.bincount(bin_of, minlength=num_bins)
        bins.append(np.cumsum(counts, dtype=np.int64) + bins[-1][-1])
        starts.append(piece_starts[order])
        sizes.append(piece_sizes[order].astype(np.int32))
    return PackingPlan(
        sequence_length, np.concatenate(bins), np.concatenate(starts), np.concatenate(sizes), shards.manifest.identity
    )


def _blocks(shards: TokenShards, block_documents: int) -> Iterator[npt.NDArray[np.int64]]:
    """Global positions of document starts, with the end of the last one: blocks of at most so many documents."""
    held, count = [np.zeros(1, np.int64)], 0
    for segment in range(shards.num_segments):
        base = shards.segment_tokens(segment)[0]
        ends = shards.arrays(segment)[1][1:]
        while len(ends):
            part, ends = ends[: block_documents - count] + base, ends[block_documents - count :]
            held.append(part)
            count += len(part)
            if count == block_documents:
                yield np.concatenate(held)
                held, count = [part[-1:]], 0
    if count:
        yield np.concatenate(held)


def split_documents(
    edges: npt.NDArray[np.int64], sequence_length: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pieces (starts, sizes) of documents lying between ``edges``: whole sequences, then the rest."""
    lengths = np.diff(edges)
    counts = -(-lengths // sequence_length)
    first = np.repeat(edges[:-1], counts)
    ordinal = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = first + ordinal * sequence_length
    ends = np.repeat(edges[1:], counts)
    return starts, np.minimum(ends - starts, sequence_length)


def best_fit(sizes: npt.NDArray[np.int64], capacity: int) -> tuple[npt.NDArray[np.int64], int]:
    """Best-fit decreasing: the bin of each piece, and how many bins. Sizes must be 1 to ``capacity``.

    Equal sizes are taken in their order; of bins with equal room the one filled last is taken.
    """
    # Here, because only packing needs Numba, which takes a second to import.
    try:
        from stages.kernels.packing.best_fit import assign_bins
    except ImportError as error:
        raise UserError(f"packing needs Numba ({error}): pip install 'gristmill-reader[packing]'") from None

    order = np.argsort(-sizes, kind="stable")
    bin_of = np.empty(len(sizes), np.int64)
    leaves = 1 << max(1, int(capacity).bit_length())
    tree = np.zeros(2 * leaves, np.int64)
    head = np.full(leaves, -1, np.int64)
    following = np.full(len(sizes), -1, np.int64)
    return bin_of, int(assign_bins(sizes, order, capacity, tree, head, following, bin_of))
