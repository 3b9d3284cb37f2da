"""The one module that knows all stages: the mixture file's sections, and how the products follow from one another.

A mixture file has one section per product, named after it; `sources` may override the sections of the map
products (`documents`, `language`, `quality`, `kept`) for one source. Nothing here touches files of a run:
`pipeline.run` does, with what this module says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, Field, ValidationError

from pipeline.address import Fingerprint, digest
from pipeline.config import Document, Key, dotted, nearest, read_yaml, validate
from pipeline.errors import RunError, UserError
from pipeline.storage import Store, filesystem_of
from stages import clusters, corpus, documents, kept, language, mixture, quality, shards, signatures, sources, tokens
from stages import verify as shard_verify
from stages.clusters import curve, explain
from stages.contract import Phase, Split, StageParams
from stages.report import survey
from stages.rules import families
from stages.tokenizers import load as load_tokenizer

SIDECARS: dict[str, Any] = {"language": language, "quality": quality, "signatures": signatures}
"""The aligned map stages, in the order in which they see a batch."""

OVERRIDABLE = ("documents", "language", "quality", "kept")
_URI = re.compile(r"^[a-z][a-z0-9+.-]*://")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class RunParams(StageParams):
    """Section ``run``: what makes a run fail, and nothing that changes a byte of its output."""

    max_bad_fraction: float = Field(0.01, ge=0, le=1)
    """Largest share of a source's input, in bytes of unreadable files and records quarantined or bad."""
    allow_empty: tuple[str, ...] = ()
    """Sources that may yield no document."""


class SampleParams(StageParams):
    """Section ``sample``: the demo corpus to make under the root first (`pipeline.sample`)."""

    pages: int | None = Field(None, ge=1)


class ClustersSection(clusters.Params):
    """Section ``clusters``: deduplication, or ``enabled: false``."""

    enabled: bool = True


SECTIONS: dict[str, type[BaseModel]] = {
    "run": RunParams,
    "documents": documents.Params,
    "language": language.Params,
    "quality": quality.Params,
    "signatures": signatures.Params,
    "clusters": ClustersSection,
    "kept": kept.Params,
    "tokens": tokens.Params,
    "shards": shards.Params,
    "mixture": mixture.MixtureParams,
    "corpus": corpus.Params,
}
ENTRIES: dict[str, type[BaseModel]] = {
    "sources.NAME": sources.SourceParams,
    "domains.NAME": kept.Domain,
    "sample": SampleParams,
}
ALTERNATIVES: dict[str, type[BaseModel]] = {"phases": mixture.PhasesParams}
"""Sections that stand in place of another: `phases` of `mixture`."""

MODEL_PATHS = (
    ("language", "model"),
    ("quality", "classifiers", "*", "model"),
    ("quality", "benchmarks", "files", "*", "path"),
    ("tokens", "tokenizer"),
)
"""Where a mixture file may name a model or file by path."""
MODEL_SUFFIXES = (".bin", ".ftz", ".model", ".json", ".jsonl", ".tiktoken", ".parquet", ".txt")
TOP_KEYS = ("name", "sample", "sources", "domains", *SECTIONS, *ALTERNATIVES)


@dataclass(frozen=True)
class Source:
    """One entry of ``sources`` with the sections that hold for it."""

    name: str
    params: sources.SourceParams
    sections: dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """A mixture file, validated: what to read and how each product is made."""

    path: str
    name: str
    sample: SampleParams | None
    sources: dict[str, Source]
    domains: dict[str, kept.Domain]
    sections: dict[str, Any]
    _prints: dict[tuple[str, ...], Fingerprint] = field(default_factory=dict, compare=False, repr=False)
    """Fingerprints made so far: an identity may read a model file."""

    def section(self, name: str) -> Any:
        return self.sections[name]

    def fingerprint(self, product: str, source: str) -> Fingerprint:
        """What decides a map product of one source."""
        key = (product, source)
        if key not in self._prints:
            self._prints[key] = self._fingerprint(product, source)
        return self._prints[key]

    def _fingerprint(self, product: str, source: str) -> Fingerprint:
        here = self.sources[source]
        if product == "documents":
            params = here.sections["documents"]
            identity = {"source": source, **documents.identity(params)}
            return Fingerprint(product, documents.VERSION, dump(params), identity)
        stage = SIDECARS[product]
        params = here.sections.get(product) or self.sections[product]
        upstream = (self.fingerprint("documents", source).hex,)
        return Fingerprint(product, stage.VERSION, dump(params), stage.identity(params), upstream)

    def map_params(self, product: str, source: str) -> dict[str, Any]:
        here = self.sources[source]
        return dump(here.sections.get(product) or self.sections[product])

    def sidecars(self) -> list[dict[str, Any]]:
        """Module and parameters of the aligned stages, as the first source has them: what workers will compile."""
        first = next(iter(self.sources))
        used = [name for name in SIDECARS if name != "signatures" or self.clusters()]
        return [{"module": SIDECARS[name].__name__, "params": self.map_params(name, first)} for name in used]

    def clusters(self) -> Fingerprint | None:
        """What decides `clusters`, the set of pages apart; None when deduplication is off."""
        section: ClustersSection = self.sections["clusters"]
        if not section.enabled:
            return None
        return Fingerprint("clusters", clusters.VERSION, dump(section), {})

    def kept(self, source: str) -> Fingerprint:
        params = self.sources[source].sections["kept"]
        upstream = tuple(self.fingerprint(product, source).hex for product in ("documents", "language", "quality"))
        domains = {name: dump(domain) for name, domain in self.domains.items()}
        identity = {"domains": [[name, domains[name]] for name in self.domains]}
        return Fingerprint("kept", kept.VERSION, dump(params), identity, upstream)

    def tokens(self, source: str) -> Fingerprint:
        if ("tokens", source) not in self._prints:
            self._prints["tokens", source] = self._tokens(source)
        return self._prints["tokens", source]

    def _tokens(self, source: str) -> Fingerprint:
        params = self.sections["tokens"]
        products = ("documents", "language", *(("quality",) if params.scores else ()))
        upstream = tuple(self.fingerprint(product, source).hex for product in products)
        return Fingerprint("tokens", tokens.VERSION, dump(params), tokens.identity(params), upstream)

    def shards(self) -> Fingerprint:
        params = self.sections["shards"]
        return Fingerprint("shards", shards.VERSION, dump(params), {}, ())

    def corpus(self, blend: mixture.Mixture, phases: list[mixture.PhasePlan]) -> Fingerprint:
        """What decides `corpus`, its domains' shards apart: the name in its manifest and the tokens of each domain."""
        identity: dict[str, Any] = {"name": self.name, "mixture": blend.as_dict()}
        if phases:
            identity["phases"] = [asdict(phase) for phase in phases]
        return Fingerprint("corpus", corpus.VERSION, dump(self.sections["corpus"]), identity)

    def list_splits(self) -> list[Split]:
        """Every split of every source, sorted: the same list whatever the order in which files are found."""
        splits: list[Split] = []
        for name in sorted(self.sources):
            splits += sources.list_splits(name, self.sources[name].params)
        return splits

    # The exchanges: what each wants to know of the products before it, and its phases

    def cluster_input(self, split: Split, name: str, files: dict[str, str], report: dict[str, Any]) -> Any:
        """What `clusters` must know of a split: addresses of its aligned files, and its documents' report."""
        return clusters.ClusterInput(
            name=name,
            source=split.source,
            documents=files["documents"],
            signatures=files["signatures"],
            language=files["language"],
            quality=files["quality"] if self.sections["clusters"].quality_column else None,
            rows=report["rows"],
            text_bytes=report["text_bytes"],
        )

    def cluster_phases(self, inputs: list[Any], folder: str) -> list[Phase]:
        return clusters.plan(self._cluster_params(), inputs, folder)

    def _cluster_params(self) -> Any:
        section = dump(self.sections["clusters"])
        return clusters.Params.model_validate({key: value for key, value in section.items() if key != "enabled"})

    def check_clusters(self, summary: dict[str, Any]) -> None:
        """Apply the brakes.

        Raises:
            RunError: when deduplication took more of a source or language, or made a larger cluster, than allowed.
        """
        try:
            clusters.check(self._cluster_params(), summary)
        except clusters.BrakeError as error:
            raise RunError(str(error)) from error

    def duplicate_curve(self) -> list[str]:
        """With which probability two pages of a similarity meet, for the choice of bands and rows; as text."""
        if self.clusters() is None:
            return []
        return curve.curve_lines(self.sections["clusters"], self.sections["signatures"].permutations)

    def survey(self, files: list[dict[str, str | None]], kept: list[str]) -> tuple[str, list[str], list[Phase]]:
        """What the report says beyond counts: the address of the whole survey, of each split's, and the phases.

        Args:
            files: addresses of each split's documents, language, quality, kept and clusters.
            kept: those of kept, whose addresses tell all others.
        """
        outputs = [f"survey/splits-v{survey.VERSION}/{digest(address)}.parquet" for address in kept]
        folder = f"survey/{digest([survey.VERSION, outputs])}"
        inputs = [survey.SurveyInput(**entry) for entry in files]  # type: ignore[arg-type]
        return f"{folder}/survey.parquet", outputs, survey.plan(inputs, outputs, folder)

    def warnings(self) -> list[str]:
        """What is doubtful about the mixture, known before any work is done."""
        blends = [blend for _, blend in _mixtures(self.sections)]
        if all(blend.imported is None for blend in blends):
            return []
        tokenizer = tokens.identity(self.sections["tokens"])["tokenizer"]
        found = [warning for blend in blends for warning in mixture.weight_warnings(blend, tokenizer)]
        return [f"mixture: {warning}" for warning in dict.fromkeys(found)]

    def solve(self, available: dict[str, int], tokenizer: dict[str, Any]) -> mixture.Mixture:
        """How many tokens of each domain the corpus takes.

        Raises:
            RunError: when the mixture cannot be made from the tokens there are.
        """
        phases = self.solve_phases(available, tokenizer)
        if phases:
            return mixture.whole_of(phases, available)
        try:
            return mixture.solve(self.sections["mixture"], available, tokenizer)
        except ValueError as error:
            raise RunError(f"{self.path}: mixture: {error}") from error

    def solve_phases(self, available: dict[str, int], tokenizer: dict[str, Any]) -> list[mixture.PhasePlan]:
        """The phases of training, each with the part of every domain it reads; none where there is one mixture.

        Raises:
            RunError: when a phase cannot be made from the tokens left to it.
        """
        if self.sections["phases"] is None:
            return []
        try:
            return mixture.solve_phases(self.sections["phases"], available, tokenizer)
        except ValueError as error:
            raise RunError(f"{self.path}: phases: {error}") from error

    def text_shares(self, text_bytes: dict[str, int]) -> dict[str, float]:
        """Shares of the domains in a sample of text, taking bytes for tokens where the solver wants to know how many.

        Raises:
            RunError: when a domain of the mixture has no text.
        """
        phases = self.sections["phases"]
        parts = [(1.0, self.sections["mixture"])] if phases is None else []
        before = 0.0
        for phase in phases.phases if phases else ():
            parts.append((phase.until - before, phase.mixture))
            before = phase.until
        shares: dict[str, float] = {}
        for weight, params in parts:
            free = params.model_copy(update={"budget": None, "on_shortfall": "redistribute"})
            try:
                solved = mixture.solve(free, text_bytes)
            except ValueError as error:
                raise RunError(f"{self.path}: {error}") from error
            for domain in solved.domains:
                shares[domain.name] = shares.get(domain.name, 0.0) + weight * domain.requested_share
        return shares

    def swarm(
        self,
        available: dict[str, int],
        count: int,
        *,
        seed: int,
        budget: str,
        prior: dict[str, float] | None,
        max_epochs: dict[str, float],
    ) -> tuple[int, list[dict[str, float]]]:
        """The budget in tokens, and ``count`` mixtures of it as shares by domain (`stages.mixture.swarm`).

        Raises:
            UserError: for a budget that is none, or beyond all caps.
        """
        try:
            tokens = mixture.parse_tokens(budget)
            return tokens, mixture.swarm(available, count, seed=seed, budget=tokens, prior=prior, max_epochs=max_epochs)
        except ValueError as error:
            raise UserError(str(error)) from error

    def shard_phases(
        self, domain: str, holding: list[tuple[str, dict[str, Any]]], folder: str, tokenizer: dict[str, Any]
    ) -> list[Phase]:
        """Phases that write one domain's shards from the (address, report) of the tokens files that hold it."""
        inputs = shards.inputs_of(holding, domain)
        seed = self.sections["tokens"].seed
        return shards.plan(self.sections["shards"], domain, inputs, folder, tokenizer=tokenizer, seed=seed)

    def corpora(
        self,
        blend: mixture.Mixture,
        phases: list[mixture.PhasePlan],
        manifests: dict[str, str],
        folder: str,
        tokenizer: dict[str, Any],
    ) -> dict[str, list[Phase]]:
        """The work for the corpus, by the address of its manifest; for one of every phase of training, if any."""
        params = self.sections["corpus"]
        if not phases:
            work = corpus.plan(params, self.name, blend, manifests, folder, tokenizer=tokenizer)
            return {f"{folder}/manifest.json": work}
        plans = corpus.plan_phases(params, self.name, phases, manifests, folder, tokenizer=tokenizer)
        return {f"{folder}/{name}/manifest.json": work for name, work in plans.items()}


def dump(params: BaseModel) -> dict[str, Any]:
    """Parameters as plain JSON data, defaults included: the form that is hashed and sent to tasks."""
    return params.model_dump(mode="json")


def load(path: str | Path, store: Store, tokenizer: bool = True) -> Recipe:
    """Read and check a mixture file for a run under the root of ``store``.

    Args:
        tokenizer: False where its tokenizer may not be there yet.

    Raises:
        ConfigError: with every mistake in it, each with its line and key.
    """
    document = read_yaml(path)
    data = document.data
    for key in data:
        if key not in TOP_KEYS:
            document.add((key,), f"no such key{nearest(str(key), list(TOP_KEYS))}")
    for key in ("sources", "domains"):
        if not isinstance(data.get(key), dict) or not data[key]:
            document.add((key,), "expected at least one entry: a mapping of names")
    document.check()
    for place in MODEL_PATHS:
        _resolve_models(data, place, (), document, store)
        _resolve_models(data["sources"], ("*", *place), ("sources",), document, store)
    sample = validate(SampleParams, data.get("sample") or {}, document, ("sample",)) if "sample" in data else None
    sections = {
        name: validate(model, data.get(name) or {}, document, (name,))
        for name, model in SECTIONS.items()
        if name != "mixture"
    }
    sections |= _blends(document, store, sections["corpus"])
    found = {str(name): _source(str(name), raw, document, store) for name, raw in data["sources"].items()}
    domains = {
        str(name): validate(kept.Domain, {"name": str(name), **(raw or {})}, document, ("domains", name))
        for name, raw in data["domains"].items()
    }
    name = str(data.get("name") or Path(path).stem)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        document.add(("name",), f"expected letters, digits, '.', '_' and '-', found {name!r}")
    _check_references(document, found, domains, sections)
    document.check()
    _check_models(document, sections, tokenizer)
    document.check()
    return Recipe(str(path), name, sample, found, domains, sections)  # type: ignore[arg-type]


def _resolve_models(holder: Any, place: tuple[str, ...], key: Key, document: Document, store: Store) -> None:
    """Make the paths at ``place`` in ``holder`` absolute; ``*`` stands for every key or entry; names are left alone."""
    part, rest = place[0], place[1:]
    if isinstance(holder, dict):
        inside: list[Any] = [name for name in holder if part in ("*", name)]
    elif isinstance(holder, list) and part == "*":
        inside = list(range(len(holder)))
    else:
        return
    for name in inside:
        value = holder[name]
        if rest:
            _resolve_models(value, rest, (*key, name), document, store)
        elif isinstance(value, str) and ("/" in value or "${" in value or Path(value).suffix in MODEL_SUFFIXES):
            holder[name] = _resolve(value, (*key, name), document, store)


def _source(name: str, raw: Any, document: Document, store: Store) -> Source | None:
    key: Key = ("sources", name)
    if not isinstance(raw, dict):
        document.add(key, "expected a mapping with at least `paths`")
        return None
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        document.add(key, f"expected letters, digits, '.', '_' and '-' in a name, found {name!r}")
    own = {field: value for field, value in raw.items() if field not in OVERRIDABLE}
    if "paths" in own:
        own["paths"] = _paths(own["paths"], (*key, "paths"), document, store)
    if isinstance(own.get("base"), str):
        own["base"] = _resolve(own["base"], (*key, "base"), document, store)
    params = validate(sources.SourceParams, own, document, key)
    sections: dict[str, Any] = {}
    for section in OVERRIDABLE:
        override = raw.get(section) or {}
        if not isinstance(override, dict):
            document.add((*key, section), "expected a mapping")
            continue
        known = SECTIONS[section].model_fields
        for name_ in override:
            if name_ not in known:
                document.add((*key, section, name_), f"no such key{nearest(str(name_), list(known))}")
        merged = merge(document.data.get(section) or {}, {k: v for k, v in override.items() if k in known})
        scratch = Document(document.path, document.data, document.lines)
        sections[section] = validate(SECTIONS[section], merged, scratch, (*key, section))
        own_keys = {
            dotted(place) for place in document.lines
        }  # the common section's mistakes are told where they stand
        document.problems += [problem for problem in scratch.problems if problem.key in own_keys]
    if params is not None and sections.get("documents") is not None:
        sections["documents"] = sections["documents"].model_copy(update=params.reading())
    return Source(name, params, sections) if params is not None else None


def merge(common: Any, own: Any) -> Any:
    """``own`` laid over ``common``: mappings key by key, everything else replaced."""
    if isinstance(common, dict) and isinstance(own, dict):
        return {**common, **{key: merge(common.get(key), value) for key, value in own.items()}}
    return own


def _paths(raw: Any, key: Key, document: Document, store: Store) -> Any:
    if isinstance(raw, str):
        return [_resolve(raw, key, document, store)]
    if isinstance(raw, list):
        return [
            _resolve(path, (*key, position), document, store) if isinstance(path, str) else path
            for position, path in enumerate(raw)
        ]
    return raw


def _resolve(path: str, key: Key, document: Document, store: Store) -> str:
    """A path of the mixture file: ``${root}`` and environment variables filled in, relative to that file."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "root":
            return store.base if store.local else store.root.rstrip("/")
        if name not in os.environ:
            document.add(key, f"${{{name}}} is not set in the environment")
        return os.environ.get(name, "")

    filled = _VARIABLE.sub(value, path)
    if _URI.match(filled):
        return filled
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(document.path)), os.path.expanduser(filled)))


def _check_references(
    document: Document, found: dict[str, Source | None], domains: dict[str, Any], sections: dict[str, Any]
) -> None:
    for name, domain in domains.items():
        for position, source in enumerate(getattr(domain, "sources", None) or ()):
            if source not in found:
                key: Key = ("domains", name, "sources", position)
                document.add(key, f"no such source {source!r}{nearest(source, list(found))}")
    settings = [source.sections.get("quality") for source in found.values() if source is not None]
    measured = [quality.schema(params).names for params in settings if params is not None]
    for position, name in enumerate(getattr(sections.get("tokens"), "scores", ())):
        if measured and not any(name in columns for columns in measured):
            known = sorted({column for columns in measured for column in columns})
            document.add(("tokens", "scores", position), f"no column {name!r} is measured{nearest(name, known)}")
    if sections.get("clusters") is not None and sections.get("signatures") is not None:
        try:
            clusters.check_permutations(sections["clusters"], sections["signatures"].permutations)
        except ValueError as error:
            document.add(("clusters", "bands"), str(error))
    for place, blend in _mixtures(sections):
        for name in blend.domains:
            if name not in domains:
                document.add((*place, "domains", name), f"no such domain{nearest(name, list(domains))}")


def _mixtures(sections: dict[str, Any]) -> Iterator[tuple[Key, mixture.MixtureParams]]:
    """Every mixture of the file, with the key it stands at."""
    if sections.get("mixture") is not None:
        yield ("mixture",), sections["mixture"]
    if sections.get("phases") is not None:
        for position, phase in enumerate(sections["phases"].phases):
            yield ("phases", "phases", position, "mixture"), phase.mixture


def _blends(document: Document, store: Store, corpus_params: Any) -> dict[str, Any]:
    """The sections `mixture` and `phases`, of which a file has exactly one; the other is None."""
    data = document.data
    if "phases" not in data:
        raw = _with_weights(data.get("mixture") or {}, ("mixture",), document, store)
        blend = validate(mixture.MixtureParams, raw, document, ("mixture",)) if raw is not None else None
        return {"mixture": blend, "phases": None}
    if "mixture" in data:
        document.add(("phases",), "a file has either `mixture` or `phases`; take one of them out")
    if corpus_params is not None and not corpus_params.materialise:
        document.add(("corpus", "materialise"), "phases take parts of domains, which a corpus of references cannot")
    raw = data["phases"] or {}
    if isinstance(raw, dict) and isinstance(raw.get("phases"), list):
        filled = []
        for position, phase in enumerate(raw["phases"]):
            if isinstance(phase, dict) and "mixture" in phase:
                key = ("phases", "phases", position, "mixture")
                phase = {**phase, "mixture": _with_weights(phase["mixture"], key, document, store)}
                if phase["mixture"] is None:
                    return {"mixture": None, "phases": None}
            filled.append(phase)
        raw = {**raw, "phases": filled}
    return {"mixture": None, "phases": validate(mixture.PhasesParams, raw, document, ("phases",))}


def _with_weights(raw: Any, key: Key, document: Document, store: Store) -> Any:
    """A mixture section with the file of ``weights_from`` as its ``imported``; None where that cannot be read."""
    if not isinstance(raw, dict) or not isinstance(raw.get("weights_from"), str):
        return raw
    place = (*key, "weights_from")
    if raw.get("imported") is not None:
        document.add(place, "give the weights either here or as `imported`, not both")
        return None
    path = _resolve(raw["weights_from"], place, document, store)
    try:
        filesystem, inside = filesystem_of(path)
        with filesystem.open_input_file(inside) as file:
            weights = mixture.read_weights(file.read())
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        document.add(place, f"{path} cannot be read as weights: {told.removeprefix('Value error, ')}")
        return None
    return {"solver": "imported", **raw, "imported": dump(weights)}


def _check_models(document: Document, sections: dict[str, Any], tokenizer: bool) -> None:
    """Load what is named by name or path, so that a wrong one is found before any work is done."""
    named = [("tokens", "tokenizer", tokens)] if tokenizer else []
    for section, key, stage in (*named, ("language", "model", language)):
        try:
            stage.identity(sections[section])
        except (ValueError, OSError) as error:
            document.add((section, key), str(error).split("\n")[0])


def duplicates_text(store: Store, folder: str, splits: list[dict[str, Any]], largest: int) -> str:
    """What deduplication did, for people; ``splits`` are the fields of `stages.clusters.ClusterInput`."""
    report = explain.dedup_report(store, [clusters.ClusterInput(**split) for split in splits], folder, largest)
    return "\n".join(explain.report_lines(report)) + "\n"


def page_rules(about: dict[str, Any], page: pa.Table) -> list[dict[str, Any]]:
    """The rules of `kept` that held for a page; ``about`` is the content of ``about.json`` beside its file."""
    domains = [kept.Domain(**domain) for _, domain in about["identity"]["domains"]]
    return kept.page_rules(page, kept.Params(**about["params"]), domains)


def raw_record(source: str, file: str, uri: str, params: dict[str, Any], offset: int) -> bytes:
    """The record a page was made of, byte for byte, from the input file at ``uri``.

    Raises:
        LookupError: there is none.
    """
    split = Split(source, file, 0, 0, "file", uri, 0, "")
    return documents.raw_record(split, documents.Params(**params), file, offset)


def rules() -> list[tuple[str, str, str, str, float]]:
    """Every published rule: family, name, column of `quality`, 'min' or 'max', the published threshold."""
    return [
        (family, rule.name, rule.column, rule.side, rule.threshold)
        for family, members in families.RULES.items()
        for rule in members
    ]


def verify_corpus(store: Store, manifest: str) -> list[str]:
    """Problems of a folder of shards (`stages.verify`)."""
    return shard_verify.verify(store, manifest)


def page_ids(store: Store, documents: str, kept: str, row: int, params: dict[str, Any]) -> Any:
    """Token ids of one page by the reference library; ``params`` are those of `tokens`."""
    named = {"tokenizer": params["tokenizer"], "eos": params["eos"]}
    return tokens.page_ids(store, documents=documents, kept=kept, row=row, **named)


def tokenizer_identity(name: str, eos: str | int | None = None) -> dict[str, Any]:
    """What makes a tokenizer the same for a trainer (`stages.tokenizers`), by shipped name, path or URI.

    Raises:
        UserError: when it cannot be found or used.
    """
    try:
        return load_tokenizer(name, eos).identity()
    except ValueError as error:
        raise UserError(str(error)) from error
