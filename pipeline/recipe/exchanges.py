"""The exchanges of a recipe: the facts that each needs of the products before it, and its waves of tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pipeline.errors import RunError
from pipeline.recipe import graph
from pipeline.recipe.products import Recipe
from pipeline.recipe.sections import dump
from pipeline.store.address import Rows, digest, digests, encoded
from pipeline.store.storage import inside
from stages import clusters, contamination, corpus, ensembles, lines, mixture, repeats, shards
from stages.clusters import curve
from stages.contract import Each, Split, Wave
from stages.kept import buckets
from stages.report import survey


def cluster_inputs(
    recipe: Recipe, names: Sequence[str], sources: Sequence[str], files: Rows, facts: dict[str, Any]
) -> Rows:
    """The facts of each split that `clusters` needs, as `cluster_input` takes them.

    Args:
        names: of the splits, as their files have them.
        files: addresses of their aligned files.
        facts: rows and bytes of text of their documents.
    """
    aligned = ["documents", "signatures", "language"]
    aligned += ["quality"] if recipe.sections["clusters"].quality_column else []
    columns = {"name": names, "source": sources, **{name: files.columns[name] for name in aligned}, **facts}
    others = vars(clusters.ClusterInput("", "", None, "", None, None, 0, 0))
    return Rows(columns, **{name: value for name, value in others.items() if name not in columns})


def cluster_input(facts: dict[str, Any]) -> Any:
    """A split as the tasks of `clusters` are planned by it."""
    return clusters.ClusterInput(**facts)


def earlier_input(recipe: Recipe, split: dict[str, Any]) -> Any:
    """`cluster_input` of a split of an earlier mixture (`pipeline.run.earlier`); files of other roots by path or URI"""
    quality = split["quality"] if recipe.sections["clusters"].quality_column else None
    files = {**split, "quality": quality}
    root = files.pop("root")
    if root is not None:
        names = [name for name in (*graph.BY_NAME["families"].inputs, "decided") if files[name] is not None]
        files |= {name: inside(root, files[name]) for name in names}
    return clusters.ClusterInput(**files, earlier=True)


def family_files(rows: int, folder: str) -> list[str]:
    """The files in ``folder`` once families of so many pages are found."""
    return clusters.family_files(rows, folder)


def family_waves(recipe: Recipe, inputs: Sequence[Any], folder: str) -> list[Wave]:
    """Waves that find and compare families, whoever may stay; the last two write the files in ``folder``."""
    return clusters.measure(_cluster_params(recipe), inputs, folder)


def cluster_waves(
    recipe: Recipe, inputs: Sequence[Any], eligible: Sequence[str], families: str, folder: str
) -> list[Wave]:
    """Waves that decide who stays, among the pages that the files ``eligible`` of the first inputs name.

    The waves of `family_waves` stand before them, so that a damaged file of those is made again.
    """

    def chosen(index: int) -> Any:
        entry = inputs[index]
        return type(entry)(**vars(entry) | {"eligible": eligible[index]}) if index < len(eligible) else entry

    params = _cluster_params(recipe)
    return [
        *clusters.measure(params, inputs, families),
        *clusters.settle_all(params, Each(chosen, len(inputs)), families, folder),
    ]


def lines_input(split: Split, name: str, documents: str, report: dict[str, Any]) -> Any:
    """The facts of a split that `lines` needs."""
    return lines.LinesInput(name, split.source, documents, report["rows"], report["text_bytes"])


def lines_waves(recipe: Recipe, inputs: list[Any], folder: str) -> list[Wave]:
    section = dump(recipe.sections["lines"])
    known = lines.Params.model_fields
    params = lines.Params.model_validate({key: value for key, value in section.items() if key in known})
    return lines.plan(params, inputs, folder)


def contamination_input(split: Split, name: str, files: dict[str, str], report: dict[str, Any]) -> Any:
    """The facts of a split that `contamination` needs."""
    return contamination.ContaminationInput(name, split.source, files["documents"], files["overlaps"], report["rows"])


def contamination_waves(recipe: Recipe, inputs: list[Any], folder: str, labels: Mapping[str, str]) -> list[Wave]:
    """``labels``: each input for people, by its name."""
    return contamination.plan(recipe.sections["contamination"], inputs, folder, labels)


def ensembles_waves(
    recipe: Recipe, splits: list[tuple[str, str, dict[str, str]]], folder: str, labels: Mapping[str, str]
) -> list[Wave]:
    """Waves that make `ensembles` of splits: (name, source, addresses of the files that hold its scores).

    ``labels``: each split for people, by its name.
    """
    inputs = [ensembles.EnsemblesInput(*split) for split in splits]
    return ensembles.plan(recipe.sections["quality"].ensembles, inputs, folder, labels)


def repeats_input(recipe: Recipe, split: Split, name: str, files: dict[str, str], report: dict[str, Any]) -> Any:
    """The facts of a split that `repeats` needs: addresses of its files (``kept``: of the pages that take part)."""
    quality = files["quality"] if recipe.sections["repeats"].quality_column else None
    sizes = (report["rows"], report["text_bytes"])
    return repeats.RepeatsInput(name, split.source, files["documents"], *sizes, files["kept"], quality)


def repeats_waves(recipe: Recipe, inputs: list[Any], folder: str) -> list[Wave]:
    return repeats.plan(_repeats_params(recipe), inputs, folder)


def repeats_cost(recipe: Recipe, text_bytes: list[int]) -> str:
    """The bytes that `repeats` reads and writes of splits of so much text, in a sentence."""
    return repeats.cost(_repeats_params(recipe), text_bytes)


def _repeats_params(recipe: Recipe) -> Any:
    section = dump(recipe.sections["repeats"])
    known = repeats.Params.model_fields
    return repeats.Params.model_validate({key: value for key, value in section.items() if key in known})


def _cluster_params(recipe: Recipe) -> Any:
    section = dump(recipe.sections["clusters"])
    known = {key: value for key, value in section.items() if key in clusters.Params.model_fields}
    return clusters.Params.model_validate(known | {"derived": tuple(recipe.transforms())})


def check_clusters(recipe: Recipe, summary: dict[str, Any]) -> list[str]:
    """Apply the brakes; returns the warnings of those that only warn.

    Raises:
        RunError: when deduplication took more of a source or language, or made a larger cluster, than allowed.
    """
    params = _cluster_params(recipe)
    if params.past_brakes == "warn":
        return [f"deduplication: {reason}" for reason in clusters.violations(params, summary)]
    try:
        clusters.check(params, summary)
    except clusters.BrakeError as error:
        raise RunError(str(error)) from error
    return []


def duplicate_curve(recipe: Recipe) -> list[str]:
    """With which probability two pages of a similarity meet, for the choice of bands and rows; as text."""
    if recipe.clusters() is None:
        return []
    return curve.curve_lines(recipe.sections["clusters"], recipe.sections["signatures"].permutations)


def bucket_plan(
    recipe: Recipe, inputs: list[dict[str, Any]], names: list[str], folder: str, output: str, labels: Sequence[str]
) -> list[Wave]:
    """Waves that find the values at those percentiles, language by language; ``labels`` of the ``inputs``."""
    return buckets.plan(inputs, recipe.percentiles(), names, folder, output, labels)


def surveyed(
    files: Sequence[dict[str, str]], kept: Sequence[str], labels: Sequence[str]
) -> tuple[str, Sequence[str], Callable[[], list[Wave]]]:
    """The report beyond counts: addresses of the whole survey and of each split's, and a function that plans it.

    Args:
        files: addresses of each split's aligned products, by name.
        kept: those of `kept`, which decide all other addresses.
        labels: each split for people.
    """
    whole, outputs = survey_addresses(kept)
    return whole, outputs, lambda: survey.plan(files, outputs, whole.rpartition("/")[0], labels)


def shard_waves(
    recipe: Recipe, domain: str, holding: Iterable[tuple[str, int, int]], folder: str, tokenizer: dict[str, Any]
) -> list[Wave]:
    """Waves that write one domain's shards from the (address, documents, tokens) of the files that hold it."""
    inputs = [shards.Input(*one) for one in sorted(holding)]
    seed = recipe.sections["tokens"].seed
    return shards.plan(recipe.sections["shards"], domain, inputs, folder, tokenizer=tokenizer, seed=seed)


def corpora(
    recipe: Recipe,
    blend: mixture.Mixture,
    phases: list[mixture.PhasePlan],
    manifests: dict[str, str],
    folder: str,
    tokenizer: dict[str, Any],
) -> dict[str, list[Wave]]:
    """The work for the corpus, by the address of its manifest; for one of every phase of training, if any."""
    params = recipe.sections["corpus"]
    if not phases:
        work = corpus.plan(params, recipe.name, blend, manifests, folder, tokenizer=tokenizer)
        return {f"{folder}/manifest.json": work}
    plans = corpus.plan_phases(params, recipe.name, phases, manifests, folder, tokenizer=tokenizer)
    return {f"{folder}/{name}/manifest.json": work for name, work in plans.items()}


def survey_addresses(kept: Sequence[str]) -> tuple[str, list[str]]:
    """Addresses of the survey of some files of `kept`, and of that of each of them."""
    version = survey.version()
    outputs = [f"survey/splits-v{version}/{name}.arrow" for name in digests(encoded(kept))]
    return f"survey/{digest([version, outputs])}/survey.arrow", outputs
