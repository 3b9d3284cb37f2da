"""fastText's supervised inference the slow way: from the model as numbers, in float64; and by the library, whose order
of float32 sums `stages.kernels.fasttext` keeps."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

CENTROIDS = 256
_WORD = re.compile(rb"[^ \t\n\v\f\r\0]+")


def library(path: Path) -> Any:
    """The library's own predict: (line with a line break, k, 0.0, "strict") -> [(probability, label)], best first."""
    import fasttext

    return fasttext.load_model(str(path)).f.predict


class SlowModel:
    """A model file read into Python's own types."""

    def __init__(self, path: Path) -> None:
        self.data, self.at = path.read_bytes(), 0
        self._take("<2i")
        (self.dim, _, _, _, _, self.word_ngrams, self.loss, _, self.bucket, self.min_n, self.max_n, _) = self._take(
            "<12i"
        )
        self._take("<d")
        size, num_words, _ = self._take("<3i")
        _, num_kept = self._take("<2q")
        self.words: dict[bytes, int] = {}
        self.labels: list[str] = []
        self.counts: list[int] = []
        for number in range(size):
            stop = self.data.index(b"\0", self.at)
            word, self.at = self.data[self.at : stop], stop + 1
            count, kind = self._take("<qb")
            if kind:
                self.labels.append(word.decode())
                self.counts.append(count)
            else:
                self.words[word] = number
        self.num_words = num_words
        self.kept = None if num_kept < 0 else dict(self._take("<2i") for _ in range(num_kept))
        (quantised,) = self._take("<?")
        self.input = self._matrix(quantised)
        (quantised_output,) = self._take("<?")
        self.output = self._matrix(quantised and quantised_output)

    def _take(self, layout: str) -> Any:
        found = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return found

    def _matrix(self, quantised: bool) -> np.ndarray:
        if not quantised:
            rows, columns = self._take("<2q")
            return np.array(self._take(f"<{rows * columns}f")).reshape(rows, columns)
        norm, rows, columns, size = (*self._take("<?"), *self._take("<2q"), *self._take("<i"))
        codes = np.array(self._take(f"<{size}B")).reshape(rows, -1)
        values = self._decoded(codes)
        assert values.shape == (rows, columns)
        if norm:
            values = values * self._decoded(np.array(self._take(f"<{rows}B")).reshape(rows, 1))
        return values

    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        dim, subs, sub, last = self._take("<4i")
        centroids = list(self._take(f"<{dim * CENTROIDS}f"))
        rows = []
        for row in codes.tolist():
            values: list[float] = []
            for part, code in enumerate(row):
                width = last if part == subs - 1 else sub
                first = part * CENTROIDS * sub + code * width
                values += centroids[first : first + width]
            rows.append(values)
        return np.array(rows)

    def _gram(self, bucket: int) -> list[int]:
        if self.kept is None:
            return [self.num_words + bucket]
        return [self.num_words + self.kept[bucket]] if bucket in self.kept else []

    def rows(self, text: bytes) -> list[int]:
        """The rows of the input matrix that a text asks for, in the library's order."""
        words: list[bytes] = []
        for word in _WORD.findall(text):
            if word == b"</s>":
                break
            words.append(word)
        found, hashes = [], []
        for word in [*words, b"</s>"]:
            label = word.decode("latin-1").startswith("__label__")
            if label and word not in self.words:
                continue
            hashes.append(fnv(word))
            found += [self.words[word]] if word in self.words else []
            if word != b"</s>" and self.max_n > 0:
                for gram in self.character_ngrams(b"<" + word + b">"):
                    found += self._gram(fnv(gram) % self.bucket)
        for first in range(len(hashes)):
            value = signed(hashes[first])
            for other in hashes[first + 1 : first + self.word_ngrams]:
                value = (value * 116049371 + signed(other)) % 2**64
                found += self._gram(value % self.bucket)
        return found

    def character_ngrams(self, word: bytes) -> list[bytes]:
        """Of every character of a word the strings from it on; alone neither ``<`` nor ``>``."""
        starts = [k for k, byte in enumerate(word) if byte & 0xC0 != 0x80] + [len(word)]
        found = []
        for k in range(len(starts) - 1):
            for n in range(max(self.min_n, 1), self.max_n + 1):
                if k + n < len(starts) and not (n == 1 and k in (0, len(starts) - 2)):
                    found.append(word[starts[k] : starts[k + n]])
        return found

    def probabilities(self, text: bytes) -> list[float]:
        """Of every label; empty for a text without any row."""
        rows = self.rows(text)
        if not rows:
            return []
        hidden = self.input[rows].mean(axis=0)
        outputs = (self.output @ hidden).tolist()
        if self.loss == 3:
            powers = [math.exp(value - max(outputs)) for value in outputs]
            return [power / sum(powers) for power in powers]
        if self.loss != 1:
            return [rough_logistic(value) for value in outputs]
        return self._leaves([1 / (1 + math.exp(-value)) for value in outputs])

    def _leaves(self, right: list[float]) -> list[float]:
        """Probabilities by the tree in which the two rarest nodes are joined again and again."""
        leaves = list(range(len(self.counts)))[::-1]
        joined: list[tuple[int, int]] = []
        paths: dict[int, list[int]] = {label: [label] for label in leaves}
        shares = [1.0] * len(leaves)
        while len(leaves) + len(joined) > 1:
            pair = []
            for _ in range(2):
                leaf_first = leaves and (not joined or self.counts[leaves[0]] < joined[0][0])
                pair.append((self.counts[leaves[0]], leaves.pop(0)) if leaf_first else joined.pop(0))
            node = len(paths)
            share = right[node - len(self.counts)]
            for (_, below), part in zip(pair, (1 - share, share), strict=True):
                for label in paths[below]:
                    shares[label] *= part
            paths[node] = paths[pair[0][1]] + paths[pair[1][1]]
            joined.append((pair[0][0] + pair[1][0], node))
        return shares


def rough_logistic(value: float) -> float:
    """By a table of steps of 1/32, and 0 and 1 beyond 8."""
    if abs(value) > 8:
        return float(value > 0)
    return 1 / (1 + math.exp(-(math.floor((value + 8) * 32) / 32 - 8)))


def fnv(word: bytes) -> int:
    value = 2166136261
    for byte in word:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) % 2**32
    return value


def signed(value: int) -> int:
    return value - 2**32 if value >= 2**31 else value
