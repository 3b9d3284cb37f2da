"""The decision itself: a pure function of the columns of one split."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages import schemas
from stages.kept import failures
from stages.kept.active import active_rules, by_default, rule_of
from stages.kept.params import (
    LIMITS,
    LISTED,
    NO_DOMAIN,
    NOTHING_LEFT,
    UNWANTED,
    Domain,
    Params,
    list_rules,
    set_rule,
    span_columns,
)
from stages.kept.spans import all_cut, cut_bytes, merged_spans
from stages.percentiles import edge_at, finite
from stages.rules import contamination, rights
from stages.rules.names import codes_of
from stages.rules.robots_files import MISSING, RobotsTable, is_rule
from stages.rules.rule import as_stored
from stages.rules.url_lists import UrlLists
from stages.rules.word_lists import ALL, BAD_WORDS, STOP_WORDS
from stages.schemas import is_within, label_column

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]
Edges = dict[str, dict[str, dict[str, float | None]]]
"""Edges of percentiles: `Domain.group` -> language -> percentile as text -> where it begins (`stages.kept.buckets`)."""

ENGLISH = "en"
LANGUAGE_COLUMNS = ("language", "confidence")
DOCUMENT_COLUMNS = ("source", "text_bytes")
EXACT_DUPLICATE, NEAR_DUPLICATE, SAME_ADDRESS = "exact_duplicate", "near_duplicate", "same_address"
LOW_CONFIDENCE = "low_language_confidence"
MATCH_OF = {EXACT_DUPLICATE: "exact", NEAR_DUPLICATE: "fuzzy", SAME_ADDRESS: "url"}
CLUSTER_COLUMNS = ("match", "similarity", "cluster_size", "via")
SPANS, BLANK = "merged_spans", "blank_left"
"""Columns that `stages.kept.inputs` adds for views: what they cut, and whether white space is all that they leave."""


BY_LANGUAGE = {"gopher_num_stop_words": STOP_WORDS, "bad_words": BAD_WORDS}
"""Columns that have one more for each language with a word list: this and its name (of bad words `ALL` too)."""


def quality_columns(params: Params, domains: Sequence[Domain], measured: Sequence[str] = ()) -> list[str]:
    """Columns of `quality` that the active rules and the domains refer to, in a fixed order.

    Args:
        measured: the columns there are; those of word lists are asked for as there are some.
    """
    elsewhere = {*LANGUAGE_COLUMNS, *DOCUMENT_COLUMNS, *CLUSTER_COLUMNS}
    rules = [rule_of(name, params) for name in active_rules(params)]
    columns = [rule.column for rule in rules if rule]
    named = [column for domain in domains for column in (*domain.min, *domain.max, *domain.percentiles)]
    columns += [column for column in named if column not in elsewhere]
    lists = tuple(BY_LANGUAGE[name] for name in columns if name in BY_LANGUAGE)
    columns += [name for name in measured if name.startswith(lists)] if lists else []
    labellers = [*params.labels, *(name for override in params.overrides for name in override.labels)]
    labellers += [name for domain in domains for name in (*domain.labels, *filter(None, [domain.within]))]
    columns += [label_column(name) for name in labellers]
    columns = [name for name in columns if name not in elsewhere and name != "bad_words"]
    columns += span_columns(params)
    if params.contamination and set(contamination.COLUMNS).intersection(columns):
        columns.append(contamination.HITS)
    return list(dict.fromkeys(columns))


def prepare(
    params: Params,
    domains: Sequence[Domain],
    lists: UrlLists | None = None,
    edges: Edges | None = None,
    robots: RobotsTable | None = None,
) -> Callable[[pa.Table], pa.Table]:
    """The function returned decides a table that has the columns of all inputs side by side.

    Without any domain, every page that passes belongs to the domain ``all``.

    Args:
        lists: the lists of addresses of ``params``, compiled; the pages then have the column ``url``.
        edges: of the percentiles that domains name.
        robots: the files of ``params.robots``, compiled; the pages then have the column ``url``.
    """
    active = active_rules(params)
    by_files = params.robots.rules if params.robots else ()
    if by_files and robots is None:
        raise ValueError("kept.robots.files are not compiled")
    chosen = list(domains) or [Domain(name="all")]

    def decide(pages: pa.Table) -> pa.Table:
        pages = contamination.applied(pages, params.contamination)
        domain_of = first_domain(pages, chosen, edges)
        found = lists.match(pages.column("url")) if lists else None
        robots_failed = robots.match(pages.column("url"), MISSING in by_files).failed if robots and by_files else None
        failing = []
        spans = pages.column(SPANS).combine_chunks() if SPANS in pages.column_names else merged_spans(pages, params)
        first = np.full(pages.num_rows, -1, np.int64)
        for bit, name in enumerate(active):
            if name.startswith(UNWANTED):
                fails = _fails(name, pages, domain_of, chosen, params) & _unwanted(name, pages, params)
            elif name == NOTHING_LEFT:
                fails = all_cut(cut_bytes(spans), pages.column("text_bytes").to_numpy())
                fails |= pages.column(BLANK).to_numpy() if BLANK in pages.column_names else False
            else:
                fails = _fails(name, pages, domain_of, chosen, params)
            if found and name.startswith(LISTED):
                fails &= (found.failed >> np.uint64(list_rules(params).index(name)) & np.uint64(1)).astype(np.bool_)
            if robots_failed is not None and is_rule(name):
                fails &= (robots_failed >> np.uint64(by_files.index(name)) & np.uint64(1)).astype(np.bool_)
            failing.append(np.flatnonzero(fails))
            first[fails & (first < 0)] = bit
        failed = failures.gather(failing, pages.num_rows).column(active)
        keep = first < 0
        reasons = pa.array(active, pa.string()).take(pa.array(first, mask=keep))
        names = pa.array([domain.name for domain in chosen], pa.string())
        domain = names.take(pa.array(domain_of, mask=~keep))
        left = pc.if_else(pa.array(keep), spans, pa.scalar(None, spans.type))
        listed = found.entries if found else pa.nulls(pages.num_rows, pa.string())
        return pa.table([pa.array(keep), reasons, failed, domain, left, listed], schema=schemas.KEPT)

    return decide


def first_domain(pages: pa.Table, domains: Sequence[Domain], edges: Edges | None = None) -> npt.NDArray[np.int64]:
    """Index of the first domain each page meets, -1 where there is none."""
    domain_of = np.full(pages.num_rows, -1, np.int64)
    seen = Conditions(pages, edges or {})
    for i in reversed(range(len(domains))):
        domain_of[seen.meets(domains[i])] = i
    return domain_of


class Conditions:
    """Conditions of domains on some pages, each found once: a grid has hundreds of domains and few conditions."""

    def __init__(self, pages: pa.Table, edges: Edges) -> None:
        self.pages, self.edges = pages, edges
        self._found: dict[tuple[Any, ...], Mask] = {}
        self._numbers: dict[str, Numbers] = {}
        self._keys: dict[str | None, tuple[npt.NDArray[np.int64], list[str]]] = {}

    def meets(self, domain: Domain) -> Mask:
        """The pages that meet every condition of a domain."""
        meets = np.ones(self.pages.num_rows, np.bool_)
        for condition in self._conditions(domain):
            if condition not in self._found:
                self._found[condition] = self._one(*condition)
            meets &= self._found[condition]
        return meets

    def _conditions(self, domain: Domain) -> Iterator[tuple[Any, ...]]:
        for column, names in (("source", domain.sources), ("language", domain.languages)):
            if names is not None:
                yield "among", column, names
        yield from (("label", name, wanted) for name, wanted in domain.labels.items())
        yield from (("min", column, least) for column, least in domain.min.items())
        yield from (("max", column, most) for column, most in domain.max.items())
        for column, (low, high) in domain.percentiles.items():
            group = domain.group(column)
            yield "from", column, (group, domain.within, low)
            yield "below", column, (group, domain.within, high)

    def _one(self, kind: str, column: str, limit: Any) -> Mask:
        if kind == "among":
            return _among(self.pages, column, limit)
        if kind == "label":
            return _labelled(self.pages, {column: limit})
        if column not in self._numbers:
            self._numbers[column] = numbers(self.pages, column)
        values = self._numbers[column]
        if kind in ("min", "max"):
            bound = as_stored(limit, self.pages.schema.field(column).type)
            return np.asarray(values >= bound if kind == "min" else values <= bound)
        group, within, percentile = limit
        values = finite(values)
        if kind == "from":
            return np.asarray(values >= self._limits(group, within, percentile, -np.inf))
        return np.asarray(values < self._limits(group, within, percentile, np.inf))

    def _limits(self, group: str, within: str | None, percentile: float, without: float) -> Numbers:
        """The edge of a percentile for each page, by its language and label: ``without`` where it sets no limit.

        NaN where no page of that language and label was ranked: there are no buckets, and its pages are in none.
        """
        if within not in self._keys:
            self._keys[within] = page_keys(self.pages, within)
        codes, names = self._keys[within]
        own = self.edges.get(group, {})
        found = [edge_at(own[name], percentile) if name in own else np.nan for name in names]
        limits = np.array([*(without if edge is None else edge for edge in found), np.nan], np.float64)
        return limits[codes]


def page_keys(pages: pa.Table, within: str | None) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Among which pages each one is ranked: an index into the names that follow, -1 for none; a name is a language,
    or a language and a label."""
    languages = pages.column("language").combine_chunks().dictionary_encode()
    codes = pc.fill_null(languages.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    names = languages.dictionary.to_pylist()
    if within is None:
        return codes, names
    labels = pages.column(label_column(within)).combine_chunks().dictionary_encode()
    own = pc.fill_null(labels.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    pairs = np.where((codes < 0) | (own < 0), -1, codes * len(labels.dictionary) + own)
    return pairs, [f"{name} {label}" for name in names for label in labels.dictionary.to_pylist()]


def domains_of(pages: pa.Table, domains: Sequence[Domain], edges: Edges | None = None) -> pa.Array:
    """Name of the domain each page belongs to, whether it is kept or not; null where there is none."""
    chosen = list(domains) or [Domain(name="all")]
    domain_of = first_domain(pages, chosen, edges)
    return pa.array([domain.name for domain in chosen], pa.string()).take(pa.array(domain_of, mask=domain_of < 0))


def numbers(pages: pa.Table, column: str) -> Numbers:
    """A column as float64, NaN where it is null; a comparison with NaN is false, so a null fails no rule."""
    if column not in pages.column_names:
        raise KeyError(f"no column {column} was measured; is its rule family switched on in quality.families?")
    values = pages.column(column).cast(pa.float64()).combine_chunks()
    array: Numbers = values.to_numpy(zero_copy_only=False)
    return array


def rule_values(pages: pa.Table, column: str) -> Numbers:
    """The values that a rule checks: its column, or that of the page's language where languages have word lists.

    Gopher's stop words are those of English pages; NaN where a language has no list.
    """
    prefix = BY_LANGUAGE.get(column)
    if prefix is None:
        return numbers(pages, column)
    values = np.full(pages.num_rows, np.nan)
    if prefix == BAD_WORDS and column in pages.column_names:
        values = numbers(pages, column)
    if prefix == STOP_WORDS:
        values = np.where(_among(pages, "language", codes_of(ENGLISH)), numbers(pages, column), values)
    own = [name for name in pages.column_names if name.startswith(prefix)]
    for name in reversed(nearest_first(own, prefix)):
        rows = _among(pages, "language", codes_of(name.removeprefix(prefix)))
        if rows.any():  # most lists are of languages that a split does not have
            values = np.where(rows, numbers(pages, name), values)
    if prefix == BAD_WORDS and prefix + ALL in own:
        values = np.nan_to_num(values) + numbers(pages, prefix + ALL)
    return values


def nearest_first(names: Iterable[str], prefix: str) -> list[str]:
    """Columns of lists, those of fewer codes first: a list for `nn` holds for its pages before one for `no`."""
    return sorted(names, key=lambda name: len(codes_of(name.removeprefix(prefix))))


def own_column(page: pa.Table, column: str) -> str:
    """The column that `rule_values` looks at for a page (one row)."""
    prefix = BY_LANGUAGE.get(column, "")
    language = page.column("language")[0].as_py()
    own = [name for name in page.column_names if prefix and name.startswith(prefix)]
    names = [name for name in nearest_first(own, prefix) if language in codes_of(name.removeprefix(prefix))]
    names += [f"{prefix}{ALL}"] if prefix == BAD_WORDS else []
    return next((name for name in names if name in own), column)


def _among(pages: pa.Table, column: str, names: Iterable[str] | None) -> Mask:
    if names is None:
        return np.ones(pages.num_rows, np.bool_)
    found = pc.is_in(pages.column(column), pa.array(names, pa.string()))
    return np.asarray(found.combine_chunks().to_numpy(zero_copy_only=False), np.bool_)


def _labelled(pages: pa.Table, labels: Mapping[str, Iterable[str]]) -> Mask:
    """Pages that have one of the labels given, of every labeller named; none means all."""
    meets = np.ones(pages.num_rows, np.bool_)
    for name, wanted in labels.items():
        found = pc.is_in(pages.column(label_column(name)), pa.array(wanted, pa.string()))
        meets &= found.combine_chunks().to_numpy(zero_copy_only=False).astype(np.bool_)
    return meets


def _unwanted(rule: str, pages: pa.Table, params: Params) -> Mask:
    """Pages whose label does not stay, whatever the rule's setting."""
    name = rule.removeprefix(UNWANTED)
    choice = params.labels[name]
    if choice.keep is not None:
        return ~_labelled(pages, {name: choice.keep})
    return _labelled(pages, {name: choice.drop or ()})


def thresholds_of(
    name: str,
    pages: pa.Table,
    domain_of: npt.NDArray[np.int64],
    domains: Sequence[Domain],
    params: Params,
) -> Numbers:
    """The rule's threshold for each page; NaN where it is off. Settings are applied one over the other (`set_rule`)."""
    state = (by_default(name, params), math.nan)
    if name in params.rules:
        state = set_rule(name, state, params.rules[name])
    on, thresholds = np.full(pages.num_rows, state[0]), np.full(pages.num_rows, state[1], np.float64)
    rule = rule_of(name, params)
    if math.isnan(state[1]):
        thresholds[:] = _declared(pages, params) if name == LOW_CONFIDENCE else rule.threshold if rule else 0.0
    exempt = np.zeros(pages.num_rows, np.bool_)
    if rule is not None and rule.exempt and params.rules.get(name) is not True:
        exempt = _among(pages, "language", rule.exempt).copy()
    for override in params.overrides:
        if name in override.rules:
            matches = _among(pages, "source", override.sources) & _among(pages, "language", override.languages)
            matches &= _labelled(pages, override.labels)
            if override.domains is not None:
                wanted = [i for i, domain in enumerate(domains) if is_within(domain.name, override.domains)]
                matches &= np.isin(domain_of, wanted)
            setting = override.rules[name]
            if isinstance(setting, bool):
                on[matches], exempt[matches] = setting, False
            else:
                thresholds[matches] = setting
                on[matches] |= name.startswith(LIMITS)
                if override.languages is not None:  # a limit for a language that is named is meant
                    exempt[matches] = False
    return np.where(on & ~exempt, thresholds, np.nan)


def _fails(
    name: str, pages: pa.Table, domain_of: npt.NDArray[np.int64], domains: Sequence[Domain], params: Params
) -> Mask:
    if name == "empty_text":
        return np.equal(numbers(pages, "text_bytes"), 0)
    if name == NO_DOMAIN:
        return domain_of < 0
    rule = rule_of(name, params)
    thresholds = thresholds_of(name, pages, domain_of, domains, params)
    if rule:
        values = rule_values(pages, rule.column)
        if rule.column in pages.column_names:
            thresholds = as_stored(thresholds, pages.schema.field(rule.column).type)
        return values < thresholds if rule.side == "min" else values > thresholds
    on = ~np.isnan(thresholds)
    if name in rights.RULES:
        column = pages.column(rights.COLUMNS[name])
        return np.asarray(on & rights.failing(name, column, params.robots, params.licences), np.bool_)
    if name.startswith((LISTED, UNWANTED)) or is_rule(name):
        return np.asarray(on)
    if name == "language_not_selected":
        return on & ~_among(pages, "language", params.languages)
    if name == LOW_CONFIDENCE:
        return np.asarray(numbers(pages, "confidence") < as_stored(thresholds, pages.schema.field("confidence").type))
    if "match" not in pages.column_names:
        return np.zeros(pages.num_rows, np.bool_)
    duplicate = np.asarray(pages.column("match").to_numpy() == MATCH_OF[name], np.bool_)
    if name == SAME_ADDRESS:  # no similarity decided it
        return on & duplicate
    if name == NEAR_DUPLICATE:  # a copy of a page that goes for its similarity has that similarity too
        duplicate |= pages.column("via").is_valid().to_numpy() & np.asarray(pages.column("match").to_numpy() == "exact")
    least = as_stored(thresholds, pages.schema.field("similarity").type)
    return on & duplicate & (numbers(pages, "similarity") >= least)


def _declared(pages: pa.Table, params: Params) -> Numbers:
    """Each page's least confidence where no rule sets one: its language's own, or that of all."""
    declared = np.full(pages.num_rows, params.min_confidence)
    for language, own in params.min_confidences.items():
        declared[_among(pages, "language", (language,))] = own
    return declared
