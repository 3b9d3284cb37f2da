"""Commands about mixtures and tokenizers: `swarm`, `rehydrate`, `train-tokenizer`, `check-tokenizer`."""

from __future__ import annotations

from typing import Any

import click

from pipeline import terminal
from pipeline.cli.group import ENGINE, MIXTURE, QUIET, ROOT, WORKERS, command, open_root
from pipeline.cli.values import Count, Local, names_in
from pipeline.tune import train_tokenizer as tokenizers
from pipeline.tune.rehydrate import rehydrate_text
from pipeline.tune.swarm import enough_text, write_swarm

FOLDER = click.argument("folder", type=Local(file_okay=False))


@command()
@MIXTURE
@FOLDER
@ROOT
@click.option("--count", type=Count(1), required=True, help="How many mixtures.")
@click.option("--budget", required=True, help="Tokens of each: 10000000, 10M, 2.5B.")
@click.option("--seed", type=Count(0), default=0, show_default=True)
@click.option(
    "--prior",
    type=click.Choice(["natural", "mixture"]),
    default="natural",
    show_default=True,
    help="Scatter around the shares that the tokens have, or those of MIXTURE.",
)
@click.option("--around", type=click.Path(dir_okay=False), help="Scatter around the shares of this mixture file.")
@click.option("--freeze", default="", help="Domains to draw as one, in the proportions they have there: a,b,c.")
@click.option("--every-domain", is_flag=True, help="Draw every bucket of a quality curve, not its groups.")
def swarm(mixture: str, folder: str, root: str, prior: str, freeze: str, **wanted: Any) -> None:
    """Write --count variants of MIXTURE with other shares into FOLDER, to train proxy models on.

    `fit` reads their losses; five runs a domain are enough for it.
    """
    frozen = names_in(freeze)
    made = write_swarm(mixture, open_root(root), folder, around_mixture=prior == "mixture", frozen=frozen, **wanted)
    terminal.show("\n".join(made))
    terminal.tell(enough_text(made[0], len(made), frozen))


@command()
@MIXTURE
@ROOT
@click.option("--max-repeats", type=Count(1), default=10, show_default=True)
@click.option("--min-families", type=Count(1), default=50, show_default=True, help="Of a size, to have a rate.")
@click.option("--out", type=Local(dir_okay=False), help="Weights to write (.json), for `domains.NAME.copies`.")
def rehydrate(mixture: str, root: str, max_repeats: int, min_families: int, out: str | None) -> None:
    """Show how often pages that had copies are worth repeating, by how such pages pass the filters (FineWeb-2)."""
    terminal.show(rehydrate_text(mixture, open_root(root), max_repeats, min_families, out), end="")


@command("train-tokenizer")
@MIXTURE
@click.argument("output", type=Local(dir_okay=False))
@ROOT
@click.option("--vocab-size", type=Count(300, 1 << 20), default=32_000, show_default=True)
@click.option(
    "--kind",
    type=click.Choice(["sentencepiece-bpe", "sentencepiece-unigram", "byte-bpe"]),
    default="sentencepiece-bpe",
    show_default=True,
    help="SentencePiece with byte fallback, or a byte-level tokenizer.json.",
)
@click.option("--sample-bytes", type=Count(1), default=200_000_000, show_default=True, help="Text to train on.")
@click.option("--seed", type=Count(0), default=0, show_default=True)
@ENGINE
@WORKERS
@QUIET
def train_tokenizer(
    mixture: str, output: str, root: str, engine: str, workers: int | None, quiet: bool, **training: Any
) -> None:
    """Train a tokenizer on the pages that MIXTURE keeps, by its shares; write it to OUTPUT."""
    made = tokenizers.Training(**training)
    store = open_root(root)
    terminal.show(tokenizers.train(mixture, store, output, made, engine=engine, workers=workers, quiet=quiet), end="")


@command("check-tokenizer")
@click.argument("shards", type=click.Path(file_okay=False))
@click.argument("tokenizer")
@click.option("--eos", help="Token that ends a document, by piece or id, where TOKENIZER names none.")
def check_tokenizer(shards: str, tokenizer: str, eos: str | None) -> None:
    """Compare the tokenizer of a folder of SHARDS with a TOKENIZER file or name; name every difference."""
    terminal.show(tokenizers.check(shards, tokenizer, eos), end="")
