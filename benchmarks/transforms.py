"""A transform of many pages, whole and killed: the same bytes from one process, and from Ray under kills.

    python -m benchmarks.transforms FOLDER [--pages 1000000]

Writes pages of two sentences in FOLDER, makes two texts of each, and compares every file of two roots (but ``runs/``):
one run inline to its end, and one on Ray whose driver is killed (SIGKILL) as soon as each of `PHASES` has begun, then
run to its end. Deduplication is off, so that the run is of the transform; status 1 where a file differs or
a run fails: the folder stays then, with the runs' own logs in it.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.support.runs import CHECKOUT, command, tree

MIXTURE = """\
name: halves
sources:
  web: {{paths: "{folder}/in/*.jsonl"}}
transforms:
  halves:
    function: "tests.support.transforms:halves"
    params: {{mark: "New: "}}
    inputs: {{sources: [web]}}
    batch: 1024
    resume_rows: 20000
quality: {{families: []}}
clusters: {{enabled: false}}
kept: {{families: [], rules: {{low_language_confidence: false}}}}
domains:
  pages: {{sources: [web]}}
  new: {{sources: [halves]}}
mixture:
  domains: {{pages: {{share: 0.4}}, new: {{share: 0.6}}}}
"""
FILES = 8
PHASES = {
    "pages were measured": "quality/*/*.parquet",
    "a piece was made": "runs/transforms/**/*.parquet",
    "pages were decided": "kept/*/*.parquet",
    "pages were tokenized": "tokens/*/*",
    "shards were written": "shards/*/*",
}


def write_input(folder: Path, pages: int) -> Path:
    (folder / "in").mkdir(parents=True)
    for number in range(FILES):
        with (folder / "in" / f"{number}.jsonl").open("w") as file:
            for page in range(number, pages, FILES):
                text = f"Sack {page} of the old mill was ground on day {page % 365}. House {page * 7} had good bread."
                file.write(json.dumps({"id": str(page), "text": text}) + "\n")
    path = folder / "halves.yaml"
    path.write_text(MIXTURE.format(folder=folder))
    return path


def run(mixture: Path, root: Path, engine: str, pattern: str | None = None) -> int | None:
    """Exit code; None where the run was killed because a file of this pattern was there."""
    options = ["--engine", engine, "--quiet"] + (["--workers", "2"] if engine == "ray" else [])
    with (root.parent / f"{root.name}.log").open("a") as log:
        job = subprocess.Popen(command("run", mixture, "--root", root, *options), cwd=CHECKOUT, stdout=log, stderr=log)
        while pattern is not None and job.poll() is None:
            if any(root.glob(pattern)):
                job.send_signal(signal.SIGKILL)
                job.wait()
                return None
            time.sleep(0.05)
        return job.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, default=1_000_000)
    args = parser.parse_args()
    mixture = write_input(args.folder, args.pages)
    whole, killed = args.folder / "whole", args.folder / "killed"
    start = time.perf_counter()
    code = run(mixture, whole, "inline")
    spent = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"inline: status {code}, {spent:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of processor time", flush=True)
    start = time.perf_counter()
    for phase, pattern in PHASES.items():
        if run(mixture, killed, "ray", pattern) is None:
            print(f"killed when {phase}, {time.perf_counter() - start:.0f} s", flush=True)
    code = run(mixture, killed, "ray") or code
    print(f"Ray, killed and ended: status {code}, {time.perf_counter() - start:.0f} s", flush=True)
    left = {name: content for name, content in tree(killed).items() if not name.startswith(".tmp/")}
    expected = tree(whole)
    different = sorted(name for name in left.keys() | expected.keys() if left.get(name) != expected.get(name))
    print(f"{len(expected)} files, {len(different)} differ {different[:3]}")
    if different or code:
        for log in (whole, killed):
            print(f"--- the end of {log}.log\n" + "".join(Path(f"{log}.log").read_text().splitlines(True)[-20:]))
        return 1
    shutil.rmtree(args.folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
