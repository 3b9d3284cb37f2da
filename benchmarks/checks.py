"""The cost of checking every byte that is read: the same run with and without, alternately, in CPU seconds.

    python -m benchmarks.checks [--pages 6000] [--rounds 5]

Each round makes a root from the same WARC files (through deduplication, tokens, shards and corpus, in this process)
twice: as it is, and with seals neither taken nor checked. Prints the CPU seconds of both and their ratio, of whole
runs and of a second run that reads everything again and extracts nothing (another threshold and seed of the order).
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from pipeline.run import driver
from pipeline.store.storage import Store
from stages import seal, shard_format
from tests.support.archives import record
from tests.support.corpora import documented, page

MIXTURE = """\
name: checks
sources: {{web: {{paths: "{folder}/web/*.warc.gz", group_bytes: 0}}}}
kept: {{families: [gopher_quality], rules: {{too_few_words: {words}}}}}
tokens: {{seed: {seed}}}
domains: {{web: {{}}}}
mixture: {{domains: {{web: {{share: 1.0}}}}}}
"""


def write_pages(folder: Path, count: int) -> None:
    """Pages that differ in their order of paragraphs and in some words, so that few are copies."""
    docs = documented()
    (folder / "web").mkdir()
    for number in range(4):
        records = []
        for k in range(number, count, 4):
            name, text = docs[k % len(docs)]
            parts = text.split("\n\n")
            turned = parts[k % len(parts) :] + parts[: k % len(parts)]
            body = page(f"{name} {k}", "\n\n".join(f"{part} {k * 7919 + i}" for i, part in enumerate(turned)))
            records.append(record(body, url=f"https://docs.example/{k}"))
        data = b"".join(gzip.compress(one, 1, mtime=0) for one in records)
        (folder / "web" / f"part-{number}.warc.gz").write_bytes(data)


@contextmanager
def unchecked() -> Iterator[None]:
    """Nothing is checked as it is read, and no sum of a block is taken as it is written."""
    with (
        mock.patch.object(Store, "open", lambda self, address: self.open_unchecked(address)),
        mock.patch.object(seal.Blocks, "update", return_value=None),
        mock.patch.object(shard_format, "checked", lambda file, sealed, mapped: file),
        mock.patch.object(seal, "check_lines", lambda data, address: data[:-32]),
    ):
        yield


@contextmanager
def checked() -> Iterator[None]:
    yield


def seconds(folder: Path, root: Path, words: int, seed: int) -> float:
    """CPU seconds of one run."""
    (folder / "checks.yaml").write_text(MIXTURE.format(folder=folder, words=words, seed=seed))
    started = time.process_time()
    driver.run(str(folder / "checks.yaml"), Store(str(root)), "inline", None, quiet=True)
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    pages, rounds = given.pages, given.rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pages(folder, pages)
        seconds(folder, folder / "warm", 50, 0)
        found: dict[tuple[str, str], list[float]] = {}
        for number in range(rounds):
            for label, manner in [("checked", checked), ("unchecked", unchecked)][:: 1 if number % 2 else -1]:
                root = folder / label
                shutil.rmtree(root, ignore_errors=True)
                with manner():
                    found.setdefault(("all", label), []).append(seconds(folder, root, 50, 0))
                    found.setdefault(("again", label), []).append(seconds(folder, root, 60, 1))
        size = sum(path.stat().st_size for path in (folder / "checked").rglob("*") if path.is_file())
        print(f"{pages:,} pages, {size / 1e6:.0f} MB under the root, {rounds} rounds, least and median CPU seconds")
        for what in ("all", "again"):
            for name, of in (("least", min), ("median", statistics.median)):
                with_, without = (of(found[what, label]) for label in ("checked", "unchecked"))
                ratio = with_ / without - 1
                print(f"{what:<6} {name:<6} checked {with_:.2f} s, unchecked {without:.2f} s: {ratio:+.1%}")


if __name__ == "__main__":
    main()
