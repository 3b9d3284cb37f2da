"""Commands about rules: `calibrate` and `train-quality`."""

from __future__ import annotations

from typing import Any

import click

from pipeline import terminal
from pipeline.cli.group import MIXTURE, NAME, ROOT, command, open_root
from pipeline.tune import calibrate as calibration
from pipeline.tune import train_quality as training


@command()
@MIXTURE
@ROOT
@click.option(
    "--method",
    type=click.Choice(["quantile", "spread", "median", "tail"]),
    default="quantile",
    show_default=True,
    help="FineWeb-2's: drop the share that the reference loses, equal deviations, scale by medians, drop a tenth.",
)
@click.option("--reference", default="en", show_default=True, help="Language of the published thresholds.")
@click.option("--source", "sources", multiple=True, help="Look at this source alone; may be given again.")
@click.option("--rule", "rules", multiple=True, help="Propose for this rule alone; may be given again.")
@click.option("--pages", type=click.IntRange(1), default=1_000_000, show_default=True, help="Pages to look at.")
@click.option("--min-pages", type=click.IntRange(1), default=100, show_default=True, help="Least pages of a language.")
@click.option("--stop-words", is_flag=True, help="Propose stop words too, from the text of the pages.")
def calibrate(mixture: str, root: str, **wanted: Any) -> None:
    """Propose thresholds per language from what ROOT measured for MIXTURE, with histograms, as YAML to paste."""
    terminal.show(calibration.calibrate(mixture, open_root(root), calibration.Wanted(**wanted)), end="")


@command("train-quality")
@click.argument("output", type=click.Path(dir_okay=False))
@click.option(
    "--positives", multiple=True, help="source:NAME, domain:NAME or a file of good texts; may be given again."
)
@click.option("--negatives", multiple=True, help="The same of texts to tell them from.")
@click.option("--labelled", multiple=True, type=click.Path(dir_okay=False), help="JSONL or Parquet with both classes.")
@click.option("--label-field", default="label", show_default=True, help="Field of --labelled that tells the class.")
@click.option(
    "--positive-label", "positive_labels", multiple=True, default=["1", "positive", "true", "True"], show_default=True
)
@click.option("--text-field", default="text", show_default=True, help="Field of files that holds the text.")
@click.option("--root", envvar="GRISTMILL_ROOT", help="Root of source: and domain: [env: GRISTMILL_ROOT].")
@NAME
@click.option("--max-texts", type=click.IntRange(2), default=100_000, show_default=True, help="Of each class.")
@click.option("--epochs", type=click.IntRange(1), default=5, show_default=True)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=0.1, show_default=True)
@click.option("--dimensions", type=click.IntRange(1), default=64, show_default=True)
@click.option("--word-ngrams", type=click.IntRange(1), default=2, show_default=True)
@click.option("--buckets", type=click.IntRange(1), default=1 << 20, show_default=True, help="Of hashed n-grams.")
@click.option("--held-out", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.1, show_default=True)
@click.option("--lower-case", is_flag=True, help="Lower-case the texts; the classifier then needs `lower_case: true`.")
def train_quality(
    output: str,
    root: str | None,
    name: str | None,
    positives: tuple[str, ...],
    negatives: tuple[str, ...],
    labelled: tuple[str, ...],
    text_field: str,
    label_field: str,
    positive_labels: tuple[str, ...],
    max_texts: int,
    **settings: Any,
) -> None:
    """Train a fastText classifier of quality, measure it on held-out texts, write it to OUTPUT and OUTPUT.json."""
    texts = training.Texts(positives, negatives, labelled, text_field, label_field, positive_labels, max_texts)
    store = open_root(root) if root else None
    terminal.show(training.train_quality(output, store, name, texts, settings), end="")
