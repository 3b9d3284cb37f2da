"""`scores`: numbers of heavier models, each a function of a batch of texts; one column a scorer, one row a page.

For whom: whoever has a model of quality of their own (a small transformer, an embedding, a language model) and wants
its number beside the pages: `kept` takes ``below_min_x_score``, domains take ranges and percentiles of it, as of any
column. A scorer is named ``module:function`` in the mixture file:

    def score(texts: pa.LargeStringArray, **params) -> pa.Array | np.ndarray    # one number a text

It is called with batches of the pages of a split, and loads what it needs at its first call (`functools.lru_cache`):
processes are used again for the next split, so a model is loaded once a process, as in an actor. ``gpus`` reserves a
GPU or a share of one for each process; without it, one CPU. NaN becomes null: not measured, which fails no rule.

A product of its own, apart from `quality`: another scorer, or a new model of one, leaves all other measurements alone.
What decides: the source of the function's module, its `params`, and the content of the files that these name.
`stages.scorers.byte_model` is an example that needs no GPU. Price: what the function costs, and one read of the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, field_validator

from stages.contract import Gpus, StageParams, Store
from stages.formats.file_states import check_digests, is_file
from stages.rules import own_functions

VERSION = 1


class Scorer(StageParams):
    """One function to apply: `NAME` gives the column `NAME_score`."""

    function: str
    """As `module:function`, the module beside this file or installed ([extending.md](extending.md))."""
    params: dict[str, Any] = Field(default={})
    """Its arguments by name. Text with a known suffix, or with a slash and below a folder that is there, is a path,
    relative to the mixture file; so is any that begins with ``./``."""
    gpus: Gpus = 0
    """GPUs a process reserves; 0.25: four share one."""
    memory: int = Field(default=2 << 30, ge=1)
    """Bytes of memory a process reserves."""
    batch: int = Field(default=1024, ge=1)
    """Texts given at once."""

    def deciding(self) -> dict[str, Any]:
        """The settings that decide the numbers: not where files lie, nor what is reserved."""
        plain = {key: value for key, value in self.params.items() if not is_file(value)}
        return {"function": self.function, "params": plain}

    _named = field_validator("function")(own_functions.checked)


class Params(StageParams):
    """Section `scores`: scorers of the user's own, by name."""

    scorers: dict[str, Scorer] = Field(default={})

    @field_validator("scorers")
    @classmethod
    def _sorted(cls, scorers: dict[str, Scorer]) -> dict[str, Scorer]:
        for name in scorers:
            if not name.isidentifier():
                raise ValueError(f"expected letters, digits and _ in the name of a scorer, found {name!r}")
        return dict(sorted(scorers.items()))


def schema(params: Params) -> pa.Schema:
    """The columns of the scorers."""
    return pa.schema([pa.field(f"{name}_score", pa.float64()) for name in params.scorers])


def identity(params: Params) -> dict[str, Any]:
    """SHA-256 of each scorer's module source and of every file that its arguments name.

    Raises:
        ValueError: the module or the function is not there.
    """
    return {name: own_functions.identity(scorer.function, scorer.params) for name, scorer in params.scorers.items()}


def score(
    store: Store,
    *,
    documents: str,
    output: str,
    params: dict[str, Any],
    digests: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Job: the scores of one split. Returns the report of the file.

    Args:
        digests: of the files that the settings name (`stages.formats.file_states`).

    Raises:
        ValueError: where a scorer does not give one number a text, or a file was replaced.
    """
    settings = Params(**params)
    columns = schema(settings)
    batch_size = max((scorer.batch for scorer in settings.scorers.values()), default=1)
    with store.open(documents) as file, store.table_writer(output, columns) as writer:
        for batch in pq.ParquetFile(file).iter_batches(batch_size, columns=["text"]):
            arrays = [numbers(name, scorer, batch.column("text")) for name, scorer in settings.scorers.items()]
            writer.write(pa.RecordBatch.from_arrays(arrays, schema=columns))
        check_digests(digests)
        report = {"rows": writer.rows, "doc_ids": store.metadata(documents)["doc_ids"]}
        writer.report = report
    return report


def numbers(name: str, scorer: Scorer, texts: pa.Array) -> pa.Array:
    """Numbers that a scorer gives to some texts, ``batch`` at a time."""
    texts = texts.cast(pa.large_string())
    found = []
    for start in range(0, len(texts), scorer.batch):
        part = texts.slice(start, scorer.batch)
        values = own_functions.load(scorer.function, scorer.params)(part, **scorer.params)
        try:
            array = values if isinstance(values, pa.Array) else pa.array(np.asarray(values, np.float64))
            plain = np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False))
        except (TypeError, ValueError, pa.ArrowException) as error:
            raise ValueError(f"scorer {name}: expected {len(part)} numbers, one a text: {error}") from error
        if len(array) != len(part):
            raise ValueError(f"scorer {name}: expected {len(part)} numbers, one a text, found {len(array)}")
        found.append(pa.array(plain, mask=np.isnan(plain)))
    return pa.concat_arrays(found) if found else pa.array([], pa.float64())
