"""The page that `fit` writes: shares with their intervals, metrics, laws, what each domain does. HTML and SVG alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline.planner.tables import amount
from pipeline.recipe.fitting import Study

_DOMAINS_SHOWN = 24
"""Columns of the table of effects."""
_METRICS = "As the law predicts them. Rank correlation and error are those of runs the law was not fitted to."
_LAWS = "Five folds; the law in bold proposes. Rank correlation of the objective, and mean over the metrics."
_WORST = "Of the objective, by a fit to the other runs: look at these first when something seems wrong."


def environment() -> jinja2.Environment:
    """Templates of this room, escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.tune", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )


def style(made: jinja2.Environment) -> Any:
    """The style sheet of the pages of this room, as markup."""
    return Markup(made.get_template("tune.css.j2").render())  # our own file


def page(study: Study, budget: int | None, available: Mapping[str, int] | None, notes: Sequence[str]) -> str:
    """The whole page; the same bytes for the same study."""
    made = environment()
    shown = _effects(study)
    metrics = [(name, *losses, *fit) for name, losses, fit in metric_rows(study)]
    return made.get_template("fit.html.j2").render(
        style=style(made),
        runs=len(study.runs.names),
        headline=_headline(study),
        facts=[
            ("runs", f"{len(study.runs.names):,}"),
            ("domains", len(study.runs.domains)),
            ("law", study.law),
            ("rank correlation", f"{study.trial.objective:.3f}"),
            ("tokens", amount(budget) if budget else "–"),
        ],
        notes=notes,
        domains=_domains(study, budget, available),
        tables=[
            _table(
                "Metrics", _METRICS, ("metric", "prior", "proposed", "change", "rank correlation", "error"), metrics
            ),
            _table("Laws", _LAWS, ("law", "objective", "metrics", "error"), law_rows(study), chosen=0),
            _table("Runs predicted worst", _WORST, ("run", "predicted", "found", "difference"), worst_rows(study)),
        ],
        effects=shown,
        hidden=len(study.runs.domains) - len(shown["columns"]),
    )


def _headline(study: Study) -> str:
    moves = study.proposed - study.prior
    most, least = int(moves.argmax()), int(moves.argmin())
    names = study.runs.domains
    return (
        f"More {names[most]} ({100 * study.prior[most]:.1f} to {100 * study.proposed[most]:.1f}%), "
        f"less {names[least]} ({100 * study.prior[least]:.1f} to {100 * study.proposed[least]:.1f}%)"
    )


def _domains(study: Study, budget: int | None, available: Mapping[str, int] | None) -> list[dict[str, Any]]:
    top = max(float(study.high.max()), float(study.prior.max()), float(study.proposed.max()), 1e-9)
    rows = []
    for d in sorted(range(len(study.proposed)), key=lambda d: (-study.proposed[d], study.runs.domains[d])):
        name, share = study.runs.domains[d], float(study.proposed[d])
        rows.append(
            {
                "name": name,
                "bar": f"{100 * share / top:.2f}",
                "low": f"{100 * study.low[d] / top:.2f}",
                "high": f"{100 * study.high[d] / top:.2f}",
                "mark": f"{100 * study.prior[d] / top:.2f}",
                "prior": f"{100 * study.prior[d]:.2f}%",
                "proposed": f"{100 * share:.2f}%",
                "interval": f"{100 * study.low[d]:.2f}–{100 * study.high[d]:.2f}%",
                "tokens": amount(round(share * budget)) if budget else "–",
                "epochs": f"{share * budget / available[name]:.2f}" if budget and available else "–",
                "cap": "at its cap" if name in study.binding else "",
            }
        )
    return rows


def _table(title: str, about: str, columns: Sequence[str], rows: Sequence[Sequence[str]], chosen: int = -1) -> Any:
    cells = [{"cells": row, "chosen": position == chosen} for position, row in enumerate(rows)]
    return {"title": title, "about": about, "columns": columns, "rows": cells}


def metric_rows(study: Study) -> list[tuple[str, tuple[str, str, str], tuple[str, str]]]:
    """Of each metric its name, (loss of the prior, of the proposal, change), (rank correlation, error)."""
    before, after, trial = study.losses_of_prior, study.losses_of_proposed, study.trial
    return [
        (
            name,
            (f"{before[k]:.4f}", f"{after[k]:.4f}", f"{after[k] - before[k]:+.4f}"),
            (f"{trial.correlations[k]:.3f}", f"{trial.errors[k]:.4g}"),
        )
        for k, name in enumerate(study.runs.metrics)
    ]


def law_rows(study: Study) -> list[tuple[str, ...]]:
    """Laws, that of the proposal first: rank correlation of the objective, mean of those and of errors of metrics."""
    count = len(study.runs.metrics)
    return [
        (t.law, f"{t.objective:.3f}", f"{sum(t.correlations) / count:.3f}", f"{sum(t.errors) / count:.4g}")
        for t in study.trials
    ]


def worst_rows(study: Study) -> list[tuple[str, ...]]:
    """Runs predicted worst: the objective as predicted, as found, and the difference."""
    return [(name, f"{guess:.4f}", f"{real:.4f}", f"{guess - real:+.4f}") for name, guess, real in study.worst]


def _effects(study: Study) -> dict[str, Any]:
    size = abs(study.effects).max(axis=0)
    shown = sorted(sorted(range(len(size)), key=lambda d: -size[d])[:_DOMAINS_SHOWN])
    top = float(size.max()) or 1.0
    rows = []
    for k, name in enumerate(study.runs.metrics):
        cells = [
            {
                "text": f"{1000 * study.effects[k, d]:+.1f}",
                "tone": "good" if study.effects[k, d] < 0 else "bad",
                "strength": f"{0.75 * abs(study.effects[k, d]) / top:.3f}",
            }
            for d in shown
        ]
        rows.append({"name": name, "cells": cells})
    return {"columns": [study.runs.domains[d] for d in shown], "rows": rows}
