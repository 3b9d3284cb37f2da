"""Looking for benchmarks in pages: speed against many items, and the memory of a worker that does it.

    python -m benchmarks.decontamination speed FILE [FILE ...] --items FILE [FILE ...] [--folder FOLDER] [--rounds 5]
    python -m benchmarks.decontamination memory FILE --items FILE [FILE ...] [--folder FOLDER]

FILE: Parquet with a column ``text``, or JSON lines. Made are `FILES` benchmarks of `ITEMS` items each: questions of 12
to 72 words and four choices, from a chain of order two over the words of other items (``--items``, JSON lines); they
stay in the folder. `speed`: processor seconds of one thread, the median of
rounds, of `overlaps` against them and against an index of one item, of its document-frequency part alone, and of
`signatures`, all in turn in one process (SHA-256 of the same bytes tells how fast the machine is); status 1 where
`overlaps` does less than ``--least`` MB/s of a file. `memory`: the peak of resident memory (VmHWM) of a fresh process
that measures one file as a map task does; status 1 above ``--most`` MiB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from pipeline.engine.process import prepare_process
from pipeline.run import map_task
from pipeline.store.storage import Store
from stages import overlaps, schemas, signatures
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.words.folded_words import fold_words
from stages.kernels.words.known_words import KnownWords
from stages.rules import contamination, known_items
from stages.rules.row_files import rows

FILES, ITEMS = 20, 10_000
QUESTION_WORDS, CHOICE_WORDS, CHOICES = (12, 73), (2, 12), 4
BATCH_PAGES = 1024


def items_of(paths: list[str]) -> list[str]:
    """Texts that the chain is made of."""
    found = []
    for path in paths:
        for row in rows(path):
            parts = [row.get("passage"), row.get("question"), *(row.get("choices") or ()), row.get("solution")]
            found.append(" ".join(part for part in parts if isinstance(part, str)))
    return found


class Chain:
    """Words drawn by the two before them, many sequences at once."""

    def __init__(self, texts: list[str]) -> None:
        split = [text.split() for text in texts]
        vocabulary = sorted({word for one in split for word in one})
        number = {word: at for at, word in enumerate(vocabulary)}
        self.words = np.array(vocabulary, object)
        stream = np.array([number[word] for one in split for word in one], np.int64)
        pairs = stream[:-2] * len(vocabulary) + stream[1:-1]
        order = np.argsort(pairs, kind="stable")
        self.pairs, self.following = pairs[order], stream[2:][order]

    def drawn(self, draw: np.random.Generator, sequences: int, words: int) -> Any:
        """(sequences, words) words."""
        found = np.empty((sequences, words), np.int64)
        pair = self.pairs[draw.integers(len(self.pairs), size=sequences)]
        found[:, 0] = pair // len(self.words)
        if words > 1:
            found[:, 1] = pair % len(self.words)
        for at in range(2, words):
            first = np.searchsorted(self.pairs, pair, "left")
            behind = np.searchsorted(self.pairs, pair, "right")
            lost = behind == first  # the last words of all
            first[lost], behind[lost] = 0, len(self.pairs)
            found[:, at] = self.following[draw.integers(first, behind)]
            pair = found[:, at - 1] * len(self.words) + found[:, at]
        return self.words[found]


def made(folder: Path, paths: list[str], files: int, items: int) -> contamination.Benchmarks:
    """The benchmarks, written unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    targets = [folder / f"made-{files}-{items}-{number}.jsonl" for number in range(files)]
    if not targets[-1].exists():
        chain = Chain(items_of(paths))
        for number, target in enumerate(targets):
            draw = np.random.default_rng(number)
            questions = chain.drawn(draw, items, QUESTION_WORDS[1])
            choices = chain.drawn(draw, items * CHOICES, CHOICE_WORDS[1]).reshape(items, CHOICES, -1)
            sizes, of_choices = draw.integers(*QUESTION_WORDS, size=items), draw.integers(*CHOICE_WORDS, size=items)
            with target.open("w") as file:
                for row in range(items):
                    text = " ".join(questions[row, : sizes[row]])
                    given = [" ".join(choice[: of_choices[row]]) for choice in choices[row]]
                    file.write(json.dumps({"question": text, "choices": given, "answer": row % CHOICES}) + "\n")
    return contamination.Benchmarks(files=tuple(contamination.Benchmark(path=str(target)) for target in targets))


def batches(path: str) -> Iterator[pa.RecordBatch]:
    """The texts of a file as `documents` has them."""
    texts = (row["text"] for row in rows(path, ("text",)))
    while part := list(islice(texts, BATCH_PAGES)):
        names = [xxhash.xxh3_128_digest(text.encode()) for text in part]
        columns = {"doc_id": pa.array(names, schemas.DOC_ID), "text_hash": pa.array(names, schemas.DOC_ID)}
        yield pa.record_batch({**columns, "text": pa.array(part, pa.large_string())})


def frequencies(known: known_items.KnownItems) -> Callable[[pa.RecordBatch], Any]:
    """Work of counting the pages that have each word: the words of the pages in the sample, looked up."""
    words_known = KnownWords(known.words_V)

    def counted(batch: pa.RecordBatch) -> Any:
        texts = batch.column("text").filter(pa.array(overlaps.sampled_pages(batch.column("text_hash"))))
        words = fold_words(*text_buffers(texts))
        return words_known.of_texts(words.hashes_W, words.offsets_D1, np.ones(len(texts), np.bool_))

    return counted


def speed(given: argparse.Namespace) -> int:
    """Print MB/s of each file; the status."""
    many = made(Path(given.folder), given.items, given.files, given.num_items)
    one = made(Path(given.folder), given.items, 1, 1)
    before = time.process_time()
    known = known_items.load(many)
    print(f"{len(known.own_T):,} words of items, loaded in {time.process_time() - before:.1f} s")
    jobs: dict[str, Callable[[pa.RecordBatch], Any]] = {
        "overlaps": overlaps.prepare(many),
        "one item": overlaps.prepare(one),
        "frequencies": frequencies(known),
        "signatures": signatures.prepare(signatures.Params()),
        "sha256": lambda batch: hashlib.sha256(batch.column("text").buffers()[2]).digest(),
    }
    slow = False
    print(f"{'MB/s':<24}{'MB':>8}" + "".join(f"{name:>13}" for name in jobs))
    for path in given.pages:
        pages = list(batches(path))
        size = sum(len(batch.column("text").buffers()[2]) for batch in pages) / 1e6
        spent: dict[str, list[float]] = {name: [] for name in jobs}
        for turn in range(given.rounds + 1):
            for name, job in jobs.items():
                before = time.process_time()
                for batch in pages if turn else pages[:1]:
                    job(batch)
                spent[name].append(time.process_time() - before)
        rates = {name: size / statistics.median(seconds[1:]) for name, seconds in spent.items()}
        name = f"{Path(path).parent.name}/{Path(path).name}"
        print(f"{name:<24}{size:>8.1f}" + "".join(f"{rate:>13.0f}" for rate in rates.values()), flush=True)
        slow |= rates["overlaps"] < given.least
    return int(slow)


def memory(given: argparse.Namespace) -> int:
    """Print what a worker held at each step; the status."""
    many = made(Path(given.folder), given.items, given.files, given.num_items)
    store = Store(given.folder)
    peak = 0.0
    compiled = overlaps.prepare(made(Path(given.folder), given.items, 1, 1))
    for batch in islice(batches(given.pages[0]), 1):
        compiled(batch)  # else the first worker ever holds the compiler too
    for path in given.pages:
        pages = batches(path)
        first = next(pages)
        with store.table_writer("pages.parquet", first.schema) as writer:
            for batch in chain([first], pages):
                writer.write(batch)
        command = [sys.executable, "-c", WORKER, many.model_dump_json(), given.folder]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(f"{Path(path).parent.name}/{Path(path).name}\n{output}", end="")
        peak = max(peak, *(float(line.split()[-1]) for line in output.splitlines()))
    return int(peak > given.most)


WORKER = """
import sys
from benchmarks.decontamination import worker
worker(*sys.argv[1:])
"""


def worker(params: str, folder: str) -> None:
    """Measure the pages that stand there, and print the memory resident now and at the peak, in MiB, at each step."""
    prepare_process()
    _say("loaded")
    measure = map_task.prepared("stages.overlaps", json.loads(params))
    for number, batch in enumerate(map_task.stored_batches(Store(folder), "pages.parquet")):
        measure(batch)
        del batch  # as a map task does
        if number == 0:
            _say("first batch")
    _say("all batches")


def _say(step: str) -> None:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    kinds = {name: int(status[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile", "VmRSS", "VmHWM")}
    print(f"{step:<12}" + "".join(f"  {name} {mib:.0f}" for name, mib in kinds.items()), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=("speed", "memory"))
    parser.add_argument("pages", nargs="+")
    parser.add_argument("--items", nargs="+", required=True, help="JSON lines of items")
    parser.add_argument("--folder", default="/tmp/gristmill-items")
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--num-items", type=int, default=ITEMS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least", type=float, default=0.0)
    parser.add_argument("--most", type=float, default=512.0)
    given = parser.parse_args()
    return speed(given) if given.question == "speed" else memory(given)


if __name__ == "__main__":
    raise SystemExit(main())
