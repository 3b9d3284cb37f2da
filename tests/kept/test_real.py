"""`kept` on real pages of many languages: overrides move the pages they name; what each rule drops alone and last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stages import kept, quality
from stages.kept.decide import rule_values

FAMILIES = ("gopher_quality", "gopher_repetition", "c4", "fineweb")
DOMAINS = [kept.Domain(name="long", min={"text_bytes": 4000}), kept.Domain(name="rest")]


@pytest.fixture(scope="module")
def pages(shared: Path) -> pa.Table:
    table = pq.read_table(shared / "reference" / "quality" / "dev.parquet").slice(0, 600)
    text = table.column("text").cast(pa.large_string()).combine_chunks()
    batch = pa.RecordBatch.from_arrays([text], ["text"])
    found = pa.Table.from_batches([quality.prepare(quality.Params(families=FAMILIES))(batch)])
    source = ["web" if row % 3 else "books" for row in range(len(text))]
    for name, column in (
        ("source", pa.array(source)),
        ("language", table.column("lang")),
        ("confidence", table.column("lang_score")),
        ("text_bytes", table.column("n_bytes")),
    ):
        found = found.append_column(name, column)
    return found


def failing(pages: pa.Table, name: str, **params: object) -> np.ndarray:
    settings = kept.Params.model_validate({"families": FAMILIES, **params})
    failed = kept.prepare(settings, DOMAINS)(pages).column("failed")
    return np.array([name in own for own in failed.to_pylist()])


@pytest.mark.parametrize("name", [rule for rule, family in kept.params.FAMILY_OF.items() if family in FAMILIES])
def test_an_override_moves_the_pages_of_its_source_language_and_domain_alone(pages: pa.Table, name: str) -> None:
    rule = kept.PUBLISHED[name]
    values = rule_values(pages, rule.column)
    threshold = float(np.nanmedian(values))
    beyond = values < threshold if rule.side == "min" else values > threshold
    before = failing(pages, name)
    beyond &= ~(np.isin(pages.column("language").to_numpy().astype(str), list(rule.exempt)))
    for key, value in (("sources", "books"), ("languages", "en"), ("domains", "long")):
        column = {"sources": "source", "languages": "language"}.get(key)
        named = pages.column(column).to_numpy() == value if column else pages.column("text_bytes").to_numpy() >= 4000
        assert 50 < named.sum() < 550
        override = {key: [value], "rules": {name: threshold}}
        after = failing(pages, name, overrides=[override])
        assert (after == np.where(named, beyond, before)).all()
        off = failing(pages, name, overrides=[{key: [value], "rules": {name: False}}])
        assert (off == np.where(named, False, before)).all()


def test_what_a_rule_drops_alone_first_and_last_is_what_turning_it_shows(pages: pa.Table) -> None:
    pages = pages.filter(pc.greater(pages.column("text_bytes"), 0))
    everything = kept.Params(families=FAMILIES)
    decided = kept.prepare(everything, [])(pages)
    report = kept.account(pages, decided, kept.active_rules(everything), kept.decide.domains_of(pages, []), {})
    for name, counts in report["failed"].items():
        if name not in kept.PUBLISHED:
            continue
        family = kept.params.FAMILY_OF[name]
        others = {rule: False for rule, own in kept.params.FAMILY_OF.items() if own == family and rule != name}
        only = kept.prepare(kept.Params(families=(family,), rules=others), [])(pages)
        without = kept.prepare(kept.Params(families=FAMILIES, rules={name: False}), [])(pages)
        assert counts["documents"] == pages.num_rows - only.column("keep").to_numpy().sum()
        assert counts["alone"] == without.column("keep").to_numpy().sum() - report["kept"]
        assert counts["first"] == (decided.column("reason").to_numpy() == name).sum()
