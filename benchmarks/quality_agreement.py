"""Agreement of `quality` and `kept` with the recorded decisions and values of datatrove's filters.

    python -m benchmarks.quality_agreement REFERENCE.parquet [--write FOLDER]

REFERENCE has the columns of the reference (`text`, `lang`, `gq_keep_ws`, ...). White-space words are held against its
``_ws`` columns; the unit `spacy` against ``_eng`` (the English tokenizer on every page: the package's default) and, on
English pages, against the columns without suffix; the unit `script` against these on all pages. For C4 pages are held
for equal of which a line has braces in formulas alone: that they are no sign of code is a difference by choice. Prints
the share of equal keep decisions per family, the languages with any other, and the share of values within 1e-6.
``--write`` leaves our decisions and values under the reference's names, for its own comparer. Ends with status 1 where
a promise is broken: 99.9% of decisions for white-space words and for `spacy`, 99.5% of values for the former.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stages import kept, quality
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.words import c4_lines

FAMILIES = {
    "gq": ("gopher_quality", ()),
    "gq_nostop": ("gopher_quality", ("too_few_stop_words",)),
    "gr": ("gopher_repetition", ()),
    "fw": ("fineweb", ()),
    "c4": ("c4", ()),
    "c4t": ("c4_strict", ()),
}
"""Filter of the reference -> our family, rules to leave out."""

VALUES = {
    "gopher_num_tokens": "gq_n_tokens",
    "gopher_num_words": "gq_n_words",
    "gopher_mean_word_characters": "gq_mean_word_len",
    "gopher_hashes_per_word": "gq_hash_ratio",
    "gopher_ellipses_per_word": "gq_ellipsis_ratio",
    "gopher_bullet_line_fraction": "gq_bullet_line_frac",
    "gopher_ellipsis_line_fraction": "gq_ellipsis_line_frac",
    "gopher_alphabetic_word_fraction": "gq_alpha_word_frac",
    "gopher_num_stop_words": "gq_n_stop_words",
    "repetition_paragraph_fraction": "gr_dup_para_frac",
    "repetition_paragraph_character_fraction": "gr_dup_para_char_frac",
    "repetition_line_fraction": "gr_dup_line_frac",
    "repetition_line_character_fraction": "gr_dup_line_char_frac",
    **{f"repetition_top_{n}_gram_fraction": f"gr_top_{n}gram_frac" for n in (2, 3, 4)},
    **{f"repetition_{n}_gram_fraction": f"gr_dup_{n}gram_frac" for n in range(5, 11)},
    "fineweb_num_lines": "fw_n_lines",
    "fineweb_punctuated_line_fraction": "fw_line_punct_ratio",
    "fineweb_short_line_fraction": "fw_short_line_ratio",
    "fineweb_repeated_line_character_fraction": "fw_char_dup_ratio",
    "fineweb_line_breaks_per_word": "fw_newline_ratio",
    "c4_num_lines": "c4_n_lines",
}
"""Column of ours -> value of the reference, without suffix."""

MIN_DECISIONS, MIN_VALUES = 0.999, 0.995


def candidate(reference: pa.Table, unit: str) -> pa.Table:
    """Our decisions and values on the reference's texts, under its names without suffix."""
    text = reference.column("text").cast(pa.large_string()).combine_chunks()
    measured = quality.prepare(quality.Params(unit=unit))(pa.RecordBatch.from_arrays([text], ["text"]))
    rows = {
        "source": pa.array(["web"] * len(text)),
        "language": pa.array(["en"] * len(text)),  # the reference asks of every page what is asked of English ones
        "text_bytes": pa.compute.binary_length(text.cast(pa.large_binary())),
        "confidence": pa.array(np.ones(len(text), np.float32)),
        **{name: measured.column(name) for name in measured.schema.names},
    }
    columns = {"doc_id": reference.column("doc_id")} if "doc_id" in reference.column_names else {}
    for name, (family, without) in FAMILIES.items():
        params = kept.Params(families=(family,), rules=dict.fromkeys(without, False))
        columns[f"{name}_keep"] = kept.prepare(params, [])(pa.table(rows)).column("keep")
    columns |= {theirs: measured.column(ours).cast(pa.float64()) for ours, theirs in VALUES.items()}
    return pa.table(columns)


def braced_formulas(text: pa.Array) -> npt.NDArray[np.bool_]:
    """Pages with a line whose braces all stand in formulas: C4's rule of ours passes them, the reference's does not."""
    data, offsets = text_buffers(text)
    lines = c4_lines.c4_lines(data, offsets)
    others = np.flatnonzero(lines.facts_L & c4_lines.CURLY == 0)
    bounds = zip(lines.starts_L[others].tolist(), lines.stops_L[others].tolist(), strict=True)
    held = [k for k, (first, last) in zip(others.tolist(), bounds, strict=True) if (data[first:last] == ord("{")).any()]
    found = np.zeros(len(text), bool)
    found[np.searchsorted(lines.lines_D1, held, "right") - 1] = True
    return found


def decisions(found: pa.Table, reference: pa.Table, suffix: str) -> dict[str, npt.NDArray[np.bool_]]:
    """Filter -> whether each decision is the reference's."""
    equal = {}
    for name in FAMILIES:
        column = f"{name}_keep{suffix}"
        if column in reference.column_names:
            theirs = reference.column(column).to_numpy()
            equal[name] = found.column(f"{name}_keep").to_numpy() == theirs
    return equal


def values(found: pa.Table, reference: pa.Table, suffix: str) -> dict[str, float]:
    """Value -> share of pages on which both are null or within 1e-6."""
    shares = {}
    for name in VALUES.values():
        column = next((c for c in (name + suffix, name) if c in reference.column_names), None)
        if column is not None:
            ours = found.column(name).to_numpy()
            theirs = reference.column(column).cast(pa.float64()).to_numpy()
            shares[name] = float(np.isclose(ours, theirs, rtol=1e-6, atol=0, equal_nan=True).mean())
    return shares


def report(reference: pa.Table, folder: str | None) -> bool:
    """Print everything; whether all promises are kept."""
    languages = np.array(reference.column("lang").to_pylist())
    kept_all = True
    for unit, suffix, only, least in (
        ("white_space", "_ws", None, MIN_DECISIONS),
        ("spacy", "_eng", None, MIN_DECISIONS),
        ("spacy", "", "en", MIN_DECISIONS),
        ("script", "", None, 0.0),
    ):
        mask = np.ones(len(languages), bool) if only is None else languages == only
        part = reference.filter(pa.array(mask))
        found = candidate(part, unit)
        title = f"unit {unit}, columns {suffix or 'without suffix'}, {only or 'all languages'}, {part.num_rows} pages"
        print(f"\n{title}; promised: {100 * least:.1f}% of decisions")
        formulas = braced_formulas(part.column("text").cast(pa.large_string()).combine_chunks())
        for name, equal in decisions(found, part, suffix).items():
            if name in ("c4", "c4t"):
                equal |= formulas
            others = Counter(languages[mask][~equal].tolist()).most_common(8)
            share = float(equal.mean())
            kept_all &= share >= least
            print(f"  {name:<10}{100 * share:8.3f}%  other: {dict(others)}")
        print(f"  for C4 {int(formulas.sum())} pages with braces in formulas are held for equal")
        if suffix != "_eng":  # of which the reference has decisions alone
            shares = values(found, part, suffix)
            worst = sorted(shares.items(), key=lambda item: item[1])[:5]
            print(f"  values within 1e-6: {', '.join(f'{name} {100 * share:.2f}%' for name, share in worst)} at worst")
            kept_all &= unit != "white_space" or min(shares.values()) >= MIN_VALUES
        if folder:
            pq.write_table(found, Path(folder) / f"{unit}{suffix}.parquet")
    return kept_all


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference")
    parser.add_argument("--write")
    given = parser.parse_args()
    if not report(pq.read_table(given.reference), given.write):
        sys.exit("a promise is broken")


if __name__ == "__main__":
    main()
