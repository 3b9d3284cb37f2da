"""Supervised fastText model files, ``.bin`` and ``.ftz``: mapped, checked, and asked (`stages.kernels.fasttext`).

Layout (little endian; format 12, and 11 without character n-grams): magic and version; the arguments, twelve int32 and
a double; the dictionary: numbers of entries, of words and of labels, int64 numbers of tokens and of kept buckets (-1:
all), entries (`kernels.fasttext.tables`), pairs (bucket, row) of int32; a byte: quantised; the input matrix; a byte:
output quantised; the output matrix. A matrix is two int64 and its float32; a quantised one a byte (norms apart), the
sizes, an int32, its codes and a product quantiser, and codes and quantiser of its norms.

All losses (softmax, hierarchical softmax, negative sampling, one against all). The input matrix stays in the mapped
file: processes on a machine share it, and pages of it that nothing asks for are never read. Made in memory are
tables of the words (41 bytes a word), of the kept buckets, the output matrix, and a quantised input matrix of no more
than `MOST_EXPANDED` bytes as floats (lid.176.ftz: 3 MB). Price: 4 s and 300 MB a million words.

Whatever a file says is checked before it is believed: one line names the file and what is wrong with it.
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets, read_only
from stages.kernels.fasttext import inference, tables

MAGIC, FORMATS, SUPERVISED = 793712314, (11, 12), 3
LOSSES = (inference.HIERARCHICAL, inference.NEGATIVE, inference.SOFTMAX, inference.ONE_VS_ALL)
LABEL, END = b"__label__", b"</s>"
MOST = 1 << 31
"""No size in a model is as large."""
MOST_N, MOST_BUCKETS = 64, 1 << 28
"""Larger ones would only make texts slow to read: published models have 6 and 2,000,000 at most."""
CENTROIDS = 256
MOST_EXPANDED = 32 << 20
"""Bytes up to which a quantised input matrix is made floats in memory."""
_NO_COUNT = 10**15
_ARGUMENTS = (
    "dim",
    "ws",
    "epoch",
    "min_count",
    "neg",
    "word_ngrams",
    "loss",
    "model",
    "bucket",
    "min_n",
    "max_n",
    "rate",
)


class ModelError(ValueError):
    """A file that is no supervised fastText model, or not a whole one."""


@dataclass(frozen=True)
class Matrix:
    """Place of a matrix: of a plain one ``at`` is the place of its floats, of a quantised one that of its codes."""

    rows: int
    columns: int
    at: int
    end: int
    centroids: npt.NDArray[np.float32] | None = None
    sub: int = 1
    """Floats that a code stands for; of the last one of a row `last`."""
    last: int = 1
    norms_at: int = -1
    norms: npt.NDArray[np.float32] | None = None


Found = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]
"""Numbers of labels and their probabilities, (D, K)."""


class Reader:
    """The bytes of a model file, and how far they are read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            size = file.seek(0, 2)
            mapped: Any = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) if size else b""
        self.raw: Bytes = read_only(np.frombuffer(mapped, np.uint8))
        self.at = 0

    def fail(self, why: str) -> NoReturn:
        raise ModelError(f"expected a supervised fastText model, found {self.path}: {why}")

    def skip(self, size: int) -> int:
        """Pass over so many bytes; where they begin."""
        first = self.at
        if not 0 <= size <= len(self.raw) - first:
            self.fail(f"it ends at byte {len(self.raw)}, and {size} more from byte {first} on were to follow: cut off?")
        self.at += size
        return first

    def take(self, layout: str) -> tuple[Any, ...]:
        size = struct.calcsize(layout)
        first = self.skip(size)
        return struct.unpack(layout, self.raw[first : first + size].tobytes())

    def array(self, dtype: npt.DTypeLike, count: int) -> npt.NDArray[Any]:
        """A copy of so many numbers: they need not stand at a multiple of their size."""
        first = self.skip(count * np.dtype(dtype).itemsize)
        return np.frombuffer(self.raw[first : self.at].tobytes(), dtype)

    def size_of(self, what: str, value: int, least: int = 0) -> int:
        if not least <= value < MOST:
            self.fail(f"{what} is {value} before byte {self.at}")
        return value


def read_arguments(file: Reader) -> dict[str, int]:
    """The arguments that a model was trained with."""
    if len(file.raw) < 8 or file.take("<i")[0] != MAGIC:
        file.fail("another kind of file")
    version = file.take("<i")[0]
    if version not in FORMATS:
        file.fail(f"its format is {version}, and formats {FORMATS[0]} and {FORMATS[1]} are known")
    found = dict(zip(_ARGUMENTS, file.take("<12i"), strict=True))
    file.take("<d")
    if found["model"] != SUPERVISED:
        file.fail("word vectors without labels")
    if version == 11:
        found["max_n"] = 0
    if found["loss"] not in LOSSES:
        file.fail(f"its loss is {found['loss']}")
    file.size_of("dim", found["dim"], 1)
    if not (found["word_ngrams"] <= MOST_N and found["max_n"] <= MOST_N):
        file.fail(f"n-grams of {found['word_ngrams']} words or {found['max_n']} characters")
    if (found["max_n"] > 0 or found["word_ngrams"] > 1) and not 1 <= found["bucket"] <= MOST_BUCKETS:
        file.fail(f"n-grams have {found['bucket']} buckets")
    return found


def read_matrix(file: Reader, quantised: bool) -> Matrix:
    norm = bool(file.take("<?")[0]) if quantised else False
    rows, columns = (file.size_of("a size of a matrix", n, 1) for n in file.take("<2q"))
    if not quantised:
        first = file.skip(4 * rows * columns)
        return Matrix(rows, columns, first, file.at)
    codes = file.take("<i")[0]
    first = file.skip(file.size_of("the size of codes", codes))
    centroids, subs, sub, last = _quantiser(file, columns)
    if codes != rows * subs:
        file.fail(f"{rows} rows of {subs} codes, and {codes} codes")
    if not norm:
        return Matrix(rows, columns, first, file.at, centroids, sub, last)
    norms_at = file.skip(rows)
    norms = _quantiser(file, 1)[0]
    return Matrix(rows, columns, first, file.at, centroids, sub, last, norms_at, norms)


def _quantiser(file: Reader, columns: int) -> tuple[npt.NDArray[np.float32], int, int, int]:
    dim, subs, sub, last = file.take("<4i")
    if dim != columns or sub < 1 or subs != -(-dim // sub) or last != dim - (subs - 1) * sub:
        file.fail(f"a quantiser of {dim} columns in {subs} parts of {sub}, the last of {last}, for {columns} columns")
    return file.array("<f4", dim * CENTROIDS), subs, sub, last


def dense(file: Reader, matrix: Matrix) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """A matrix in memory, and the norm of every row that its values are yet to be multiplied by."""
    ones = np.ones(matrix.rows, np.float32)
    if matrix.centroids is None:
        raw = file.raw[matrix.at : matrix.at + 4 * matrix.rows * matrix.columns].tobytes()
        return np.frombuffer(raw, "<f4").reshape(matrix.rows, matrix.columns), ones
    subs = -(-matrix.columns // matrix.sub)
    codes = file.raw[matrix.at : matrix.at + matrix.rows * subs].reshape(matrix.rows, subs).astype(np.int64)
    values = np.empty((matrix.rows, matrix.columns), np.float32)
    for part in range(subs):
        size = matrix.last if part == subs - 1 else matrix.sub
        first = part * CENTROIDS * matrix.sub
        table = matrix.centroids[first : first + CENTROIDS * size].reshape(CENTROIDS, size)
        values[:, part * matrix.sub : part * matrix.sub + size] = table[codes[:, part]]
    if matrix.norms is not None:
        ones = matrix.norms[file.raw[matrix.norms_at : matrix.norms_at + matrix.rows]]
    return values, ones


def expanded(file: Reader, matrix: Matrix) -> Bytes:
    """The floats of a quantised matrix, as bytes: to add a row is then two instructions, else a look-up a code."""
    values, norms = dense(file, matrix)
    with np.errstate(all="ignore"):  # a file may hold what is no number
        return (values * norms[:, None]).reshape(-1).view(np.uint8)


def huffman(file: Reader, counts: list[int]) -> npt.NDArray[np.int32]:
    """tree_N3 of labels with these counts, in falling order: the two rarest are joined until one node is left."""
    leaves = len(counts)
    tree = np.full((2 * leaves - 1, 3), -1, np.int32)
    weights = [*counts, *[_NO_COUNT] * (leaves - 1)]
    leaf, node = leaves - 1, leaves
    for new in range(leaves, 2 * leaves - 1):
        for side in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                chosen, leaf = leaf, leaf - 1
            else:
                chosen, node = node, node + 1
            if chosen >= new:
                file.fail("the counts of its labels make no tree")
            tree[new, side], tree[chosen, 2] = chosen, new
        weights[new] = weights[tree[new, 0]] + weights[tree[new, 1]]
    return tree


def sigmoids() -> npt.NDArray[np.float32]:
    """The logistic function at 513 places from -8 to 8, as float32 of the library's table."""
    return np.array([1.0 / (1.0 + float(np.float32(math.exp(8 - k / 32)))) for k in range(513)], np.float32)


class Model:
    """A model file, mapped. Its functions may be called by several threads: what they write is their own.

    Attributes:
        labels: in the order of their numbers, with ``__label__``.
    """

    def __init__(self, path: str | Path) -> None:
        """Map and check a file.

        Raises:
            ModelError: it is no supervised model, or says what cannot be.
            OSError: it cannot be read.
        """
        file = Reader(Path(path))
        found = read_arguments(file)
        words, kept = self._dictionary(file)
        matrix = read_matrix(file, quantised := bool(file.take("<?")[0]))
        quantised_output = bool(file.take("<?")[0])
        output = read_matrix(file, quantised and quantised_output)
        self._check(file, found, matrix, output, kept)
        grams = inference.ALL if kept is None else inference.SOME
        self._grams = tuple(map(read_only, tables.kept_buckets(np.empty((0, 2), np.int32) if kept is None else kept)))
        centroids, norms = (np.empty(0, np.float32) if a is None else a for a in (matrix.centroids, matrix.norms))
        shape = [found[name] for name in ("dim", "bucket", "min_n", "max_n", "word_ngrams", "loss")]
        floats = expanded(file, matrix) if quantised and 4 * matrix.rows * matrix.columns <= MOST_EXPANDED else None
        at = matrix.at if floats is None else 0
        shape += [self._num_words, len(self.labels), grams, at, int(quantised and floats is None)]
        shape += [-(-matrix.columns // matrix.sub), matrix.sub, matrix.last, matrix.norms_at]
        shape.append(max(8, inference.NEAR // found["dim"]))
        source: tuple[npt.NDArray[Any], ...] = (
            file.raw,
            file.raw if floats is None else floats,
            np.array(shape, np.int64),
            centroids,
            norms,
        )
        self._source = tuple(map(read_only, source))
        arrays: tuple[npt.NDArray[Any], ...] = (
            words.starts_W,
            words.ends_W,
            words.hashes_W,
            words.kinds_W,
            words.slots_T,
        )
        self._words = tuple(map(read_only, arrays))
        self._marks = tuple(read_only(np.frombuffer(mark, np.uint8)) for mark in (LABEL, END))
        values, scales = dense(file, output)
        hierarchical = found["loss"] == inference.HIERARCHICAL
        none = np.empty((0, 0), np.float32)
        tree = huffman(file, words.counts_W[self._num_words :].tolist()) if hierarchical else np.empty((0, 3), np.int32)
        weights = (none, values) if hierarchical else (np.ascontiguousarray(values.T), none)
        self._output = tuple(map(read_only, (*weights, scales, tree, sigmoids())))
        self._many = found["word_ngrams"] > 1

    def _dictionary(self, file: Reader) -> tuple[tables.Words, npt.NDArray[np.int32] | None]:
        """Words and labels, and the pairs (bucket, row) of a pruned model; None of one that has all buckets."""
        size, num_words, num_labels = file.take("<3i")
        num_kept = file.take("<2q")[1]
        if num_words < 0 or num_labels < 1 or num_words + num_labels != size:
            file.fail(f"{num_words} words and {num_labels} labels are {size} entries")
        if size * tables.ENTRY_BYTES > len(file.raw) - file.at:
            file.fail(f"{size} entries of a dictionary do not fit into the rest of the file: cut off?")
        words = tables.read_words(file.raw, file.at, size)
        if words.end < 0:
            file.fail("its dictionary is cut off")
        file.at = words.end
        if words.kinds_W[:num_words].any() or not (words.kinds_W[num_words:] == 1).all():
            file.fail("its dictionary has words among its labels")
        self._num_words = num_words
        spans = zip(words.starts_W[num_words:].tolist(), words.ends_W[num_words:].tolist(), strict=True)
        self.labels = [file.raw[first:last].tobytes().decode("utf-8", "replace") for first, last in spans]
        if num_kept < 0:
            return words, None
        kept = file.array("<i4", 2 * file.size_of("the number of kept buckets", num_kept)).reshape(-1, 2)
        return words, kept

    def _check(
        self, file: Reader, found: dict[str, int], matrix: Matrix, output: Matrix, kept: npt.NDArray[np.int32] | None
    ) -> None:
        """That every row that can be asked for is there."""
        if not found["dim"] == matrix.columns == output.columns:
            file.fail(f"vectors of {found['dim']}, {matrix.columns} and {output.columns} floats")
        if output.rows < len(self.labels):
            file.fail(f"{len(self.labels)} labels, and {output.rows} rows of output")
        uses = found["max_n"] > 0 or found["word_ngrams"] > 1
        grams = found["bucket"] if uses and kept is None else 0
        if kept is not None and len(kept):
            grams = int(kept[:, 1].max()) + 1
            if kept.min() < 0 or kept[:, 0].max() >= max(found["bucket"], 0):
                file.fail(f"kept buckets outside its {found['bucket']} buckets")
        if matrix.rows < self._num_words + grams:
            file.fail(f"{self._num_words} words and {grams} n-grams, and {matrix.rows} rows of input")

    def predict(
        self, data: Bytes, offsets: Offsets, most: int
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """The best labels of every text of (data, offsets), and their probabilities.

        A text is one line: line breaks are white space.

        Args:
            most: labels of each text, K.

        Returns:
            numbers of labels (D, K), best first, -1 where there are no more, and probabilities (D, K): as the library
            has them, up to 0.00001 too large. A text without a known word or n-gram has no label.
        """
        most = min(most, len(self.labels))
        best, scores = np.empty((len(offsets) - 1, most), np.int32), np.empty((len(offsets) - 1, most), np.float32)
        arguments = (self._source, self._words, self._grams, self._marks, self._output, self._room(offsets))
        inference.predict(data, offsets, *arguments, best, scores)
        return best, scores

    def probabilities(self, data: Bytes, offsets: Offsets, label: int) -> npt.NDArray[np.float32]:
        """The probability of one label, by its number, for every text (D); 0 where the model leaves it out."""
        scores = np.empty(len(offsets) - 1, np.float32)
        arguments = (self._source, self._words, self._grams, self._marks, self._output, self._room(offsets))
        inference.probabilities(data, offsets, label, *arguments, scores)
        return scores

    def _room(self, offsets: Offsets) -> tuple[Any, ...]:
        """Buffers in which the kernels work."""
        longest = int(np.diff(offsets).max()) if self._many and len(offsets) > 1 else 0
        nodes = 2 * len(self.labels) + 2
        return (
            np.zeros((inference.MEMO, 4), np.int64),
            np.empty(inference.MEMO_ROWS, np.int32),
            np.zeros(1, np.int64),
            np.empty(longest // 2 + 2, np.uint32),
            np.empty(inference.ROOM, np.int32),
            np.empty(int(self._source[2][inference.DIM]), np.float32),
            np.zeros(1, np.int64),
            np.empty(len(self.labels), np.float32),
            np.empty(nodes, np.int32),
            np.empty(nodes, np.float32),
        )
