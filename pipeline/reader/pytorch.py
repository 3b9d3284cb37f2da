"""Token shards as PyTorch datasets. The only module of the reader that imports torch.

`MapDataset` for a sampler of the trainer's own; `StreamDataset` for our global order, sharded over ranks and
loader workers and resumable (`pipeline.reader.stream`). It yields whole batches, so give it to
``DataLoader(dataset, batch_size=None, num_workers=n)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

try:
    import torch
    from torch.utils.data import Dataset, IterableDataset, get_worker_info
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError("pipeline.reader.pytorch needs PyTorch: pip install 'gristmill-reader[torch]'") from None

from pipeline.reader.permutation import Permutation
from pipeline.reader.samples import Sample, Samples
from pipeline.reader.stream import Stream


def as_tensors(batch: Sample) -> dict[str, Any]:
    """Arrays as tensors, sharing memory; numbers as they are."""
    return {key: torch.from_numpy(value) if isinstance(value, np.ndarray) else value for key, value in batch.items()}


class MapDataset(Dataset):  # type: ignore[misc, unused-ignore]
    """Samples by index, shuffled if ``seed`` is given: item i of epoch e is the same for everybody.

    Items have ``input_ids``, ``labels`` (1-D) and ``index``; no boundaries, which a default collation could not
    stack: use `StreamDataset` for variable-length attention.
    """

    def __init__(self, samples: Samples, seed: int | None = None, epoch: int = 0) -> None:
        self.samples = samples
        self._order = None if seed is None else Permutation(len(samples), seed, epoch)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Many items at once; PyTorch's loader asks this way when it can."""
        size = len(self)
        if any(not -size <= i < size for i in indices):
            raise IndexError(f"an index is outside 0..{size - 1}")
        places = np.asarray([i % size for i in indices], np.int64)
        batch = as_tensors(self.samples.batch(places if self._order is None else self._order(places)))
        keys = ("input_ids", "labels", "index")
        return [{key: batch[key][row] for key in keys} for row in range(len(places))]


class StreamDataset(IterableDataset):  # type: ignore[misc, unused-ignore]
    """The batches of a `Stream` as tensors; each loader worker makes its share, in exact order."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        number, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for batch in self.stream.batches(number, count):
            yield as_tensors(batch)
