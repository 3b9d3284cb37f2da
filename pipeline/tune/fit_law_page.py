"""The page that `fit-law` writes: curves through the runs, residuals, the profile of E, predictions. HTML and SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, exp, floor, log10
from typing import Any

import numpy as np

from pipeline.planner.fitting import FittedLaw, Prediction, losses_at
from pipeline.planner.tables import amount
from pipeline.tune.fit_page import environment, style

COLOURS = ("#1f6f78", "#b0562c", "#5b6bb5", "#7a8b2a", "#9b4f96", "#3d7fb8", "#b38a1d", "#6b6f76")
WIDTH, HEIGHT, LEFT, BOTTOM = 720, 320, 52, 34
NOTHING = 1e-9
"""No constant of a law of losses is smaller but 0 as a search left it."""


def digits(value: float, count: int = 3) -> str:
    """A constant in so many digits."""
    if abs(value) < NOTHING:
        return "0"
    return f"{value:.{count}g}" if abs(value) < 1e15 else "beyond 1e15"


def round_numbers(low: float, high: float) -> list[float]:
    """Four to nine numbers from ``low`` to ``high``, whole steps of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10((high - low) / 4))
    step = max(power * part for part in (1, 2, 5) if power * part <= (high - low) / 4)
    return [round(k * step, 12) for k in range(ceil(low / step), floor(high / step) + 1)]


class Frame:
    """A map from numbers to places in a drawing, the abscissa on a logarithmic scale or not."""

    def __init__(self, x: Sequence[float], y: Sequence[float], logarithmic: bool = True) -> None:
        self.logarithmic = logarithmic
        self.x0, self.x1 = self._inside(min(x)), self._inside(max(x))
        room = (max(y) - min(y)) * 0.06 or 1e-6
        self.y0, self.y1 = min(y) - room, max(y) + room
        if self.x1 <= self.x0:
            self.x1 = self.x0 + 1

    def _inside(self, x: float) -> float:
        return log10(x) if self.logarithmic else x

    def place(self, x: float, y: float) -> tuple[float, float]:
        across = (self._inside(x) - self.x0) / (self.x1 - self.x0)
        up = (y - self.y0) / (self.y1 - self.y0)
        return LEFT + across * (WIDTH - LEFT - 12), (HEIGHT - BOTTOM) - up * (HEIGHT - BOTTOM - 10)

    def path(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.place(*pair) for pair in zip(xs, ys, strict=True)))

    def ticks(self, label: Callable[[float], str] = "{:.3g}".format) -> dict[str, list[dict[str, str]]]:
        """Lines and their labels: powers of ten across where it is logarithmic, else round numbers."""
        if self.logarithmic:
            across = [10.0**k for k in range(ceil(self.x0), floor(self.x1) + 1)]
        else:
            across = round_numbers(self.x0, self.x1)
        down = round_numbers(self.y0, self.y1)
        return {
            "x": [{"at": f"{self.place(x, self.y0)[0]:.1f}", "text": label(x)} for x in across],
            "y": [{"at": f"{self.place(10**self.x0 if self.logarithmic else self.x0, y)[1]:.1f}", "text": f"{y:.3g}"}
                  for y in down],
        }  # fmt: skip


def page(law: FittedLaw, name: str, foreseen: Sequence[Prediction], notes: Sequence[str]) -> str:
    """The whole page; the same bytes for the same law."""
    made = environment()
    return made.get_template("fit_law.html.j2").render(
        style=style(made),
        name=name,
        facts=[
            ("runs", len(law.runs.names)),
            *((key, digits(value, 4)) for key, value in law.named.items()),
        ],
        notes=notes,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        base=HEIGHT - BOTTOM,
        curves=curves(law),
        residuals=residuals(law),
        profile=profile(law),
        tables=[
            {"title": title, "rows": [{"cells": prediction_cells(one, "–", "–")} for one in some]}
            for title, some in (
                ("Predictions", foreseen),
                ("The largest runs, predicted by a fit to the others", law.held_out),
            )
            if some
        ],
        leverage=[(run, f"{beta:+.4f}", f"{moved:+.4f}") for run, beta, moved in law.leverage[:8]],
    )


def prediction_cells(one: Prediction, to: str, none: str) -> tuple[str, ...]:
    """Run, N, D, loss, interval with ``to`` between its ends, loss found and how far off; ``none``: not known."""
    off = none if one.found is None else f"{100 * (one.loss / one.found - 1):+.2f}%"
    found = none if one.found is None else f"{one.found:.4f}"
    interval = f"{one.low:.4f}{to}{one.high:.4f}"
    return one.name, amount(one.parameters), amount(one.tokens), f"{one.loss:.4f}", interval, found, off


def curves(law: FittedLaw) -> dict[str, Any]:
    """Loss over tokens, a curve and its interval for each model size, up to ten times the most tokens."""
    runs = law.runs
    sizes = _sizes(law)
    xs = np.geomspace(runs.tokens.min() * 0.8, runs.tokens.max() * 10, 60)
    lines = []
    for k, size in enumerate(sizes):
        unique = None if runs.unique is None else xs
        many = losses_at(law.resamples, np.full(60, size), xs, unique)
        low, high = np.percentile(many, (5, 95), axis=0)
        lines.append((k, size, losses_at(law.constants, np.full(60, size), xs, unique), low, high))
    ys = [float(value) for _, _, curve, _, _ in lines for value in curve] + runs.losses.tolist()
    frame = Frame(xs.tolist(), ys)
    drawn = []
    for k, size, curve, low, high in lines:
        clipped = [np.clip(side, frame.y0, frame.y1).tolist() for side in (low, high)]
        band = f"{frame.path(xs.tolist(), clipped[0])} {frame.path(xs[::-1].tolist(), clipped[1][::-1])}"
        drawn.append(
            {
                "colour": COLOURS[k % len(COLOURS)],
                "label": amount(size),
                "points": frame.path(xs.tolist(), curve.tolist()),
                "band": band,
            }
        )
    return {"lines": drawn, "dots": _dots(law, frame, runs.tokens, runs.losses), "ticks": frame.ticks(amount)}


def residuals(law: FittedLaw) -> dict[str, Any]:
    """Found over predicted, in hundredths, by compute."""
    runs = law.runs
    off = 100 * (runs.losses / losses_at(law.constants, runs.parameters, runs.tokens, runs.unique) - 1)
    frame = Frame(runs.compute.tolist(), [*off.tolist(), 0.0])
    zero = f"{frame.place(float(runs.compute.min()), 0.0)[1]:.1f}"
    return {"dots": _dots(law, frame, runs.compute, off), "zero": zero, "ticks": frame.ticks()}


def profile(law: FittedLaw) -> dict[str, Any]:
    """Fit of the law with E held at other values: the loss over the least, up to three times it."""
    points = [(e, min(ratio, 3.0)) for e, ratio in law.identified.profile]
    frame = Frame([e for e, _ in points], [1.0, 3.0], logarithmic=False)
    best = f"{frame.place(exp(law.constants[0]), 1.0)[0]:.1f}"
    low, high = (f"{frame.place(e, 1.0)[0]:.1f}" for e in (law.identified.e_low, law.identified.e_high))
    path = frame.path([e for e, _ in points], [ratio for _, ratio in points])
    return {
        "points": path,
        "best": best,
        "low": low,
        "width": f"{float(high) - float(low):.1f}",
        "ticks": frame.ticks(),
    }


def _sizes(law: FittedLaw) -> list[float]:
    """Eight model sizes at most, spread over those there are."""
    sizes = np.unique(law.runs.parameters)
    chosen = np.unique(np.linspace(0, len(sizes) - 1, min(len(sizes), len(COLOURS))).round().astype(int))
    return [float(size) for size in sizes[chosen]]


def _dots(law: FittedLaw, frame: Frame, xs: Any, ys: Any) -> list[dict[str, str]]:
    sizes = np.log(np.array(_sizes(law)))
    dots = []
    for run, x, y in zip(range(len(law.runs.names)), xs, ys, strict=True):
        near = int(np.abs(sizes - np.log(law.runs.parameters[run])).argmin())
        across, down = frame.place(float(x), float(y))
        title = f"{law.runs.names[run]}: {law.runs.losses[run]:.4f}"
        dots.append({"x": f"{across:.1f}", "y": f"{down:.1f}", "colour": COLOURS[near % len(COLOURS)], "title": title})
    return dots
