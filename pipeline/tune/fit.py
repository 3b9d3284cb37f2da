"""`fit`: from the losses of proxy runs to the best mixture: a mixture file, and a page that shows how sure it is.

The arithmetic is `stages.mixture.study`; here are the files around it. Runs are joined and checked
(`pipeline.tune.proxy_runs`); prior, budget and caps come from the mixture that the swarm was drawn from, whose tokens
stand in the root, counted exactly as `plan` does. The proposal is the original file with another name and mixture.
For tables of shares without a mixture file (RegMix, Olmix) the result is a JSON that `mixture.weights_from` reads.
Nothing is written before all is well: the file first under another name, the page before it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from pipeline import recipe as recipes
from pipeline.errors import UserError
from pipeline.planner.tables import Table, amount, render
from pipeline.recipe.fitting import (
    LEAST_CORRELATION,
    RUNS_A_DOMAIN,
    Study,
    Wishes,
    caps_of,
    fit,
    ranks_of,
    read_weights,
    tokens_of,
    whole_parts,
)
from pipeline.store.storage import Store
from pipeline.tune.fit_page import law_rows, metric_rows, page, worst_rows
from pipeline.tune.output import copy_modules, write_whole
from pipeline.tune.proxy_runs import Mixtures, ProxyRuns, read_runs
from pipeline.tune.swarm import check_same, counted, rewritten
from pipeline.tune.units import Units
from stages.figures import listed


@dataclass(frozen=True)
class Supply:
    """Tokens, caps and prior that a proposal may be made of."""

    prior: dict[str, float]
    budget: int | None = None
    available: dict[str, int] | None = None
    max_epochs: dict[str, float] | None = None
    tokenizer: str | None = None
    recipe: recipes.Recipe | None = None
    units: Units = field(default_factory=lambda: Units({}))

    @property
    def caps(self) -> dict[str, Fraction]:
        if self.available is None or self.max_epochs is None or self.budget is None:
            return {}
        return caps_of(self.available, self.max_epochs, self.budget)


@dataclass(frozen=True)
class Request:
    """Options of the command line, beside the files."""

    wishes: Wishes
    metrics: tuple[str, ...] = ()
    mixture: str | None = None
    prior: str | None = None
    budget: str | None = None
    page: str | None = None
    unseen: tuple[str, str] | None = None
    """Mixtures and results of runs to predict, not to fit: larger models, say."""
    force: bool = False


def propose(mixtures: str, results: str, out: str, store: Store | None, request: Request) -> str:
    """Fit, write the mixture and its page; returns the findings as text.

    Raises:
        UserError: one line, where runs and mixture do not fit together, the law predicts nothing (unless forced), no
            mixture meets the caps, or a file is in the way.
    """
    found = read_runs(mixtures, results, request.metrics)
    count, free = len(found.runs.names), len(found.runs.domains) - max(0, len(request.wishes.frozen) - 1)
    if count <= free + 1 and not request.force:
        raise UserError(
            f"{results}: {count} runs for {free} domains leave a law of {free + 1} numbers open: give more,"
            f" {RUNS_A_DOMAIN} a domain are enough; --force proposes all the same"
        )
    supply = _supply(found, store, request, out)
    caps = supply.units.least({name: float(cap) for name, cap in supply.caps.items()})
    try:
        study = fit(found.runs, request.wishes, supply.units.added(supply.prior), caps)
    except UserError as error:
        place = supply.recipe.path if supply.recipe is not None and sum(caps.values()) < 1 else results
        raise UserError(f"{place}: {error}") from error
    warnings = [*found.warnings, *_doubts(study)]
    unseen = _unseen_table(study, request)
    if not study.predicts and not request.force:
        raise UserError(
            f"{results}: the {study.law} law ranks runs that it was not fitted to no better than"
            f" {study.trial.objective:.2f} (rank correlation; at least {LEAST_CORRELATION} is needed): it predicts"
            " nothing to propose by. More runs, other metrics or another --law may; --force proposes all the same"
        )
    proposed = supply.units.divided(dict(zip(found.runs.domains, study.proposed.tolist(), strict=True)))
    parts, shares = whole_parts(proposed, supply.caps)
    available = supply.units.added(supply.available) if supply.available is not None else None
    content = _mixture_text(study, supply, parts, shares, out)
    shown = request.page or f"{os.path.splitext(out)[0]}.html"
    if supply.recipe is not None and store is not None:  # first: a module in the way leaves nothing written
        copy_modules(str(supply.recipe.path), store, os.path.dirname(os.path.abspath(out)))
    for file, text in ((shown, page(study, supply.budget, available, warnings)), (out, content)):
        write_whole(file, text)
    if supply.recipe is not None and store is not None:
        check_same(supply.recipe, recipes.load(out, store))
    printed = [*tables(study, supply.budget, available), *([unseen] if unseen else [])]
    text = "".join(render(table) + "\n" for table in printed)
    return text + "".join(f"note: {warning}\n" for warning in warnings) + f"{out}\n{shown}\n"


def _supply(found: ProxyRuns, store: Store | None, request: Request, out: str) -> Supply:
    """Prior, budget and caps: from a mixture file and its root, or for tables from the runs themselves."""
    path = request.mixture or _mixture_of(found.mixtures)
    if path is None:
        if Path(out).suffix != ".json":
            raise UserError(f"{out}: without --mixture the result is weights: expected a name that ends in .json")
        mean = found.runs.shares.mean(axis=0)
        prior = (
            read_weights(request.prior) if request.prior else dict(zip(found.runs.domains, mean.tolist(), strict=True))
        )
        return Supply(_complete(prior, found.runs.domains, request.prior or "the runs"))
    if store is None:
        raise UserError(f"fit needs --root, where the tokens of {path} are counted, for its caps")
    if Path(out).suffix not in (".yaml", ".yml"):
        raise UserError(f"{out}: the result is a mixture file: expected a name that ends in .yaml")
    recipe = recipes.load(path, store)
    _check_meanings(found, recipe, store)
    solved = counted(recipe, store)
    domains = solved.mixture.domains
    differing = sorted({*_trained_on(found)} ^ {domain.name for domain in domains})
    if differing:
        names = listed(differing)
        raise UserError(f"{found.mixtures.path}: runs and {path} have other domains; they differ in {names}")
    tokenizer = str(solved.tokenizer["sha256"])
    if found.tokenizer not in (None, tokenizer):
        raise UserError(
            f"the results are of another tokenizer ({str(found.tokenizer)[:12]}) than {path} ({tokenizer[:12]}):"
            " losses and shares of tokens do not carry over"
        )
    available = {domain.name: int(solved.available[domain.name]) for domain in domains}
    budget = tokens_of(request.budget) if request.budget else solved.mixture.requested_budget
    prior = _prior(found, request, available, {d.name: d.requested_share for d in domains}, store)
    epochs = {domain.name: domain.max_epochs for domain in domains}
    return Supply(prior, budget, available, epochs, tokenizer, recipe, found.units)


def _mixture_of(mixtures: Mixtures) -> str | None:
    if mixtures.origin is None:
        return None
    path = os.path.normpath(os.path.join(mixtures.path, mixtures.origin["mixture"]))
    if not os.path.exists(path):
        raise UserError(f"{mixtures.path}: {path}, which it was drawn from, is gone; name that mixture with --mixture")
    return path


def _trained_on(found: ProxyRuns) -> list[str]:
    return [*found.units.divided(dict.fromkeys(found.runs.domains, 1.0))]


def _check_meanings(found: ProxyRuns, recipe: recipes.Recipe, store: Store) -> None:
    """The domains that were trained on mean what they meant."""
    if found.mixtures.sample is None:
        return
    drawn = recipes.load(found.mixtures.sample, store)
    now, then = recipe.definitions(), drawn.definitions()
    gone = [name for name in _trained_on(found) if name not in now]
    if gone:
        raise UserError(f"{recipe.path}: no domain {gone[0]!r}, which runs of {found.mixtures.path} were trained on")
    changed = [name for name in _trained_on(found) if now[name] != then.get(name)]
    if changed:
        raise UserError(
            f"{recipe.path}: domain {changed[0]} is defined otherwise than when {found.mixtures.sample} was drawn: its"
            " runs say nothing about it now; draw a new swarm"
        )
    if drawn.section("tokens") != recipe.section("tokens"):
        raise UserError(f"{recipe.path}: tokens is not that of {found.mixtures.sample}; draw a new swarm")


def _prior(
    found: ProxyRuns, request: Request, available: Mapping[str, int], of_mixture: Mapping[str, float], store: Store
) -> dict[str, float]:
    """Shares to pull the proposal to: those the swarm was drawn around, unless others are named."""
    origin = found.mixtures.origin or {"prior": "natural"}
    named = request.prior or origin["prior"]
    if named == "mixture":
        return dict(of_mixture)
    if named == "natural":
        total = sum(available.values())
        return {name: tokens / total for name, tokens in available.items()}
    if Path(named).suffix == ".json":
        return _complete(read_weights(named), tuple(available), named)
    file = named if request.prior else os.path.normpath(os.path.join(found.mixtures.path, named))
    around = counted(recipes.load(file, store), store).mixture.domains
    return _complete({domain.name: domain.requested_share for domain in around}, tuple(available), file)


def _complete(prior: dict[str, float], domains: tuple[str, ...], of: str) -> dict[str, float]:
    unknown = sorted(set(prior) - set(domains))
    if unknown:
        raise UserError(f"prior of {of}: no domain {unknown[0]!r} in the runs; they have {', '.join(domains)}")
    total = sum(prior.values())
    return {name: prior.get(name, 0.0) / total for name in domains}


def _doubts(study: Study) -> list[str]:
    doubts = [
        f"metric {name} is predicted poorly: rank correlation {rho:.2f} on runs not fitted"
        for name, rho in zip(study.runs.metrics, study.trial.correlations, strict=True)
        if rho < LEAST_CORRELATION
    ]
    better = [trial for trial in study.trials if trial.objective > study.trial.objective + 0.02]
    doubts += [
        f"the {trial.law} law ranks these runs better ({trial.objective:.3f} against {study.trial.objective:.3f});"
        f" --law {trial.law} proposes by it"
        for trial in better
    ]
    if study.binding:
        doubts.append(f"caps bind: {', '.join(study.binding)} would get more if there were more of it")
    return doubts


def _mixture_text(study: Study, supply: Supply, parts: int, shares: dict[str, int], out: str) -> str:
    digits = len(str(parts)) - 1
    written = {name: f"{part / parts:.{digits}f}" for name, part in sorted(shares.items())}
    rho = round(study.trial.objective, 4)
    method = f"{study.law} law by gristmill fit"
    if supply.recipe is None:
        weights = {"method": method, "runs": len(study.runs.names), "rank_correlation": rho}
        return json.dumps({**weights, "shares": {name: float(text) for name, text in written.items()}}, indent=2) + "\n"
    assert supply.max_epochs is not None
    lines = [
        "mixture:  # proposed by `gristmill fit`",
        f"  budget: {supply.budget}",
        "  solver: imported",
        "  on_shortfall: redistribute",
        "  imported:",
        f"    method: {json.dumps(method)}",
        f"    tokenizer_sha256: {supply.tokenizer}",
        f"    runs: {len(study.runs.names)}",
        f"    rank_correlation: {rho!r}",
        "    shares:",
        *(f"      {json.dumps(name)}: {text}" for name, text in written.items()),
        "  domains:",
        *(f"    {json.dumps(name)}: {{max_epochs: {float(supply.max_epochs[name])!r}}}" for name in written),
    ]
    path = supply.recipe.path
    text = Path(path).read_text(encoding="utf-8")
    return rewritten(text, path, os.path.dirname(os.path.abspath(out)), Path(out).stem, "\n".join(lines) + "\n")


def _unseen_table(study: Study, request: Request) -> Table | None:
    """Rank correlations of the law on runs that it has not seen.

    Raises:
        UserError: when they have other domains or metrics.
    """
    if request.unseen is None:
        return None
    runs = read_runs(*request.unseen, study.runs.metrics).runs
    ranks = ranks_of(study, runs)
    rows = [(name, f"{rho:.3f}") for name, rho in zip(study.runs.metrics, ranks, strict=True)]
    rows.append(("mean", f"{sum(ranks) / len(ranks):.3f}"))
    return Table(f"{len(runs.names)} unseen runs", ("metric", "rank"), tuple(rows))


def tables(study: Study, budget: int | None, available: Mapping[str, int] | None) -> list[Table]:
    """The findings for a terminal: laws, metrics, domains, the runs predicted worst."""
    laws = tuple((law + " *" * (law == study.law), *figures) for law, *figures in law_rows(study))
    fitted = tuple((name, *fit, *losses) for name, losses, fit in metric_rows(study))
    worst = tuple(worst_rows(study))
    runs = f"{len(study.runs.names)} runs, {len(study.runs.domains)} domains"
    return [
        Table(f"laws on runs they were not fitted to ({runs})", ("law", "objective", "rank", "error"), laws),
        Table("metrics", ("metric", "rank", "error", "prior", "proposed", "change"), fitted),
        domain_table(study, budget, available),
        Table("runs predicted worst", ("run", "predicted", "found", "difference"), worst),
    ]


def domain_table(study: Study, budget: int | None, available: Mapping[str, int] | None) -> Table:
    """Shares before and after, nine tenths of the resamples, tokens and epochs."""
    rows = []
    for d in sorted(range(len(study.proposed)), key=lambda d: (-study.proposed[d], study.runs.domains[d])):
        name, share = study.runs.domains[d], float(study.proposed[d])
        known = budget is not None and available is not None
        rows.append(
            (
                name,
                f"{100 * study.prior[d]:.2f}%",
                f"{100 * share:.2f}%",
                f"{100 * study.low[d]:.2f} to {100 * study.high[d]:.2f}%",
                amount(round(share * budget)) if budget is not None else "-",
                f"{share * budget / available[name]:.2f}" if known and budget and available else "-",
                "cap" if name in study.binding else "",
            )
        )
    columns = ("domain", "prior", "proposed", "of resamples", "tokens", "epochs", "")
    return Table(f"mixture of {amount(budget)} tokens" if budget else "mixture", columns, tuple(rows))
