"""`kept`: which pages stay, why the others go, and the domain each kept page belongs to.

For whom: `tokens` reads it, the report counts by it, `why` answers from it. All thresholds live here and nowhere else:
a changed threshold redoes this file, which reads a few columns of numbers and no text.

Input: `documents` (source, text_bytes), `language`, `quality` (the columns that some rule or domain names) and
`clusters` (or none, when deduplication is off), row for row. Output: `schemas.KEPT`, row for row, with a report:

    {"rows": n, "kept": k, "rules": [name of bit 0, name of bit 1, ...], "selection_digest": hex,
     "groups": [{"source", "language", "domain", "reason", "documents", "text_bytes"}, ...],
     "failed": {rule: {"documents", "text_bytes", "first", "alone"}}}

``documents`` of a rule are all that fail it (what it drops when it is the only rule), ``first`` those that name it as
their reason, ``alone`` those that fail nothing else (what it drops when it comes last, and what turning it off brings
back). ``selection_digest`` covers what tokenization depends on: kept rows, their domains and spans.

Order of reasons: `FIXED`, then the rule families in the order of `stages.rules.families`, last `no_domain`.
Equality passes. A null (nothing to measure, no duplicate) passes. Thresholds: ``rules`` over the published one, then
every override that matches the page, the last one winning.

Price: about 1 µs a page. Limits: 64 rules active at once, because ``failed`` is a 64-bit set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash
from pydantic import Field, field_validator, model_validator

from stages import schemas
from stages.contract import StageParams, Store
from stages.rules import families
from stages.rules.names import check_languages, check_names
from stages.rules.rule import Rule

VERSION = 1

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]

FIXED = ("empty_text", "language_not_selected", "low_language_confidence", "exact_duplicate", "near_duplicate")
NO_DOMAIN = "no_domain"
ALWAYS = ("empty_text", NO_DOMAIN)
PUBLISHED: dict[str, Rule] = {rule.name: rule for rules in families.RULES.values() for rule in rules}
FAMILY_OF = {rule.name: family for family, rules in families.RULES.items() for rule in rules}
ORDER = (*FIXED, *PUBLISHED, NO_DOMAIN)
MAX_RULES = 64

Setting = bool | float
"""Of a rule: off, on (with the published threshold), or on with this threshold."""


def _check_rules(rules: dict[str, Setting]) -> dict[str, Setting]:
    check_names("rule", rules, ORDER)
    for name in ALWAYS:
        if name in rules:
            raise ValueError(f"{name} is always on: such a page has no place in a corpus")
    for name in ("language_not_selected", "exact_duplicate"):
        if name in rules and not isinstance(rules[name], bool):
            raise ValueError(f"{name} has no threshold: expected true or false, found {rules[name]!r}")
    return rules


class Override(StageParams):
    """Other settings for the pages that match every condition given."""

    sources: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    domains: tuple[str, ...] | None = None
    rules: dict[str, Setting]

    _rules = field_validator("rules")(_check_rules)
    _languages = field_validator("languages")(check_languages)


class Params(StageParams):
    """Settings of `kept`."""

    languages: tuple[str, ...] | None = None
    """Languages to keep; none: all."""
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    """Least confidence of the language label."""
    min_confidences: dict[str, float] = Field(default={})
    """The same for single languages."""
    families: tuple[str, ...] = families.DEFAULT
    """Rule families switched on, each at its published thresholds."""
    rules: dict[str, Setting] = Field(default={})
    """Single rules: false (off), true (on) or a threshold. ``near_duplicate: 0.9`` drops from that similarity on."""
    overrides: tuple[Override, ...] = ()
    """Other settings for some sources, languages or domains; a later one wins."""

    _rules = field_validator("rules")(_check_rules)
    _languages = field_validator("languages", "min_confidences")(check_languages)

    @field_validator("families")
    @classmethod
    def _families(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        check_names("rule family", names, families.RULES)
        return tuple(name for name in families.RULES if name in names)

    @model_validator(mode="after")
    def _bits(self) -> Params:
        if len(active_rules(self)) > MAX_RULES:
            raise ValueError(f"expected at most {MAX_RULES} active rules, found {len(active_rules(self))}")
        return self


class Domain(StageParams):
    """A part of the corpus: the kept pages that meet every condition given. A page goes to the first it meets."""

    name: str
    sources: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    min: dict[str, float] = Field(default={})
    """Least value of a column of `quality`, or of confidence, text_bytes, cluster_size; null does not meet it."""
    max: dict[str, float] = Field(default={})

    _languages = field_validator("languages")(check_languages)


LANGUAGE_COLUMNS = ("language", "confidence")
DOCUMENT_COLUMNS = ("source", "text_bytes")
CLUSTER_COLUMNS = ("match", "similarity", "cluster_size")


def active_rules(params: Params) -> list[str]:
    """Names of the rules that are on for some page, in the order of reasons: bit i of ``failed`` is the i-th."""
    settings = [params.rules, *(override.rules for override in params.overrides)]
    names = []
    for name in ORDER:
        default: Setting = name not in FAMILY_OF or FAMILY_OF[name] in params.families
        base = params.rules.get(name, default)
        if base is not False or any(given.get(name, False) is not False for given in settings[1:]):
            names.append(name)
    return names


def quality_columns(params: Params, domains: Sequence[Domain]) -> list[str]:
    """Columns of `quality` that the active rules and the domains refer to, in a fixed order."""
    elsewhere = {*LANGUAGE_COLUMNS, *DOCUMENT_COLUMNS, *CLUSTER_COLUMNS}
    columns = [PUBLISHED[name].column for name in active_rules(params) if name in PUBLISHED]
    columns += [column for domain in domains for column in (*domain.min, *domain.max) if column not in elsewhere]
    return list(dict.fromkeys(columns))


def prepare(params: Params, domains: Sequence[Domain]) -> Callable[[pa.Table], pa.Table]:
    """The function returned decides a table that has the columns of all inputs side by side.

    Without any domain, every page that passes belongs to the domain ``all``.
    """
    active = active_rules(params)
    chosen = list(domains) or [Domain(name="all")]

    def decide(pages: pa.Table) -> pa.Table:
        domain_of = first_domain(pages, chosen)
        failed = np.zeros(pages.num_rows, np.uint64)
        first = np.full(pages.num_rows, -1, np.int64)
        for bit, name in enumerate(active):
            fails = _fails(name, pages, domain_of, chosen, params)
            failed |= fails.astype(np.uint64) << np.uint64(bit)
            first[fails & (first < 0)] = bit
        keep = first < 0
        reasons = pa.array(active, pa.string()).take(pa.array(first, mask=keep))
        names = pa.array([domain.name for domain in chosen], pa.string())
        domain = names.take(pa.array(domain_of, mask=~keep))
        spans = pa.nulls(pages.num_rows, schemas.KEPT.field("spans").type)
        return pa.table([pa.array(keep), reasons, pa.array(failed), domain, spans], schema=schemas.KEPT)

    return decide


def first_domain(pages: pa.Table, domains: Sequence[Domain]) -> npt.NDArray[np.int64]:
    """Index of the first domain each page meets, -1 where there is none."""
    domain_of = np.full(pages.num_rows, -1, np.int64)
    for i in reversed(range(len(domains))):
        domain = domains[i]
        meets = _among(pages, "source", domain.sources) & _among(pages, "language", domain.languages)
        for column, least in domain.min.items():
            meets &= numbers(pages, column) >= least
        for column, most in domain.max.items():
            meets &= numbers(pages, column) <= most
        domain_of[meets] = i
    return domain_of


def numbers(pages: pa.Table, column: str) -> Numbers:
    """A column as float64, NaN where it is null; a comparison with NaN is false, so a null fails no rule."""
    if column not in pages.column_names:
        raise KeyError(f"no column {column} was measured; is its rule family switched on in quality.families?")
    values = pages.column(column).cast(pa.float64()).combine_chunks()
    array: Numbers = values.to_numpy(zero_copy_only=False)
    return array


def _among(pages: pa.Table, column: str, names: Iterable[str] | None) -> Mask:
    if names is None:
        return np.ones(pages.num_rows, np.bool_)
    return np.isin(pages.column(column).to_numpy().astype(str), list(names))


def _thresholds(
    name: str,
    default: float,
    pages: pa.Table,
    domain_of: npt.NDArray[np.int64],
    domains: Sequence[Domain],
    params: Params,
) -> Numbers:
    """The rule's threshold for each page; NaN where it is off."""

    def number(setting: Setting) -> float:
        return (default if setting else np.nan) if isinstance(setting, bool) else setting

    on = name not in FAMILY_OF or FAMILY_OF[name] in params.families
    thresholds = np.full(pages.num_rows, number(params.rules.get(name, on)), np.float64)
    for override in params.overrides:
        if name in override.rules:
            matches = _among(pages, "source", override.sources) & _among(pages, "language", override.languages)
            if override.domains is not None:
                wanted = [i for i, domain in enumerate(domains) if domain.name in override.domains]
                matches &= np.isin(domain_of, wanted)
            thresholds[matches] = number(override.rules[name])
    return thresholds


def _fails(
    name: str, pages: pa.Table, domain_of: npt.NDArray[np.int64], domains: Sequence[Domain], params: Params
) -> Mask:
    if name == "empty_text":
        return numbers(pages, "text_bytes") == 0
    if name == NO_DOMAIN:
        return domain_of < 0
    rule = PUBLISHED.get(name)
    default = rule.threshold if rule else 0.0
    thresholds = _thresholds(name, default, pages, domain_of, domains, params)
    if rule:
        values = numbers(pages, rule.column)
        return values < thresholds if rule.side == "min" else values > thresholds
    on = ~np.isnan(thresholds)
    if name == "language_not_selected":
        return on & ~_among(pages, "language", params.languages)
    if name == "low_language_confidence":
        return _low_confidence(pages, thresholds, params)
    if "match" not in pages.column_names:
        return np.zeros(pages.num_rows, np.bool_)
    match: Literal["exact", "fuzzy"] = "exact" if name == "exact_duplicate" else "fuzzy"
    duplicate = np.asarray(pages.column("match").to_numpy() == match, np.bool_)
    return on & duplicate & (numbers(pages, "similarity").astype(np.float32) >= thresholds.astype(np.float32))


def _low_confidence(pages: pa.Table, thresholds: Numbers, params: Params) -> Mask:
    """An override's number beats the language's own, which beats ``min_confidence``; 0 stands for 'as declared'."""
    declared = np.full(pages.num_rows, params.min_confidence)
    for language, own in params.min_confidences.items():
        declared[_among(pages, "language", (language,))] = own
    least = np.where(thresholds == 0, declared, thresholds)
    confidence = numbers(pages, "confidence").astype(np.float32)
    return np.asarray(confidence < least.astype(np.float32), np.bool_)


def keep(
    store: Store,
    *,
    documents: str,
    language: str,
    quality: str,
    clusters: str | None,
    output: str,
    params: dict[str, Any],
    domains: list[dict[str, Any]],
) -> dict[str, Any]:
    """Decide one split: four aligned Parquet files in, one out. Returns the report of the file."""
    settings, chosen = Params(**params), [Domain(**domain) for domain in domains]
    pages = store.read_table(documents, list(DOCUMENT_COLUMNS))
    parts = [(language, list(LANGUAGE_COLUMNS)), (quality, quality_columns(settings, chosen))]
    if clusters is not None:
        parts.append((clusters, list(CLUSTER_COLUMNS)))
    for address, columns in parts:
        if not columns:
            continue
        table = store.read_table(address, columns)
        if table.num_rows != pages.num_rows:
            raise ValueError(f"{address}: expected {pages.num_rows} rows as in {documents}, found {table.num_rows}")
        for column in columns:
            pages = pages.append_column(column, table.column(column))
    kept = prepare(settings, chosen)(pages)
    report = account(pages, kept, active_rules(settings))
    store.write_table(output, kept, report=report)
    return report


def account(pages: pa.Table, kept: pa.Table, rules: list[str]) -> dict[str, Any]:
    """The report of one file; see the top of this module."""
    text_bytes = pages.column("text_bytes").to_numpy()
    failed = kept.column("failed").to_numpy()
    first = kept.column("reason").to_numpy()
    per_rule = {}
    for bit, name in enumerate(rules):
        mask = np.uint64(1 << bit)
        fails = failed & mask != 0
        per_rule[name] = {
            "documents": int(fails.sum()),
            "text_bytes": int(text_bytes[fails].sum()),
            "first": int((first == name).sum()),
            "alone": int((failed == mask).sum()),
        }
    return {
        "rows": kept.num_rows,
        "kept": int(kept.column("keep").to_numpy().sum()),
        "rules": rules,
        "selection_digest": selection_digest(kept),
        "groups": _groups(pages, kept),
        "failed": per_rule,
    }


def selection_digest(kept: pa.Table) -> str:
    """xxh3-128 of what tokenization depends on: the kept rows, their domains, their spans; not the reasons."""
    digest = xxhash.xxh3_128()
    rows = np.flatnonzero(kept.column("keep").to_numpy())
    digest.update(np.asarray(rows, "<i8").tobytes())
    selected = kept.select(["domain", "spans"]).take(pa.array(rows))
    domains = selected.column("domain").combine_chunks().dictionary_encode()
    digest.update("\0".join(domains.dictionary.to_pylist()).encode() + b"\0")
    digest.update(np.asarray(domains.indices.to_numpy(), "<i4").tobytes())
    spans = selected.column("spans").combine_chunks().fill_null([])
    counts = spans.value_lengths().to_numpy()
    digest.update(np.asarray(counts, "<i4").tobytes())
    if counts.sum():
        flat = spans.flatten()
        for name in ("start", "stop"):
            digest.update(np.asarray(flat.field(name).to_numpy(), "<i4").tobytes())
        digest.update("\0".join(flat.field("replacement").to_pylist()).encode())
    return digest.hexdigest()


def _groups(pages: pa.Table, kept: pa.Table) -> list[dict[str, Any]]:
    table = pa.table(
        {
            "source": pages.column("source"),
            "language": pages.column("language"),
            "domain": kept.column("domain"),
            "reason": kept.column("reason"),
            "text_bytes": pages.column("text_bytes"),
        }
    )
    keys = ["source", "language", "domain", "reason"]
    counted = table.group_by(keys, use_threads=False).aggregate([("text_bytes", "count"), ("text_bytes", "sum")])
    rows = [
        {key: row[key] for key in keys} | {"documents": row["text_bytes_count"], "text_bytes": row["text_bytes_sum"]}
        for row in counted.to_pylist()
    ]
    return sorted(rows, key=lambda row: tuple(row[key] or "" for key in keys))
