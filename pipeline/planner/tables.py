"""Plans as tables of text: what `plan` prints. Every function returns a `Table`; `render` makes it text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isinf
from typing import Any

from pipeline.planner.laws import effective_tokens
from pipeline.planner.planner import Plan
from pipeline.planner.yields import trainer_yields
from stages.figures import short

EPOCHS_SHOWN = (2, 3, 4, 5, 8, 10, 16, 20, 32, 44, 100, inf)


@dataclass(frozen=True)
class Table:
    """Text in columns; the first is left-aligned, the others right-aligned."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = field(default=())


def render(table: Table) -> str:
    """Title, aligned columns and notes, as lines of plain text."""
    lines = [table.columns, *table.rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(table.columns))]
    text = [table.title]
    for number, line in enumerate(lines):
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        text.append("  ".join(cells).rstrip())
        if number == 0:
            text.append("  ".join("-" * width for width in widths))
    return "\n".join([*text, *table.notes]) + "\n"


def amount(value: float | None) -> str:
    """A count for people, as the report writes it: 1.33 T, 70.0 B, 512; '-' for none."""
    if value is None:
        return "-"
    return "inf" if isinf(value) else short(value)


FEW_TOKENS = 100_000_000
"""Tokens below which no law here was fitted."""


def law_table(plan: Plan) -> Table:
    """Model and corpus by every law, and their spread."""
    rows = tuple(
        (
            row.law,
            f"{row.compute:.3g}",
            amount(row.parameters),
            "-" if row.parameters_low is None else f"{amount(row.parameters_low)} to {amount(row.parameters_high)}",
            amount(row.tokens),
            f"{row.tokens / row.parameters:.1f}",
            "-" if row.loss is None else f"{row.loss:.3f}",
            "-" if row.loss_with_repeats is None else f"{row.loss_with_repeats:.3f}",
            "yes" if row.feasible else "no",
        )
        for row in plan.laws
    )
    sizes, tokens = [row.parameters for row in plan.laws], [row.tokens for row in plan.laws]
    best = plan.constrained
    repeats: tuple[str, ...] = ()
    if best is not None:
        size, seen = amount(best.parameters), amount(best.tokens)
        repeats = (f"with repeats up to the caps ({plan.constrained_by}): N {size}, D {seen}, loss {best.loss:.3f}",)
    if best is not None and best.tokens < FEW_TOKENS:
        few = amount(best.tokens)
        repeats = (
            f"these domains give {few} tokens, far fewer than any run that a law was fitted on: the losses say nothing",
        )
    notes = (
        *repeats,
        f"spread: N {amount(min(sizes))} to {amount(max(sizes))} ({max(sizes) / min(sizes):.1f}x), "
        f"D {amount(min(tokens))} to {amount(max(tokens))} ({max(tokens) / min(tokens):.1f}x)",
        "C = 6 N D. N counts embeddings, except for kaplan. Losses compare within a law only: each is tied to its",
        "paper's tokenizer and data. Fitted on models of at most 16B parameters (muennighoff 9B).",
        "enough: whether the mixture gives so many tokens within its shares and caps.",
        *plan.notes,
        *(f"{row.law}: {row.source}" for row in plan.laws),
    )
    columns = ("law", "FLOP", "N", "within 0.001", "D", "D/N", "loss", "with repeats", "enough")
    return Table("model size N and tokens D", columns, rows, notes)


def domain_table(plan: Plan) -> Table:
    """The domains at the first law's tokens: epochs, worth, what is missing, what binds."""
    rows = tuple(
        (
            row.domain,
            amount(row.available_tokens),
            f"{100 * row.share:.2f}%",
            amount(row.needed_tokens),
            f"{row.epochs:.2f}",
            f"{row.max_epochs:g}",
            amount(row.effective_tokens),
            amount(row.missing_tokens) if row.missing_tokens else "",
            amount(row.largest_corpus),
            "binds" if row.binding else "",
        )
        for row in plan.domains
    )
    worth = sum(row.effective_tokens for row in plan.domains)
    notes = (
        f"largest corpus that keeps shares and caps: {amount(plan.largest_corpus)} tokens ({plan.binding} binds)",
        f"{amount(plan.tokens)} tokens seen are worth {amount(worth)} unique ones (Muennighoff et al. 2023, applied to",
        "each domain alone: an extrapolation of a law fitted to repeating one corpus whole)",
    )
    columns = ("domain", "available", "share", "needed", "epochs", "max", "worth", "missing", "largest corpus", "")
    return Table(f"domains at {amount(plan.tokens)} tokens ({plan.laws[0].law})", columns, rows, notes)


def yield_table(tokens_per_file: Sequence[int], documents: int, sequence_length: int) -> Table:
    """Windows and learned tokens per trainer."""
    found = trainer_yields(tokens_per_file, documents, sequence_length)
    rows = tuple(
        (
            row.trainer,
            "-" if row.windows is None else f"{row.windows:,}",
            f"{row.targets:,}",
            f"{100 * row.fraction:.3f}%",
        )
        for row in found
    )
    title = f"one epoch of {sum(tokens_per_file):,} tokens at sequence length {sequence_length:,}"
    return Table(title, ("trainer", "windows", "targets", "of tokens"), rows)


def disk_table(tokens: Mapping[str, float], vocabulary: int, shard_tokens: int = 1 << 28) -> Table:
    """Bytes and shards per domain; ids take 2 bytes if all fit, else 4, and a document about 24 bytes more."""
    width = 2 if vocabulary <= 1 << 16 else 4
    rows = tuple(
        (name, amount(count), f"{count * width / 1e9:,.1f} GB", f"{max(1, -(-count // shard_tokens)):,.0f}")
        for name, count in [*sorted(tokens.items()), ("all", sum(tokens.values()))]
    )
    return Table(f"disk at {width} bytes a token", ("domain", "tokens", "bytes", "shards"), rows)


def repeats_table() -> Table:
    """The worth of an epoch: multiples of the unique tokens."""
    rows = tuple(
        (f"{epochs:g}", f"{effective_tokens(1.0, epochs):.4f}", f"{100 * effective_tokens(1.0, epochs) / epochs:.1f}%")
        for epochs in EPOCHS_SHOWN
    )
    source = "Muennighoff et al. 2023, arXiv 2305.16264, equation 5"
    return Table(
        "what repeated tokens are worth", ("epochs", "unique tokens' worth", "of an average token"), rows, (source,)
    )


def phase_table(phases: Sequence[Any]) -> Table:
    """Solved phases (`stages.mixture.PhasePlan`), domain by domain: what each reads, of which part of the domain."""
    rows, total = [], sum(phase.mixture.tokens for phase in phases)
    for phase in phases:
        for domain in phase.mixture.domains:
            window = phase.windows[domain.name]
            size = max(1, window.stop - window.first)
            rows.append(
                (
                    f"{phase.name} ({100 * phase.mixture.tokens / total:.0f}%)",
                    domain.name,
                    amount(domain.target_tokens),
                    f"{100 * domain.target_share:.2f}%",
                    f"{amount(window.first)} to {amount(window.stop)}",
                    f"{(window.start + domain.target_tokens) / size:.2f}",
                )
            )
    columns = ("phase", "domain", "tokens", "share", "tokens of the domain", "epochs after")
    return Table(f"phases of {amount(total)} tokens", columns, tuple(rows))
