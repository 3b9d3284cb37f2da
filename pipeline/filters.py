"""What `kept` needs beside the measured files of its split: compiled lists of addresses, as files under the root."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import UserError
from pipeline.recipe import Recipe, compile_lists
from pipeline.storage import Store


def url_files(recipe: Recipe, store: Store, say: Callable[[str], None], dry: bool) -> dict[str, str]:
    """Addresses of the compiled lists of each source that has any; those that are not there are made, unless ``dry``.

    Raises:
        UserError: a list changed or went away since the mixture file was read.
    """
    places = {name: place for name in recipe.sources if (place := recipe.url_lists(name))}
    for source, place in places.items():
        if dry or store.exists(place):
            continue
        try:
            for warning in compile_lists(recipe.sources[source].sections["kept"], store, place):
                say(f"kept.urls: {warning}")
        except (ValueError, OSError) as error:
            raise UserError(f"{recipe.path}: kept.urls: {error}") from error
    return places
