"""Units of a swarm: domains drawn and fitted as one, such as the buckets of a label, whose proportions a curve decides.

A mixture by a quality curve with groups has a share for each group and, within it, what the curve makes of the tokens
there are. Proxy runs tell what labels are worth, not what each of twenty buckets is: `swarm` draws a share for each
group, keeping the proportions within, and `fit` fits and proposes the shares of groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Units:
    """Parts of units by domain; parts of one sum to 1. A domain in none is a unit by itself."""

    parts: dict[str, dict[str, float]]

    @classmethod
    def of(cls, origin: Mapping[str, Any] | None) -> Units:
        """The units that a swarm states in its files."""
        return cls(dict((origin or {}).get("groups", {})))

    @classmethod
    def of_groups(cls, groups: Mapping[str, Iterable[str]], shares: Mapping[str, float]) -> Units:
        """Groups of domains in the proportions of their shares; a group of one domain is that domain, one without a
        share is left out."""
        parts = {}
        for group, names in groups.items():
            mine = {name: shares[name] for name in names}
            total = sum(mine.values())
            if total and len(mine) > 1:
                parts[group] = {name: share / total for name, share in mine.items()}
        return cls(parts)

    @property
    def unit_of(self) -> dict[str, str]:
        """The unit of each domain that is in one."""
        return {name: unit for unit, inside in self.parts.items() for name in inside}

    def added(self, values: Mapping[str, Number]) -> dict[str, Number]:
        """Values of domains added up by unit: shares, tokens."""
        unit_of = self.unit_of
        found: dict[str, Number] = {}
        for name, value in values.items():
            unit = unit_of.get(name, name)
            found[unit] = found[unit] + value if unit in found else value
        return found

    def least(self, caps: Mapping[str, float]) -> dict[str, float]:
        """Caps on domains as caps on units: what the scarcest part of each allows."""
        unit_of = self.unit_of
        found = {name: cap for name, cap in caps.items() if name not in unit_of}
        for unit, inside in self.parts.items():
            limits = [caps[name] / part for name, part in inside.items() if part and name in caps]
            if limits:
                found[unit] = min(limits)
        return found

    def divided(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Shares of units as shares of domains."""
        return {
            name: share * part
            for unit, share in shares.items()
            for name, part in self.parts.get(unit, {unit: 1.0}).items()
        }
