"""Inputs of `kept` beside the measured files of its split: compiled addresses and robots.txt, edges of percentiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pipeline.errors import UserError
from pipeline.recipe import Recipe, compile_lists, compile_robots, exchanges
from pipeline.store.address import digest
from pipeline.store.storage import Store
from stages.contract import Wave, and_more


def url_files(recipe: Recipe, store: Store, say: Callable[[str], None], dry: bool) -> dict[str, str]:
    """Addresses of the compiled lists of each source that has any; those that are not there are made, unless ``dry``.

    Raises:
        UserError: a list changed or went away since the mixture file was read.
    """
    return _compiled(recipe, store, say, dry, (recipe.url_lists, compile_lists, "urls", "urls"))


def robots_tables(recipe: Recipe, store: Store, say: Callable[[str], None], dry: bool) -> dict[str, str]:
    """Addresses of the compiled robots.txt files of each source that has any; as `url_files`."""
    return _compiled(recipe, store, say, dry, (recipe.robots_table, compile_robots, "robots", "robots.files"))


def _compiled(
    recipe: Recipe, store: Store, say: Callable[[str], None], dry: bool, kind: tuple[Callable[..., Any], Any, str, str]
) -> dict[str, str]:
    """``kind``: the address of what a source has of it, what compiles it, and its keys in remarks and in errors."""
    place_of, compile_into, remarked, files = kind
    places = {name: place for name in recipe.sources if (place := place_of(name))}
    for source, place in places.items():
        if dry or store.whole(place):
            continue
        try:
            for remark in compile_into(recipe.sources[source].sections["kept"], store, place):
                say(f"kept.{remarked}: {remark}")
        except (ValueError, OSError) as error:
            raise UserError(f"{recipe.path}: kept.{files}: {error}") from error
    return places


FILES_A_TASK = 64


def bucket_waves(
    recipe: Recipe, inputs: list[dict[str, Any]], decides: list[str], labels: Sequence[str]
) -> tuple[str, list[Wave]] | None:
    """Address of the edges of the percentiles that domains name, and the waves that make them; None where none does.

    Args:
        inputs: of each split the files and settings that `kept` decides by.
        decides: of each split the fingerprint and digests that decide its content.
        labels: of each split, for people.
    """
    wanted = recipe.percentiles()
    if not wanted:
        return None
    groups = [slice(start, start + FILES_A_TASK) for start in range(0, len(inputs), FILES_A_TASK)]
    names = [f"buckets/counts/{digest([recipe.counted_columns(), decides[group]])}.parquet" for group in groups]
    folder = f"buckets/{digest([wanted, names])}"
    splits = [{"splits": inputs[group]} for group in groups]
    shown = [and_more(labels[group.start], len(inputs[group]) - 1) for group in groups]
    return f"{folder}.json", exchanges.bucket_plan(recipe, splits, names, folder, f"{folder}.json", shown)
