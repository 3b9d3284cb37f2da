"""Rehydration weights in a file: how often pages of each language and number of copies are repeated.

Written by `gristmill rehydrate --out` (`stages.mixture.rehydrate` has the method), read by grids of domains:

    {"kind": "rehydration", "version": 1, "languages": {"en": [{"first": 1, "last": 1, "repeats": 1}, ...]}}

Sizes rise without a gap from 1; ``last`` is null of the largest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from stages.contract import StageParams

KIND, VERSION = "rehydration", 1


class Sizes(StageParams):
    """Families of ``first`` to ``last`` pages (null: and more), and how often one of them is worth repeating."""

    first: int = Field(ge=1)
    last: int | None = None
    repeats: int = Field(ge=1)


class Weights(StageParams):
    """The content of the file."""

    kind: str
    version: int
    languages: dict[str, tuple[Sizes, ...]] = Field(min_length=1)

    @model_validator(mode="after")
    def _sound(self) -> Weights:
        for language, rows in self.languages.items():
            wanted = 1
            for row in rows:
                if row.first != wanted or (row.last is not None and row.last < row.first) or not rows:
                    raise ValueError(f"{language}: expected sizes from {wanted} on, found {row.first} to {row.last}")
                wanted = (row.last or row.first) + 1
            if not rows or rows[-1].last is not None or any(row.last is None for row in rows[:-1]):
                raise ValueError(f"{language}: expected sizes up to all larger ones (last: null)")
        return self


def text_of(languages: Mapping[str, Sequence[Mapping[str, int | None]]]) -> str:
    """The file, from rows with ``first``, ``last`` and ``repeats``."""
    return json.dumps({"kind": KIND, "version": VERSION, "languages": dict(languages)}, indent=1) + "\n"


def read_weights(path: str) -> Weights:
    """The weights in a file.

    Raises:
        ValueError: it holds something else, or of another version.
        OSError: it is not there.
    """
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        raw = None
    if not isinstance(raw, dict) or raw.get("kind") != KIND:
        raise ValueError(f"expected weights as `gristmill rehydrate --out` writes them, found something else: {path}")
    if raw.get("version") != VERSION:
        raise ValueError(f"expected weights of version {VERSION}, found version {raw.get('version')}: {path}")
    try:
        return Weights.model_validate(raw)
    except ValidationError as error:
        mistake = error.errors()[0]
        place = ".".join(map(str, mistake["loc"]))
        raise ValueError(f"{path}: {place or 'languages'}: {mistake['msg'].removeprefix('Value error, ')}") from error
