"""A stage that a page can kill, hold for ever or fill with memory, as native code may: for the tests of isolation."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pyarrow as pa

from stages.contract import StageParams

MARK = "this page kills the process that reads it"
BLOAT = "this page takes the memory of the process that reads it"
MOST_BYTES = 256 << 20
HANG = "this page holds the process that reads it"
SCHEMA = pa.schema([pa.field("characters", pa.int64(), nullable=False)])


class Params(StageParams):
    """None."""


def prepare(params: Params) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    def measure(batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = batch.column("text").to_pylist()
        if any(MARK in text for text in texts):
            os.kill(os.getpid(), signal.SIGKILL)
        if any(BLOAT in text for text in texts):
            held = [b"x" * (8 << 20) for _ in range(MOST_BYTES >> 23)]
            time.sleep(1)
            del held
        while any(HANG in text for text in texts):
            pass
        return pa.record_batch([pa.array([len(text) for text in texts], pa.int64())], schema=SCHEMA)

    return measure
