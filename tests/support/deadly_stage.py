"""A stage that a page can kill or hold for ever, as native code may: for the tests of isolation."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pyarrow as pa

from stages.contract import StageParams

MARK = "this page kills the process that reads it"
HANG = "this page holds the process that reads it"
SCHEMA = pa.schema([pa.field("characters", pa.int64(), nullable=False)])


class Params(StageParams):
    """None."""


def prepare(params: Params) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    def measure(batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = batch.column("text").to_pylist()
        if any(MARK in text for text in texts):
            os.kill(os.getpid(), signal.SIGKILL)
        while any(HANG in text for text in texts):
            pass
        return pa.record_batch([pa.array([len(text) for text in texts], pa.int64())], schema=SCHEMA)

    return measure
