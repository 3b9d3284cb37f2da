"""Transforms for the tests: plain ones, and those that do everything wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa


def halves(rows: pa.RecordBatch, *, mark: str = "") -> list[list[str]]:
    """The text in two, each with a mark."""
    texts = rows.column("text").to_pylist()
    return [[f"{mark}{text[: len(text) // 2]}", f"{mark}{text[len(text) // 2 :]}"] for text in texts]


def counted(rows: pa.RecordBatch, *, log: str, mark: str = "New: ") -> list[str]:
    """The text with a mark; the pages of every call are noted in the folder ``log``."""
    with open(os.path.join(log, "calls"), "a", encoding="utf-8") as file:
        file.write(f"{rows.num_rows}\n")
    return [mark + text for text in rows.column("text").to_pylist()]


def variants(rows: pa.RecordBatch, *, kinds: list[str]) -> list[list[str]]:
    """For each kind the text with that at its end, or of ``another`` the text backwards."""
    made = []
    for text in rows.column("text").to_pylist():
        backwards = " ".join(text.split()[::-1])
        made.append([f"{backwards if 'another' in kind else text} {kind}".strip() for kind in kinds])
    return made


def languages(rows: pa.RecordBatch) -> list[str]:
    return [f"{row['language']} {row['title']} {row['url']} {len(row['text'])}" for row in rows.to_pylist()]


def nothing(rows: pa.RecordBatch) -> list[None]:
    return [None] * rows.num_rows


def as_asked(rows: pa.RecordBatch) -> list[Any]:
    """The answer that each text asks for."""
    return [_one(text) for text in rows.column("text").to_pylist()]


def _one(text: str) -> Any:
    if text == "raise":
        raise ValueError("asked to raise")
    if text == "die":
        os._exit(3)
    if text == "hang":
        time.sleep(1000)
    answers: dict[str, Any] = {
        "nothing": None,
        "empty": " \n",
        "parent": text,
        "twice": ["same", "same", "other"],
        "million": (str(n) for n in range(1_000_000)),
        "endless": iter(lambda: "again", None),
        "long": ["x" * 3000],
        "invalid": b"\xff\xfe",
        "surrogate": "\ud800",
        "number": [1.5],
        "late": _late(),
        "print": "said",
    }
    if text == "print":
        print("this is no frame", flush=True)
    return answers.get(text, [f"{text} again"])


def _late() -> Iterator[str]:
    yield "first"
    raise ValueError("asked to raise late")


def too_many(rows: pa.RecordBatch) -> list[str]:
    return ["x"] * (rows.num_rows + 1)
