"""`fit-law`: a scaling law from a user's own runs, for `plan --law`; printed with its doubts, and drawn on a page.

RUNS is a CSV or Parquet file, a row a run: ``parameters``, ``tokens`` (seen), ``loss``, and where tokens were repeated
``unique`` (tokens there were). ``compute`` stands in for one of the first two (6 N D). The arithmetic is
`pipeline.planner.fitting`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import exp
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.planner.fitting import DELTA, RESAMPLES, FittedLaw, Prediction, TrainingRuns, fit_law, predictions
from pipeline.planner.own_law import law_text
from pipeline.planner.tables import Table, amount, render
from pipeline.tune.fit_law_page import digits, page, prediction_cells
from pipeline.tune.output import write_whole
from pipeline.tune.run_tables import KEYS, RunTable, read_table, run_names

SPELLINGS = {
    "parameters": ("parameters", "params", "N", "n_params"),
    "tokens": ("tokens", "D", "n_tokens"),
    "loss": ("loss", "L"),
    "unique": ("unique", "unique_tokens", "U"),
    "compute": ("compute", "flop", "flops", "C"),
}
"""Columns of RUNS, and how else they may be called."""


@dataclass(frozen=True)
class LawRequest:
    """Options of the command line, beside the files."""

    loss: str | None = None
    """Column that holds the loss."""
    at: tuple[str, ...] = ()
    unseen: str | None = None
    name: str | None = None
    resamples: int = RESAMPLES
    seed: int = 0
    page: str | None = None


def fit_and_write(runs: str, out: str, request: LawRequest) -> str:
    """Fit, write the law and its page; returns the findings as text.

    Raises:
        UserError: one line, for runs that cannot be fitted or a file that cannot be written.
    """
    if Path(out).suffix != ".json":
        raise UserError(f"{out}: a law is written as JSON: expected a name that ends in .json")
    table = read_runs(runs, request.loss)
    try:
        law = fit_law(table, request.resamples, request.seed)
    except UserError as error:
        raise UserError(f"{runs}: {error}") from None
    wanted = [predictions(law, _asked(request.at, law.repeats), known=False)] if request.at else []
    wanted += [predictions(law, read_runs(request.unseen, request.loss))] if request.unseen else []
    foreseen = tuple(one for some in wanted for one in some)
    shown = request.page or f"{os.path.splitext(out)[0]}.html"
    name = request.name or Path(out).stem
    for file, text in ((shown, page(law, name, foreseen, doubts(law))), (out, law_text(law, name))):
        write_whole(file, text)
    text = "".join(render(table) + "\n" for table in tables(law, foreseen))
    return text + "".join(f"note: {doubt}\n" for doubt in doubts(law)) + f"{out}\n{shown}\n"


def read_runs(path: str, loss: str | None = None) -> TrainingRuns:
    """Training runs from a table.

    Raises:
        UserError: naming file, row and column.
    """
    table = read_table(path)
    key = next((key for key in KEYS if key in table.columns), None)
    names = run_names(table, key) if key else [f"run {row + 1}" for row in range(table.rows)]
    if loss is not None and loss not in table.columns:
        raise UserError(f"{path}: no column {loss!r}; it has {', '.join(table.columns)}")
    losses = table.numbers(loss) if loss else _column(table, "loss")
    size, tokens, compute = (_column(table, what, needed=False) for what in ("parameters", "tokens", "compute"))
    if compute is not None and size is not None and tokens is None:
        tokens = [c / (6 * n) for c, n in zip(compute, size, strict=True)]
    if compute is not None and tokens is not None and size is None:
        size = [c / (6 * d) for c, d in zip(compute, tokens, strict=True)]
    unique = _column(table, "unique", needed=False)
    if size is None or tokens is None or losses is None:
        missing = "parameters" if size is None else "tokens"
        raise UserError(f"{path}: no column {missing!r}; it has {', '.join(table.columns)}")
    columns = {"parameters": size, "tokens": tokens, "loss": losses} | ({"unique": unique} if unique else {})
    for what, values in columns.items():
        for row, value in enumerate(values):
            if value <= 0:
                raise UserError(f"{table.place(row)}: {what} must be above 0, found {value:g}")
    for row, (name, n, d) in enumerate(zip(names, size, tokens, strict=True)):
        if n < 1e3 or d < 1e3:
            raise UserError(f"{table.place(row)}: run {name} has {n:g} parameters and {d:g} tokens; give whole numbers")
    return TrainingRuns(
        tuple(names),
        np.array(size, dtype=np.float64),
        np.array(tokens, dtype=np.float64),
        np.array(losses, dtype=np.float64),
        None if unique is None else np.array(unique, dtype=np.float64),
    )


def _column(table: RunTable, what: str, needed: bool = True) -> list[float] | None:
    found = [name for name in SPELLINGS[what] if name in table.columns]
    if len(found) > 1:
        raise UserError(f"{table.path}: {found[0]!r} and {found[1]!r} are both {what}; keep one of them")
    if not found and needed:
        raise UserError(f"{table.path}: no column {what!r}; it has {', '.join(table.columns)}")
    return table.numbers(found[0]) if found else None


def _asked(wishes: tuple[str, ...], repeats: bool) -> TrainingRuns:
    """Sizes and tokens as typed: 7e9,3.9e12, and the unique tokens behind them where repeats were fitted."""
    rows = []
    for wish in wishes:
        try:
            numbers = [float(part) for part in wish.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) not in (2, 3) or min(numbers) <= 0:
            raise UserError(f"--at {wish}: expected PARAMETERS,TOKENS or PARAMETERS,TOKENS,UNIQUE, such as 7e9,3.9e12")
        rows.append([*numbers[:2], numbers[2] if len(numbers) == 3 else numbers[1]])
    values = np.array(rows)
    names = tuple(f"{amount(row[0])} on {amount(row[1])}" for row in rows)
    return TrainingRuns(names, values[:, 0], values[:, 1], np.ones(len(rows)), values[:, 2] if repeats else None)


def doubts(law: FittedLaw) -> list[str]:
    """Remarks that matter before the law is believed."""
    found = []
    e = exp(law.constants[0])
    if not law.identified.certain:
        found.append(
            f"E, A and B are not identified: with E from {digits(law.identified.e_low)} to"
            f" {digits(law.identified.e_high)} (fitted {digits(e)}) the law fits as well;"
            " believe the intervals of predictions, and add larger runs"
        )
    off = [one for one in law.held_out if one.found is not None and not one.low <= one.found <= one.high]
    if off:
        worst = max(off, key=lambda one: abs(one.loss - (one.found or 0)))
        found.append(
            f"without the largest runs, {len(off)} of {len(law.held_out)} of them are predicted outside their interval"
            f" ({worst.name}: {worst.loss:.4f}, found {worst.found:.4f}): do not trust it far beyond the runs"
        )
    if not law.held_out:
        found.append("the largest runs cannot be held out: too few others are left to fit")
    if min(law.constants[3:5]) <= 0:
        found.append("an exponent is not above 0: the loss does not fall with size or tokens in these runs")
    name, _, moved = law.leverage[0]
    if abs(moved) > 0.02:
        found.append(
            f"run {name} alone moves the loss at ten times the compute by {moved:+.3f}: look whether it is sound"
        )
    return found


def tables(law: FittedLaw, foreseen: tuple[Prediction, ...]) -> list[Table]:
    """Constants, predictions, the check without the largest runs, leverage, and approach 2."""
    found = [_constants(law)]
    if foreseen:
        found.append(_predictions("predictions", foreseen))
    if law.held_out:
        found.append(_predictions("the largest runs, predicted by a fit to the others", law.held_out))
    rows = tuple((name, f"{beta:+.4f}", f"{moved:+.4f}") for name, beta, moved in law.leverage[:5])
    columns = ("run", "beta", "loss at ten times the compute")
    found.append(Table("what leaving one run out changes", columns, rows))
    if law.isoflop is not None:
        iso = law.isoflop
        levels = tuple((f"{c:.3g}", amount(n), f"{loss:.4f}") for c, n, loss in iso.levels)
        note = f"N* = {iso.k:.4g} C^{iso.exponent:.4f} ({iso.low:.3f} to {iso.high:.3f})"
        found.append(Table("optimum at each compute (approach 2)", ("FLOP", "N*", "loss"), levels, (note,)))
    return found


def _constants(law: FittedLaw) -> Table:
    values = law.resamples.copy()
    values[:, :3] = np.exp(np.minimum(values[:, :3], 700))
    if law.repeats:
        values[:, 5] = np.exp(np.minimum(values[:, 5], 700))
    low, high = np.percentile(values, (5, 95), axis=0)
    intervals = [f"{digits(least, 4)} to {digits(most, 4)}" for least, most in zip(low, high, strict=True)]
    own = law.named.items()
    rows = tuple((name, digits(value, 5), shown) for (name, value), shown in zip(own, intervals, strict=True))
    notes = (
        f"{len(law.runs.names)} runs, Huber's loss on log loss with delta {DELTA:g}: {law.objective:.4e}, best of"
        f" {law.starts} starts",
        f"condition {digits(law.identified.condition)}; E {digits(law.identified.e_low)} to"
        f" {digits(law.identified.e_high)} fits as well",
    )
    return Table("loss = E + A / N^alpha + B / D^beta", ("constant", "fitted", "of resamples"), rows, notes)


def _predictions(title: str, foreseen: tuple[Prediction, ...]) -> Table:
    rows = tuple(prediction_cells(one, " to ", "-") for one in foreseen)
    return Table(title, ("run", "N", "D", "loss", "interval", "found", "off"), rows)
