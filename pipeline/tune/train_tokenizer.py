"""`train-tokenizer` and `check-tokenizer`: a tokenizer from a mixture's own text, and whether shards were made with it.

A tokenizer is a product like others: ``tokenizers/<address>/`` under the root. The address stands for the kept pages,
the shares of the domains and the settings. The sample is pages by keyed hash: the same pages and seed, the same file
(`stages.tokenizers.train`). Pages are taken as they were extracted, before lines are cut or names replaced.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline import recipe as recipes
from pipeline.engine.scheduler import Scheduler
from pipeline.errors import RunError, UserError
from pipeline.progress import Reporter
from pipeline.reader.manifest import WrongTokenizer, check_tokenizer, read_manifest
from pipeline.recipe import graph, mixing
from pipeline.run.driver import LazyExecutor, make_sample
from pipeline.run.product import Product
from pipeline.run.run import Run
from pipeline.store import manifest
from pipeline.store.address import digest
from pipeline.store.costs import Costs
from pipeline.store.lock import RootLock
from pipeline.store.storage import Store
from stages.contract import Task

KINDS = {"sentencepiece-bpe": "bpe", "sentencepiece-unigram": "unigram", "byte-bpe": "byte-bpe"}
"""Names for users, and those of `stages.tokenizers.train`."""

MEMORY_PER_BYTE = 12
"""Bytes of memory a byte of the sample: `stages.tokenizers.train` needs some ten times its text."""


@dataclass(frozen=True)
class Training:
    """Settings of the tokenizer: the fields of `stages.tokenizers.train.TrainParams`."""

    kind: str
    vocab_size: int
    sample_bytes: int
    seed: int


def train(
    mixture: str, store: Store, output: str, training: Training, *, engine: str, workers: int | None, quiet: bool
) -> str:
    """Train a tokenizer on the kept pages of a mixture and write it to ``output``; returns a summary as text.

    Raises:
        UserError: when ``output`` holds another file.
    """
    reporter = Reporter(quiet)
    recipe = recipes.load(mixture, store, tokenizer=False)
    executor = LazyExecutor(engine, store, workers, reporter)
    with RootLock(store, reporter.say):
        store.sweep()
        try:
            make_sample(recipe, store, reporter, executor)
            job = Run(recipe, store, Scheduler(executor, reporter.say), reporter, Costs(store, graph.PAGED))
            job.made.aside = True

            def work() -> str:
                measured, kept = job.select()
                return train_on(job, measured["documents"], kept, training)

            address = job.whole(work)
        finally:
            executor.close()
    save(store.read_bytes(address), output)
    identity = recipes.tokenizer_identity(output)
    lines = [f"{key:<13} {identity[key]}" for key in ("library", "vocab_size", "eos_id", "sha256")]
    if identity["vocab_size"] < training.vocab_size:
        lines.append(f"note: {training.vocab_size} ids were asked for, and the text gives {identity['vocab_size']}")
    return "\n".join([*lines, f"tokenizer     {output}"]) + "\n"


def train_on(job: Run, documents: Product, kept: Product, training: Training) -> str:
    """Run the training as one task of a run; returns the address of the file."""
    text_bytes = dict.fromkeys(job.recipe.domains, 0)
    for entry in manifest.read(job.made.store, job.made.snapshot["products"]["kept"]):
        for group in entry.report["groups"]:
            if group["reason"] is None:
                text_bytes[group["domain"]] += group["text_bytes"]
    shares = {name: share for name, share in sorted(mixing.text_shares(job.recipe, text_bytes).items()) if share}
    params = asdict(training) | {"kind": KINDS[training.kind]}
    splits = sorted(zip(documents.addresses, kept.addresses, strict=True))
    library = "tokenizers" if training.kind == "byte-bpe" else "sentencepiece"
    decides = digest([splits, shares, params, library, version(library)])
    address = f"tokenizers/{decides}/tokenizer.{'json' if training.kind == 'byte-bpe' else 'model'}"
    size = min(training.sample_bytes, sum(text_bytes.values()))
    args: dict[str, Any] = {"splits": splits, "shares": shares, "output": address, "params": params}
    memory = (1 << 29) + MEMORY_PER_BYTE * size
    job.made.make(
        "tokenizer", [Task("stages.tokenizers.train:train_tokenizer", args, (address,), training.kind, size, memory)]
    )
    return address


def save(data: bytes, output: str) -> None:
    """Write a file whole or not at all, never over another one."""
    path = Path(output)
    if path.exists():
        if path.read_bytes() == data:
            return
        raise UserError(f"{output} is there and holds something else; choose another name or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def check(folder: str, tokenizer: str, eos: str | None) -> str:
    """Whether shards were written with a tokenizer, by what decides ids: file, vocabulary, special ids, probe texts.

    Raises:
        RunError: naming every difference.
    """
    shards = read_manifest(folder, split=None)
    identity = recipes.tokenizer_identity(tokenizer, int(eos) if eos and eos.isdecimal() else eos)
    apart = ("name", "library", "library_version")  # name the maker of the ids, not the ids
    chosen = ("add_bos",)  # stated by the mixture file, not by the tokenizer
    try:
        check_tokenizer(shards, **{key: value for key, value in identity.items() if key not in (*apart, *chosen)})
    except WrongTokenizer as error:
        raise RunError(str(error)) from error
    lines = [f"{folder}: written with this tokenizer ({identity['sha256'][:12]}, {identity['vocab_size']} ids)"]
    for key in apart[1:]:
        found = shards.tokenizer.get(key)
        if found != identity[key]:
            lines.append(f"note: {key} was {found}, here it is {identity[key]}; the ids of the probe texts agree")
    return "\n".join(lines) + "\n"
