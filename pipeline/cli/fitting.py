"""Commands that read the results of training runs: `fit` and `fit-law`."""

from __future__ import annotations

import math
from typing import Any

import click

from pipeline import terminal
from pipeline.cli.group import command, open_root
from pipeline.cli.values import Count, Local, Number, names_in
from pipeline.recipe.fitting import Wishes
from pipeline.tune import fit as fitting
from pipeline.tune import fit_law as law_fitting


def _weights(entries: tuple[str, ...]) -> dict[str, float] | None:
    weights = {}
    for entry in names_in(*entries):
        name, _, number = entry.rpartition("=")
        try:
            weights[name] = float(number)
        except ValueError:
            name = ""
        if not name or not 0 <= weights[name] < math.inf:
            raise click.BadParameter(f"expected METRIC=NUMBER, 0 or more, found {entry!r}", param_hint="'--weight'")
    return weights or None


@command()
@click.argument("mixtures", type=click.Path())
@click.argument("results", type=click.Path(dir_okay=False))
@click.option("--out", type=Local(dir_okay=False), required=True, help="Mixture file to write (.yaml), or weights.")
@click.option("--root", envvar="GRISTMILL_ROOT", help="Folder or URI that holds the tokens [env: GRISTMILL_ROOT].")
@click.option(
    "--mixture", type=click.Path(dir_okay=False), help="Mixture file to propose shares for; by default the swarm's."
)
@click.option("--budget", help="Tokens of the proposal; by default those of the mixture file.")
@click.option("--metric", "metrics", multiple=True, help="Column of RESULTS to take, by default all; a,b,c.")
@click.option("--weight", "weights", multiple=True, help="METRIC=NUMBER; by default all metrics count alike.")
@click.option("--higher", multiple=True, help="Metric of which more is better.")
@click.option("--not-worse", multiple=True, help="Metric that may not be worse than with the prior.")
@click.option(
    "--prior", help="natural, mixture, a mixture file or weights; by default what the swarm was drawn around."
)
@click.option("--pull", type=Number(0), default=0.05, show_default=True, help="Strength of the pull to the prior.")
@click.option(
    "--law",
    type=click.Choice(["log-linear", "linear", "quadratic", "power"]),
    default="log-linear",
    show_default=True,
    help="Law to propose by; the others are shown beside it.",
)
@click.option("--freeze", multiple=True, help="Domains that keep their proportions: a,b,c.")
@click.option("--resamples", type=Count(0, 100_000), default=50, show_default=True, help="For the intervals of shares.")
@click.option("--seed", type=Count(0), default=0, show_default=True, help="Of the resamples.")
@click.option(
    "--unseen",
    nargs=2,
    type=click.Path(),
    help="MIXTURES and RESULTS of runs to predict only, such as larger models: how well the law ranks them.",
)
@click.option("--page", type=Local(dir_okay=False), help="Page to write; by default beside --out.")
@click.option("--force", is_flag=True, help="Propose even where the law predicts nothing.")
def fit(
    mixtures: str,
    results: str,
    out: str,
    root: str | None,
    metrics: tuple[str, ...],
    weights: tuple[str, ...],
    higher: tuple[str, ...],
    not_worse: tuple[str, ...],
    freeze: tuple[str, ...],
    law: Any,
    pull: float,
    resamples: int,
    seed: int,
    **files: Any,
) -> None:
    """Fit the losses of proxy runs and write the best mixture: MIXTURES as `swarm` wrote them, or a table of shares.

    RESULTS is a CSV or Parquet file with a row a run: its name, and its losses.
    """
    wishes = Wishes(
        law, _weights(weights), names_in(*higher), names_in(*not_worse), names_in(*freeze), pull, resamples, seed
    )
    request = fitting.Request(wishes, tuple(names_in(*metrics)), **files)
    terminal.show(fitting.propose(mixtures, results, out, open_root(root) if root else None, request), end="")


@command("fit-law")
@click.argument("runs", type=click.Path(dir_okay=False))
@click.option("--out", type=Local(dir_okay=False), required=True, help="Law to write (.json), for `plan --law`.")
@click.option("--loss", help="Column of RUNS that holds the loss, where it is not called so.")
@click.option("--at", multiple=True, help="PARAMETERS,TOKENS[,UNIQUE] to predict the loss of, such as 7e9,3.9e12.")
@click.option(
    "--unseen", type=click.Path(dir_okay=False), help="Runs to predict only, and compare with what was found."
)
@click.option("--name", help="Name of the law; by default that of its file.")
@click.option("--resamples", type=Count(10, 100_000), default=400, show_default=True, help="For the intervals.")
@click.option("--seed", type=Count(0), default=0, show_default=True, help="Of the resamples.")
@click.option("--page", type=Local(dir_okay=False), help="Page to write; by default beside --out.")
def fit_law(runs: str, out: str, **wishes: Any) -> None:
    """Fit a scaling law to training runs: a CSV or Parquet file with parameters, tokens and loss of each.

    With a column `unique` (tokens before they were repeated) the worth of repeats is fitted too.
    """
    terminal.show(law_fitting.fit_and_write(runs, out, law_fitting.LawRequest(**wishes)), end="")
