"""Commands that make a corpus, show and check it, and hand it over: run, plan, status, stats, show, verify, export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline import terminal
from pipeline.answers import dedup_report as duplicates
from pipeline.answers import paths
from pipeline.answers import show as showing
from pipeline.answers import stats as reporting
from pipeline.answers.status import status_text
from pipeline.answers.verify import verify_root
from pipeline.cli.group import ENGINE, MIXTURE, NAME, QUIET, ROOT, WORKERS, command, open_root, reading, write_page
from pipeline.cli.values import POSITIVE, Count, Local, Number, names_in
from pipeline.errors import UserError
from pipeline.exports import EXPORTS, card, text
from pipeline.exports import export as handover
from pipeline.run import driver, outlook
from pipeline.run import prune as pruning
from pipeline.run.part import fraction_of
from pipeline.sample import make_sample
from pipeline.store.storage import is_path

BLEND = "megatron-blend"
TRAINERS = (*EXPORTS, BLEND, *text.SUFFIXES)


@command()
@MIXTURE
@ROOT
@ENGINE
@WORKERS
@QUIET
@click.option(
    "--sample", "part", help="Run this share of the input, as 1%, and tell what all of it would give and cost."
)
def run(mixture: str, root: str, engine: str, workers: int | None, quiet: bool, part: str | None) -> None:
    """Make everything MIXTURE asks for, redoing only what is not there yet."""
    share = fraction_of(part) if part is not None else None
    terminal.show(driver.run(mixture, open_root(root), engine, workers, quiet, share), end="")


@command()
@MIXTURE
@ROOT
@click.option("--compute", type=POSITIVE, help="FLOP of a training run: its model and corpus by the scaling laws.")
@click.option("--gpus", type=Count(1), help="The compute as GPUs, with --days.")
@click.option("--days", type=POSITIVE, help="Days of training on --gpus.")
@click.option("--gpu", default="h100", show_default=True, help="Kind of GPU, or its peak in FLOP/s.")
@click.option(
    "--utilisation",
    type=Number(0, 1, min_open=True),
    default=0.4,
    show_default=True,
    help="Share of the GPUs' peak that training reaches.",
)
@click.option("--parameters", type=POSITIVE, help="Size of the model, where it is fixed.")
@click.option(
    "--law", "laws", multiple=True, help="Scaling law to plan by: a file that `fit-law` wrote, or a published one."
)
@click.option("--sequence-length", type=Count(2), default=4096, show_default=True, help="For the windows of trainers.")
@click.option("--cores", type=Count(1), help="Cores for the time a run takes; by default this machine's.")
@click.option("--price-per-core-hour", type=Number(0), help="For the money a run takes.")
@click.option("--price-per-million-requests", type=Number(0), help="Of an object store.")
@click.option("--price-per-gib-month", type=Number(0), help="Of disk.")
def plan(
    mixture: str,
    root: str,
    cores: int | None,
    price_per_core_hour: float | None,
    price_per_million_requests: float | None,
    price_per_gib_month: float | None,
    **training: Any,
) -> None:
    """Show what `run` would do, redo and reuse, why, and what it takes; and plan a training run. Changes nothing."""
    prices = outlook.Prices(price_per_core_hour, price_per_million_requests, price_per_gib_month, cores)
    terminal.show(driver.plan(mixture, open_root(root), driver.Training(**training), prices), end="")


@command()
@ROOT
@reading
def status(root: str) -> None:
    """Show how far a root is: what runs, what is finished, what failed or was quarantined."""
    terminal.show(status_text(open_root(root)), end="")


@command()
@ROOT
@NAME
@click.option("--json", "as_json", is_flag=True, help="Print stats.json.")
@click.option("--html", help="Write the report as one HTML file here; a path or URI.")
@click.option("--csv", help="Write every table as a CSV file into this folder or URI.")
@click.option("--parquet", help="Write every table as a Parquet file there.")
@reading
def stats(root: str, name: str | None, as_json: bool, html: str | None, csv: str | None, parquet: str | None) -> None:
    """Report of a finished or running root: the funnel, tokens per domain and language, shares."""
    store = open_root(root)
    for suffix, folder in ((".csv", csv), (".parquet", parquet)):
        if folder:
            terminal.show(card.write_tables(store, name, suffix, folder))
    if (csv or parquet) and not (html or as_json):
        return
    if html:
        write_page(html, reporting.html(store, name))
        terminal.show(html)
    else:
        terminal.show(
            terminal.json_text(reporting.json_text(store, name)) if as_json else reporting.text(store, name), end=""
        )


@command()
@click.argument("page")
@ROOT
@NAME
@click.option("--raw", is_flag=True, help="Print the original record instead, byte for byte.")
@reading
def show(page: str, root: str, name: str | None, raw: bool) -> None:
    """Show one page, by doc_id or URL, through all products."""
    store = open_root(root)
    if raw:
        terminal.show_bytes(showing.raw_record(store, name, page))
    else:
        terminal.show(showing.page_text(store, name, page), end="")


@command()
@ROOT
@NAME
def verify(root: str, name: str | None) -> None:
    """Check every file of a mixture: checksums, alignment, conservation, manifest against bytes."""
    terminal.show(verify_root(open_root(root), name), end="")


@command("dedup-report")
@ROOT
@NAME
@click.option("--largest", type=Count(0), default=5, show_default=True, help="Largest clusters to explain.")
@click.option(
    "--pairs",
    type=click.Path(dir_okay=False),
    help="Judge it instead: a file of labelled pairs (a, b: doc_ids or URLs; duplicate: true or false).",
)
@reading
def dedup_report(root: str, name: str | None, largest: int, pairs: str | None) -> None:
    """Show what deduplication removed: similarities, cluster sizes, losses, the largest clusters with excerpts.

    With --pairs, recall and precision over a user's own labelled pairs, by similarity.
    """
    store = open_root(root)
    judged = duplicates.pairs_text(store, name, pairs) if pairs else None
    terminal.show(judged or duplicates.text(store, name, largest), end="")


@command(epilog=f"FORMAT is one of {', '.join(TRAINERS)}.")
@click.argument("trainer", metavar="FORMAT", type=click.Choice(TRAINERS))
@click.argument("folder")
@ROOT
@NAME
@click.option("--domain", help="Export this domain's shards instead of the corpus.")
@click.option("--phase", help="Export the corpus of this phase of training, where the mixture has phases.")
@click.option(
    "--split", type=click.Choice(["train", "valid", "test"]), default="train", help="Held out, with --domain."
)
@click.option("--sequence-length", type=Count(1), default=4096, show_default=True, help="For the flags of a blend.")
@click.option("--columns", default="", help="Of text: columns beside doc_id and text, of any product, by commas.")
@click.option(
    "--selection",
    type=click.Choice(["kept", "corpus"]),
    default="kept",
    show_default=True,
    help="Of text: every kept page, or the pages of the corpus with how often it takes each.",
)
@click.option("--as-extracted", is_flag=True, help="Of text: without the views of the mixture (redaction, repeats).")
@click.option("--licence", help="Of text: for its card, as the Hub spells it.")
@click.option("--workers", type=Count(1), default=4, show_default=True, help="Of text: threads.")
@reading
def export(
    trainer: str,
    folder: str,
    root: str,
    name: str | None,
    domain: str | None,
    phase: str | None,
    split: str,
    sequence_length: int,
    columns: str,
    selection: str,
    as_extracted: bool,
    licence: str | None,
    workers: int,
) -> None:
    """Write the corpus into FOLDER in a FORMAT of other trainers, or its text. datasets and PyTorch need no export.

    megatron-blend links every domain and its held-out splits, and writes their weights and the flags. parquet, jsonl
    and arrow write the text of the kept pages, a folder a domain, with manifest and card; FOLDER may be a URI there.
    """
    if trainer in text.SUFFIXES:
        extra = tuple(names_in(columns))
        only = (domain,) if domain else ()
        wanted = text.Wanted(trainer, extra, only, selection == "corpus", phase, not as_extracted, licence)
        terminal.show(text.export_text(open_root(root), name, folder, wanted, workers), end="")
        return
    if not is_path(folder):
        raise UserError(f"{folder}: {trainer} is written on a disk; export into a folder here, and copy it")
    if trainer == BLEND:
        if domain or phase or split != "train":
            raise click.UsageError("megatron-blend takes all of a mixture: leave out --domain, --phase and --split")
        terminal.show(handover.blend_text(open_root(root), name, folder, sequence_length), end="")
        return
    terminal.show(handover.export_text(open_root(root), name, domain, trainer, folder, phase, split), end="")


@command()
@click.argument("product", metavar="PRODUCT")
@ROOT
@NAME
@reading
def path(product: str, root: str, name: str | None) -> None:
    """Print the files of a PRODUCT of a mixture, one a line: documents, quality, kept, shards, corpus, report, ..."""
    terminal.show("\n".join(paths.paths_of(open_root(root), name, product)))


@command()
@click.argument("root", envvar="GRISTMILL_ROOT")
@click.option("--keep", multiple=True, help="A mixture to keep, and none but those named so; by default all.")
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
def prune(root: str, keep: tuple[str, ...], dry_run: bool) -> None:
    """Remove from ROOT what no mixture needs: files of before an edit. Refused while a run is under way there."""
    terminal.show(pruning.prune_text(open_root(root), names_in(*keep), dry_run), end="")


@command()
@click.argument("folder", type=Local(file_okay=False))
@click.option("--pages", type=Count(1), help="Documentation pages to render.")
def sample(folder: str, pages: int | None) -> None:
    """Make the demo corpus in FOLDER, from what is installed on this machine, without network."""
    terminal.show(f"{folder}: {driver.sample_text(make_sample(Path(folder), pages=pages))}")
