"""Settings of `kept` and of the mixture's domains, and the order of all rules."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field, ValidationInfo, field_validator, model_validator

from stages.contract import GrownParams, StageParams
from stages.rules import families, rights, url_lists, views
from stages.rules.contamination import Thresholds
from stages.rules.names import check_languages, check_names, some
from stages.rules.own_rules import OwnLimit
from stages.rules.robots_files import is_rule
from stages.rules.rule import Rule
from stages.rules.url_lists import UrlList

FIRST = ("empty_text", "language_not_selected", "low_language_confidence")
DUPLICATES = ("exact_duplicate", "near_duplicate", "same_address")
"""The last reasons of all: who is a duplicate is decided among the pages that pass every other rule."""
FIXED = (*FIRST, *DUPLICATES)
NO_DOMAIN = "no_domain"
NOTHING_LEFT = "nothing_left"
ALWAYS = ("empty_text", NOTHING_LEFT, NO_DOMAIN)
PUBLISHED: dict[str, Rule] = {rule.name: rule for rules in families.RULES.values() for rule in rules}
FAMILY_OF = {rule.name: family for family, rules in families.RULES.items() for rule in rules}
LAST = (NOTHING_LEFT, NO_DOMAIN)
ORDER = (*FIRST, *rights.RULES, *PUBLISHED, *LAST, *DUPLICATES)
LIMITS = ("below_min_", "above_max_")
"""A rule of the user's own: one of these and the name of any column of `quality`, with a number."""
LISTED = url_lists.RULE
"""A rule for each list of addresses: this and its name."""
UNWANTED = "unwanted_"
"""A rule for each labeller whose labels are not all wanted: this and its name."""
LINE_VIEWS = {
    "without_repeated_lines": "repeated_lines_spans",
    "without_frequent_lines": "frequent_lines_spans",
    "without_repeated_paragraphs": "repeated_paragraphs_spans",
    "without_frequent_paragraphs": "frequent_paragraphs_spans",
}
"""Views that `lines` has the spans for."""
OWN_VIEWS = {"without_own_lines": "own_lines_spans"}
"""Views that `own_lines` has the spans for."""
REPEAT_VIEWS = {"without_repeats": "repeats_spans"}
"""Views that `repeats` has the spans for."""
VIEWS = ("redacted", "decontaminated", *views.VIEWS, *LINE_VIEWS, *OWN_VIEWS, *REPEAT_VIEWS)
REDACTION = {"email": "email@example.com", "ip": "192.0.2.1", "phone": "+1 555 0100", "secret": "SECRET"}

Setting = bool | float
"""Setting of a rule: off, on, or its threshold where its family or a ``true`` switches it on (`set_rule`)."""


def set_rule(name: str, state: tuple[bool, float], setting: Setting) -> tuple[bool, float]:
    """(on, threshold) of a rule after a setting: a number sets the threshold alone, true and false the switch alone.

    A limit of the user's own (`LIMITS`) has no family: its number is all it has, and switches it on.
    """
    on, threshold = state
    if isinstance(setting, bool):
        return setting, threshold
    return on or name.startswith(LIMITS), setting


def _check_names(rules: Sequence[str], own: Sequence[str]) -> None:
    named = [name for name in rules if not (name.startswith((*LIMITS, LISTED, UNWANTED)) or is_rule(name))]
    check_names("rule", named, (*ORDER, *own))


def _check_rules(rules: dict[str, Setting]) -> dict[str, Setting]:
    """Settings of rules, checked; which names there are is checked where the user's own are known."""
    for name in ALWAYS:
        if name in rules:
            raise ValueError(f"{name} is always on: such a page has no place in a corpus")
    for name, setting in rules.items():
        if name.startswith(LIMITS) and setting is True:
            raise ValueError(f"{name} has no published threshold: expected a number or false, found true")
    score = rules.get("contaminated", 0)
    if not 0 <= score <= 1:
        raise ValueError(f"contaminated is a score from 0 to 1 (it counted words before): found {score:g}")
    for name in rules:
        switch = name in ("language_not_selected", "exact_duplicate", "same_address") or is_rule(name)
        switch = switch or name.startswith((LISTED, UNWANTED, *rights.RULES))
        if switch and not isinstance(rules[name], bool):
            raise ValueError(f"{name} has no threshold: expected true or false, found {rules[name]!r}")
    return rules


Labels = dict[str, tuple[str, ...]]
"""Conditions on labels: by labeller those of its labels that meet it."""


def check_labels(labels: Labels) -> Labels:
    """Refuse a labeller of which no label is wanted.

    Raises:
        ValueError: naming it.
    """
    for name, wanted in labels.items():
        if not wanted:
            raise ValueError(f"{name}: expected at least one label, found none")
    return labels


class Override(GrownParams):
    """Other settings for the pages that match every condition given."""

    later = frozenset({"labels"})

    sources: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    domains: tuple[str, ...] | None = None
    labels: Labels = Field(default={})
    """By labeller of `labels`: pages that have one of these labels."""
    rules: dict[str, Setting]

    _labels = field_validator("labels")(check_labels)

    _rules = field_validator("rules")(_check_rules)
    _some = field_validator("sources", "languages", "domains")(some)
    _languages = field_validator("languages")(check_languages)


class LabelChoice(StageParams):
    """Labels of a labeller that stay: all but those to drop, or none but those to keep."""

    keep: tuple[str, ...] | None = None
    """Pages with another label, or with none, are dropped."""
    drop: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _one(self) -> LabelChoice:
        if (self.keep is None) == (self.drop is None) or not (self.keep or self.drop):
            raise ValueError("expected labels to `keep` or labels to `drop`, one of the two")
        return self


class Params(GrownParams):
    """Settings of `kept`."""

    later = frozenset({"labels", "contamination", "robots", "licences", "own", "against_parent"})

    languages: tuple[str, ...] | None = None
    """Languages to keep; none: all."""
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    """Least confidence of the language label."""
    min_confidences: dict[str, float] = Field(default={})
    """Least confidences for single languages."""
    families: tuple[str, ...] = families.DEFAULT
    """Rule families switched on, each at its published thresholds."""
    own: dict[str, OwnLimit] = Field(default={})
    """The rules of `quality.rules` by name, filled in from there; nothing to write."""
    rules: dict[str, Setting] = Field(default={})
    """Single rules: true switches one on, false off; a number is its threshold where it is on, and switches nothing on.
    ``near_duplicate: 0.9`` drops from that similarity on, below `clusters.threshold` from that."""
    views: tuple[str, ...] = ()
    """Views that cut or replace parts of kept pages: spans that `quality` measured, put together here. Rules,
    languages, percentiles and duplicates look at the whole text, before any view; tokens and exports are of
    what views leave."""
    redaction: dict[str, str] = Field(default=REDACTION)
    """Text in the place of each kind of personal data in the view `redacted`."""
    labels: dict[str, LabelChoice] = Field(default={})
    """By labeller of `labels` the labels that stay: a page of another label of `x` is dropped as `unwanted_x`."""
    robots: rights.Robots | None = None
    """Requests of pages and servers to robots that are honoured: such a page is `asked_not_to_be_used`."""
    licences: rights.Licences | None = None
    """Licences that stay: a page of another is dropped as `licence_not_wanted`."""
    contamination: dict[str, Thresholds] = Field(default={})
    """Scores from which what is found of a benchmark counts, by benchmark; `*`: of all others. They are meant beside
    `rules.contaminated` at 0.7: where that is another number, pages are dropped from scores as far above or below."""
    urls: dict[str, UrlList] = Field(default={})
    """Lists of addresses by name: a page under the list `x` is dropped as `listed_in_x`."""
    against_parent: bool = False
    """Whether a page that a transform made is dropped where it repeats the page it was made of, as for any other."""
    overrides: tuple[Override, ...] = ()
    """Other settings for some sources, languages or domains; a later one wins."""

    _some = field_validator("languages")(some)
    _languages = field_validator("languages", "min_confidences")(check_languages)

    @field_validator("families")
    @classmethod
    def _families(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        check_names("rule family", names, families.RULES)
        return tuple(name for name in families.RULES if name in names)

    @field_validator("own")
    @classmethod
    def _own(cls, limits: dict[str, OwnLimit]) -> dict[str, OwnLimit]:
        taken = [name for name in limits if name in ORDER or name.startswith((*LIMITS, LISTED, UNWANTED))]
        if taken:
            raise ValueError(f"expected names that no rule has already, found {', '.join(taken)}")
        return limits

    @field_validator("rules")
    @classmethod
    def _rules(cls, rules: dict[str, Setting], info: ValidationInfo) -> dict[str, Setting]:
        _check_names(list(rules), list(info.data.get("own", ())))
        return _check_rules(rules)

    @field_validator("overrides")
    @classmethod
    def _overrides(cls, overrides: tuple[Override, ...], info: ValidationInfo) -> tuple[Override, ...]:
        for override in overrides:
            _check_names(list(override.rules), list(info.data.get("own", ())))
        return overrides

    @field_validator("views")
    @classmethod
    def _views(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        check_names("view", names, VIEWS)
        return tuple(name for name in VIEWS if name in names)

    @field_validator("redaction")
    @classmethod
    def _redaction(cls, texts: dict[str, str]) -> dict[str, str]:
        check_names("kind of personal data", texts, REDACTION)
        return REDACTION | texts

    @field_validator("urls")
    @classmethod
    def _urls(cls, lists: dict[str, UrlList]) -> dict[str, UrlList]:
        for name in lists:
            if not re.fullmatch("[a-z0-9_]+", name):
                raise ValueError(f"expected small letters, digits and _ in the name of a list, found {name!r}")
        return dict(sorted(lists.items()))

    @field_validator("labels")
    @classmethod
    def _labels(cls, labels: dict[str, LabelChoice]) -> dict[str, LabelChoice]:
        return dict(sorted(labels.items()))

    @model_validator(mode="after")
    def _lists(self) -> Params:
        for given in (self.rules, *(override.rules for override in self.overrides)):
            check_names("rule", [name for name in given if name.startswith(LISTED)], list_rules(self))
            check_names("rule", [name for name in given if name.startswith(UNWANTED)], label_rules(self))
            check_names("rule", [name for name in given if is_rule(name)], right_rules(self))
            for name in set(given).intersection(rights.RULES).difference(right_rules(self)):
                raise ValueError(
                    f"{name} needs kept.{'robots' if name == rights.ASKED else 'licences'}, which is not set"
                )
        return self


class Domain(GrownParams):
    """A part of the corpus: the kept pages that meet every condition given. A page goes to the first it meets."""

    later = frozenset({"labels", "within"})

    name: str
    sources: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    labels: Labels = Field(default={})
    """By labeller of `labels`: pages that have one of these labels."""
    min: dict[str, float] = Field(default={})
    """Least value of a column of `quality`, or of confidence, text_bytes, cluster_size; null does not meet it."""
    max: dict[str, float] = Field(default={})
    percentiles: dict[str, tuple[float, float]] = Field(default={})
    """Buckets: from and below which percentile of such a column, among the pages of the same language in these sources
    that pass every rule; `{x_score: [90, 100]}` is the best tenth of each language."""

    within: str | None = None
    """With percentiles: among pages of the same label of this labeller, too."""

    def group(self, column: str) -> str:
        """Within what pages a column is ranked, as a name."""
        ranked = column if self.within is None else f"{column} within {self.within}"
        return ranked if self.sources is None else f"{ranked} of {', '.join(sorted(self.sources))}"

    @field_validator("percentiles")
    @classmethod
    def _percentiles(cls, columns: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, (low, high) in columns.items():
            if not 0 <= low < high <= 100:
                found = f"{low:.15g} and {high:.15g}"
                raise ValueError(f"{name}: expected two rising percentiles from 0 to 100, found {found}")
        return columns

    _some = field_validator("sources", "languages")(some)
    _languages = field_validator("languages")(check_languages)
    _labels = field_validator("labels")(check_labels)


def right_rules(params: Params) -> tuple[str, ...]:
    """The rules of `stages.rules.rights` whose section is there."""
    sections = {rights.ASKED: params.robots, rights.LICENCE: params.licences}
    stated = tuple(name for name in rights.RULES if sections[name] is not None)
    return (*stated, *(params.robots.rules if params.robots else ()))


def list_rules(params: Params) -> tuple[str, ...]:
    """The rules of the lists that block, in the order of `url_lists.UrlLists.blocking`."""
    return tuple(LISTED + name for name, one in params.urls.items() if not one.allow)


def label_rules(params: Params) -> tuple[str, ...]:
    """The rules of the labels that do not stay."""
    return tuple(UNWANTED + name for name in params.labels)


def without_conditions(domain: Domain, columns: Sequence[str]) -> Domain:
    """This domain without every condition on one of these columns."""
    conditions = {
        side: {name: value for name, value in getattr(domain, side).items() if name not in columns}
        for side in ("min", "max", "percentiles")
    }
    return domain.model_copy(update=conditions)


def span_columns(params: Params) -> list[str]:
    """Columns of `quality`, `lines` or `repeats` that hold the spans of the views."""
    known = {
        "redacted": "privacy_spans",
        "decontaminated": "contamination_spans",
        **LINE_VIEWS,
        **OWN_VIEWS,
        **REPEAT_VIEWS,
    }
    return [known.get(view, f"{view}_spans") for view in params.views]
