"""Commands that answer questions about a root: why, trace, find, query, diff, card, remove."""

from __future__ import annotations

import itertools
import json
import os
import sys
from typing import Any

import click

from pipeline import terminal
from pipeline.answers import decontaminate as decontamination
from pipeline.answers import diff as compare
from pipeline.answers import find as phrases
from pipeline.answers import query as queries
from pipeline.answers import query_text, safe_text, show, why_text
from pipeline.answers import trace as origin
from pipeline.answers import watch as watching
from pipeline.answers import why as life
from pipeline.cli.group import ENGINE, MIXTURE, NAME, ROOT, WORKERS, command, open_root, reading, write_page
from pipeline.cli.values import Count, Local, Number
from pipeline.errors import UserError
from pipeline.exports import card as release
from pipeline.recipe import snapshot
from pipeline.run import remove as removal

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@command()
@click.argument("page")
@ROOT
@NAME
@AS_JSON
@click.option("--raw", is_flag=True, help="Print the original record instead, byte for byte.")
@reading
def why(page: str, root: str, name: str | None, as_json: bool, raw: bool) -> None:
    """Tell the whole life of a page, by URL or doc_id: why it was kept or dropped, and the shards it is in."""
    store = open_root(root)
    if raw:
        terminal.show_bytes(show.raw_record(store, name, page))
        return
    lives = life.lives(snapshot.load(store, name), page)
    if as_json:
        terminal.show_json(lives)
    else:
        terminal.show("\n".join(why_text.life_text(safe_text.safe(one)) for one in lives), end="")


@command()
@click.argument("place", metavar="SHARD[:ROW[:TOKEN]]")
@ROOT
@NAME
@AS_JSON
@reading
def trace(place: str, root: str, name: str | None, as_json: bool) -> None:
    """Find where a token or document of a shard came from: document, URL, input file and position in it."""
    found = origin.trace(open_root(root), name, place)
    if as_json:
        terminal.show_json(found)
    else:
        terminal.show("\n".join(origin.trace_lines(safe_text.safe(found))))


@command()
@click.argument("text")
@ROOT
@NAME
@AS_JSON
@click.option("--limit", type=Count(0), default=20, show_default=True, help="Pages to show at most; 0: all.")
@click.option("--ignore-case", is_flag=True, help="Capital or small letters are the same.")
@click.option("--regex", is_flag=True, help="TEXT is a regular expression (RE2).")
@click.option("--label", "labels", multiple=True, metavar="NAME=LABEL", help="Only pages of this label, as topic=code.")
@click.option("--workers", type=Count(1), help="Threads; by default one for every CPU.")
@reading
def find(
    text: str,
    root: str,
    name: str | None,
    as_json: bool,
    limit: int,
    workers: int | None,
    labels: tuple[str, ...],
    **how: bool,
) -> None:
    """List the pages whose text contains TEXT, kept or dropped, with the reasons. Reads all texts."""
    phrase = phrases.Phrase(text, labels=tuple(map(phrases.label_wanted, labels)), **how)
    threads = workers or os.cpu_count() or 1
    count = 0
    for found in phrases.find(snapshot.load(open_root(root), name), phrase, limit or None, threads):
        count += 1
        terminal.show(
            json.dumps(found) if as_json else "\n".join(phrases.hit_lines(safe_text.safe(phrases.in_a_line(found))))
        )
    if limit and count == limit:
        terminal.tell(f"the first {count:,}; --limit 0 lists all")
    if not count:
        terminal.tell("no page contains it")
        sys.exit(1)


@command()
@click.argument("root", metavar="ROOT")
@click.argument("sql", metavar="SQL")
@NAME
@click.option("--csv", "form", flag_value="csv", help="Print CSV, all rows.")
@click.option("--json", "form", flag_value="json", help="Print JSON, an object a line, all rows.")
@click.option("--limit", type=Count(0), default=100, show_default=True, help="Rows of the table; 0: all.")
@reading
def query(root: str, sql: str, name: str | None, form: str | None, limit: int) -> None:
    """Ask a root in SQL: every product is a view of its name, and rows join using (split, row). Only reads."""
    with queries.answered(snapshot.load(open_root(root), name), sql) as answer:
        rows = (row for batch in answer.rows for row in batch)
        if form is not None:
            lines = query_text.csv_lines if form == "csv" else query_text.json_lines
            for line in lines(answer.columns, rows):
                terminal.show(line)
            return
        taken = list(itertools.islice(rows, limit + 1 if limit else None))
    shown = taken[: limit or None]
    terminal.show(query_text.table(answer.columns, shown))
    if len(shown) < len(taken):
        terminal.tell(f"the first {limit:,} rows; --limit 0 shows all, --csv and --json print all")


@command()
@click.argument("folder", type=click.Path(file_okay=False))
@ROOT
@NAME
@click.option("--phase", help="The corpus of this phase of training.")
@click.option("--licence", help="As the Hub spells it: odc-by, apache-2.0, other.")
@click.option("--title", help="By default the mixture's name.")
@click.option("--description", default="", help="Markdown to put first.")
@click.option("--url", help="Where the dataset is found; Croissant must say it.")
@click.option("--creator", "creators", multiple=True, help="Name of a creator; may be given more than once.")
@click.option("--release", "version", default="1.0.0", show_default=True, help="Version of the dataset.")
@click.option("--date", help="Of publication, YYYY-MM-DD.")
@reading
def card(folder: str, root: str, name: str | None, phase: str | None, **about: Any) -> None:
    """Write a Hugging Face dataset card and Croissant JSON-LD of the corpus into FOLDER."""
    for line in release.write_cards(open_root(root), name, phase, folder, release.About(**about)):
        terminal.show(line)


@command()
@click.argument("listing", metavar="LIST", type=click.Path(exists=True, dir_okay=False))
@MIXTURE
@ROOT
@click.option("--copies", is_flag=True, help="Remove the page that stayed in the place of a removed duplicate too.")
@ENGINE
@WORKERS
def remove(listing: str, mixture: str, root: str, copies: bool, engine: str, workers: int | None) -> None:
    """Take the URLs, hosts and doc_ids of LIST out of MIXTURE, for good, and write a receipt that they are gone.

    LIST is a text file with one of them a line; lines that begin with # are passed over.
    """
    terminal.show(removal.remove(listing, mixture, open_root(root), copies, engine, workers), end="")


@command()
@click.option("--shards", "folder", required=True, type=click.Path(), help="Folder of texts or of token shards.")
@click.option("--benchmarks", multiple=True, required=True, help="FILE or NAME=FILE of items; may be given again.")
@click.option("--part", "parts", multiple=True, help="PART=FIELD, as question=prompt; without: the usual names.")
@click.option("--text", default="text", show_default=True, help="Column or field that holds the text.")
@click.option("--tokenizer", help="File or name of the tokenizer of token shards; without: as their manifest says.")
@click.option("--threshold", type=Number(0, 1), default=0.7, show_default=True, help="Score that marks.")
@click.option("--out", type=Local(dir_okay=False), help="Write every document with a hit: .parquet or .jsonl.")
@click.option("--workers", type=Count(1), default=1, show_default=True, help="Threads.")
@AS_JSON
def decontaminate(out: str | None, as_json: bool, **wanted: Any) -> None:
    """Tell which documents of a finished corpus hold items of benchmarks, without the run that made it."""
    found, counts = decontamination.decontaminate(decontamination.Wanted(**wanted))
    if out:
        decontamination.write(found, out)
    if as_json:
        terminal.show_json(counts)
    else:
        terminal.show(decontamination.as_text(found, safe_text.safe(counts)))


@command()
@click.argument("roots", nargs=-1)
@click.option("--root", envvar="GRISTMILL_ROOT", help="The root of both, where no ROOTS are given.")
@click.option("--mixture", "names", multiple=True, help="Mixtures to compare, where not those run last; up to two.")
@AS_JSON
@click.option("--html", type=click.Path(dir_okay=False), help="Write the differences as one HTML file here.")
@click.option("--previous", is_flag=True, help="Compare a mixture with what it was before its last run.")
@reading
def diff(
    roots: tuple[str, ...], root: str | None, names: tuple[str, ...], as_json: bool, html: str | None, previous: bool
) -> None:
    """Tell what changed between two roots, two mixtures of one, or, with --previous, since the run before.

    Ends with 0 when nothing did, with 1 otherwise.
    """
    places = roots or ((root,) if root else ())
    stores = [open_root(place) for place in places]
    if previous and len(stores) != 1:
        raise UserError("--previous takes one root: diff ROOT --previous")
    sides = compare.since_previous(stores[0], list(names)) if previous else compare.sides(stores, list(names))
    found = compare.difference(*sides)
    if html:
        write_page(html, compare.html(found))
    if as_json:
        terminal.show_json(found)
    elif html:
        terminal.show(html)
    else:
        terminal.show(compare.text(found), end="")
    sys.exit(0 if found["equal"] else 1)


@command()
@ROOT
@click.option("--port", type=Count(0, 65535), default=8266, show_default=True, help="0: any free one.")
def watch(root: str, port: int) -> None:
    """Show on a local web page how a run is doing, until interrupted."""
    store = open_root(root)
    watching.check(store)
    try:
        server = watching.server(store, port)
    except OSError as error:
        raise UserError(f"port {port} cannot be had: {error.strerror}; give another, or --port 0") from error
    with server:
        terminal.show(f"http://{watching.HOST}:{server.server_port}/")
        server.serve_forever()
