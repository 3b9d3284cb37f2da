"""Whole runs of a mixture, as a user starts them: pages a second and core, restart, remix, start-up, memory.

    python -m benchmarks.runs mixtures/crawl.yaml --work /tmp/bench [--workers 2]

Prints, for one machine in one run:

- `run`: from nothing to the corpus, with the kernels compiled before; pages per second and core (of the sources that
  are WARC files, and of all), CPU seconds per stage, the largest worker and the driver;
- `bare`: the same WARC files through a bare FastWARC + resiliparse loop in one process, the limit of that extractor;
- `again`: the same command once more, nothing changed;
- `remix`: the same with two shares exchanged; bytes of token ids written per second;
- `start`: from the command to the first finished task with all kernels compiled, and (unless ``--warm-only``) with
  none: in a copy of the checkout without them, and an empty folder for what is compiled.

Status 1 where a run fails, or a run with nothing changed makes anything.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

from pipeline.store import manifest
from pipeline.store.storage import Store

CHECKOUT = Path(__file__).resolve().parents[1]


def run(options: argparse.Namespace, mixture: Path, root: Path, checkout: Path = CHECKOUT) -> dict[str, float]:
    """One run: seconds, seconds to the first finished task, and peak memory of driver and of the largest worker."""
    command = [sys.executable, "-m", "pipeline", "run", str(mixture.resolve()), "--root", str(root.resolve())]
    command += ["--engine", options.engine, *(["--workers", str(options.workers)] if options.engine == "ray" else [])]
    kernels = str(options.work.resolve() / "kernels")
    env = {**os.environ, "NUMBA_CACHE_DIR": kernels, "PYTHONPATH": str(checkout)}
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=checkout, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peaks = {"driver": 0.0, "worker": 0.0, "first": float("nan")}

    def watch() -> None:
        me = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                peaks["driver"] = max(peaks["driver"], me.memory_info().rss)
                for child in me.children(recursive=True):
                    if "ray::" in child.name():
                        peaks["worker"] = max(peaks["worker"], child.memory_info().rss)
            except psutil.Error:
                pass
            if peaks["first"] != peaks["first"] and any(root.glob("documents/*/*.parquet")):
                peaks["first"] = time.monotonic() - started
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, errors = process.communicate()
    watcher.join()
    if process.returncode:
        sys.exit(errors.decode())
    return {"seconds": time.monotonic() - started, **peaks}


def tasks_of(path: Path) -> list[dict[str, Any]]:
    """The tasks of a file of costs."""
    rows = pq.read_table(path).to_pylist()
    return [row | {"stages": dict(row["stages"] or ())} for row in rows]


def costs(root: Path) -> tuple[dict[str, float], float]:
    """Seconds per stage, and CPU seconds of all tasks."""
    stages: dict[str, float] = {}
    cpu = 0.0
    for path in (root / "runs" / "costs").glob("*.parquet"):
        for task in tasks_of(path):
            cpu += task["cpu_seconds"]
            for stage, seconds in (task.get("stages") or {task["phase"].split(":")[0]: task["seconds"]}).items():
                stages[stage] = stages.get(stage, 0.0) + seconds
    return stages, cpu


def pages(root: Path, name: str) -> tuple[int, int, list[str]]:
    """Pages of WARC sources, pages of all, and the WARC files' names relative to their source."""
    store = Store(str(root))
    snapshot = store.read_json(f"mixtures/{name}.json")
    listing = store.read_json(snapshot["sources"])
    reports = [entry.report for entry in manifest.read(store, snapshot["products"]["documents"])]
    warc = [".warc" in split["file"] for split in listing]
    rows = [report["rows"] for report in reports]
    files = [split["file"] for split in listing]
    return sum(n for n, is_warc in zip(rows, warc, strict=True) if is_warc), sum(rows), files


def bare_loop(files: list[Path]) -> tuple[int, float]:
    """Pages and seconds of FastWARC and resiliparse alone, over the same files, in this process."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    count, started = 0, time.perf_counter()
    for file in files:
        for record in ArchiveIterator(file.open("rb"), record_types=WarcRecordType.response):
            if "html" in (record.http_content_type or ""):
                data = record.reader.read()
                extract_plain_text(bytes_to_str(data, detect_encoding(data)), main_content=True)
                count += 1
    return count, time.perf_counter() - started


def two_shares(mixture: Path) -> tuple[str, str]:
    """The first two different shares of a mixture; status 1 where there are none."""
    shares = list(dict.fromkeys(re.findall(r"share: ([0-9.]+)", mixture.read_text())))
    if len(shares) < 2:
        sys.exit(f"{mixture}: expected domains with different shares, which `remix` exchanges; found {shares}")
    return shares[0], shares[1]


def exchanged(mixture: Path, target: Path, first: str, second: str) -> Path:
    """The mixture with two shares exchanged, beside it so that paths still hold."""
    text = mixture.read_text()
    marked = text.replace(f"share: {first}", "share: @", 1).replace(f"share: {second}", f"share: {first}", 1)
    target.write_text(marked.replace("share: @", f"share: {second}"))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mixture", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", choices=("ray", "inline"), default="ray")
    parser.add_argument("--warm-only", action="store_true", help="no run without compiled kernels")
    parser.add_argument("--data", type=Path, help="folder of the WARC files, for the bare loop")
    options = parser.parse_args()
    shares = two_shares(options.mixture)
    shutil.rmtree(options.work, ignore_errors=True)
    if options.engine == "inline":
        options.workers = 1
    cold = None if options.warm_only else cold_run(options)
    root = options.work / "root"
    warm = run(options, options.mixture, root)
    report(options, root, cold, warm)
    costs_before = set((root / "runs" / "costs").glob("*.parquet"))
    again = run(options, options.mixture, root)
    made = [path for path in (root / "runs" / "costs").glob("*.parquet") if path not in costs_before]
    if any(tasks_of(path) for path in made):
        sys.exit("the same command once more ran tasks")
    print(f"again   {again['seconds']:.1f} s, nothing to do")
    remixed = exchanged(options.mixture, options.mixture.with_name(".remix.yaml"), *shares)
    try:
        remix = run(options, remixed, root)
    finally:
        remixed.unlink()
    rate(root, remix)


def cold_run(options: argparse.Namespace) -> dict[str, float]:
    """The first run of a checkout whose kernels were never compiled; what it compiles is thrown away."""
    copy = options.work / "checkout"
    ignored = shutil.ignore_patterns("compiled", "__pycache__")
    for name in ("pipeline", "stages"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=ignored)
    found = run(options, options.mixture, options.work / "cold", copy)
    for name in ("kernels", "cold", "checkout"):
        shutil.rmtree(options.work / name, ignore_errors=True)
    return found


def report(options: argparse.Namespace, root: Path, cold: dict[str, float] | None, warm: dict[str, float]) -> None:
    name = next((root / "mixtures").glob("*.json")).stem
    crawl, every, files = pages(root, name)
    stages, cpu = costs(root)
    per_core = 1 / (warm["seconds"] * options.workers)
    print(f"run     {warm['seconds']:.1f} s on {options.workers} workers: {every * per_core:.0f} pages/s/core,")
    print(f"        of WARC files alone {crawl * per_core:.0f} (the time of all other input counted against them);")
    print(f"        {every / cpu:.0f} pages per CPU second of the tasks")
    print(f"        largest worker {warm['worker'] / 2**20:.0f} MiB, driver {warm['driver'] / 2**20:.0f} MiB")
    print("        " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in sorted(stages.items())))
    print(f"start   first task done after {warm['first']:.1f} s", end="")
    print(f", {cold['first']:.1f} s with no compiled kernel" if cold else "")
    if options.data:
        count, seconds = bare_loop([options.data / file for file in files if ".warc" in file])
        print(
            f"bare    FastWARC + resiliparse: {count / seconds:.0f} pages/s/core; ours from WARC to corpus is", end=" "
        )
        print(f"{every / cpu / (count / seconds):.2f} of that")


def rate(root: Path, remix: dict[str, Any]) -> None:
    newest = max((root / "runs" / "costs").glob("*.parquet"), key=lambda path: path.stat().st_mtime).name.rpartition(
        "-"
    )[0]
    files = (root / "runs" / "costs").glob(f"{newest}-*.parquet")
    tasks = [task for path in files for task in tasks_of(path) if task["phase"] == "corpus"]
    size, seconds = sum(task["bytes"] for task in tasks), sum(task["seconds"] for task in tasks)
    print(
        f"remix   {remix['seconds']:.1f} s in all; the corpus at {size / seconds / 1e6:.0f} MB/s of token bytes,",
        end=" ",
    )
    print(f"driver {remix['driver'] / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
