"""Commands that answer questions about a root: why, trace, find, diff, card, remove. See `pipeline.cli`."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from pipeline.cli import NAME, ROOT, command, open_root

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def show_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=True, default=str))


@command()
@click.argument("page")
@ROOT
@NAME
@AS_JSON
@click.option("--raw", is_flag=True, help="Print the original record instead, byte for byte.")
def why(page: str, root: str, name: str | None, as_json: bool, raw: bool) -> None:
    """Tell the whole life of a page, by URL or doc_id: why it was kept or dropped, and the shards it is in."""
    from pipeline import life, life_text, reporting, show, snapshot

    store = open_root(root)
    if raw:
        sys.stdout.buffer.write(show.raw_record(store, name, page))
        return
    lives = life.lives(snapshot.load(store, name), page)
    if as_json:
        show_json(lives)
    else:
        click.echo("\n".join(life_text.life_text(reporting.safe(told)) for told in lives), nl=False)


@command()
@click.argument("place", metavar="SHARD[:ROW[:TOKEN]]")
@ROOT
@NAME
@AS_JSON
def trace(place: str, root: str, name: str | None, as_json: bool) -> None:
    """Find where a token or document of a shard came from: document, URL, input file and position in it."""
    from pipeline import origin, reporting

    found = origin.trace(open_root(root), name, place)
    if as_json:
        show_json(found)
    else:
        click.echo("\n".join(origin.trace_lines(reporting.safe(found))))
