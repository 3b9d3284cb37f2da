"""Whole runs of a mixture, as a user starts them: pages a second and core, restart, remix, start-up, memory.

    python -m benchmarks.runs mixtures/crawl.yaml --work /tmp/bench [--workers 2]

Prints, for one machine in one run:

- `run`: from nothing to the corpus, with the kernels compiled before; pages per second and core (of the sources that
  are WARC files, and of all), CPU seconds per stage, the largest worker and the driver;
- `bare`: the same WARC files through a bare FastWARC + resiliparse loop in one process, the limit of that extractor;
- `again`: the same command once more, nothing changed;
- `remix`: the same with two shares exchanged; bytes of token ids written per second;
- `start`: from the command to the first finished task with an empty and with a filled cache of compiled kernels.
"""

from __future__ import annotations

import argparse
import json
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
import zstandard

CHECKOUT = Path(__file__).resolve().parents[1]


def run(mixture: Path, root: Path, workers: int, **environment: str) -> dict[str, float]:
    """One run: seconds, seconds to the first finished task, and peak memory of driver and of the largest worker."""
    command = [sys.executable, "-m", "pipeline", "run", str(mixture), "--root", str(root), "--workers", str(workers)]
    env = {**os.environ, **environment}
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=CHECKOUT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
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


def costs(root: Path) -> tuple[dict[str, float], float]:
    """Seconds per stage, and CPU seconds of all tasks."""
    stages: dict[str, float] = {}
    cpu = 0.0
    for path in (root / "runs" / "costs").glob("*.json"):
        for task in json.loads(path.read_text())["tasks"]:
            cpu += task["cpu_seconds"]
            for stage, seconds in (task.get("stages") or {task["phase"].split(":")[0]: task["seconds"]}).items():
                stages[stage] = stages.get(stage, 0.0) + seconds
    return stages, cpu


def pages(root: Path, name: str) -> tuple[int, int, list[str]]:
    """Pages of WARC sources, pages of all, and the WARC files' names relative to their source."""
    snapshot = json.loads((root / "mixtures" / f"{name}.json").read_text())
    listing = json.loads((root / snapshot["sources"]).read_text())
    packed = (root / snapshot["products"]["documents"]).read_bytes()
    lines = zstandard.ZstdDecompressor().decompressobj().decompress(packed).decode().splitlines()
    reports = [json.loads(line)["report"] for line in lines]
    warc = [".warc" in split["file"] for split in listing]
    rows = [report["rows"] for report in reports]
    return sum(n for n, is_warc in zip(rows, warc, strict=True) if is_warc), sum(rows), [s["file"] for s in listing]


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


def exchanged(mixture: Path, target: Path) -> Path:
    """The mixture with the shares of its first two domains exchanged, beside the first so that paths still hold."""
    text = mixture.read_text()
    shares = re.findall(r"share: ([0-9.]+)", text)
    first, second = shares[0], next(share for share in shares if share != shares[0])
    marked = text.replace(f"share: {first}", "share: @", 1).replace(f"share: {second}", f"share: {first}", 1)
    target.write_text(marked.replace("share: @", f"share: {second}"))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mixture", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--data", type=Path, help="folder of the WARC files, for the bare loop")
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    cache = {"NUMBA_CACHE_DIR": str(options.work / "kernels")}
    cold = run(options.mixture, options.work / "cold", options.workers, **cache)
    root = options.work / "root"
    warm = run(options.mixture, root, options.workers, **cache)
    report(options, root, cold, warm)
    again = run(options.mixture, root, options.workers, **cache)
    print(f"again   {again['seconds']:.1f} s, nothing to do")
    remixed = exchanged(options.mixture, options.mixture.with_name(".remix.yaml"))
    try:
        remix = run(remixed, root, options.workers, **cache)
    finally:
        remixed.unlink()
    rate(root, remix)


def report(options: argparse.Namespace, root: Path, cold: dict[str, float], warm: dict[str, float]) -> None:
    name = next((root / "mixtures").glob("*.json")).stem
    crawl, every, files = pages(root, name)
    stages, cpu = costs(root)
    per_core = 1 / (warm["seconds"] * options.workers)
    print(f"run     {warm['seconds']:.1f} s on {options.workers} workers: {every * per_core:.0f} pages/s/core,")
    print(f"        of WARC files alone {crawl * per_core:.0f} (the time of all other input counted against them);")
    print(f"        {every / cpu:.0f} pages per CPU second of the tasks")
    print(f"        largest worker {warm['worker'] / 2**20:.0f} MiB, driver {warm['driver'] / 2**20:.0f} MiB")
    print("        " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in sorted(stages.items())))
    print(
        f"start   first task done after {cold['first']:.1f} s with no compiled kernel, {warm['first']:.1f} s with all"
    )
    if options.data:
        count, seconds = bare_loop([options.data / file for file in files if ".warc" in file])
        print(
            f"bare    FastWARC + resiliparse: {count / seconds:.0f} pages/s/core; ours from WARC to corpus is", end=" "
        )
        print(f"{every / cpu / (count / seconds):.2f} of that")


def rate(root: Path, remix: dict[str, Any]) -> None:
    newest = max((root / "runs" / "costs").glob("*.json"), key=lambda path: path.stat().st_mtime).name[:-9]
    files = (root / "runs" / "costs").glob(f"{newest}-*.json")
    tasks = [task for path in files for task in json.loads(path.read_text())["tasks"] if task["phase"] == "corpus"]
    size, seconds = sum(task["bytes"] for task in tasks), sum(task["seconds"] for task in tasks)
    print(
        f"remix   {remix['seconds']:.1f} s in all; the corpus at {size / seconds / 1e6:.0f} MB/s of token bytes,",
        end=" ",
    )
    print(f"driver {remix['driver'] / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
