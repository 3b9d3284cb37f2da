"""The cost of barriers between phases: a run of pretended tasks, one in a hundred a straggler, on a clock of its own.

    python -m benchmarks.barriers --splits 360000 --slots 1000

Phases of a run in their order, each with the seconds that a split's task takes in it and ten times that for a straggler
in a hundred. With barriers a phase starts when the one before it is done; without them a slot that finds no task of its
phase takes one of the next phase whose split is done, where that phase needs no other split (an exchange waits for
all). Prints the hours of both and what the barriers take. Nothing but a clock is simulated: tasks start at no cost.
"""

from __future__ import annotations

import argparse
import heapq
from collections import deque

import numpy as np

PHASES = (("measure", 10.0, False), ("eligible", 0.3, True), ("exchange", 3.0, False), ("kept", 0.5, False))
PHASES += (("survey", 0.5, True), ("tokens", 1.5, True))
"""Name, seconds of a task, and whether it needs the split's own files of the phase before it alone."""
STRAGGLERS, TIMES = 0.01, 10.0


def makespan(phases: list[np.ndarray], slots: int) -> float:
    """Seconds until all is done; task n of a phase may start when task n of the phase before it is done.

    A slot takes a task of the first phase that has one ready. One phase: plain barriers.
    """
    ready = [deque(range(len(phases[0]))), *(deque[int]() for _ in phases[1:])]
    running: list[tuple[float, int, int]] = []
    now = 0.0
    while running or any(ready):
        for phase, waiting in enumerate(ready):
            while waiting and len(running) < slots:
                split = waiting.popleft()
                heapq.heappush(running, (now + float(phases[phase][split]), phase, split))
        now, phase, split = heapq.heappop(running)
        if phase + 1 < len(phases):
            ready[phase + 1].append(split)
    return now


def compare(splits: int, slots: int, seed: int = 0) -> tuple[float, float, float]:
    """Seconds with barriers and without, and those of the work itself on so many slots."""
    rng = np.random.default_rng(seed)
    times = [seconds * np.where(rng.random(splits) < STRAGGLERS, TIMES, 1.0) for _, seconds, _ in PHASES]
    chains: list[list[np.ndarray]] = []
    for (_, _, own), found in zip(PHASES, times, strict=True):
        if own:
            chains[-1].append(found)
        else:
            chains.append([found])
    with_barriers = sum(makespan([found], slots) for found in times)
    without = sum(makespan(chain, slots) for chain in chains)
    return with_barriers, without, float(sum(found.sum() for found in times)) / slots


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=360_000)
    parser.add_argument("--slots", type=int, default=1000)
    options = parser.parse_args()
    barred, free, work = compare(options.splits, options.slots)
    print(f"{options.splits:,} splits on {options.slots:,} slots: work {work / 3600:.3f} h")
    print(f"with barriers {barred / 3600:.3f} h, without {free / 3600:.3f} h: {1 - free / barred:.1%} less")


if __name__ == "__main__":
    main()
