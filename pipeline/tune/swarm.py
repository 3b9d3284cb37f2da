"""`swarm`: mixture files for small proxy models, each the original with other shares (`stages.mixture.swarm`).

Methods that fit shares by regression (RegMix, Olmix) train many small models on such mixtures, and give weights that
`mixture.weights_from` reads. The files differ from the original in ``name``, in their mixture and in where relative
paths start; comments and all other sections stay as they stand, and modules of the user's own that lie beside it are
copied beside them. As they have the tokens in common, a run of each under the same root only copies.

Where a quality curve spreads shares of groups over buckets, a share is drawn for each group (`pipeline.tune.units`).

A comment in each tells `fit` which mixture it was drawn from, around what, and which domains were drawn as one; all
else that `fit` must know (shares, definitions of domains, tokenizer) stands in them as in any mixture file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline import recipe as recipes
from pipeline.errors import UserError
from pipeline.recipe import graph, mixing
from pipeline.recipe.fitting import RUNS_A_DOMAIN
from pipeline.run.driver import dry_run
from pipeline.run.writing import Solved
from pipeline.store.storage import Store
from pipeline.tune.output import copy_modules
from pipeline.tune.units import Units

_ORIGIN = "# swarm: "
_MILLION = 10**6
_ABSOLUTE = re.compile(r"^(?:[a-z][a-z0-9+.-]*://|/|~|\$\{)")


def write_swarm(
    path: str,
    store: Store,
    folder: str,
    *,
    count: int,
    budget: str,
    seed: int,
    around_mixture: bool = False,
    around: str | None = None,
    frozen: Sequence[str] = (),
    every_domain: bool = False,
) -> list[str]:
    """Write ``count`` mixture files into ``folder``; returns their paths.

    Args:
        budget: tokens of each, as in a mixture file.
        around_mixture: scatter around the shares of the file, instead of those that the domains' tokens have.
        around: scatter around the shares of this mixture file instead, such as `fit` proposed.
        frozen: domains drawn as one, in the proportions they have there.
        every_domain: draw a share for every bucket of a quality curve, and not for each of its groups.

    Raises:
        UserError: the tokens are not counted yet, the budget is beyond all caps, or other files are in the way.
    """
    recipe = recipes.load(path, store)
    solved = counted(recipe, store)
    domains = solved.mixture.domains
    available = {domain.name: solved.available[domain.name] for domain in domains}
    prior = {domain.name: domain.requested_share for domain in domains} if around_mixture else None
    if around is not None:
        prior = shares_of(around, store, available)
    epochs = {domain.name: domain.max_epochs for domain in domains}
    shares = {domain.name: domain.requested_share for domain in domains}
    units = Units({} if every_domain else Units.of_groups(mixing.groups(recipe), shares).parts)
    if units.parts and prior is None:
        prior = {name: float(size) for name, size in available.items()}
    largest = units.least({name: epochs[name] * size for name, size in available.items()})
    tokens, drawn = mixing.swarm(
        recipe,
        {name: int(size) for name, size in largest.items()} if units.parts else available,
        count,
        seed=seed,
        budget=budget,
        prior=units.added(prior) if prior is not None else None,
        max_epochs=dict.fromkeys(largest, 1.0) if units.parts else epochs,
        frozen=frozen,
    )
    drawn = [units.divided(shares) for shares in drawn]
    origin = origin_comment(path, folder, around or ("mixture" if around_mixture else "natural"), frozen, units)
    text = Path(path).read_text(encoding="utf-8")
    digits = len(str(count - 1))
    made = {}
    for index, shares in enumerate(drawn):
        name = f"{recipe.name}-swarm-{index:0{digits}d}"
        section = mixture_section(shares, epochs, tokens, f"mixture {index} of {count} drawn with seed {seed}", origin)
        made[os.path.join(folder, f"{name}.yaml")] = rewritten(text, path, folder, name, section)
    check_folder(folder, made)
    new = [file for file in made if not os.path.exists(file)]
    os.makedirs(folder, exist_ok=True)
    new += copy_modules(path, store, folder)
    try:
        for file in set(new) & set(made):
            Path(file).write_text(made[file], encoding="utf-8")
        check_same(recipe, recipes.load(next(iter(made)), store))
    except (UserError, OSError):
        for file in new:
            Path(file).unlink(missing_ok=True)
        raise
    return list(made)


def check_folder(folder: str, made: Mapping[str, str]) -> None:
    """Check that a folder holds no other content under the paths of a swarm's files, and no file of another swarm.

    Raises:
        UserError: it does; names the first such file.
    """
    in_the_way = [file for file, content in made.items() if os.path.exists(file) and content != read(file)]
    if in_the_way:
        raise UserError(f"{in_the_way[0]} is there and holds something else; choose another folder")
    others = [str(file) for file in sorted(Path(folder).glob("*.y*ml")) if str(file) not in made]
    if mixed := [file for file in others if origin_of(read(file)) is not None]:
        raise UserError(f"{mixed[0]} is of another swarm; choose another folder: `fit` reads all that are in one")


def origin_comment(path: str, folder: str, prior: str, frozen: Sequence[str], units: Units) -> str:
    """A comment with the origin of a mixture of a swarm, paths relative to its folder; `origin_of` reads it."""

    def moved(file: str) -> str:
        return os.path.relpath(os.path.abspath(file), os.path.abspath(folder))

    around = prior if prior in ("natural", "mixture") else moved(prior)
    found: dict[str, Any] = {"mixture": moved(path), "prior": around, "frozen": sorted(frozen)}
    return _ORIGIN + json.dumps(found | ({"groups": units.parts} if units.parts else {}))


def origin_of(text: str) -> dict[str, Any] | None:
    """The origin that `origin_comment` wrote into a mixture file; None where it wrote nothing."""
    for line in text.splitlines():
        if line.strip().startswith(_ORIGIN):
            try:
                found = json.loads(line.strip().removeprefix(_ORIGIN))
            except json.JSONDecodeError:
                return None
            return found if isinstance(found, dict) and {"mixture", "prior", "frozen"} <= set(found) else None
    return None


def shares_of(path: str, store: Store, available: Mapping[str, int]) -> dict[str, float]:
    """The shares that another mixture file asks for, of the same domains.

    Raises:
        UserError: when its domains are others.
    """
    found = {
        domain.name: domain.requested_share for domain in counted(recipes.load(path, store), store).mixture.domains
    }
    unknown = sorted(set(found) - set(available))
    if unknown:
        raise UserError(f"{path}: domain {unknown[0]!r} is not in the mixture; it has {', '.join(sorted(available))}")
    return found


def counted(recipe: recipes.Recipe, store: Store) -> Solved:
    """The mixture solved by the tokens that a root has counted.

    Raises:
        UserError: when the root does not hold the tokens yet.
    """
    job = dry_run(recipe, store)
    job.plan()
    if job.solved is None:
        raise UserError(f"the tokens of {recipe.name} are not counted yet: run it once first")
    return job.solved


def mixture_section(shares: dict[str, float], epochs: dict[str, float], budget: int, about: str, origin: str) -> str:
    """The section `mixture` as YAML, shares in millionths that sum to 1."""
    lines = [f"mixture:  # {about}", f"  {origin}", f"  budget: {budget}", "  on_shortfall: redistribute", "  domains:"]
    for name, millionths in in_millionths(shares).items():
        entry = f"{{share: {millionths / _MILLION:.6f}, max_epochs: {float(epochs[name])!r}}}"
        lines.append(f"    {json.dumps(name)}: {entry}")
    return "\n".join(lines) + "\n"


def in_millionths(shares: dict[str, float]) -> dict[str, int]:
    """Whole millionths near ``shares`` that sum to a million: largest remainder, ties by name."""
    whole = {name: int(share * _MILLION) for name, share in sorted(shares.items())}
    left = _MILLION - sum(whole.values())
    for name in sorted(whole, key=lambda name: (whole[name] - shares[name] * _MILLION, name))[:left]:
        whole[name] += 1
    return whole


def rewritten(text: str, path: str, folder: str, name: str, section: str) -> str:
    """A mixture file with another name and mixture, its relative paths those that lead to the same files."""
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    keys = {key.value: (key, value) for key, value in root.value}
    edits: list[tuple[int, int, str]] = []
    if "name" in keys:
        value = keys["name"][1]
        edits.append((value.start_mark.index, value.end_mark.index, name))
    else:
        start = root.value[0][0].start_mark.index
        edits.append((start, start, f"name: {name}\n"))
    key, value = keys["mixture" if "mixture" in keys else "phases"]
    start, stop = key.start_mark.index, value.end_mark.index
    stop = start + len(text[start:stop].rstrip())
    edits.append((start, stop, section.rstrip("\n")))
    here = os.path.dirname(os.path.abspath(path))
    for scalar in path_scalars(root):
        if not _ABSOLUTE.match(scalar.value):
            moved = os.path.relpath(os.path.join(here, scalar.value), os.path.abspath(folder))
            edits.append((scalar.start_mark.index, scalar.end_mark.index, json.dumps(moved)))
    for start, stop, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[stop:]
    return text


def path_scalars(root: Any) -> Iterator[Any]:
    """The YAML nodes of all paths: of the sources' files, and of models where a path is given instead of a name."""
    for key, section in root.value:
        if key.value == "sources":
            for _, source in section.value:
                yield from scalars_at(source, ("paths",))
                yield from scalars_at(source, ("paths", "*"))
                yield from scalars_at(source, ("base",))
                yield from model_scalars(source)
        if key.value == "domains":
            for _, domain in section.value:
                yield from scalars_at(domain, ("copies",))
    yield from model_scalars(root)


def model_scalars(holder: Any) -> Iterator[Any]:
    for place in graph.model_paths():
        for scalar in scalars_at(holder, place):
            if "/" in scalar.value or Path(scalar.value).suffix in recipes.MODEL_SUFFIXES:
                yield scalar
    for files in graph.file_paths():
        yield from scalars_at(holder, files)


def scalars_at(node: Any, place: tuple[str, ...]) -> Iterator[Any]:
    """The scalars under a node at a path of keys, of which ``*`` stands for every key or entry."""
    if not place:
        if isinstance(node, yaml.ScalarNode):
            yield node
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if place[0] in ("*", key.value):
                yield from scalars_at(value, place[1:])
    elif isinstance(node, yaml.SequenceNode) and place[0] == "*":
        for value in node.value:
            yield from scalars_at(value, place[1:])


def check_same(old: recipes.Recipe, new: recipes.Recipe) -> None:
    """Whether a written file reads the same input in the same way.

    Raises:
        UserError: naming the first difference.
    """
    for name, source in old.sources.items():
        if new.sources[name] != source:
            raise UserError(f"{new.path}: source {name} is not that of {old.path}; write its paths in full")
    for name, section in old.sections.items():
        if name not in ("mixture", "phases") and new.sections[name] != section:
            raise UserError(f"{new.path}: section {name} is not that of {old.path}")


def read(file: str) -> str:
    return Path(file).read_text(encoding="utf-8", errors="replace")


def enough_text(file: str, count: int, frozen: Sequence[str]) -> str:
    """A sentence: the runs that are enough for `fit`, against those there are (``file``: one of them)."""
    text = read(file)
    units = Units.of(origin_of(text))
    domains = len(units.added(dict.fromkeys(yaml.safe_load(text)["mixture"]["domains"], 1))) - max(0, len(frozen) - 1)
    enough = RUNS_A_DOMAIN * domains
    what = f"{count} mixtures of {domains} {'groups and domains' if units.parts else 'domains'}"
    if count >= enough:
        return f"swarm: {what}; {RUNS_A_DOMAIN} runs a domain ({enough}) are enough for `fit`"
    return f"swarm: {what} are few: `fit` wants {RUNS_A_DOMAIN} runs a domain, {enough} (--count {enough})"
