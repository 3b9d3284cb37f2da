"""The loop over a grid from end to end: labels learnt, a grid, a swarm, losses of a planted law, `fit`, and its run.

    python -m benchmarks.mixture_loop MIXTURE --root ROOT --work FOLDER [--label NAME=PATTERN ...] [--runs 40]

Labels are learnt from what a site itself says of its pages: words in the paths of addresses (`LABELS`; of a page whose
path has words of two labels nothing is learnt). ROOT holds a finished run of MIXTURE, of which every product is used
again that stays the same. The first source of MIXTURE becomes a grid of labels by buckets of how sure they are; each
other source is a domain. A swarm is drawn around equal shares of the labels; losses of two metrics come from a planted
law, log-linear in the shares, with noise; `fit` proposes, and its proposal is run.

Prints each step's output, CPU seconds of each, and two bounds. Status 1 where one is broken: the proposal must have
lower planted losses than what it was drawn around, and of every domain the corpus must take its share to within one
document of that domain.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
import pyarrow.parquet as pq
import yaml

from pipeline import recipe as recipes
from pipeline.answers import stats
from pipeline.recipe.fitting import Wishes
from pipeline.recipe.snapshot import Snapshot, load
from pipeline.run import driver
from pipeline.store.storage import Store
from pipeline.tune.fit import Request, propose
from pipeline.tune.proxy_runs import read_mixtures
from pipeline.tune.swarm import counted, write_swarm
from pipeline.tune.train_classifier import Texts, train_classifier
from pipeline.tune.units import Units

LABELS = {
    "reference": r"reference|api|library|man|functions?|class(es)?|commands?",
    "tutorial": r"tutorials?|guides?|howto|how-to|learn|getting-started|examples?|quickstart",
    "news": r"news|blog|announcements?|press|events?",
    "legal": r"legal|licen[cs]es?|terms|privacy|policies|policy|copyright",
    "changes": r"changes|changelog|releases?|release-notes|whatsnew|history",
}
EDGES = (0, 50, 80, 100)
NOISE = 0.002
LEAST, MOST = 20, 600
"""Pages of a label: with fewer it is left out, of more some are taken, so that labels are learnt alike."""
T = TypeVar("T")


def label_of(url: str, labels: Mapping[str, str]) -> str | None:
    """The label whose words a path has, where there is one alone."""
    words = [word for word in re.split(r"[/.]", urlsplit(url).path.lower()) if word]
    found = {label for label, pattern in labels.items() for word in words if re.fullmatch(pattern, word)}
    return found.pop() if len(found) == 1 else None


def write_labelled(
    snapshot: Snapshot, source: str, labels: Mapping[str, str], output: Path, with_addresses: bool
) -> dict[str, int]:
    """Write pages of a source whose addresses show their label as JSON lines; returns the number of each label.

    Without addresses texts are held out one by one, not by site.
    """
    lines: dict[str, list[str]] = {label: [] for label in labels}
    for entry in snapshot.product("documents"):
        if entry.report["source"] != source:
            continue
        for page in snapshot.store.read_table(entry.address, ["url", "text"]).to_pylist():
            label = label_of(page["url"] or "", labels)
            if label is not None and page["text"]:
                address = {"url": page["url"]} if with_addresses else {}
                lines[label].append(json.dumps({"text": page["text"], "label": label} | address))
    chosen = {label: found for label, found in lines.items() if len(found) >= LEAST}
    output.write_text("\n".join(line for found in chosen.values() for line in found) + "\n", encoding="utf-8")
    return {label: len(found) for label, found in chosen.items()}


def grid_mixture(path: str, labels: list[str], model: str) -> str:
    """The mixture file with its first source as a grid, each other one as a domain, all labels alike."""
    given = yaml.safe_load(Path(path).read_text())
    for source in given["sources"].values():
        source["paths"] = os.path.join(os.path.dirname(os.path.abspath(path)), source["paths"])
    first, *others = given["sources"]
    given |= {"name": "loop", "labels": {"labellers": {"format": {"model": model}}}}
    ranked = {"of": "format_confidence", "within": "format", "edges": list(EDGES)}
    given["domains"] = {first: {"sources": [first], "by": "format", "percentiles": ranked}}
    given["domains"] |= {name: {"sources": [name]} for name in others}
    rest = 0.4 / len(others) if others else 0.0
    equal = {label: 1 / len(labels) for label in labels}
    shares: dict[str, Any] = {first: {"share": 1 - rest * len(others), "labels": equal}}
    shares |= {name: {"share": rest} for name in others}
    section = {"solver": "quality-curve", "max_epochs": 4, "on_shortfall": "redistribute", "domains": shares}
    text: str = yaml.safe_dump({**given, "mixture": section}, sort_keys=False)
    return text


def planted(units: list[str]) -> dict[str, np.ndarray]:
    """Slopes of two metrics by unit: what is good for one is not for the other."""
    generator = np.random.default_rng(7)
    return {metric: generator.uniform(-1.2, 1.2, len(units)) for metric in ("prose_loss", "code_loss")}


def losses(shares: Mapping[str, float], slopes: Mapping[str, np.ndarray], units: list[str]) -> dict[str, float]:
    x = np.array([shares.get(unit, 0.0) for unit in units])
    return {metric: 1.5 + float(np.exp(x @ slope)) for metric, slope in slopes.items()}


def timed(what: str, function: Callable[[], T]) -> T:
    """A result; its CPU seconds are printed."""
    started = time.process_time()
    result = function()
    print(f"-- {what}: {time.process_time() - started:.1f} s of CPU\n", flush=True)
    return result


def beyond_a_document(snapshot: Snapshot, requested: Mapping[str, float]) -> tuple[list[str], float]:
    """Domains whose tokens differ from their share of the budget by more than their longest document; and, of all,
    the largest difference in documents."""
    wrong, worst = [], 0.0
    figures = stats.stats_of(snapshot)
    budget = sum(row["requested_tokens"] for row in figures["mixture"])
    for row in figures["mixture"]:
        manifest = snapshot.data["shards"].get(row["domain"])
        if manifest is None:
            continue
        folder = manifest.rpartition("/")[0]
        docs = [address for address, _ in snapshot.store.list(folder) if address.endswith(".parquet")]
        longest = max(max(pq.read_table(snapshot.store.open(a))["num_tokens"].to_pylist()) for a in docs)
        share = abs(row["tokens"] - requested[row["domain"]] * budget) / longest
        worst = max(worst, share)
        wrong += [row["domain"]] if share > 1 else []
    return wrong, worst


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mixture")
    parser.add_argument("--root", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--label", action="append", default=[], metavar="NAME=PATTERN")
    parser.add_argument("--one-site", action="store_true", help="hold out texts: all pages are of one site")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--budget", default="20M")
    parser.add_argument("--resamples", type=int, default=50)
    given = parser.parse_args()
    labels = dict(word.split("=", 1) for word in given.label) or LABELS
    given.work.mkdir(parents=True, exist_ok=True)
    store, work = Store(given.root), given.work
    recipe = recipes.load(given.mixture, store)
    source = next(iter(recipe.sources))

    pages = work / "labelled.jsonl"
    addressed = not given.one_site
    snapshot = load(store, recipe.name)
    counts = timed("labels by addresses", lambda: write_labelled(snapshot, source, labels, pages, addressed))
    print(f"{sum(counts.values()):,} pages: {', '.join(f'{name} {n:,}' for name, n in counts.items())}")
    texts, model = (
        Texts((), (str(pages),), "text", "label", None, MOST),
        str(work / "format.bin"),
    )
    settings = {"dimensions": 16, "buckets": 1 << 16, "max_bytes": 1000, "max_model_bytes": 0, "pieces": 8}
    settings |= {"epochs": 20, "learning_rate": 0.5, "word_ngrams": 2, "held_out": 0.1, "lower_case": False}
    print(timed("train-classifier", lambda: train_classifier(model, None, None, texts, settings)))

    mixture = work / "loop.yaml"
    mixture.write_text(grid_mixture(given.mixture, [*counts], model))
    timed("run of the grid", lambda: driver.run(str(mixture), store, "inline", None, quiet=True))
    swarm = str(work / "swarm")
    drawing = {"count": given.runs, "budget": given.budget, "seed": 1, "around_mixture": True}
    timed("swarm", lambda: write_swarm(str(mixture), store, swarm, **drawing))

    drawn = read_mixtures(swarm)
    units = Units.of(drawn.origin)
    names = sorted({unit for shares in drawn.shares.values() for unit in units.added(shares)})
    slopes, generator = planted(names), np.random.default_rng(3)
    rows = ["run,prose_loss,code_loss"]
    for name, shares in drawn.shares.items():
        found = losses(units.added(shares), slopes, names).values()
        rows.append(",".join([name, *(f"{loss + generator.normal(0, NOISE):.6f}" for loss in found)]))
    (work / "results.csv").write_text("\n".join(rows) + "\n")
    out, request = str(work / "best.yaml"), Request(Wishes(resamples=given.resamples), budget=given.budget)
    print(timed("fit", lambda: propose(swarm, str(work / "results.csv"), out, store, request)))

    timed("run of the proposal", lambda: driver.run(out, store, "inline", None, quiet=True))
    requested = recipes.load(out, store).section("mixture").imported.shares
    solved = counted(recipes.load(mixture, store), store).mixture
    before = {row.name: row.requested_share for row in solved.domains}
    worse = []
    for metric in slopes:
        old, new = (losses(units.added(shares), slopes, names)[metric] for shares in (before, requested))
        print(f"{metric}: planted loss {old:.4f} before, {new:.4f} of the proposal")
        worse += [metric] if new >= old else []
    wrong, worst = beyond_a_document(load(store, recipes.load(out, store).name), requested)
    print(f"{len(requested)} domains: shares realised within {worst:.3f} documents at worst")
    if worse or wrong:
        print(f"BROKEN: worse {worse}, beyond a document {wrong}")
    return 1 if worse or wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
