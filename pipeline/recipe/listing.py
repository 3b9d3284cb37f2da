"""The splits of a recipe: the files, ranges and records that its sources stand for, and what reading records costs.

The list is the same whatever the order in which files are found.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.recipe.paths import root_of, unlisted
from pipeline.recipe.products import Recipe
from pipeline.recipe.yaml_file import Key
from pipeline.store.storage import Store
from stages import sources
from stages.contract import Split


def list_splits(
    recipe: Recipe, say: Callable[[str], None] = lambda _: None, store: Store | None = None, keep: bool = False
) -> list[Split]:
    """Every split of every source, sorted: the same list whatever the order in which files are found.

    Args:
        say: called with a remark for every file that is left out.
        store: where scanned indices of `sources.NAME.index` may stand already.
        keep: put what is scanned there.
    """
    splits: list[Split] = []
    wrong: list[tuple[Key, sources.SourceError]] = []

    def keeper(identity: str, find: Callable[[], sources.Index]) -> sources.Index:
        address = f"sources/index-{identity}.parquet"
        if store is not None and store.exists(address):
            return sources.from_table(store.read_table(address), store.metadata(address))
        found = find()
        if store is not None and keep:
            store.write_table(address, *sources.to_table(found))
        return found

    for name in sorted(recipe.sources):
        if recipe.sources[name].transform is not None:
            continue  # `derived_splits`
        if name in recipe.listed:
            found, lines = recipe.listed[name]
            splits += found
            for line in lines:
                say(line)
            continue
        params = recipe.sources[name].params
        try:
            splits += sources.list_splits(name, params, say, keeper, without=root_of(store) if store else "")
        except sources.SourceError as error:
            wrong.append((("sources", name, "index" if params.index else "paths"), error))
    if wrong:
        raise unlisted(recipe.path, wrong)
    return splits


def index_costs(splits: list[Split]) -> list[str]:
    """Requests and bytes of reading the records that indices name, in a line a source."""
    lines = []
    for name, cost in sources.costs(splits).items():
        share = f" ({cost.bytes_asked / cost.bytes_there:.2%} of those files)" if cost.bytes_there else ""
        lines.append(
            f"source {name}: {cost.wanted:,} records of {cost.files:,} files in {cost.requests:,} requests of"
            f" {cost.bytes_asked:,} bytes{share}, {cost.bytes_asked / cost.bytes_wanted:.3f} times what is wanted"
        )
    return lines


def index_requests(splits: list[Split]) -> int:
    """Requests for the records that indices name."""
    return sum(cost.requests for cost in sources.costs(splits).values())
