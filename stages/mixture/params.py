"""The `mixture` section of a YAML: the settings, checked before any work starts."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from stages.contract import StageParams

_UNITS = {"": 0, "k": 3, "m": 6, "b": 9, "g": 9, "t": 12}
_SUM_TOLERANCE = Fraction(1, 10**6)
ONE_PASS = 1.0
_IMPORT_TOLERANCE = Fraction(1, 100)


class MixtureError(ValueError):
    """A mixture that cannot be made from the tokens there are; the message says what would make it possible."""


def exact(number: float | None) -> Fraction:
    """The decimal fraction as the user wrote it, not its binary neighbour."""
    return Fraction(repr(float(number or 0)))


def parse_tokens(text: str | int) -> int:
    """A number of tokens: 10000000, '10M', '2.5B', '1_000k', '3e9'."""
    if isinstance(text, int):
        number = Fraction(text)
    else:
        match = re.fullmatch(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?(?:[eE]\+?[0-9]+)?)\s*([kKmMbBgGtT]?)\s*", text)
        if not match:
            raise ValueError(f"{text!r} is not a number of tokens; write 10000000, '10M', '2.5B' or '1T'")
        number = Fraction(match[1].replace("_", "")) * 10 ** _UNITS[match[2].lower()]
    if number.denominator != 1 or number < 1:
        raise ValueError(f"{text!r} is not a whole, positive number of tokens")
    return int(number)


def _budget(value: int | str | None) -> int | None:
    return None if value is None else parse_tokens(value)


Budget = Annotated[int | str | None, AfterValidator(_budget)]


class DomainShare(StageParams):
    """The part of one domain in a mixture: a share of its tokens, or a number of passes over the domain."""

    share: float | None = Field(None, ge=0, le=1, description="share of the tokens that domains with epochs leave")
    epochs: float | None = Field(None, ge=0, description="passes over all tokens of the domain")
    max_epochs: float | None = Field(None, gt=0, description="cap for this domain; the mixture's where absent")
    percentiles: tuple[float, float] | None = Field(
        None, description="quality-curve: where the domain lies between worst (0) and best (1), as [from, to]"
    )

    repeats: float | None = Field(
        None, gt=0, description="in a group: its tokens count so many times, and the group's share is divided by that"
    )
    group: str | None = Field(None, description="quality-curve: which of the mixture's `groups` it is a bucket of")

    @model_validator(mode="after")
    def _sound(self) -> DomainShare:
        if self.share is not None and self.epochs is not None:
            raise ValueError("give exactly one of `share` and `epochs`")
        if self.percentiles is not None and not 0 <= self.percentiles[0] < self.percentiles[1] <= 1:
            raise ValueError(f"percentiles must rise within 0 to 1, found {list(self.percentiles)}")
        return self


class ImportedWeights(StageParams):
    """Shares found by another program (DoReMi, RegMix, Olmix, ...), and the tokenizer they were found with."""

    method: str
    tokenizer_sha256: str | None = None
    runs: int | None = Field(default=None, ge=1, description="proxy runs they were fitted to")
    rank_correlation: float | None = Field(
        default=None, ge=-1, le=1, description="of predicted and found, on runs not fitted"
    )
    shares: dict[str, float] = Field(min_length=1)

    @model_validator(mode="after")
    def _sound(self) -> ImportedWeights:
        total = sum(map(exact, self.shares.values()), Fraction(0))
        if min(self.shares.values()) < 0 or abs(total - 1) > _IMPORT_TOLERANCE:
            raise ValueError(f"imported shares must be positive and sum to 1 within 1%, found {float(total):.6g}")
        return self


class MixtureParams(StageParams):
    """The `mixture` section of a YAML. Nested domains are flattened: their shares multiply."""

    budget: Budget = Field(None, description="tokens of the corpus: 10000000, '10M', '2B'; null: what the caps allow")
    solver: Literal["fixed", "natural", "temperature", "unimax", "quality-curve", "imported"] = "fixed"
    alpha: float = Field(0.3, ge=0, le=1, description="temperature: shares in proportion to tokens ** alpha")
    curve_start: float = Field(0.4, ge=0, lt=1, description="quality-curve: percentile below which nothing is taken")
    curve_power: float | None = Field(
        None, ge=0, description="quality-curve: how fast multiplicity grows above it; none: solved, as Olmo 3 does"
    )
    curve_rate: float | None = Field(
        None, ge=0, le=100, description="quality-curve: rate of a factor e ** (rate * distance), with `curve_power`"
    )
    groups: dict[str, float] = Field(
        default_factory=dict,
        description="quality-curve: shares of groups of buckets, a curve each; or nest the buckets under their group",
    )
    imported: ImportedWeights | None = None
    weights_from: str | None = Field(None, description="JSON file of shares to read as `imported`; implies that solver")
    max_epochs: float | None = Field(
        None, gt=0, description="a domain is never read more often; none: once, or as often as its own `epochs` states"
    )
    on_shortfall: Literal["error", "shrink", "redistribute"] = "error"
    domains: dict[str, DomainShare] = Field(min_length=1)

    def cap(self, name: str) -> float:
        """Most passes over a domain: its own number, the mixture's, or one where neither gives more."""
        own = self.domains[name]
        return next(
            number
            for number in (own.max_epochs, self.max_epochs, max(ONE_PASS, own.epochs or 0, own.repeats or 0))
            if number is not None
        )

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("domains"), dict):
            if data.get("solver") != "quality-curve":
                return {**data, "domains": flatten(data["domains"])}
            domains, groups = grouped(data["domains"])
            return {**data, "domains": domains, **({"groups": groups} if groups else {})}
        return data

    @model_validator(mode="after")
    def _sound(self) -> MixtureParams:
        for name, domain in sorted(self.domains.items()):
            self._check_domain(name, domain)
        if self.weights_from is not None and self.solver != "imported":
            raise ValueError(f"`weights_from` is for the solver `imported`; found solver {self.solver!r}")
        if self.solver == "imported":
            if self.imported is None:
                raise ValueError("solver `imported` needs the section `imported` with method and shares")
            free = {name for name, domain in self.domains.items() if domain.epochs is None}
            if free != set(self.imported.shares):
                differing = ", ".join(sorted(free ^ set(self.imported.shares)))
                raise ValueError(f"imported shares and domains must name the same domains; they differ in {differing}")
        shares = {name: exact(domain.share) for name, domain in self.domains.items() if domain.share is not None}
        total = sum(shares.values(), Fraction(0))
        if shares and abs(total - 1) > _SUM_TOLERANCE:
            listed = ", ".join(f"{name} {float(share):g}" for name, share in sorted(shares.items()))
            raise ValueError(f"shares must sum to 1, found {float(total):.6g}: {listed}")
        self._check_curve()
        for name, domain in sorted(self.domains.items()):
            if domain.repeats is not None and domain.group is None:
                raise ValueError(f"domain {name!r}: `repeats` divide the share of a group, and it is in none")
        return self

    def _check_curve(self) -> None:
        """Whether the keys of the quality curve stand where they mean something, and every bucket has its group."""
        if self.curve_rate is not None and self.curve_power is None:
            raise ValueError(
                "`curve_rate` needs `curve_power`; without both, the curve is solved from the tokens wanted"
            )
        named = {domain.group for domain in self.domains.values() if domain.epochs is None}
        if self.solver != "quality-curve":
            if self.groups or named != {None}.intersection(named):
                raise ValueError(f"`groups` are for the solver `quality-curve`; found solver {self.solver!r}")
            return
        if not self.groups and named <= {None}:
            return
        if named != set(self.groups):
            differing = ", ".join(sorted(str(name) for name in named ^ set(self.groups)))
            raise ValueError(
                f"every bucket needs one of `groups`, and every group a bucket; they differ in {differing}"
            )
        total = sum(map(exact, self.groups.values()), Fraction(0))
        if min(self.groups.values()) < 0 or abs(total - 1) > _SUM_TOLERANCE:
            listed = ", ".join(f"{name} {share:g}" for name, share in sorted(self.groups.items()))
            raise ValueError(f"shares of groups must sum to 1, found {float(total):.6g}: {listed}")

    def _check_domain(self, name: str, domain: DomainShare) -> None:
        if self.solver == "fixed" and domain.share is None and domain.epochs is None:
            raise ValueError(f"domain {name!r}: give exactly one of `share` and `epochs`, or another solver")
        if self.solver != "fixed" and domain.share is not None:
            raise ValueError(f"domain {name!r}: solver {self.solver!r} decides the shares; take `share` out")
        if self.solver == "quality-curve" and domain.percentiles is None and domain.epochs is None:
            raise ValueError(f"domain {name!r}: solver 'quality-curve' needs its `percentiles`, as [from, to]")
        cap = self.cap(name)
        if domain.epochs is not None and domain.epochs > cap:
            raise ValueError(
                f"domain {name!r}: epochs {domain.epochs:g} is above max_epochs {cap:g}; "
                "lower it, or raise max_epochs of this domain"
            )


def flatten(domains: dict[str, Any], share: Fraction = Fraction(1), path: str = "") -> dict[str, Any]:
    """Nested domains as flat ones: a group's share is divided by the shares of its members, which sum to 1.

    Raises:
        ValueError: a group without share, a member without share, shares of a group that do not sum to 1, or a
            domain that appears twice.
    """
    flat: dict[str, Any] = {}
    for name, raw in domains.items():
        here = f"{path}{name}"
        own = raw if raw is not None else {}
        if not isinstance(own, dict) or "domains" not in own:
            if path and isinstance(own, dict):
                if own.get("share") is None:
                    raise ValueError(f"domain {here!r}: a member of a group needs a `share` of it")
                own = {**own, "share": float(share * exact(own["share"]))}
            added = {name: own}
        else:
            added = flatten(own["domains"], share * _group_share(own, here), f"{here}/")
        twice = sorted(set(flat) & set(added))
        if twice:
            raise ValueError(f"domain {twice[0]!r} stands in the mixture twice")
        flat.update(added)
    return flat


def grouped(domains: dict[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """Buckets nested under groups with shares, as flat domains that name their group, and the groups' shares.

    Raises:
        ValueError: a group without share, or a domain that appears twice.
    """
    flat: dict[str, Any] = {}
    shares: dict[str, float] = {}
    for name, raw in domains.items():
        added = {name: raw if raw is not None else {}}
        if isinstance(raw, dict) and "domains" in raw:
            unknown = sorted(set(raw) - {"share", "domains"})
            if unknown or raw.get("share") is None or not isinstance(raw["domains"], dict) or not raw["domains"]:
                raise ValueError(f"group {name!r} needs a `share` and `domains`, and nothing else; found {sorted(raw)}")
            shares[name] = raw["share"]
            added = {inner: {**(own or {}), "group": name} for inner, own in raw["domains"].items()}
        twice = sorted(set(flat) & set(added))
        if twice:
            raise ValueError(f"domain {twice[0]!r} stands in the mixture twice")
        flat.update(added)
    return flat, shares


def _group_share(group: dict[str, Any], here: str) -> Fraction:
    unknown = sorted(set(group) - {"share", "domains"})
    if unknown or group.get("share") is None:
        raise ValueError(f"group {here!r} needs a `share` and `domains`, and nothing else; found {sorted(group)}")
    members = [raw.get("share") if isinstance(raw, dict) else None for raw in group["domains"].values()]
    total = sum((exact(member) for member in members), Fraction(0))
    if abs(total - 1) > _SUM_TOLERANCE:
        raise ValueError(f"shares inside group {here!r} must sum to 1, found {float(total):.6g}")
    return exact(group["share"])


def read_weights(data: bytes, method: str | None = None) -> ImportedWeights:
    """Weights from the JSON other programs write.

    Accepts our own form (``method``, ``tokenizer_sha256``, ``shares``), DoReMi's ``train_domain_weights``, a list of
    ``domain`` and ``weight`` (Olmix), or a plain mapping from domain to weight.
    """
    raw = json.loads(data)
    if isinstance(raw, dict) and "shares" in raw:
        return ImportedWeights.model_validate(raw)
    if isinstance(raw, dict) and "train_domain_weights" in raw:
        return ImportedWeights(method=method or "DoReMi", shares=raw["train_domain_weights"])
    if isinstance(raw, list):
        return ImportedWeights(method=method or "Olmix", shares={item["domain"]: item["weight"] for item in raw})
    return ImportedWeights(method=method or "unknown", shares=raw)
