"""Commands about rules: `calibrate`, `train-classifier` and `train-quality`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from pipeline import terminal
from pipeline.cli.group import MIXTURE, NAME, ROOT, command, open_root
from pipeline.cli.values import Count, Local, Number
from pipeline.errors import UserError
from pipeline.tune import calibrate as calibration
from pipeline.tune import train_classifier as training

FASTTEXT_MOST = 2**31 - 1
"""fastText keeps its settings in C's ints."""

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


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
@click.option("--pages", type=Count(1), default=1_000_000, show_default=True, help="Pages to look at.")
@click.option("--min-pages", type=Count(1), default=100, show_default=True, help="Least pages a language and rule.")
@click.option("--stop-words", is_flag=True, help="Propose stop words too, from the text of the pages.")
def calibrate(mixture: str, root: str, **wanted: Any) -> None:
    """Propose thresholds per language from what ROOT measured for MIXTURE, with histograms, as YAML to paste."""
    terminal.show(calibration.calibrate(mixture, open_root(root), calibration.Wanted(**wanted)), end="")


def training_options(dimensions: int, buckets: int, max_bytes: int, max_model_bytes: int) -> Decorator:
    """Options of both commands that train a classifier, with these defaults: files, root, and settings of fastText."""
    text = "Field of files that holds the text."
    options = [
        click.argument("output", type=Local(dir_okay=False)),
        click.option(
            "--labelled", multiple=True, type=click.Path(dir_okay=False), help="JSONL or Parquet with labels."
        ),
        click.option("--label-field", default="label", show_default=True, help="Field of --labelled with the label."),
        click.option("--text-field", default="text", show_default=True, help=text),
        click.option("--url-field", help=f"Field of the address, for its site.  [default: {training.URL_FIELD}]"),
        click.option("--root", envvar="GRISTMILL_ROOT", help="Root of source: and domain: [env: GRISTMILL_ROOT]."),
        NAME,
        click.option("--max-texts", type=Count(2), default=100_000, show_default=True, help="Of each label."),
        click.option("--epochs", type=Count(1, FASTTEXT_MOST), default=5, show_default=True),
        click.option(
            "--learning-rate", type=Number(0, min_open=True), default=0.1, show_default=True, help="At start."
        ),
        click.option("--dimensions", type=Count(1, FASTTEXT_MOST), default=dimensions, show_default=True),
        click.option("--word-ngrams", type=Count(1, FASTTEXT_MOST), default=2, show_default=True),
        click.option("--buckets", type=Count(1, FASTTEXT_MOST), default=buckets, show_default=True, help="Of n-grams."),
        click.option("--max-bytes", type=Count(0), default=max_bytes, show_default=True, help="Of each text; 0: all."),
        click.option(
            "--max-model-bytes",
            type=Count(0),
            default=max_model_bytes,
            show_default=True,
            help="Leave rare words out of a larger model; 0: no limit.",
        ),
        click.option(
            "--held-out",
            type=Number(0, 1, min_open=True, max_open=True),
            default=0.1,
            show_default=True,
            help="Share of the texts of each label that measures, in whole sites.",
        ),
        click.option("--lower-case", is_flag=True, help="Lower-case texts; then use it with `lower_case: true`."),
    ]

    def decorated(function: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated


def train(
    output: str,
    root: str | None,
    name: str | None,
    places: list[tuple[str, str]],
    settings: dict[str, Any],
    **more: Any,
) -> None:
    """Train on the texts of ``places`` and of labelled files; ``settings`` are the options of the command."""
    for key in ("labelled", "text_field", "label_field", "url_field", "max_texts"):
        more[key] = settings.pop(key)
    store, texts = open_root(root) if root else None, training.Texts(tuple(places), **more)
    terminal.show(training.train_classifier(output, store, name, texts, settings), end="")


@command("train-classifier")
@training_options(dimensions=64, buckets=1 << 20, max_bytes=1_000, max_model_bytes=0)
@click.option("--texts", "places", multiple=True, metavar="LABEL=PLACE", help="Texts of one label; PLACE as below.")
@click.option("--pieces", type=Count(1), default=8, show_default=True, help="In which these bytes are.")
def train_classifier(output: str, root: str | None, name: str | None, places: tuple[str, ...], **rest: Any) -> None:
    """Train a fastText classifier of any labels, for the section `labels`, and measure it on sites held out.

    PLACE is source:NAME, domain:NAME or a file of texts. Writes OUTPUT and OUTPUT.json.
    """
    parted = []
    for place in places:
        label, mark, where = place.partition("=")
        if not (label and mark and where):
            raise UserError(f"--texts: expected LABEL=PLACE, found {place!r}")
        parted.append((label, where))
    if not (parted or rest["labelled"]):
        raise UserError("expected --labelled or --texts; found neither")
    train(output, root, name, parted, rest)


@command("train-quality")
@training_options(dimensions=16, buckets=1 << 19, max_bytes=10_000, max_model_bytes=50_000_000)
@click.option(
    "--positives", multiple=True, help="source:NAME, domain:NAME or a file of good texts; may be given again."
)
@click.option("--negatives", multiple=True, help="The same, of bad texts.")
@click.option("--positive-label", "positive_labels", multiple=True, default=training.POSITIVE_LABELS, show_default=True)
def train_quality(
    output: str,
    root: str | None,
    name: str | None,
    positives: tuple[str, ...],
    negatives: tuple[str, ...],
    positive_labels: tuple[str, ...],
    **rest: Any,
) -> None:
    """Train a fastText classifier of quality, measure it on held-out texts, write it to OUTPUT and OUTPUT.json."""
    if not (rest["labelled"] or (positives and negatives)):
        raise UserError("expected --positives and --negatives, or --labelled; found neither")
    places = [
        *((training.POSITIVE, place) for place in positives),
        *((training.NEGATIVE, place) for place in negatives),
    ]
    settings = {**rest, "pieces": 1, "divide_lone_sites": True}
    train(output, root, name, places, settings, positive_labels=positive_labels)
