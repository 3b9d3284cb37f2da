"""The order of training: which sample is the g-th, on which rank, and how a run goes on elsewhere.

There is one global order of samples, given by (seed, epoch): a `Permutation` of the sample numbers of each epoch.
Global batch k is samples [k*B, (k+1)*B) of that order; rank r of W takes every W-th of them from r on; loader
worker w of n makes the batches k = w, w + n, ... which PyTorch's `DataLoader` puts back in turn. So what is
trained at step k depends on neither W nor n, and the whole state of a run is how many samples it has consumed.

Price: none in memory; a batch carries ``consumed_samples``, the number to save with the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError
from pipeline.reader.permutation import Permutation
from pipeline.reader.samples import Sample, Samples

STATE_FORMAT = "gristmill-reader-state"
AHEAD = 8
"""Number of batches that are announced to the samples before they are asked for."""
_FEW = 48  # below this the permutation is faster one by one


class Order:
    """Sample numbers in the order of training. ``seed`` None: in the order of the shards, every epoch alike."""

    def __init__(self, num_samples: int, seed: int | None) -> None:
        if num_samples < 1:
            raise UserError("there is no whole sample in these shards at this sequence_length")
        self.num_samples, self.seed = num_samples, seed
        self._permutation: tuple[int, Permutation] | None = None

    def numbers(self, start: int, stop: int, step: int = 1) -> npt.NDArray[np.int64]:
        """Sample numbers at global indices start, start + step, ... below stop; they may span epochs."""
        pieces = []
        while start < stop:
            epoch, position = divmod(start, self.num_samples)
            end = min(stop, (epoch + 1) * self.num_samples) - epoch * self.num_samples
            places = np.arange(position, end, step, dtype=np.int64)
            pieces.append(self._permuted(epoch, places))
            start += len(places) * step
        return pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0, np.int64), *pieces])

    def _permuted(self, epoch: int, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        if self.seed is None:
            return places
        if self._permutation is None or self._permutation[0] != epoch:
            self._permutation = (epoch, Permutation(self.num_samples, self.seed, epoch))
        permutation = self._permutation[1]
        if len(places) < _FEW:
            return np.array([permutation(place) for place in places.tolist()], np.int64)
        permuted: npt.NDArray[np.int64] = permutation(places)
        return permuted


class Stream:
    """The batches of one rank, from any point of the run on.

    Args:
        samples: `Windows` or `Packed`.
        global_batch_size: samples of one step over all ranks; need not be a multiple of ``world_size``.
        epochs: None goes on without end; else the run has ``epochs * len(samples)`` samples. A last, smaller batch
            may leave some ranks without one; ``drop_last`` leaves it out so that all ranks make equal steps.
        start: samples consumed before, or use `resume`.
    """

    def __init__(
        self,
        samples: Samples,
        global_batch_size: int,
        *,
        seed: int | None = 0,
        rank: int = 0,
        world_size: int = 1,
        epochs: int | None = None,
        drop_last: bool = False,
        start: int = 0,
    ) -> None:
        if epochs is not None and not (is_whole(epochs) and epochs >= 1):
            raise UserError(f"epochs must be a whole number from 1 on, or None for no end; found {epochs!r}")
        if seed is not None and not is_whole(seed):
            raise UserError(f"seed must be a whole number, or None for the order of the shards; found {seed!r}")
        if not (is_whole(start) and start >= 0):
            raise UserError(f"start must be a whole number of samples from 0 on, found {start!r}")
        if not 0 <= rank < world_size:
            raise UserError(f"rank {rank} is outside 0..{world_size - 1}")
        if global_batch_size < world_size:
            raise UserError(f"global_batch_size {global_batch_size} leaves some of {world_size} ranks without a sample")
        self.samples, self.global_batch_size = samples, global_batch_size
        self.rank, self.world_size, self.drop_last, self.start = rank, world_size, drop_last, int(start)
        self.order = Order(len(samples), None if seed is None else int(seed))
        self.num_samples = None if epochs is None else int(epochs) * len(samples)

    def batches(self, worker: int = 0, num_workers: int = 1) -> Iterator[Sample]:
        """Batches of this rank, of one of ``num_workers`` loader processes."""
        size = self.global_batch_size
        first = self.start + worker * size
        announced = first
        while self.num_samples is None or first < self.num_samples:
            stop = first + size
            while self.samples.looks_ahead and announced <= first + AHEAD * num_workers * size:
                self._announce(announced)
                announced += num_workers * size
            if self.num_samples is not None and stop > self.num_samples:
                if self.drop_last:
                    return
                stop = self.num_samples
            if first + self.rank < stop:
                batch = self.samples.batch(self.order.numbers(first + self.rank, stop, self.world_size))
                batch["consumed_samples"] = stop
                yield batch
            first += num_workers * size

    def _announce(self, first: int) -> None:
        """Announce to the samples which of them the batch from ``first`` on will ask for."""
        stop = first + self.global_batch_size
        stop = stop if self.num_samples is None else min(stop, self.num_samples)
        if first + self.rank < stop:
            self.samples.ahead(self.order.numbers(first + self.rank, stop, self.world_size))

    def __iter__(self) -> Iterator[Sample]:
        return self.batches()

    def state(self, consumed_samples: int) -> dict[str, Any]:
        """The state to save with a checkpoint after a batch; a small dict of JSON."""
        return {
            "format": STATE_FORMAT,
            "version": 1,
            "consumed_samples": int(consumed_samples),
            "seed": self.order.seed,
            "samples": self.samples.identity,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on after a saved state, at whatever world size, batch size and worker count this stream has.

        Raises:
            UserError: the state is of other shards, another sequence length or cutting, or another seed, or is none.
        """
        own = self.state(0)
        if not isinstance(state, dict):
            raise UserError(f"expected a state as Stream.state gives it, found {type(state).__name__}")
        wrong = [key for key in ("format", "version", "seed", "samples") if state.get(key) != own[key]]
        if wrong:
            lines = "; ".join(f"{key}: this run has {own[key]!r}, the state {state.get(key)!r}" for key in wrong)
            raise UserError(f"this state is of another run ({lines}){self._hint(state)}")
        consumed = state.get("consumed_samples")
        if not (is_whole(consumed) and consumed >= 0):
            raise UserError(
                f"this state is damaged: consumed_samples is {consumed!r}, expected a whole number from 0 on"
            )
        self.start = int(consumed)

    def _hint(self, state: dict[str, Any]) -> str:
        """Advice about a state of other shards; '' for one of these."""
        theirs = str(state.get("samples") or "").partition("/")[0]
        if not theirs or theirs == self.samples.identity.partition("/")[0]:
            return ""
        return (
            ": its shards are others, as after a change of the mixture; go on with the folder it was saved with, or"
            " begin these anew without it"
        )


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether a value is a whole number, of Python or of NumPy."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
