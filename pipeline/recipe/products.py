"""A mixture file, validated: how the products follow from one another, and what decides the bytes of each.

Nothing here touches files of a run: `pipeline.run.run` does, with what this module says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from pipeline.recipe import graph, robots_files
from pipeline.recipe.sections import ClustersSection, LinesSection, RepeatsSection, SampleParams, dump
from pipeline.recipe.yaml_file import Key
from pipeline.store.address import Fingerprint, digest, split_id
from stages import (
    clusters,
    contamination,
    corpus,
    documents,
    ensembles,
    kept,
    lines,
    mixture,
    overlaps,
    repeats,
    schemas,
    scores,
    shards,
    sources,
    token_counts,
    tokens,
)
from stages.contract import Split
from stages.documents import derived
from stages.formats import file_states
from stages.formats.locations import is_uri
from stages.kept import buckets
from stages.rules import url_lists
from stages.rules.contamination import Benchmarks


@dataclass(frozen=True)
class Source:
    """One entry of ``sources`` with the sections that hold for it."""

    name: str
    params: sources.SourceParams
    sections: dict[str, Any]
    transform: derived.Transform | None = None
    """The transform that makes its pages; such a source reads no files, and its ``params`` are unused."""


@dataclass(frozen=True)
class Recipe:
    """A mixture file, validated: what to read and how each product is made."""

    path: str
    name: str
    sample: SampleParams | None
    sources: dict[str, Source]
    domains: dict[str, kept.Domain]
    sections: dict[str, Any]
    listed: dict[str, tuple[list[Split], list[str]]] = field(default_factory=dict, compare=False, repr=False)
    """Splits by source, and remarks about files left out, where the input was looked at already."""
    part: float | None = None
    """The share of the input that is run, where it is not all (`pipeline.run.part`)."""
    _fingerprints: dict[tuple[str, ...], Fingerprint] = field(default_factory=dict, compare=False, repr=False)
    """Fingerprints made so far: an identity may read a model file."""
    _digests: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict, compare=False, repr=False)
    """Of products with fingerprints, SHA-256 of the files that their settings named then."""

    def section(self, name: str) -> Any:
        return self.sections[name]

    def on(self, product: str) -> bool:
        """Whether this mixture has the product."""
        return graph.BY_NAME[product].on(self.sections)

    def fingerprint(self, product: str, source: str) -> Fingerprint:
        """The fingerprint of a map product of one source: of all that decides its bytes."""
        key = (product, source)
        if key not in self._fingerprints:
            if product == "scores" or (product != "documents" and graph.BY_NAME[product].together):
                self._digests[key] = file_states.digests(self.map_params(product, source))
            special = getattr(self, f"_{product}", None)  # of products whose settings are not all that decides
            self._fingerprints[key] = special(source) if special else self._measured(product, source)
        return self._fingerprints[key]

    def digests(self, product: str, source: str) -> dict[str, str]:
        """SHA-256 by path of the files by which the fingerprint of a measurement was made: its tasks check them."""
        self.fingerprint(product, source)
        return self._digests[product, source]

    def transforms(self) -> dict[str, derived.Transform]:
        """The sources whose pages are made of others' pages, with what makes them."""
        return {name: source.transform for name, source in self.sources.items() if source.transform is not None}

    def derived_splits(self, splits: Sequence[Split]) -> list[Split]:
        """A split for each of ``splits`` and transform that takes its pages; ``etag`` digests what decides them."""
        found = []
        for name, transform in self.transforms().items():
            for parent in (split for split in splits if split.source in transform.inputs.sources):
                fingerprints = [self.fingerprint(product, parent.source).hex for product in self.derived_inputs(name)]
                place = (parent.start, parent.end, "derived", parent.uri, 0, digest([split_id(parent), fingerprints]))
                parts = tuple((f"{parent.source}/{file}", uri, 0) for file, uri, _ in parent.parts)
                found.append(Split(name, f"{parent.source}/{parent.file}", *place, parts))
        return found

    def derived_inputs(self, name: str) -> list[str]:
        """The products that a transform reads: `documents` first, then those whose columns its conditions name."""
        wanted = {"language", *(self.holder(name, column) for column in self.transforms()[name].inputs.columns())}
        return [product for product in graph.together(self.sections) if product in wanted | {"documents"}]

    def derived_settings(self, name: str) -> str:
        """Digest of what decides the pages of a transform."""
        return derived.decided(self.transforms()[name])

    def derived_pieces(self, address: str) -> str:
        """The folder of what is kept of a derived split's `documents` while they are made."""
        return derived.pieces_of(address)

    def holder(self, name: str, column: str) -> str | None:
        """The product measured with the text that has a column in every source that a transform reads."""
        for product in graph.together(self.sections):
            columns = graph.BY_NAME[product].columns
            own = derived.SCHEMA.names if product == "documents" else None
            held = [
                own or (columns(self._section(product, source)) if columns else ())
                for source in self.transforms()[name].inputs.sources
            ]
            if all(column in names for names in held):
                return product
        return None

    def _section(self, product: str, source: str) -> Any:
        return self.sources[source].sections.get(product) or self.sections[product]

    def _documents(self, source: str) -> Fingerprint:
        transform = self.sources[source].transform
        if transform is not None:
            made: dict[str, Any] = {"source": source, **derived.identity(transform)}
            if transform.inputs.min or transform.inputs.max:
                made["limits"] = derived.LIMITS_VERSION
            return Fingerprint("documents", derived.VERSION, transform.deciding(), made)
        params = self.sources[source].sections["documents"]
        identity = {"source": source, **documents.identity(params)}
        return Fingerprint("documents", documents.VERSION, dump(params), identity)

    def _quality(self, source: str) -> Fingerprint:
        """Without the benchmarks, which other products look for: written as if there were none, as in earlier roots."""
        made = self._measured("quality", source)
        return replace(made, params={**made.params, "benchmarks": {"files": [], "ngram": 13}})

    def _overlaps(self, source: str) -> Fingerprint:
        upstream = (self.fingerprint("documents", source).hex,)
        return Fingerprint("overlaps", overlaps.VERSION, {}, overlaps.identity(self.sections["overlaps"]), upstream)

    def _token_counts(self, source: str) -> Fingerprint:
        upstream = (self.fingerprint("documents", source).hex,)
        section = self.sections["token_counts"]
        identity = token_counts.identity(section)
        if is_uri(section.tokenizer):
            self._digests["token_counts", source][section.tokenizer] = identity["tokenizer"]["sha256"]
        return Fingerprint("token_counts", token_counts.VERSION, {}, identity, upstream)

    def contamination(self) -> Fingerprint | None:
        """The fingerprint of `contamination`, the set of pages apart; None when no benchmark is looked for."""
        if not self.on("contamination"):
            return None
        return Fingerprint("contamination", contamination.VERSION, {}, {})

    def _measured(self, product: str, source: str) -> Fingerprint:
        stage: Any = graph.BY_NAME[product].module
        params = self._section(product, source)
        upstream = (self.fingerprint("documents", source).hex,)
        return Fingerprint(product, stage.VERSION, placeless(product, dump(params)), stage.identity(params), upstream)

    def map_params(self, product: str, source: str) -> dict[str, Any]:
        section = self._section(product, source)
        if product == "quality":  # benchmarks are no matter of its own
            section = section.model_copy(update={"benchmarks": Benchmarks()})
        return dump(section)

    def families(self) -> Fingerprint | None:
        """The fingerprint of `families`, the set of pages apart; None when deduplication is off."""
        decided = self.clusters()
        return Fingerprint("families", clusters.FAMILIES_VERSION, decided.params, {}) if decided else None

    def clusters(self) -> Fingerprint | None:
        """The fingerprint of `clusters`, the set of pages and who may stay apart; None when deduplication is off."""
        if not self.on("clusters"):
            return None
        section: ClustersSection = self.sections["clusters"]
        settings = placeless("clusters", dump(section))
        settings |= {"derived": list(self.transforms())} if self.transforms() else {}
        others = (*clusters.BRAKES, *clusters.EFFORT)
        deciding = {name: value for name, value in settings.items() if name not in others}
        return Fingerprint("clusters", clusters.VERSION, deciding, {})

    def lines(self) -> Fingerprint | None:
        """The fingerprint of `lines`, the set of pages apart; None when they are not measured."""
        section: LinesSection = self.sections["lines"]
        deciding = {name: value for name, value in dump(section).items() if name not in (*lines.EFFORT, "rules")}
        return Fingerprint("lines", lines.VERSION, deciding, {}) if self.on("lines") else None

    def ensembles(self) -> Fingerprint | None:
        """The fingerprint of `ensembles`, the set of pages and their scores apart; None when there are none."""
        params = {name: dump(ensemble) for name, ensemble in self.sections["quality"].ensembles.items()}
        return Fingerprint("ensembles", ensembles.VERSION, params, {}) if params else None

    def repeats(self) -> Fingerprint | None:
        """The fingerprint of `repeats`, the pages that take part apart; None when they are not measured."""
        section: RepeatsSection = self.sections["repeats"]
        deciding = {name: value for name, value in dump(section).items() if name not in repeats.EFFORT}
        return Fingerprint("repeats", repeats.VERSION, deciding, {}) if self.on("repeats") else None

    def before_repeats(self) -> Recipe:
        """This recipe with nothing in it that asks for `repeats`: the pages it keeps take part there."""
        columns = schemas.REPEATS.names
        found = {}
        for name, source in self.sources.items():
            stripped = kept.without_columns(source.sections["kept"], columns)
            found[name] = replace(source, sections={**source.sections, "kept": stripped})
        off = self.sections["repeats"].model_copy(update={"enabled": False})
        fingerprints = {key: one for key, one in self._fingerprints.items() if key[0] not in ("kept", "eligible")}
        domains = {name: kept.without_conditions(domain, columns) for name, domain in self.domains.items()}
        sections = {**self.sections, "repeats": off}
        return replace(self, sources=found, domains=domains, sections=sections, _fingerprints=fingerprints)

    def _scores(self, source: str) -> Fingerprint:
        section: scores.Params = self.sections["scores"]
        params = {name: scorer.deciding() for name, scorer in section.scorers.items()}
        upstream = (self.fingerprint("documents", source).hex,)
        return Fingerprint("scores", scores.VERSION, params, scores.identity(section), upstream)

    def scorers(self) -> tuple[dict[str, Any], float, int]:
        """Settings of `scores`, and the GPUs and bytes of memory that one of its tasks reserves."""
        section: scores.Params = self.sections["scores"]
        each = section.scorers.values()
        return dump(section), max((one.gpus for one in each), default=0), sum(one.memory for one in each)

    def _kept(self, source: str) -> Fingerprint:
        params = self.kept_rules(source)
        upstream = tuple(self.fingerprint(name, source).hex for name in graph.fingerprinted(self.sections))
        identity = {"domains": [[name, domain] for name, domain in self.plain_domains.items()]} | self.compiled(source)
        return Fingerprint("kept", kept.VERSION, params, identity, upstream)

    def _eligible(self, source: str) -> Fingerprint:
        upstream = tuple(self.fingerprint(name, source).hex for name in graph.fingerprinted(self.sections))
        identity = {"domains": self.eligible_domains} | self.compiled(source)
        return Fingerprint("eligible", kept.ELIGIBLE_VERSION, self.eligible_rules(source), identity, upstream)

    def ranked(self, source: str) -> Fingerprint:
        """The fingerprint of the pages that percentiles rank: as `eligible`, whatever the domains."""
        return replace(self.fingerprint("eligible", source), identity={"domains": None})

    def eligible_rules(self, source: str) -> dict[str, Any]:
        """Settings that decide which of a source's pages pass every rule but those about duplicates, domains apart."""
        return deciding(kept.eligibility(self.sources[source].sections["kept"]))

    def eligible_params(self, source: str) -> dict[str, Any]:
        """The settings of `eligible`."""
        return dump(kept.eligibility(self.sources[source].sections["kept"]))

    @cached_property
    def plain_domains(self) -> dict[str, dict[str, Any]]:
        """The domains as plain data: hundreds where there are grids, so they are made once."""
        return {name: dump(domain) for name, domain in self.domains.items()}

    @cached_property
    def eligible_domains(self) -> list[dict[str, Any]]:
        """The domains as far as they are known before duplicates are."""
        return [dump(kept.eligible_domain(domain)) for domain in self.domains.values()]

    def kept_rules(self, source: str) -> dict[str, Any]:
        """Settings that decide which of a source's pages pass every rule, domains apart."""
        return deciding(self.sources[source].sections["kept"])

    def percentiles(self) -> dict[str, Any]:
        """The percentiles of columns that domains name."""
        return buckets.wanted_of(self.domains.values())

    def counted_columns(self) -> list[Any]:
        """Columns counted for percentiles, each within a labeller's labels where a domain names them."""
        return [buckets.VERSION, *buckets.columns_of(self.percentiles())]

    def url_lists(self, source: str) -> str | None:
        """Address of the compiled lists of addresses of a source's `kept`; None where there are none."""
        lists = self.sources[source].sections["kept"].urls
        return url_lists.address(lists) if lists else None

    def compiled(self, source: str) -> dict[str, Any]:
        """The address of a source's lists, which names how they are compiled too; nothing where there are none."""
        place = self.url_lists(source)
        return {"urls": place} if place else {}

    def robots_table(self, source: str) -> str | None:
        """Address of the compiled files of a source's `kept.robots`; None where there are none."""
        robots = self.sources[source].sections["kept"].robots
        return robots_files.address(robots) if robots and robots.files else None

    def _tokens(self, source: str) -> Fingerprint:
        params = self.sections["tokens"]
        read = [name for name in graph.fingerprinted(self.sections) if params.scores or name in tokens.READ]
        upstream = tuple(self.fingerprint(name, source).hex for name in read)
        return Fingerprint("tokens", tokens.VERSION, tokens.deciding(params), tokens.identity(params), upstream)

    def shards(self) -> Fingerprint:
        params = self.sections["shards"]
        return Fingerprint("shards", shards.VERSION, dump(params), {}, ())

    def corpus(self, blend: mixture.Mixture, phases: list[mixture.PhasePlan]) -> Fingerprint:
        """The fingerprint of `corpus`, its domains' shards apart: the name in its manifest, tokens of each domain."""
        identity: dict[str, Any] = {"name": self.name, "mixture": blend.as_dict()}
        if phases:
            identity["phases"] = [corpus.PHASES_VERSION, *map(asdict, phases)]
        return Fingerprint("corpus", corpus.VERSION, dump(self.sections["corpus"]), identity)

    def definitions(self) -> dict[str, str]:
        """Digest of each domain's definition: its conditions, and those of the domains that come before it."""
        before: list[Any] = []
        found = {}
        for name, domain in self.domains.items():
            before.append([name, dump(domain)])
            found[name] = digest(before)
        return found


def mixtures_of(sections: dict[str, Any]) -> Iterator[tuple[Key, mixture.MixtureParams]]:
    """Every mixture of the file, with the key it stands at."""
    if sections.get("mixture") is not None:
        yield ("mixture",), sections["mixture"]
    if sections.get("phases") is not None:
        for position, phase in enumerate(sections["phases"].phases):
            yield ("phases", "phases", position, "mixture"), phase.mixture


def placeless(product: str, params: dict[str, Any]) -> dict[str, Any]:
    """Settings with every path in them as the name of its file: what it holds is in the identity, and the same file in
    another folder (another checkout, another machine) gives the same bytes."""
    for place in (*graph.model_paths(), *graph.file_paths()):
        if place[0] == product:
            _named(params, place[1:])
    return params


def _named(holder: Any, place: tuple[str, ...]) -> None:
    keys = holder if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
    for key in [key for key in keys if place[0] in ("*", key)]:
        if place[1:]:
            _named(holder[key], place[1:])
        elif isinstance(holder[key], str):
            holder[key] = holder[key].rpartition("/")[2]


def deciding(params: kept.Params) -> dict[str, Any]:
    """`kept.deciding`, the content of the files of `kept.robots` in the place of their paths."""
    plain = kept.deciding(params)
    if params.robots and params.robots.files:
        plain["robots"] = plain["robots"] | {"files": robots_files.identity(params.robots)}
    return plain
