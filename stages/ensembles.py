"""`ensembles`: several scores of quality as one, by percentiles, so that scales of classifiers do not matter.

For whom: `kept` and domains take the column as any score. As Nemotron-CC does it (Su et al. 2024, arXiv 2412.02595,
section 3.2): by each score the pages of a language are divided into ``parts`` of equal text, worst first; a page's
score is the best part that any of the scores puts it in (``max_percentile``), or the mean.

Input: of each split the files of `documents` (source, text_bytes), `language`, those that have the columns, and, where
an ensemble weighs tokens, `token_counts`. Output, row for row, of each ensemble ``x``:

    x_score    float64, from 0 (all scores: worst part) in steps of 1 / parts; 0.95 of 20 parts is the best twentieth;
               null where no score was measured

Ours differs in one point. Ranked are all pages with text, not those that filters keep, so that an edited threshold
moves no score; tokens are those of all of a page's text. Text may be weighed by bytes instead (``weigh``).

Method: `stages.percentiles`, exact: a cut is the smallest score below which at least k / parts of the text lies; equal
scores are never divided. Waves: counts of groups of splits, what lies near the cuts (two), cuts, and a file a split.
Price: 1 µs a page and score, twice, and twelve bytes of temporary disk for every different score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from stages import percentiles
from stages.contract import Store, Task, Wave, and_more
from stages.rules.ensembles import Ensemble, Member

VERSION = 3
FILES_A_TASK = 64
Ensembles = Mapping[str, Ensemble]
Cuts = dict[str, dict[str, list[float]]]
"""Start of the parts after the first, by member (`spelt`) and language."""
WEIGHTS = {"tokens": "num_tokens", "bytes": "text_bytes"}
"""The column of what pages weigh."""


@dataclass(frozen=True)
class EnsemblesInput:
    """One split: name of its file, and addresses of its aligned products by name."""

    name: str
    source: str
    files: dict[str, str]


def schema(ensembles: Ensembles) -> pa.Schema:
    """The columns."""
    return pa.schema([pa.field(f"{name}_score", pa.float64()) for name in sorted(ensembles)])


def plan(
    ensembles: Ensembles, splits: Sequence[EnsemblesInput], directory: str, labels: Mapping[str, str]
) -> list[Wave]:
    """All waves. Final outputs: ``DIRECTORY/NAME.parquet`` per split and ``DIRECTORY/summary.json`` (the cuts).

    ``labels``: what people are shown of each split, by its name.
    """
    ordered = [asdict(split) for split in sorted(splits, key=lambda split: split.name)]
    params = {name: ensemble.model_dump(mode="json") for name, ensemble in ensembles.items()}
    counting, inputs, held, groups = [], [], [], []
    for start in range(0, len(ordered), FILES_A_TASK):
        output, values = (f"{directory}/work/{kind}/{start:06d}.parquet" for kind in ("counts", "values"))
        splits_of_task = ordered[start : start + FILES_A_TASK]
        label = and_more(labels[splits_of_task[0]["name"]], len(splits_of_task) - 1)
        groups.append(label)
        args: dict[str, Any] = {"params": params, "splits": splits_of_task, "output": output, "values": values}
        counting.append(Task("stages.ensembles:count", args, (output, values), label))
        inputs.append(output)
        held.append(values)
    near, narrow = percentiles.narrowing(
        inputs, held, ranking(ensembles), f"{directory}/work/near", groups, "ensembles: "
    )
    summary = f"{directory}/summary.json"
    args = {"params": params, "inputs": inputs, "near": near.tasks[0].outputs[0], "output": summary}
    args["narrowed"] = [address for task in narrow.tasks for address in task.outputs]
    cutting = Task("stages.ensembles:cut", args, (summary,), "edges of the parts")
    marking = []
    for split in ordered:
        output = f"{directory}/{split['name']}.parquet"
        args = {"params": params, "split": split, "cuts": summary, "output": output}
        marking.append(Task("stages.ensembles:mark", args, (output,), labels[split["name"]]))
    return [
        Wave("ensembles: count", tuple(counting)),
        near,
        narrow,
        Wave("ensembles: cuts", (cutting,)),
        Wave("ensembles: mark", tuple(marking), (f"{directory}/work",)),
    ]


def _members(params: Mapping[str, Any]) -> list[Member]:
    return sorted({member for ensemble in params.values() for member in Ensemble(**ensemble).members})


def spelt(member: Member) -> str:
    """A score and what weighs its pages, as one name among counts and cuts."""
    column, weigh = member
    return f"{column} by {weigh}"


def read(store: Store, split: Mapping[str, Any], members: Sequence[Member]) -> pa.Table:
    """Sizes of pages, ``language`` and those of the members' columns that were measured, side by side."""
    files = dict(split["files"])
    pages = store.read_table(files.pop("documents"), ["text_bytes"])
    pages = pages.append_column("language", store.read_table(files.pop("language"), ["language"]).column("language"))
    counts = files.pop("token_counts", None)
    if counts is not None:
        pages = pages.append_column("num_tokens", store.read_table(counts, ["num_tokens"]).column("num_tokens"))
    columns = sorted({column for column, _ in members})
    for address in files.values():
        with store.open(address) as file:
            parquet = pq.ParquetFile(file)
            mine = [column for column in columns if column in parquet.schema_arrow.names]
            table = parquet.read(mine) if mine else None
        for column in mine:
            assert table is not None
            pages = pages.append_column(column, table.column(column).cast(pa.float64()))
    return pages


def ranking(ensembles: Ensembles) -> list[percentiles.Ranked]:
    """The members that are cut, and the parts of the text at which they are."""
    parts = {parts for ensemble in ensembles.values() for parts in ends_of(ensemble.parts)}
    members = sorted({member for ensemble in ensembles.values() for member in ensemble.members})
    return [(spelt(member), None, tuple(sorted(parts))) for member in members]


def ends_of(parts: int) -> tuple[Fraction, ...]:
    """Start of each part but the first."""
    return tuple(Fraction(k, parts) for k in range(1, parts))


def count(
    store: Store, *, params: dict[str, Any], splits: list[dict[str, Any]], output: str, values: str
) -> dict[str, Any]:
    """Job: text by score and language, of some splits."""
    members = _members(params)
    table = percentiles.added(histogram(read(store, split, members), members) for split in splits)
    return percentiles.write(store, table, output, values)


def histogram(pages: pa.Table, members: Sequence[Member]) -> pa.Table:
    """Text, as each member weighs it, by score and language; pages without text or score are left out."""
    parts = []
    for member in (member for member in members if member[0] in pages.column_names):
        column, weigh = member
        sizes = pages.column(WEIGHTS[weigh]).to_numpy()
        values = pages.column(column).to_numpy()
        known = ~np.isnan(values) & (sizes > 0)
        languages = pages.column("language").filter(pa.array(known))
        parts.append(percentiles.counted(spelt(member), "", languages, values[known], sizes[known]))
    return percentiles.added(parts)


def cut(
    store: Store, *, params: dict[str, Any], inputs: list[str], near: str, narrowed: list[str], output: str
) -> dict[str, Any]:
    """Job: where the parts begin, from all counts."""
    inner = percentiles.total(store, narrowed)
    table = percentiles.refined(percentiles.total(store, inputs), store.read_table(near), [inner])
    wanted = {Ensemble(**ensemble).parts for ensemble in params.values()}
    found = {str(parts): cuts(table, _members(params), parts) for parts in sorted(wanted)}
    store.write_json(output, found)
    return {"rows": table.num_rows}


def cuts(weights: pa.Table, members: Sequence[Member], parts: int) -> Cuts:
    """The smallest score of each part after the first, by member and language."""
    found = {spelt(member): percentiles.cuts(weights, spelt(member), None, ends_of(parts)) for member in members}
    return {
        name: {language: values.tolist() for language, values in languages.items()}
        for name, languages in found.items()
        if languages
    }


def mark(store: Store, *, params: dict[str, Any], split: dict[str, Any], cuts: str, output: str) -> dict[str, Any]:
    """Job: the file of one split."""
    pages = read(store, split, _members(params))
    known = store.read_json(cuts)
    ensembles = {name: Ensemble(**ensemble) for name, ensemble in sorted(params.items())}
    arrays = [score(pages, ensemble, known[str(ensemble.parts)]) for ensemble in ensembles.values()]
    digest = xxhash.xxh3_128()
    for values in arrays:
        digest.update(np.ascontiguousarray(values).view(np.uint8).data)
    columns = [pa.array(values, mask=np.isnan(values)) for values in arrays]
    report = {"rows": pages.num_rows, "source": split["source"], "digest": digest.hexdigest()}
    store.write_table(output, pa.table(columns, schema=schema(ensembles)), report=report)
    return report


def score(pages: pa.Table, ensemble: Ensemble, cuts: Cuts) -> npt.NDArray[np.float64]:
    """The ensemble's score of each page; NaN where no score was measured."""
    languages = pages.column("language").combine_chunks().dictionary_encode()
    codes = languages.indices.to_numpy(zero_copy_only=False)
    found = np.full((len(ensemble.of), pages.num_rows), np.nan)
    for row, member in enumerate(ensemble.members):
        column = member[0]
        if column not in pages.column_names:
            continue
        own = cuts.get(spelt(member), {})
        values = percentiles.finite(pages.column(column).to_numpy())
        for code, language in enumerate(languages.dictionary.to_pylist()):
            mine = (codes == code) & ~np.isnan(values)
            if mine.any():
                found[row, mine] = np.searchsorted(own.get(language, []), values[mine], side="right")
    known = ~np.isnan(found)
    if ensemble.by == "max_percentile":
        best = np.where(known, found, -1.0).max(axis=0)
    else:
        best = np.where(known, found, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known.any(axis=0), best / ensemble.parts, np.nan)
