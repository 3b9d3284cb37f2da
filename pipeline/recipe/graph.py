"""The products and how they follow from one another: the only list of them there is.

Everything that goes over products (`run`, `plan`, `verify`, `status`, `show`, `why`, earlier crawls, `dedup-report`,
`calibrate`, the survey, the inputs of `kept`, the sections of a mixture file) iterates `PRODUCTS`. A new product is an
entry here, a module in `stages/`, its schema and a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel

from pipeline.recipe.sections import ClustersSection, LinesSection, RepeatsSection, RunParams, SampleParams
from stages import (
    clusters,
    contamination,
    corpus,
    documents,
    ensembles,
    kept,
    labels,
    language,
    lines,
    mixture,
    overlaps,
    own_lines,
    quality,
    repeats,
    report,
    schemas,
    scores,
    shards,
    signatures,
    sources,
    token_counts,
    tokens,
)
from stages.documents import derived
from stages.kept.grid import Grid
from stages.report import survey

Shape = Literal["listing", "map", "exchange", "gather"]
Row = Literal["split", "page", "kept page", "training document", "none"]
Per = Literal["split", "domain", "root"]
Place = tuple[str, ...]
"""Keys from a section down to a value; ``*`` stands for every key or entry."""


def always(sections: Mapping[str, Any]) -> bool:
    return True


def decontaminated(sections: Mapping[str, Any]) -> bool:
    quality_params = sections["quality"]
    return bool(quality_params.benchmarks.files) and "contamination" in quality_params.families


def token_weighed(sections: Mapping[str, Any]) -> bool:
    return any(ensemble.weigh == "tokens" for ensemble in sections["quality"].ensembles.values())


def deduplicated(sections: Mapping[str, Any]) -> bool:
    return bool(sections["clusters"].enabled)


@dataclass(frozen=True)
class Product:
    """One product: its maker and inputs, and all that others may know of it without knowing it.

    Attributes:
        name: the noun: module, folder under the root, section of the mixture file.
        module: who makes it.
        shape: a map task reads one split; an exchange moves rows between splits; a gather reads all.
        inputs: products whose files it reads.
        row: what a row of its files stands for; files with a row a ``page`` are aligned with `documents`.
        per: what it has a file, or a folder, of.
        on: whether a mixture has it, by its sections.
        params: the model of its section; None where it has none.
        together: made by the one task that reads a split's text.
        job: name of the function of the module that makes one split of it, where that is a task of its own.
        memory: bytes that task reserves, from measured peaks.
        tally: "module:function" of what its reports add to the sums of the report (`stages.report.tally`).
        columns: what rules, domains and carried scores may name of it, by its section; None: nothing.
        per_source: sources may override its section.
        models, files: where its section names models or files by path (`paths.resolve`).
        missing: the message about a column of it that is not measured.
        section: the section that its columns depend on, where it has none of its own.
    """

    name: str
    module: ModuleType
    shape: Shape
    inputs: tuple[str, ...] = ()
    row: Row = "page"
    per: Per = "split"
    on: Callable[[Mapping[str, Any]], bool] = always
    params: type[BaseModel] | None = None
    together: bool = False
    job: str = ""
    memory: int = 1 << 30
    tally: str = ""
    columns: Callable[[Any], pa.Schema] | None = None
    per_source: bool = False
    models: tuple[Place, ...] = ()
    files: tuple[Place, ...] = ()
    missing: str = ""
    section: str = ""

    @property
    def task(self) -> str:
        """Its job as a task names it."""
        return f"{self.module.__name__}:{self.job}"

    @property
    def aligned(self) -> bool:
        """One row a page, in the order of `documents`."""
        return self.row == "page"


_in_pass = partial(Product, shape="map", inputs=("documents",), together=True)
"""A map product that the one pass over a split's text makes."""

_EACH = (
    Product("sources", sources, "listing", row="split", per="root"),
    _in_pass(
        "documents",
        documents,
        inputs=("sources",),
        params=documents.Params,
        per_source=True,
        tally="stages.report.tally:documents",
    ),
    _in_pass(
        "language", language, params=language.Params, columns=language.schema, per_source=True, models=(("model",),)
    ),
    _in_pass(
        "quality",
        quality,
        params=quality.Params,
        columns=quality.schema,
        per_source=True,
        models=(("classifiers", "*", "model"), ("benchmarks", "files", "*", "path")),
        files=(("stop_words", "*"), ("bad_words", "*")),
    ),
    _in_pass(
        "labels",
        labels,
        on=lambda sections: bool(sections["labels"].labellers),
        params=labels.Params,
        columns=labels.known_schema,
        per_source=True,
        models=(("labellers", "*", "model"), ("labellers", "*", "params", "*")),
    ),
    _in_pass(
        "own_lines",
        own_lines,
        on=lambda sections: bool((own := sections.get("own_lines")) and own.rules),
        columns=own_lines.schema,
        missing="give lines.rules",
    ),
    _in_pass("overlaps", overlaps, on=decontaminated),
    _in_pass("token_counts", token_counts, on=token_weighed),
    _in_pass("signatures", signatures, on=deduplicated, params=signatures.Params),
    Product(
        "lines",
        lines,
        "exchange",
        ("documents",),
        on=lambda sections: bool(sections["lines"].enabled),
        params=LinesSection,
        columns=lambda params: schemas.LINES,
        missing="set lines.enabled: true",
    ),
    Product(
        "contamination",
        contamination,
        "exchange",
        ("documents", "overlaps"),
        on=decontaminated,
        columns=lambda params: schemas.CONTAMINATION,
        missing="give quality.benchmarks.files",
    ),
    Product(
        "scores",
        scores,
        "map",
        ("documents",),
        on=lambda sections: bool(sections["scores"].scorers),
        params=scores.Params,
        job="score",
        columns=scores.schema,
        models=(("scorers", "*", "params", "*"),),
    ),
    Product(
        "ensembles",
        ensembles,
        "exchange",
        ("documents", "language", "quality", "scores", "token_counts"),
        on=lambda sections: bool(sections["quality"].ensembles),
        columns=lambda params: ensembles.schema(params.ensembles),
        section="quality",
    ),
)

RULED = ("documents", *(product.name for product in _EACH if product.columns))
"""The inputs of `eligible`: all that rules may name but for duplicates."""

MEASURED = (
    *_EACH,
    Product(
        "families",
        clusters,
        "exchange",
        ("documents", "signatures", "language", "quality"),
        row="none",
        per="root",
        on=deduplicated,
    ),
    Product("eligible", kept, "map", RULED, on=deduplicated, job="find_eligible", memory=512 << 20),
    Product(
        "clusters",
        clusters,
        "exchange",
        ("documents", "language", "families", "eligible"),
        on=deduplicated,
        params=ClustersSection,
        columns=lambda params: schemas.CLUSTERS,
        models=(("earlier", "*"),),
        missing="set clusters.enabled: true",
    ),
    Product(
        "repeats",
        repeats,
        "exchange",
        (*RULED, "clusters"),
        on=lambda sections: bool(sections["repeats"].enabled),
        params=RepeatsSection,
        columns=lambda params: schemas.REPEATS,
        missing="set repeats.enabled: true",
    ),
)
"""Products that hold facts about pages, before it is decided which are kept."""

DECIDING = ("documents", *(product.name for product in MEASURED if product.columns))
"""The inputs of the decisions of `kept`."""

PRODUCTS = (
    *MEASURED,
    Product(
        "kept",
        kept,
        "map",
        DECIDING,
        params=kept.Params,
        job="keep",
        tally="stages.report.tally:kept",
        memory=512 << 20,
        per_source=True,
        files=(("urls", "*", "paths"), ("urls", "*", "paths", "*"), ("robots", "files"), ("robots", "files", "*")),
    ),
    Product("survey", survey, "gather", (*DECIDING, "kept"), row="none"),
    Product(
        "tokens",
        tokens,
        "map",
        (*DECIDING, "kept"),
        "kept page",
        params=tokens.Params,
        job="tokenize",
        tally="stages.report.tally:tokens",
        models=(("tokenizer",),),
    ),
    Product("shards", shards, "exchange", ("tokens",), "training document", "domain", params=shards.Params),
    Product("corpus", corpus, "gather", ("shards",), "training document", "root", params=corpus.Params),
    Product("report", report, "gather", tuple(product.name for product in MEASURED), "none", "root"),
)
"""All products, in the order in which they are made."""

BY_NAME = {product.name: product for product in PRODUCTS}

BY_SPLIT = ("measure", "transforms", "kept", "tokens")
"""Phases of a run whose tasks make files that the products of a mixture name."""
PAGED = (*BY_SPLIT, "survey")
"""Phases that go page by page."""


def in_manifests() -> tuple[str, ...]:
    """Products with a file a split and a manifest of them, in order: what `verify` and `status` go through."""
    return tuple(product.name for product in PRODUCTS if product.per == "split" and product.row != "none")


def sidecars() -> tuple[str, ...]:
    """Products aligned with `documents`, row for row, in order."""
    return tuple(product.name for product in PRODUCTS if product.aligned and product.name != "documents")


def together(sections: Mapping[str, Any]) -> tuple[str, ...]:
    """The map products that one task makes of a split's text, `documents` first."""
    return tuple(product.name for product in PRODUCTS if product.together and product.on(sections))


def fingerprinted(sections: Mapping[str, Any]) -> tuple[str, ...]:
    """The map products that `kept` decides by, `documents` first: their fingerprints are part of its own.

    Exchanges stand for themselves by the digests of their files instead.
    """
    return tuple(name for name in DECIDING if BY_NAME[name].shape == "map" and BY_NAME[name].on(sections))


def exchanged(names: Iterable[str] = DECIDING) -> tuple[str, ...]:
    """The exchanges among products; those that `kept` decides by."""
    return tuple(name for name in names if BY_NAME[name].shape == "exchange")


def bound(name: str, splits: int, domains: int) -> int:
    """The largest number of files, or folders, of a product."""
    return {"split": splits, "domain": domains, "root": 1}[BY_NAME[name].per]


def model_paths() -> tuple[Place, ...]:
    """Places where a mixture file may name a model or file by path."""
    return tuple((product.name, *place) for product in PRODUCTS for place in product.models)


def file_paths() -> tuple[Place, ...]:
    """Places where it names files and nothing else."""
    return tuple((product.name, *place) for product in PRODUCTS for place in product.files)


def overridable() -> tuple[str, ...]:
    """The sections that a source may override."""
    return tuple(product.name for product in PRODUCTS if product.per_source)


SECTIONS: dict[str, type[BaseModel]] = {
    "run": RunParams,
    **{product.name: product.params for product in PRODUCTS if product.params is not None},
    "mixture": mixture.MixtureParams,
}
"""The sections of a mixture file, by name: those of products, and two more."""

ENTRIES: dict[str, type[BaseModel]] = {
    "sources.NAME": sources.SourceParams,
    "transforms.NAME": derived.Transform,
    "domains.NAME": kept.Domain,
    "domains.GRID": Grid,
    "sample": SampleParams,
}
ALTERNATIVES: dict[str, type[BaseModel]] = {"phases": mixture.PhasesParams}
"""Sections that stand in place of another: `phases` of `mixture`."""

TOP_KEYS = ("name", "sample", "sources", "transforms", "domains", *SECTIONS, *ALTERNATIVES)
