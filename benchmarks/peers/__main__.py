"""Other pipelines on the same pages in one run: environments are made, each is run, and a table shows what came out.

    python -m benchmarks.peers [FILES.warc.gz ...] [--pages 300] [--work FOLDER] [--only NAME ...] [--write PAGE.md]

Without files, pages are made (`benchmarks.inputs`). From the files come a WARC file of so many pages and the texts of
these as JSON lines, and both of `FEW` pages alone. Every contestant runs on the many and on the few; what the
difference costs a page is its speed, and what the few cost is its start. CPU seconds are of all its processes (every
process that inherits a mark in its environment, looked at ten times a second), memory the most they held together.

Contestants, each by its own published steps: datatrove's FineWeb example without language, lists of addresses and
deduplication (WARC, trafilatura, Gopher's, C4's and FineWeb's filters); dolma's taggers for Gopher and C4;
data-juicer's operators for words, repetition and characters; NeMo Curator's filters for the same; and this pipeline
with the families of FineWeb and nothing left out: language, deduplication, tokens, the report. They do not do the
same: the table shows what each read, and how many pages came out. What does not install or run stands below it with the
last line of its error.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
import venv
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks import inputs
from stages import documents
from stages.contract import Split

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
FEW = 20
LONG = 60.0
SECONDS = 900
MARK = "GRISTMILL_PEER"


@dataclass(frozen=True)
class Peer:
    """A contestant: what to install, which script of this folder runs it, and what it reads and does.

    What a package needs and does not name itself is installed with it.
    """

    name: str
    requirement: str
    script: str
    reads: str
    does: str


DATATROVE = "datatrove[io,processing,multilingual]"
PEERS = (
    Peer("datatrove", f"{DATATROVE} lxml_html_clean", "datatrove_run.py", "warc", "extract, filters"),
    Peer("dolma", "dolma", "dolma_run.py", "text", "taggers: Gopher, C4"),
    Peer("data-juicer", "py-data-juicer aiohttp", "juicer_run.py", "text", "filters: words, repetition"),
    Peer("NeMo Curator", "nemo-curator[text_cpu]", "curator_run.py", "text", "filters: words, characters"),
)
MIXTURE = """\
name: ours
sources: {{web: {{paths: "{file}", group_bytes: 0}}}}
quality: {{families: [gopher_repetition, gopher_quality, c4, fineweb_cleaned], views: [c4_cleaned]}}
kept: {{families: [gopher_repetition, gopher_quality, c4, fineweb_cleaned], views: [c4_cleaned]}}
domains: {{web: {{}}}}
mixture: {{domains: {{web: {{share: 1.0}}}}}}
"""


@dataclass(frozen=True)
class Cost:
    """Cost of a command, and its last output."""

    status: int
    seconds: float
    cpu: float
    memory: int
    output: str


def measured(command: list[str]) -> Cost:
    """Run a command, with all processes that it starts."""
    mark = uuid.uuid4().hex
    started = time.perf_counter()
    path = f"{Path(command[0]).parent}:{os.environ['PATH']}"
    env = {**os.environ, MARK: mark, "PATH": path, "PYTHONPATH": "", "TOKENIZERS_PARALLELISM": "false"}
    spent: dict[int, float] = {}
    most = 0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env=env, cwd=CHECKOUT, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None and time.perf_counter() - started < SECONDS:
            most = max(most, _look(mark, spent))
            time.sleep(0.1)
        for pid in _marked(mark):
            with suppress(psutil.Error):
                psutil.Process(pid).kill()
        status = process.wait()
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    return Cost(status, time.perf_counter() - started, sum(spent.values()), most, text)


def _marked(mark: str) -> list[int]:
    """Processes with a mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and f"{MARK}={mark}".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def _look(mark: str, spent: dict[int, float]) -> int:
    """Note the CPU seconds of every process; their memory together."""
    memory = 0
    for pid in _marked(mark):
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            times = process.cpu_times()
            spent[pid] = times.user + times.system
            memory += process.memory_info().rss
    return memory


def environment(peer: Peer, work: Path) -> tuple[str, str]:
    """An interpreter that has a contestant, and its version; made unless it is there.

    Raises:
        RuntimeError: it does not install; the last line of the error.
    """
    folder = work / "environments" / peer.name.replace(" ", "-").lower()
    python = folder / "bin/python"
    ready = folder / ".ready"
    if not ready.exists():
        venv.create(folder, with_pip=True)
        uv = Path(sys.executable).with_name("uv")  # whose resolver ends where pip's tries versions for an hour
        install = [uv, "pip", "install", "--python", python] if uv.exists() else [python, "-m", "pip", "install"]
        command = [*map(str, install), "--quiet", *peer.requirement.split()]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(last_line(done.stderr))
        ready.touch()
    name = re.split(r"[\[ ]", peer.requirement)[0]
    ask = f"from importlib.metadata import version; print(version({name!r}))"
    return str(python), subprocess.run([str(python), "-c", ask], capture_output=True, text=True).stdout.strip()


def last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "it printed nothing"


def write_inputs(files: list[Path], folder: Path, pages: int) -> dict[str, Path]:
    """``warc`` and ``text`` of the first ``pages`` pages of some files."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    folder.mkdir(parents=True, exist_ok=True)
    warc, text = folder / "pages.warc.gz", folder / "pages.jsonl.gz"
    left = pages
    with warc.open("wb") as out:
        for file in files:
            for record in ArchiveIterator(file.open("rb"), record_types=WarcRecordType.response):
                if left and "html" in (record.http_content_type or ""):
                    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as member:
                        record.write(member)
                    left -= 1
    split = Split("web", warc.name, 0, 0, "file", str(warc), warc.stat().st_size, "0")
    with gzip.open(text, "wt", encoding="utf-8") as lines:
        for batch in documents.read(split, documents.Params()):
            for row in batch.select(["doc_id", "text"]).to_pylist():
                lines.write(json.dumps({"id": row["doc_id"].hex(), "text": row["text"], "source": "web"}) + "\n")
    return {"warc": warc, "text": text}


def size_of(path: Path) -> int:
    with gzip.open(path) as file:
        return sum(len(block) for block in iter(lambda: file.read(1 << 20), b""))


def our_command(given: dict[str, Path], folder: Path) -> list[str]:
    mixture = folder / "ours.yaml"
    mixture.write_text(MIXTURE.format(file=given["warc"]))
    words = ["run", str(mixture), "--root", str(folder / "root"), "--engine", "inline", "--quiet"]
    return [sys.executable, "-m", "pipeline", *words]


def row(name: str, reads: str, does: str, pages: int, size: int, many: Cost, few: Cost, kept: str) -> str:
    """A line of the table."""
    cpu = max(many.cpu - few.cpu, 1e-9)
    rate = (pages - FEW) / cpu
    megabytes = size * (pages - FEW) / pages / cpu / 1e6
    memory = many.memory / 2**20
    return f"| {name} | {reads} | {does} | {rate:,.0f} | {megabytes:.2f} | {few.cpu:.1f} | {memory:,.0f} | {kept} |"


def contest(name: str, commands: list[tuple[list[str], Path]]) -> tuple[Cost, Cost]:
    """Costs of the many and the few: the less of two runs, where the first took less than `LONG` CPU seconds.

    With each command the folder it writes, which is removed before it runs.

    Raises:
        RuntimeError: one of them fails.
    """
    costs = []
    for command, out in commands:
        print(f"{name}: {' '.join(command)[:150]}", file=sys.stderr, flush=True)
        runs: list[Cost] = []
        while not runs or (len(runs) == 1 and runs[0].cpu < LONG):
            shutil.rmtree(out, ignore_errors=True)
            runs.append(measured(command))
            if runs[-1].status:
                raise RuntimeError(last_line(runs[-1].output))
        costs.append(min(runs, key=lambda cost: cost.cpu))
    return costs[0], costs[1]


def kept_of(output: str, pages: int) -> str:
    """Pages that came out, by the output of a script of this folder."""
    for line in reversed(output.splitlines()):
        if line.startswith("kept "):
            return f"{int(line.split()[1]):,} of {pages:,}"
    return "unknown"


def table(files: list[Path], work: Path, pages: int, only: list[str]) -> list[str]:
    """The page: a table, and what did not run."""
    places = {"many": work / "many", "few": work / "few"}
    given = {key: write_inputs(files, places[key], count) for key, count in (("many", pages), ("few", FEW))}
    sizes = {kind: size_of(path) for kind, path in given["many"].items()}
    lines = [
        f"{pages:,} pages, {sizes['warc'] / 1e6:.1f} MB of WARC, {sizes['text'] / 1e6:.1f} MB of JSON lines, on"
        f" {os.cpu_count()} cores. CPU seconds are of all",
        f"processes; a run of {FEW} pages is the start, which is taken off; `MB/s` is of the input that is read,"
        " unpacked.",
        "",
        "| | reads | does | pages/s/core | MB/s/core | start, CPU s | memory, MiB | pages out |",
        "|---|---|---|---|---|---|---|---|",
    ]
    failed = []
    for peer in PEERS:
        if only and peer.name not in only:
            continue
        try:
            python, number = environment(peer, work)
            outs = [places[key] / f"out-{peer.script[:-7]}" for key in places]
            commands = [
                ([python, str(HERE / peer.script), str(given[key][peer.reads]), str(out)], out)
                for key, out in zip(places, outs, strict=True)
            ]
            many, few = contest(peer.name, commands)
            kept = kept_of(many.output, pages)
            lines.append(row(f"{peer.name} {number}", peer.reads, peer.does, pages, sizes[peer.reads], many, few, kept))
        except RuntimeError as error:
            failed.append(f"- {peer.name} ({peer.requirement}): {error}")
    if not only or "gristmill" in only:
        commands = [(our_command(given[key], at), at / "root") for key, at in places.items()]
        many, few = contest("gristmill", commands)
        does = "extract, language, filters, deduplication, tokens, report"
        name = f"**this pipeline** {version('gristmill')}"
        lines.append(
            row(name, "warc", does, pages, sizes["warc"], many, few, ours_kept(places["many"] / "root", pages))
        )
    return [*lines, "", *(["Not measured:", "", *failed] if failed else [])]


def ours_kept(root: Path, pages: int) -> str:
    from pipeline.recipe import snapshot as snapshots
    from pipeline.store.storage import Store

    reports = [entry.report for entry in snapshots.load(Store(str(root))).product("kept")]
    return f"{sum(report['kept'] for report in reports):,} of {pages:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--work", type=Path, default=Path("/tmp/gristmill-peers"))
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--write", type=Path, help="a page to write the table into")
    options = parser.parse_args()
    work = options.work.resolve()
    files = options.files or [Path(name) for name in inputs.make(work / "made", options.pages)["warcs"]]
    lines = table([file.resolve() for file in files], work, options.pages, options.only)
    print("\n".join(lines))
    if options.write:
        options.write.write_text("\n".join([*HEAD.splitlines(), "", *lines]).rstrip() + "\n")


HEAD = """\
# Benchmarks

Written by `python -m benchmarks.peers --write docs/benchmarks.md`, which makes an environment for every contestant and
runs all of them on the same pages, one after another. They do not do the same work: read the columns `reads` and
`does` before the figures. `make bench` measures every part of this pipeline against a peer or a limit of its own."""


if __name__ == "__main__":
    main()
