"""Tokens: how fast the whole job is beside the bare libraries, and whether its ids are the reference library's.

    python -m benchmarks.tokens speed wiki.parquet crawl.warc.gz --tokenizers mistral-v1 tekken [--rounds 3]
    python -m benchmarks.tokens agreement data/crawl data/books ... --tokenizers mistral-v1 mistral-v3 tekken unigram

`speed` runs text in, Arrow file out against the encoder it uses, gigatoken and the reference library, each alone, on
the same texts in the same run. A Parquet file needs a string column `text`; of an archive the pages are extracted as a
run would do it. Rounds alternate; printed are megabytes of text per second of CPU of one process (median of the rounds)
and the ratios. The first round of the encoder alone is shown apart, because it knows no words of this text yet. Our own
encoder puts EOS behind each text and writes the ids as the job does; gigatoken does neither. The reference library
is slow and encodes only the first megabytes.

`agreement` encodes every text of the given files both ways and compares all ids. Of HTML pages the visible text is
taken and, with ``--markup``, the page's source as well. ``unigram`` and ``bpe`` are models of 8,000 pieces trained on
a sample of the same texts. The exit code is 1 if one id differs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.store.storage import Store
from stages import documents, schemas, tokens
from stages.documents.account import Account
from stages.documents.containers import pages_of_split
from stages.documents.extraction import EXTRACTORS
from stages.kernels.columns.ragged import offsets_of, text_buffers
from stages.sources import SourceParams, list_splits
from stages.tokenizers import Tokenizer, load, read_model
from stages.tokenizers.bpe import BpeEncoder
from stages.tokenizers.pieces import PieceReference, piece_fast
from stages.tokenizers.tokenizer import FastEncode, encode_by_reference
from stages.tokenizers.train import TrainParams, train

TRAINED_PIECES = 8000
BATCH_BYTES = 4 << 20
Text = tuple[str, bytes]
"""Its origin, for a message, and UTF-8."""


def aligned_files(store: Store, texts: pa.ChunkedArray, rows_per_group: int) -> dict[str, str]:
    """`documents`, `language` and `kept` of one split in which every page is kept."""
    count = len(texts)
    ids = pa.array([xxhash.xxh3_128_digest(str(i).encode()) for i in range(count)], schemas.DOC_ID)
    given = {"doc_id": ids, "text_hash": ids, "text": texts.combine_chunks()}
    constant = {"source": "bench", "file": "a.warc.gz", "offset": 0, "raw_bytes": 0, "text_bytes": 0}
    constant |= {"language": "en", "script": "Latn", "confidence": 0.5, "keep": True, "failed": [], "domain": "all"}
    addresses = {}
    for name, schema in (("documents", schemas.DOCUMENTS), ("language", schemas.LANGUAGE), ("kept", schemas.KEPT)):
        columns = [given.get(f.name, pa.array([constant.get(f.name)] * count, f.type)) for f in schema]
        addresses[name] = f"{name}.parquet"
        with store.table_writer(addresses[name], schema) as writer:
            for batch in pa.table(columns, schema=schema).to_batches(max_chunksize=rows_per_group):
                writer.write(batch)
    return addresses


def speed(arguments: argparse.Namespace) -> None:
    for file in arguments.files:
        texts = texts_as_a_run_has_them(file)
        for name in arguments.tokenizers:
            _speed(file, texts, name, arguments)


def texts_as_a_run_has_them(file: str) -> pa.ChunkedArray:
    if file.endswith(".parquet"):
        return pq.read_table(file, columns=["text"])["text"].cast(pa.large_string())
    batches = []
    for split in list_splits("data", SourceParams(paths=(file,))):
        batches += [batch["text"].cast(pa.large_string()) for batch in documents.read(split, documents.Params())]
    return pa.chunked_array(batches)


def _speed(file: str, texts: pa.ChunkedArray, name: str, arguments: argparse.Namespace) -> None:
    tokenizer = load(name)
    data, offsets = text_buffers(texts)
    few = max(2, int((offsets <= arguments.reference_megabytes * 1e6).sum()))
    encoder = encoder_of(tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        addresses = aligned_files(store, texts, 500)

        def job() -> int:
            report = tokens.tokenize(store, files=addresses, output="tokens.arrow", params={"tokenizer": name})
            assert report["fast"], report["why_slow"]
            return int(report["text_bytes"])

        def alone(encode: FastEncode, *ended: Any) -> Callable[[], int]:
            def run() -> int:
                for start in range(0, len(offsets) - 1, arguments.batch):
                    encode(data, offsets[start : start + arguments.batch + 1], *ended)
                return int(offsets[-1] - offsets[0])

            return run

        def reference() -> int:
            encode_by_reference(tokenizer.reference, data, offsets[:few])
            return int(offsets[few - 1] - offsets[0])

        runs: dict[str, Callable[[], int]] = {"job": job}
        if tokenizer.fast:
            ended = (tokenizer.eos_id, tokenizer.dtype) if encoder == "our own encoder" else ()
            runs[f"{encoder} alone"] = alone(tokenizer.fast, *ended)
        if encoder == "our own encoder":
            runs["gigatoken alone"] = alone(piece_fast(read_model(name)[0], cast(PieceReference, tokenizer.reference)))
        runs[f"{tokenizer.reference.library} alone"] = reference
        first = _megabytes_a_second(runs[f"{encoder} alone"]) if tokenizer.fast else 0.0
        job()  # warm up
        speeds: dict[str, list[float]] = {label: [] for label in runs}
        for _ in range(arguments.rounds):
            for label, run in runs.items():
                speeds[label].append(_megabytes_a_second(run))
    medians = {label: statistics.median(found) for label, found in speeds.items()}
    if tokenizer.fast:
        medians[f"{encoder} alone, at first"] = first
    print(f"{name}, {Path(file).name}, {len(texts):,} texts, {offsets[-1] / 1e6:.1f} MB")
    for label, median in medians.items():
        print(f"    {label:32} {median:7.1f} MB/s   job / this {medians['job'] / median:5.2f}", flush=True)


def encoder_of(tokenizer: Tokenizer) -> str:
    """Name of the encoder that a run encodes with."""
    if tokenizer.fast is None:
        return "the reference itself"
    return "our own encoder" if isinstance(tokenizer.fast, BpeEncoder) else "gigatoken"


def _megabytes_a_second(run: Callable[[], int]) -> float:
    started = time.process_time()
    size = run()
    return size / 1e6 / (time.process_time() - started)


def texts_of(paths: list[str], markup: bool) -> Iterator[Text]:
    """Every text of the files; of HTML the visible text, or its source."""
    extract = EXTRACTORS["full_text"]()
    params = documents.Params()
    for split in list_splits("data", SourceParams(paths=tuple(paths))):
        for page in pages_of_split(split, params, Account(split.file)):
            where = f"{page.file or split.file} at {page.offset}"
            if page.finish is not None and not page.finish(page):  # decodes it
                continue
            if page.html is None:
                if not markup:
                    yield where, (page.text or "").encode()
            elif markup:
                yield where, page.html
            else:
                yield where, (extract(pa.array([page.html], pa.large_binary()))[0].as_py() or "").encode()


def batches_of(texts: Iterator[Text]) -> Iterator[list[Text]]:
    """Texts in batches of some megabytes."""
    batch: list[Text] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text[1])
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def differing(tokenizer: Tokenizer, batch: list[Text]) -> tuple[int, list[str]]:
    """Tokens of the batch as a shard would hold them, EOS left out, and where they are not the reference's."""
    data = np.frombuffer(b"".join(text for _, text in batch), np.uint8)
    offsets = offsets_of([len(text) for _, text in batch])
    ids, bounds = tokenizer.encode(data, offsets)
    wrong = []
    for row, (where, text) in enumerate(batch):
        found, expected = ids[bounds[row] : bounds[row + 1] - 1], tokenizer.reference.encode(text)
        if not np.array_equal(found, expected):
            same = [a == b for a, b in zip(found.tolist(), expected.tolist(), strict=False)]
            first = same.index(False) if False in same else len(same)
            wrong.append(f"{where}: {len(found)} ids, {len(expected)} expected, the first other at {first}")
    return len(ids) - len(batch), wrong


def agreement(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tokenizers = [_loaded(name, arguments.files, Path(folder)) for name in arguments.tokenizers]
        wrong = 0
        for kind in ("text", "markup") if arguments.markup else ("text",):
            totals = {tokenizer.name: [0, 0] for tokenizer in tokenizers}  # tokens, differences
            num_texts = num_bytes = 0
            for batch in batches_of(texts_of(arguments.files, kind == "markup")):
                num_texts += len(batch)
                num_bytes += sum(len(text) for _, text in batch)
                for tokenizer in tokenizers:
                    count, found = differing(tokenizer, batch)
                    totals[tokenizer.name][0] += count
                    totals[tokenizer.name][1] += len(found)
                    for line in found:
                        print(f"{tokenizer.name}: {line}", flush=True)
            for tokenizer in tokenizers:
                count, differences = totals[tokenizer.name]
                wrong += differences
                how = encoder_of(tokenizer)
                print(
                    f"{tokenizer.name:18} {kind:6} by {how}, against {tokenizer.reference.library}"
                    f" {tokenizer.reference.library_version}: {num_texts:,} texts, {num_bytes / 1e6:,.1f} MB,"
                    f" {count:,} tokens, {differences} texts differ",
                    flush=True,
                )
    sys.exit(bool(wrong))


def _loaded(name: str, files: list[str], folder: Path) -> Tokenizer:
    """A tokenizer by name, or one trained on every 50th text."""
    if name not in ("unigram", "bpe"):
        return load(name)
    sample = [text.decode() for number, (_, text) in enumerate(texts_of(files, markup=False)) if number % 50 == 0]
    path = folder / f"{name}.model"
    path.write_bytes(train(sample, TrainParams(kind=name, vocab_size=TRAINED_PIECES)))
    return load(str(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("speed")
    command.add_argument("files", nargs="+", help="Parquet files with a column text, or what a source may name")
    command.add_argument("--tokenizers", nargs="+", default=["mistral-v1"])
    command.add_argument("--batch", type=int, default=10**6, help="texts a call, for an encoder alone")
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--reference-megabytes", type=float, default=4)
    command.set_defaults(run=speed)
    command = commands.add_parser("agreement")
    command.add_argument("files", nargs="+", help="files, folders and globs that a source may name")
    command.add_argument("--tokenizers", nargs="+", default=["mistral-v1", "mistral-v3", "tekken", "unigram"])
    command.add_argument("--markup", action="store_true", help="the source of HTML pages too")
    command.set_defaults(run=agreement)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
