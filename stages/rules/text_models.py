"""Supervised fastText models: the settings in a file, the labels it knows, and the part of a text it reads.

For `language`, `labels` and classifiers of quality. Labels are read from the dictionary of the file alone, so that a
model of gigabytes is asked for them without being loaded. Price: a microsecond a word of the dictionary.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import fasttext

from stages.formats.fasttext_model import Model
from stages.kernels.columns.ragged import Bytes

LARGE_BYTES = 256 << 20
"""Bytes of a model from which on it is checked to its end only when it is loaded."""
Predict = Callable[[bytes, int, float, str], list[tuple[float, str]]]
"""(line, k, threshold, 'strict') -> [(probability, label)], best first."""

PREFIX = "__label__"
MAGIC, FORMAT, SUPERVISED = 793712314, 12, 3
HEAD_BYTES = 64
"""Two numbers that identify the format, twelve settings, and one more in double precision."""
_SIZES = struct.Struct("<iiiqq")
_LABEL = 1


def check_header(path: str) -> None:
    """Whether a file is a supervised fastText model of a version that can be read, by its first bytes.

    Raises:
        ValueError: it is not.
        OSError: it is not there.
    """
    with open(path, "rb") as file:
        head = file.read(40)
    numbers = struct.unpack("<10i", head) if len(head) == 40 else (0,) * 10
    if numbers[0] != MAGIC:
        raise ValueError(f"expected a supervised fastText model, found another kind of file: {path}")
    if numbers[1] > FORMAT:
        raise ValueError(f"expected a fastText model of format {FORMAT} or older, found format {numbers[1]}: {path}")
    if numbers[9] != SUPERVISED:
        raise ValueError(f"expected a supervised fastText model, found word vectors without labels: {path}")


def model_labels(path: str) -> tuple[str, ...]:
    """The labels a model knows, without ``__label__``, sorted; read from its dictionary.

    Raises:
        ValueError: the file is no such model, or ends in its dictionary.
        OSError: it is not there.
    """
    state = Path(path).stat()
    return _model_labels(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=32)
def _model_labels(path: str, size: int, changed: int) -> tuple[str, ...]:
    check_header(path)
    with open(path, "rb") as file:
        file.seek(HEAD_BYTES)
        sizes = file.read(_SIZES.size)
        entries = _SIZES.unpack(sizes)[0] if len(sizes) == _SIZES.size else -1
        found: list[str] = []
        held, at = b"", 0
        for _ in range(entries):
            end = held.find(b"\0", at)
            while end < 0 or end + 10 > len(held):  # a word, its count in 8 bytes, its kind in one
                block = file.read(1 << 20)
                if not block:
                    raise ValueError(f"expected a whole fastText model, found one that ends in its dictionary: {path}")
                held, at = held[at:] + block, 0
                end = held.find(b"\0", at)
            if held[end + 9] == _LABEL:
                found.append(held[at:end].decode("utf-8", "replace").removeprefix(PREFIX))
            at = end + 10
    if not found:
        raise ValueError(f"expected a supervised fastText model, found none of its labels: {path}")
    return tuple(sorted(found))


def check_model(path: str) -> None:
    """Whether a file is a supervised fastText model; to its end, if it is none of the very large ones.

    Raises:
        ValueError: it is not.
        OSError: it is not there.
    """
    check_header(path)
    if Path(path).stat().st_size <= LARGE_BYTES:
        Model(path)


def load_model(path: Path) -> Predict:
    """The model's own predict function: (line, k, threshold, 'strict') -> [(probability, label)], best first.

    The Python wrapper around it builds NumPy arrays in a way NumPy 2 refuses, so it is not used. The file is checked by
    our own reader first: the library takes one that is cut off, gives other numbers by it, or ends the process.

    Raises:
        ValueError: the file is no supervised fastText model, or not a whole one.
        OSError: it is not there.
    """
    Model(path)
    try:
        predict: Predict = fasttext.load_model(str(path)).f.predict
        predict(b"text\n", 1, 0.0, "strict")
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"expected a supervised fastText model, found {path}: {error}") from error
    return predict


def spread_pieces(data: Bytes, start: int, stop: int, max_bytes: int, pieces: int) -> list[bytes]:
    """A text whole, if it is short, or ``pieces`` of it, spread evenly and cut between characters.

    Args:
        max_bytes: of all pieces together.
    """
    view = data.data
    if stop - start <= max_bytes:
        return [bytes(view[start:stop])] if start < stop else []
    size = max_bytes // pieces
    step = (stop - start - size) / max(pieces - 1, 1)
    found = []
    for k in range(pieces):
        first = start + int(k * step)
        last = min(first + size, stop)
        while first < last and data[first] & 0xC0 == 0x80:
            first += 1
        while last < stop and last > first and data[last] & 0xC0 == 0x80:
            last += 1
        if first < last:
            found.append(bytes(view[first:last]))
    return found
