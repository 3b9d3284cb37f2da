"""Plans a run before a GPU is rented: how large a model, how many tokens, which domain binds, how much is missing.

Pure functions from numbers to rows; `pipeline.planner.tables` prints them. A domain's share of D tokens must come
from its own tokens, at most ``max_epochs`` times over; the largest corpus that keeps the shares is
min over domains of max_epochs * available / share, and the domain of that minimum binds. What repeats are worth is
Muennighoff's law applied to each domain alone, which extrapolates it: it was fitted to repeating one corpus whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log
from typing import Any

from pipeline.errors import UserError
from pipeline.planner.laws import (
    DEFAULT_LAWS,
    LAWS,
    MUENNIGHOFF,
    R_STAR_TOKENS,
    Law,
    Optimum,
    Parametric,
    effective_parameters,
    effective_tokens,
    golden_section,
)
from pipeline.planner.own_law import OwnLaw

PEAK_FLOPS = {"a100": 312e12, "h100": 989e12, "h200": 989e12, "b200": 2250e12, "mi300x": 1307e12, "tpu-v5p": 459e12}
"""Dense bfloat16 operations per second of one accelerator, from the vendors' data sheets."""


@dataclass(frozen=True)
class Supply:
    """The tokens of a domain and the share that the mixture wants of it."""

    name: str
    available_tokens: int
    share: float
    max_epochs: float = 4.0


@dataclass(frozen=True)
class LawRow:
    """Model and corpus for the compute or the model size, by one law."""

    law: str
    source: str
    parameters: float
    tokens: float
    compute: float
    loss: float | None
    loss_with_repeats: float | None
    """Loss for the tokens in unique tokens' worth; None if the law has no loss or the corpus cannot be made."""
    parameters_low: float | None
    parameters_high: float | None
    """Models within 0.001 nats of the optimum."""
    feasible: bool
    """Whether the mixture can give so many tokens within its caps."""
    binding: str | None
    """The domain that keeps the corpus from being larger."""


@dataclass(frozen=True)
class DomainRow:
    """A domain in a corpus of some size."""

    domain: str
    available_tokens: int
    share: float
    needed_tokens: float
    epochs: float
    max_epochs: float
    effective_tokens: float
    missing_tokens: float
    """Further tokens of this domain that would be needed; 0 if there are enough."""
    largest_corpus: float
    """Tokens of the whole corpus at which this domain is used up."""
    binding: bool


@dataclass(frozen=True)
class Plan:
    """The answer to `plan --compute` or `plan --model-size`."""

    laws: tuple[LawRow, ...]
    domains: tuple[DomainRow, ...]
    """Tokens of the first law."""
    tokens: float
    largest_corpus: float
    binding: str | None
    constrained: Optimum | None
    """The best model for the compute with these domains at these shares, repeats and caps counted."""
    constrained_by: str = MUENNIGHOFF.name
    """The law of `constrained`."""
    notes: tuple[str, ...] = ()


def compute_of_gpus(gpus: int, days: float, peak: str | float = "h100", utilisation: float = 0.4) -> float:
    """FLOP of a cluster: GPUs x days x peak x utilisation (the share of the peak that a run reaches, 0.3 to 0.5)."""
    if isinstance(peak, str):
        if peak.lower() not in PEAK_FLOPS:
            raise UserError(f"no peak known for {peak!r}; give FLOP/s, or one of {', '.join(sorted(PEAK_FLOPS))}")
        peak = PEAK_FLOPS[peak.lower()]
    if gpus < 1 or days <= 0 or peak <= 0 or not 0 < utilisation <= 1:
        raise UserError(
            f"gpus {gpus}, days {days}, peak {peak}, utilisation {utilisation}: all must be above 0, utilisation to 1"
        )
    return gpus * days * 86400.0 * peak * utilisation


def largest_corpus(supplies: Sequence[Supply]) -> tuple[float, str | None]:
    """Tokens of the largest corpus that keeps shares and caps, and the domain that binds (the first by name)."""
    limits = sorted((s.max_epochs * s.available_tokens / s.share, s.name) for s in supplies if s.share > 0)
    return limits[0] if limits else (inf, None)


def domain_rows(supplies: Sequence[Supply], tokens: float, scale: float = R_STAR_TOKENS) -> tuple[DomainRow, ...]:
    """Every domain in a corpus of ``tokens``, by name; ``scale``: on which repeats lose their worth."""
    total = sum(s.share for s in supplies)
    if abs(total - 1) > 1e-6:
        raise UserError(f"shares must sum to 1, found {total:.6g}")
    binding = largest_corpus(supplies)[1]
    rows = []
    for supply in sorted(supplies, key=lambda s: s.name):
        needed, cap = supply.share * tokens, supply.max_epochs * supply.available_tokens
        missing = max(0.0, needed - cap) / supply.max_epochs
        rows.append(
            DomainRow(
                domain=supply.name,
                available_tokens=supply.available_tokens,
                share=supply.share,
                needed_tokens=needed,
                epochs=needed / supply.available_tokens if supply.available_tokens else (inf if needed else 0.0),
                max_epochs=supply.max_epochs,
                effective_tokens=effective_tokens(supply.available_tokens, needed, scale),
                missing_tokens=missing,
                largest_corpus=cap / supply.share if supply.share else inf,
                binding=supply.name == binding,
            )
        )
    return tuple(rows)


def plan(
    supplies: Sequence[Supply],
    *,
    compute: float | None = None,
    parameters: float | None = None,
    laws: Sequence[str | Law] = DEFAULT_LAWS,
) -> Plan:
    """Size of model and corpus by each law, for a compute or a model size, against what there is.

    Given both, the model is fixed and trained on compute / 6N tokens. The domains are shown for the first law.
    """
    if compute is None and parameters is None:
        raise UserError("plan: give compute (FLOP, or GPUs and days), or a model size")
    unknown = [law for law in laws if isinstance(law, str) and law not in LAWS]
    if unknown or not laws:
        raise UserError(f"plan: unknown law {', '.join(unknown) or '(none)'}; known are {', '.join(LAWS)}")
    limit, binding = largest_corpus(supplies)
    named = [LAWS[law] if isinstance(law, str) else law for law in laws]
    rows = tuple(_law_row(law, supplies, limit, binding, compute, parameters) for law in named)
    own = named[0] if isinstance(named[0], OwnLaw) else None
    constrained = None
    if compute is not None and parameters is None and limit:
        constrained = mixture_optimum(supplies, compute, own or MUENNIGHOFF)
    domains = domain_rows(supplies, rows[0].tokens, _scale(named[0]))
    notes = own_notes(own, compute, rows[0]) if own else ()
    law = (own or MUENNIGHOFF).name
    return Plan(rows, domains, rows[0].tokens, limit, binding, constrained, law, notes)


def own_notes(law: OwnLaw, compute: float | None, row: LawRow) -> tuple[str, ...]:
    """Remarks on a law of the user's own: intervals, and how far it is stretched."""
    notes = []
    (low, high), (least, most) = law.spread(compute or row.compute)
    notes.append(
        f"{law.name}: of its resamples, N {low:.3g} to {high:.3g}, loss {least:.3f} to {most:.3f} at the optimum"
    )
    sizes, tokens = law.largest
    stretch = max(row.parameters / sizes if sizes else 1.0, row.tokens / tokens if tokens else 1.0)
    if stretch > 1:
        notes.append(f"{law.name}: {stretch:.1f} times beyond the runs it was fitted to")
    if not law.identified:
        notes.append(f"{law.name}: its constants are not identified; believe the intervals, not the numbers")
    return tuple(notes)


def _scale(law: Law) -> float:
    return law.repeats if isinstance(law, OwnLaw) else R_STAR_TOKENS


def mixture_optimum(supplies: Sequence[Supply], compute: float, law: Parametric = MUENNIGHOFF) -> Optimum:
    """Least loss for 6 N D = compute where every domain gives its share of D, repeated up to its cap.

    `laws.data_constrained_optimum` with the worth of tokens summed over domains; of one domain it is the same.
    """
    limit = largest_corpus(supplies)[0]

    def loss(log_parameters: float) -> float:
        size = exp(log_parameters)
        tokens = compute / (6 * size)
        unique = sum(min(s.available_tokens, s.share * tokens) for s in supplies)
        worth = sum(effective_tokens(s.available_tokens, s.share * tokens, _scale(law)) for s in supplies)
        return law.loss(effective_parameters(unique, size), worth)

    centre = log(law.optimum(compute).parameters)
    smallest = log(compute / (6 * limit)) if limit < inf else -inf
    best = golden_section(loss, max(centre - 12, smallest), max(centre, smallest) + 12)
    return Optimum(exp(best), compute / (6 * exp(best)), loss(best))


def _law_row(
    law: Law,
    supplies: Sequence[Supply],
    limit: float,
    binding: str | None,
    compute: float | None,
    parameters: float | None,
) -> LawRow:
    if compute is None:
        assert parameters is not None
        best = law.optimum_for_model(parameters)
        size, tokens = best.parameters, best.tokens
    elif parameters is None:
        best = law.optimum(compute)
        size, tokens = best.parameters, best.tokens
    else:
        size, tokens = parameters, compute / (6 * parameters)
    loss = repeated = low = high = None
    if isinstance(law, Parametric):
        loss = law.loss(size, tokens)
        low, high = law.interval(6 * size * tokens) if parameters is None else (None, None)
        worth = sum(row.effective_tokens for row in domain_rows(supplies, tokens, _scale(law)))
        repeated = law.loss(size, worth) if tokens <= limit and worth > 0 else None
    return LawRow(
        law.name, law.source, size, tokens, 6 * size * tokens, loss, repeated, low, high, tokens <= limit, binding
    )


def supplies_of(mixture: Any) -> list[Supply]:
    """The domains of a solved mixture (`stages.mixture.Mixture`), at the shares it asks for."""
    return [Supply(d.name, d.available_tokens, d.requested_share, d.max_epochs) for d in mixture.domains]
