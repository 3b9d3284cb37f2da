"""Commands about mixtures and tokenizers: `swarm`, `train-tokenizer`, `check-tokenizer`. `pipeline.cli` loads them."""

from __future__ import annotations

import click

from pipeline.cli import MIXTURE, ROOT, command, open_root

FOLDER = click.argument("folder", type=click.Path(file_okay=False))


@command()
@MIXTURE
@FOLDER
@ROOT
@click.option("--count", type=click.IntRange(1), required=True, help="How many mixtures.")
@click.option("--budget", required=True, help="Tokens of each: 10000000, 10M, 2.5B.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--prior",
    type=click.Choice(["natural", "mixture"]),
    default="natural",
    show_default=True,
    help="Scatter around the shares that the tokens have, or those of MIXTURE.",
)
def swarm(mixture: str, folder: str, root: str, count: int, budget: str, seed: int, prior: str) -> None:
    """Write --count variants of MIXTURE with other shares into FOLDER, to train proxy models on."""
    from pipeline.swarm import write_swarm

    made = write_swarm(
        mixture, open_root(root), folder, count=count, budget=budget, seed=seed, around_mixture=prior == "mixture"
    )
    click.echo("\n".join(made))
