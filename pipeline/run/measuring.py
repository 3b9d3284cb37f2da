"""Steps of a run that measure: the list of input, what is measured of every page, recurring lines, scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from json.encoder import encode_basestring
from typing import Any

from pipeline.engine.scheduler import Done, Planned
from pipeline.recipe import Recipe, dump, exchanges, graph
from pipeline.recipe.lineage import parents_of
from pipeline.run import takedown
from pipeline.run.exchanging import exchange
from pipeline.run.product import Product, files_of
from pipeline.run.spool import Spool, pack
from pipeline.run.steps import Step, Steps
from pipeline.store.address import digest, digest_of_list, encoded_lists
from stages import seal
from stages.contract import Split, Task

NEW_LINE = "\n"
MAP_MEMORY = 1536 << 20


def write_listing(recipe: Recipe, steps: Steps) -> None:
    named = encoded_lists(steps.ids, (split.file for split in steps.splits))
    address = f"sources/{digest_of_list(named)}.json"
    steps.snapshot["sources"] = address
    steps.planned.append(Step("sources", len(steps.splits), 0, "listed"))
    if not steps.dry:
        if steps.store.problem(address):  # its content is in its name, but for the words it is written in
            steps.store.write_bytes(address, seal.encode_items(map(listed, steps.splits, steps.ids)))
        steps.store.write_json(f"runs/inputs/{recipe.name}.json", places(steps.splits))


def listed(split: Split, name: str) -> str:
    """A split as it stands in `sources`, as sorted JSON indented by one a level: its place and ranges are left out."""
    etag, file, one, source, unit = map(encode_basestring, (split.etag, split.file, name, split.source, split.unit))
    parts = "[]"
    if split.parts:
        parts = json.dumps([[file, size] for file, _, size in split.parts], ensure_ascii=False, indent=1)
        parts = parts.replace(NEW_LINE, NEW_LINE + " ")
    return (
        f'{{\n "end": {split.end},\n "etag": {etag},\n "file": {file},\n "id": {one},\n "parts": {parts},\n'
        f' "size": {split.size},\n "source": {source},\n "start": {split.start},\n "unit": {unit}\n}}'
    )


def places(splits: Iterable[Split]) -> dict[str, Any]:
    """Places of the input files of a run: per source the folders their names are relative to, and the exceptions."""
    found: dict[str, tuple[dict[str, None], dict[str, str]]] = {}
    for split in splits:
        if split.unit == "derived":  # read from no file
            continue
        folders, files = found.setdefault(split.source, ({}, {}))
        for file, uri, _ in split.parts or ((split.file, split.uri, 0),):
            if uri.endswith(file):
                folders[uri.removesuffix(file)] = None
            else:
                files[file] = uri
    return {source: {"folders": [*folders], "files": files} for source, (folders, files) in found.items()}


def measure(recipe: Recipe, steps: Steps) -> dict[str, Product]:
    names = graph.together(recipe.sections)
    products = {name: Product([]) for name in names}
    for name in names:
        folders = {source: recipe.fingerprint(name, source).folder for source in recipe.sources}
        products[name].addresses = steps.addresses(folders)
    missing = {name: steps.standing(name, product) for name, product in products.items()}
    for name, product in products.items():
        reason = steps.why(name, product, missing[name], partial(recipe.fingerprint, name))
        steps.planned.append(Step(name, len(product.addresses), len(missing[name]), reason))
    params = cache(recipe.map_params)  # one object for all tasks of a source
    numbers: dict[bool, list[int]] = {False: [], True: []}
    if any(missing.values()):
        for index in sorted({number for lacking in missing.values() for number in lacking}):
            numbers[steps.splits[index].unit == "derived"].append(index)
        steps.save({name: list(product.addresses) for name, product in products.items()})
    fresh = {name: Spool(len(steps.splits)) for name in names}

    def planned(derived: bool) -> Planned:
        def make(index: int) -> Task:
            return measure_task(recipe, index, steps.splits[index], products, params)

        return Planned(make, numbers[derived], [steps.splits[index].size for index in numbers[derived]])

    def done(result: Done) -> None:
        for name, packed in result.value["packed"].items():
            file = products[name].addresses[result.number]
            fresh[name].add(result.number, file, result.files.pop(file), packed)

    numbered = {products["documents"].addresses[index]: index for index in missing["documents"] if numbers[True]}

    def derived(result: Done) -> None:
        file = result.task.outputs[0]
        packed = pack(result.value, graph.BY_NAME["documents"].tally)
        fresh["documents"].add(numbered[file], file, result.files.pop(file), packed)

    steps.run("measure", planned(False), done)
    made = [task for task in derive_tasks(recipe, steps, products) if task.outputs[0] in numbered]
    steps.run("transforms", made, derived)
    tidy_pieces(recipe, steps, products["documents"])
    steps.run("measure", planned(True), done)
    for name, product in products.items():
        steps.finish(name, product, fresh.pop(name))
    steps.save()
    return products


def derive_tasks(recipe: Recipe, steps: Steps, products: dict[str, Product]) -> Iterator[Task]:
    """Tasks that make the `documents` of every derived split from the files of its parent."""
    taken = {name: transform.inputs.sources for name, transform in recipe.transforms().items()}
    listed = takedown.spelled(takedown.load(steps.store)) if taken else ()
    removed = [{key: entry[key] for key in ("kind", "value")} for entry in listed]
    for index, parent in enumerate(parents_of([split.source for split in steps.splits], taken)):
        if parent is None:
            continue
        split = steps.splits[index]
        transform = recipe.transforms()[split.source]
        address = products["documents"].addresses[index]
        args = {
            "name": split.source,
            "transform": dump(transform),
            "settings": recipe.derived_settings(split.source),
            "files": {name: products[name].addresses[parent] for name in recipe.derived_inputs(split.source)},
            "file": split.file,
            "output": address,
            "removed": removed,
        }
        label, cost = split.label, steps.splits[parent].size
        memory = MAP_MEMORY + transform.memory
        yield Task(
            f"{graph.BY_NAME['documents'].module.__name__}.derived:derive",
            args,
            (address,),
            label,
            cost,
            memory,
            transform.gpus,
        )


def tidy_pieces(recipe: Recipe, steps: Steps, documents: Product) -> None:
    """Remove what a run that was killed left of transforms' files that are whole."""
    if steps.dry or not recipe.transforms():
        return
    left = {address.rpartition("/")[0] for address, _ in steps.store.list("runs/transforms")}
    whole = (a for split, a in zip(steps.splits, documents.addresses, strict=True) if split.unit == "derived")
    for folder in sorted(left & {recipe.derived_pieces(address) for address in whole}):
        steps.store.remove(folder)


def measure_task(
    recipe: Recipe, index: int, split: Split, products: dict[str, Product], params: Callable[[str, str], dict[str, Any]]
) -> Task:
    """``params``: those of a product for a source."""
    args = {
        "split": dict(vars(split)),  # `asdict` would copy the names of every small file
        "documents": {
            "module": graph.BY_NAME["documents"].module.__name__,
            "params": params("documents", split.source),
            "address": products["documents"].addresses[index],
            "tally": graph.BY_NAME["documents"].tally,
        },
        "sidecars": [
            {
                "product": name,
                "module": graph.BY_NAME[name].module.__name__,
                "params": params(name, split.source),
                "digests": recipe.digests(name, split.source),
                "address": product.addresses[index],
            }
            for name, product in products.items()
            if name != "documents"
        ],
        "isolate": False,
        "too_large": False,
        "page_seconds": recipe.section("run").page_seconds,
    }
    outputs = tuple(product.addresses[index] for product in products.values())
    return Task("pipeline.run.map_task:measure_packed", args, outputs, split.label, split.size, MAP_MEMORY)


def score(recipe: Recipe, steps: Steps, documents: Product) -> dict[str, Product]:
    """The product `scores`, where the mixture has a scorer."""
    if not recipe.on("scores"):
        return {}
    fingerprints = {source: recipe.fingerprint("scores", source) for source in recipe.sources}
    params, gpus, memory = recipe.scorers()
    folders = {source: fingerprint.folder for source, fingerprint in fingerprints.items()}
    product = Product(steps.addresses(folders))
    costs = documents.facts.column("text_bytes")

    def make(index: int) -> Task:
        split, address = steps.splits[index], product.addresses[index]
        args = {"documents": documents.addresses[index], "output": address, "params": params}
        args["digests"] = recipe.digests("scores", split.source)
        label = split.label
        return Task(graph.BY_NAME["scores"].task, args, (address,), label, costs[index], memory, gpus)

    steps.map_product("scores", product, make, costs, fingerprints.__getitem__)
    return {"scores": product}


def contamination(recipe: Recipe, steps: Steps, measured: dict[str, Product]) -> dict[str, Product]:
    """The product `contamination`, where benchmarks are given."""
    fingerprint = recipe.contamination()
    if fingerprint is None:
        return {}
    files = files_of(measured, ("documents", "overlaps"))
    facts = measured["documents"].facts
    inputs = list(map(exchanges.contamination_input, steps.splits, steps.ids, files, facts))
    folder = f"{fingerprint.folder}-{digest([vars(entry) for entry in inputs])}"
    names = [entry.name for entry in inputs]
    plan = partial(exchanges.contamination_waves, recipe, inputs, folder, labels_of(steps))
    return {"contamination": exchange(steps, "contamination", fingerprint, folder, names, plan)}


def recurring(recipe: Recipe, steps: Steps, documents: Product) -> dict[str, Product]:
    """The product `lines`, where it is asked for."""
    fingerprint = recipe.lines()
    if fingerprint is None:
        return {}
    inputs = list(map(exchanges.lines_input, steps.splits, steps.ids, documents.addresses, documents.facts))
    folder = f"{fingerprint.folder}-{digest([vars(entry) for entry in inputs])}"
    names = [entry.name for entry in inputs]
    plan = partial(exchanges.lines_waves, recipe, inputs, folder)
    return {"lines": exchange(steps, "lines", fingerprint, folder, names, plan)}


def ensembled(recipe: Recipe, steps: Steps, measured: dict[str, Product]) -> dict[str, Product]:
    """The product `ensembles`, where several scores are to be one."""
    fingerprint = recipe.ensembles()
    if fingerprint is None:
        return {}
    files = files_of(measured, graph.BY_NAME["ensembles"].inputs)
    splits = [(name, split.source, own) for split, name, own in zip(steps.splits, steps.ids, files, strict=True)]
    folder = f"{fingerprint.folder}-{digest(splits)}"
    names = [name for name, _, _ in splits]
    plan = partial(exchanges.ensembles_waves, recipe, splits, folder, labels_of(steps))
    return {"ensembles": exchange(steps, "ensembles", fingerprint, folder, names, plan)}


def labels_of(steps: Steps) -> dict[str, str]:
    """The label of each split for people, by its id."""
    return {name: split.label for split, name in zip(steps.splits, steps.ids, strict=True)}
