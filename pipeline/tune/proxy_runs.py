"""Input of `fit`: the mixtures of proxy runs and their losses, joined and checked before anything is fitted.

Mixtures are the files of a folder that `swarm` wrote, or a table of shares. A run of the folder that has no result is
named and left out; all else that does not fit together is an error, because a law fitted to it would mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline.errors import UserError
from pipeline.recipe.fitting import RUNS_A_DOMAIN, Runs
from pipeline.tune.run_tables import KEYS, RunTable, key_of, read_table, run_names
from pipeline.tune.swarm import origin_of
from pipeline.tune.units import Units
from stages.figures import listed

_DIFFERENT = 2e-3
"""Difference allowed between a share in a table of results and the mixture's: those tables round."""
_SUM_TOLERANCE = 0.02
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_COUNTED = ("tokenizer_sha256",)


@dataclass(frozen=True)
class Mixtures:
    """Shares by domain of every run, by its name."""

    path: str
    shares: dict[str, dict[str, float]]
    sample: str | None = None
    """One of the files, where they are mixture files."""
    origin: dict[str, Any] | None = None
    """Their origin, as `swarm` wrote it down."""
    table: RunTable | None = None


@dataclass(frozen=True)
class ProxyRuns:
    """Runs that can be fitted, and what is doubtful about them."""

    runs: Runs
    mixtures: Mixtures
    tokenizer: str | None
    """SHA-256 of the tokenizer that the results name."""
    warnings: tuple[str, ...]
    units: Units = field(default_factory=lambda: Units({}))
    """Units of domains that were drawn as one; the runs' domains are units then."""


def read_runs(mixtures: str, results: str, metrics: Sequence[str] = ()) -> ProxyRuns:
    """Join a folder or table of mixtures with a table of results.

    Args:
        metrics: columns to take; all numbers that are no shares where none is named.

    Raises:
        UserError: one line, naming file, row and column.
    """
    found = read_mixtures(mixtures)
    table = read_table(results)
    key = key_of(table, found.table)
    if found.table is not None:
        found = _named_by(found, key)
    units = Units.of(found.origin)
    cells = {name for shares in found.shares.values() for name in shares} if units.parts else set()
    found = replace(found, shares={name: units.added(shares) for name, shares in found.shares.items()})
    domains = sorted({name for shares in found.shares.values() for name in shares})
    named = [_as_run(name, found.shares) for name in run_names(table, key)]
    unknown = [name for name in named if name not in found.shares]
    if unknown:
        raise UserError(f"{results}: run {listed(unknown)} is not among the {len(found.shares)} mixtures of {mixtures}")
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise UserError(f"{results}: run {twice} stands in it twice, by its number and by its name; keep one of them")
    columns = _metrics(table, key, sorted({*domains, *cells}), metrics)
    _check_shares(table, named, found.shares, domains)
    values = np.array([table.numbers(column) for column in columns]).T
    shares = np.array([[found.shares[name].get(domain, 0.0) for domain in domains] for name in named])
    order = sorted(range(len(named)), key=lambda row: (len(named[row]), named[row]))
    runs = Runs(
        tuple(named[row] for row in order),
        tuple(domains),
        tuple(columns),
        shares[order] / shares[order].sum(axis=1, keepdims=True),
        values[order],
    )
    return ProxyRuns(runs, found, _tokenizer(table), tuple(_warnings(runs, found)), units)


def read_mixtures(path: str) -> Mixtures:
    """A folder that `swarm` wrote, or a table with a column of shares for every domain.

    Raises:
        UserError: when there is no mixture, or the files differ in more than their mixture.
    """
    place = Path(path)
    if place.is_dir():
        return _folder(place)
    if not place.exists():
        raise UserError(f"{path}: no such folder or table; expected what `swarm` wrote, or shares as CSV or Parquet")
    table = read_table(path)
    key_of(table)
    names = [name for name in table.columns if name not in KEYS and not table.is_text(name)]
    columns = {name: table.numbers(name) for name in names}
    rows = [{name: columns[name][row] for name in names} for row in range(table.rows)]
    for row, shares in enumerate(rows):
        total = sum(shares.values())
        negative = next((f"{name} {share:.4g}" for name, share in shares.items() if share < 0), None)
        if negative:
            raise UserError(f"{table.place(row)}: shares must not be negative, found {negative}")
        if abs(total - 1) > _SUM_TOLERANCE:
            raise UserError(f"{table.place(row)}: shares must sum to 1, found {total:.4g}")
    return Mixtures(path, dict(zip(map(str, range(table.rows)), rows, strict=True)), table=table)


def _named_by(mixtures: Mixtures, key: str) -> Mixtures:
    assert mixtures.table is not None
    shares = dict(zip(run_names(mixtures.table, key), mixtures.shares.values(), strict=True))
    return Mixtures(mixtures.path, shares, table=mixtures.table)


def _folder(folder: Path) -> Mixtures:
    shares: dict[str, dict[str, float]] = {}
    first: dict[str, Any] = {}
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    origins = {}
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        origin = origin_of(text)
        if origin is None:
            continue
        try:
            data = yaml.load(text, Loader=_LOADER)
            shares[file.stem] = {str(name): float(own["share"]) for name, own in data["mixture"]["domains"].items()}
        except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{file}: expected a mixture as `swarm` writes it; draw it again") from error
        rest = {name: section for name, section in data.items() if name not in ("name", "mixture")}
        first = first or {"rest": rest, "file": file}
        changed = sorted(key for key in {*rest, *first["rest"]} if rest.get(key) != first["rest"].get(key))
        if changed:
            raise UserError(
                f"{file}: {changed[0]} is not that of {first['file']}: these runs cannot be fitted together"
            )
        origins[file.stem] = origin
    if not shares:
        raise UserError(f"{folder}: no mixture that `swarm` wrote in it")
    sample = next(iter(shares))
    if any(origin != origins[sample] for origin in origins.values()):
        other = next(name for name, origin in origins.items() if origin != origins[sample])
        raise UserError(f"{folder}: {sample} and {other} were not drawn alike; give each swarm a folder of its own")
    return Mixtures(str(folder), shares, str(first["file"]), origins[sample])


def _as_run(name: str, shares: dict[str, Any]) -> str:
    """A run by its name, or by its number alone."""
    if name in shares or not name.isdigit():
        return name
    for known in shares:
        match = re.search(r"(\d+)$", known)
        if match and int(match[1]) == int(name):
            return known
    return name


def _metrics(table: RunTable, key: str, domains: Sequence[str], wanted: Sequence[str]) -> list[str]:
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        known = [name for name in table.columns if name not in KEYS]
        raise UserError(f"{table.path}: no column {missing[0]!r}; it has {', '.join(known)}")
    if wanted:
        return list(dict.fromkeys(wanted))
    left = [name for name in table.columns if name not in (*KEYS, *_COUNTED, key) and name not in domains]
    found = [name for name in left if name.removeprefix("share/") not in domains]
    text = [name for name in found if table.is_text(name)]
    if text:
        raise UserError(f"{table.path}: column {text[0]!r} holds text; name the metrics with --metric")
    if not found:
        raise UserError(f"{table.path}: no metric in it; expected columns of losses beside {key!r}")
    return found


def _check_shares(
    table: RunTable, named: Sequence[str], shares: dict[str, dict[str, float]], domains: Sequence[str]
) -> None:
    """Shares that a table of results repeats are those of the mixtures."""
    for column in table.columns:
        domain = column.removeprefix("share/")
        if domain not in domains or column in KEYS:
            continue
        for row, value in enumerate(table.numbers(column)):
            own = shares[named[row]].get(domain, 0.0)
            if abs(value - own) > _DIFFERENT:
                raise UserError(
                    f"{table.place(row)}: run {named[row]} was trained with {column} {value:g}, but its mixture"
                    f" says {own:g}"
                )


def _tokenizer(table: RunTable) -> str | None:
    found = {str(value) for value in table.columns.get("tokenizer_sha256", ()) if value not in (None, "")}
    if len(found) > 1:
        raise UserError(f"{table.path}: runs of {len(found)} tokenizers; losses compare within one alone")
    return next(iter(found), None)


def _warnings(runs: Runs, mixtures: Mixtures) -> list[str]:
    warnings = []
    missing = sorted(set(mixtures.shares) - set(runs.names))
    if missing:
        warnings.append(f"{len(missing)} of {len(mixtures.shares)} mixtures have no result: {listed(missing)}")
    if len(runs.names) < 3 * len(runs.domains):
        warnings.append(
            f"{len(runs.names)} runs for {len(runs.domains)} domains are few: {RUNS_A_DOMAIN} a domain are enough"
        )
    rare = [name for name, used in zip(runs.domains, (runs.shares > 0).sum(axis=0), strict=True) if used < 3]
    if rare:
        warnings.append(f"fewer than 3 runs have any of {listed(rare)}: what it does is not known")
    return warnings
