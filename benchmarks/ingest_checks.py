"""Reading, checked on real and odd files: counts, charsets, memory, division. Exits with 1 where a fact is not so.

    python -m benchmarks.ingest_checks zoo README       the files of its table, against FastWARC's and warcio's counts
    python -m benchmarks.ingest_checks charsets FOLDER  pages that give the text of their UTF-8 originals
    python -m benchmarks.ingest_checks memory FILES...  peak of a process over one of them, and over --megabytes of them
    python -m benchmarks.ingest_checks split FILES...   --megabytes of them in one file: two processes on its halves

The last two read with an extractor that does nothing, and delete the file they make (in --scratch).
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from stages import documents
from stages.contract import Split
from stages.documents import extraction
from stages.documents.characters import clean
from stages.sources import SourceParams, list_splits

_ROW = re.compile(r"^\| `([^`]+\.w?arc[^`]*)` \|[^|]*\| \d+ \| (\d+)[^|]*\| (\d+)[^|]*\|$", re.MULTILINE)


def zoo(readme: Path) -> int:
    """Files with fewer records than the better of the two readers found."""
    fewer = 0
    table = _ROW.findall(readme.read_text(encoding="utf-8"))
    for name, fastwarc, warcio in table:
        path = readme.parent / "zoo" / name
        reader = documents.read(whole(path), documents.Params())
        for _ in reader:
            pass
        report = reader.report
        found, best = report["records"], max(int(fastwarc), int(warcio))
        bad = ", ".join(f"{entry['reason']} at {entry['offset']}" for entry in report["bad"] + report["quarantined"])
        print(f"{found:4} records, {best:3} by others  {name}  {bad}")
        fewer += found < best
    print(f"zoo: {len(table)} files, {fewer} with fewer records than the better of the others")
    return fewer if table else 1


def charsets(folder: Path) -> int:
    """Whether a page does not give the text that its UTF-8 original gives."""
    with gzip.open(folder / "transcoded.jsonl.gz", "rt", encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    texts = {case["url"]: " ".join(clean(case["text"]).split())[:1900] for case in cases}
    # two pages quote their own declaration, which was rewritten with them
    truth = {
        c["url"]: (texts[c["url"]], texts[c["url"]].replace("charset=utf-8", f"charset={c['charset']}")) for c in cases
    }
    good = 0
    for batch in documents.read(whole(folder / "transcoded.warc.gz"), documents.Params(extractor="resiliparse")):
        for row in batch.select(["url", "charset", "text"]).to_pylist():
            right = " ".join(row["text"].split()).startswith(truth[row["url"]])
            good += right
            if not right:
                print(f"{row['url']}: read as {row['charset']}")
    print(f"charsets: {good} of {len(truth)} pages give the text of their originals")
    return int(good < len(truth) or not truth)


def whole(path: Path) -> Split:
    return Split("web", path.name, 0, 0, "file", str(path.resolve()), path.stat().st_size, "0")


@contextmanager
def joined(files: list[Path], size: int, scratch: str) -> Iterator[Path]:
    """A file of at least ``size`` bytes made of ``files`` over and over."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        path = Path(folder) / "joined.warc.gz"
        with path.open("wb") as out:
            while out.tell() < size:
                for file in files:
                    if out.tell() < size:
                        out.write(file.read_bytes())
        yield path


def child(split: Split) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ingest_checks", "child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(split)).encode())
    process.stdin.close()
    return process


def answer(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.read())
    process.wait()
    return found


def read_one() -> None:
    """In the child: read one split, and report what it took."""

    def nothing() -> extraction.Extract:
        return lambda pages: pa.array([""] * len(pages), pa.large_string())

    extraction.EXTRACTORS["full_text"] = nothing
    fields = json.load(sys.stdin)
    reader = documents.read(Split(**{**fields, "parts": ()}), documents.Params(extractor="full_text"))
    digests = []
    started, cpu = time.perf_counter(), time.process_time()
    for batch in reader:
        digests += [row.hex() for row in batch.column("doc_id").to_pylist()]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    spent = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu, "peak": peak}
    print(json.dumps({**spent, "records": reader.report["records"], "rows": len(digests), "ids": "".join(digests)}))


def memory(files: list[Path], megabytes: int, scratch: str) -> int:
    small = answer(child(whole(files[0])))
    with joined(files, megabytes << 20, scratch) as path:
        large = answer(child(whole(path)))
    print(f"memory: {small['peak']} MiB at the peak for {files[0].stat().st_size >> 20} MiB of input,")
    print(f"        {large['peak']} MiB for {megabytes} MiB ({large['records']} records, {large['cpu']:.1f} s of CPU)")
    return int(large["peak"] > small["peak"] + 128)


def split(files: list[Path], megabytes: int, scratch: str, most: float) -> int:
    with joined(files, megabytes << 20, scratch) as path:
        size = path.stat().st_size
        parts = list_splits("web", SourceParams(paths=(str(path),), split_bytes=size // 2 + 1))
        assert len(parts) == 2, parts
        one = answer(child(whole(path)))
        started = time.perf_counter()
        halves = [answer(process) for process in [child(part) for part in parts]]
        together = time.perf_counter() - started
    same = "".join(half["ids"] for half in halves) == one["ids"]
    share = max(half["cpu"] for half in halves) / one["cpu"]
    print(f"split: {size >> 20} MiB in two: {one['rows']} rows, {'the same in order' if same else 'NOT the same'}")
    print(
        f"       the slower half takes {share:.2f} of the whole's CPU time; {together / one['seconds']:.2f} of its time"
        " by the clock with the start of the processes"
    )
    return int(not same or share > most)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("zoo", "charsets", "memory", "split", "child"))
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--scratch", default=None)
    parser.add_argument("--most", type=float, default=0.6, help="of `split`: share of the work that a half may cost")
    given = parser.parse_args()
    if given.what == "child":
        read_one()
        return 0
    if given.what in ("zoo", "charsets"):
        return {"zoo": zoo, "charsets": charsets}[given.what](given.files[0])
    if given.what == "memory":
        return memory(given.files, given.megabytes, given.scratch)
    return split(given.files, given.megabytes, given.scratch, given.most)


if __name__ == "__main__":
    sys.exit(main())
