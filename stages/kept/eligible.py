"""`eligible`: which pages pass every rule but those about duplicates.

For `clusters`, which chooses survivors among them, so that a page that a list, a language or a threshold drops takes
none of its copies with it. Input: what `kept` reads, `clusters` apart. Output: `schemas.ELIGIBLE`, row for row, with a
report:

    {"rows": n, "eligible": k, "digest": hex}

Beside it stands from which similarity `near_duplicate` drops the page, if at all, and whether `exact_duplicate` and
`same_address` do: a page that these rules leave in stays whatever it is like, and others go for it. Of a page that a
transform made it names the one it was made of, unless ``against_parent`` is set: for that it does not go. ``digest`` is
of the rows: a threshold under which no other page falls makes other files of the same digest, and nothing behind them.

Left out are the rules of `params.DUPLICATES`, and limits on what is not known before duplicates are: a domain's
condition on a column of `clusters` counts as met here, a rule on one as passed. A page of no domain is not eligible.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from stages import schemas
from stages.contract import Store
from stages.kept.decide import EXACT_DUPLICATE, NEAR_DUPLICATE, SAME_ADDRESS, Edges, first_domain, thresholds_of
from stages.kept.inputs import decide_split, spared_parents
from stages.kept.params import DUPLICATES, LIMITS, Domain, Params, Setting

LATER = frozenset({*schemas.CLUSTERS.names, schemas.CLUSTER_COPIES.name})
"""Columns that are not known yet."""


def later_rule(name: str) -> bool:
    """Whether a rule has no part in who is eligible."""
    return name.startswith(LIMITS) and name.split("_", 2)[2] in LATER


def eligibility(params: Params) -> Params:
    """The settings without whatever rests on duplicates, but for those of the rules that drop them."""

    def without(rules: dict[str, Setting]) -> dict[str, Setting]:
        return {name: setting for name, setting in rules.items() if not later_rule(name)}

    overrides = tuple(one.model_copy(update={"rules": without(one.rules)}) for one in params.overrides)
    return params.model_copy(update={"rules": without(params.rules), "overrides": overrides})


def eligible_domain(domain: Domain) -> Domain:
    """The domain without conditions on what is not known yet."""
    known = {
        name: {column: limit for column, limit in getattr(domain, name).items() if column not in LATER}
        for name in ("min", "max", "percentiles")
    }
    return domain.model_copy(update=known)


def find_eligible(
    store: Store,
    *,
    files: dict[str, str],
    output: str,
    params: dict[str, Any],
    domains: Sequence[dict[str, Any]] | None,
    remove: Sequence[str] | None = None,
    urls: str | None = None,
    robots: str | None = None,
    edges: Edges | str | None = None,
) -> dict[str, Any]:
    """One split: aligned Parquet files in, one out; arguments as those of `stages.kept.keep`. Returns its report.

    ``params`` and ``domains`` as `eligibility` and `eligible_domain` leave them. Without ``domains`` (None) overrides
    for domains are left out too, and every page has one: so percentiles rank pages (`stages.kept.buckets`).
    """
    settings, chosen = Params(**params), [Domain(**domain) for domain in domains or ()]
    if domains is None:
        free = tuple(override for override in settings.overrides if override.domains is None)
        settings = settings.model_copy(update={"overrides": free})
    pages, kept, edges = decide_split(store, files, settings, chosen, urls, robots, edges)
    passes = kept.column("keep").combine_chunks()
    if remove:
        names = pa.array([bytes.fromhex(doc_id) for doc_id in remove], schemas.DOC_ID)
        doc_ids = store.read_table(files["documents"], ["doc_id"]).column("doc_id").combine_chunks()
        passes = pc.and_(passes, pc.invert(pc.is_in(doc_ids, names)))
    rows = passes.to_numpy(zero_copy_only=False)
    domain_of = first_domain(pages, chosen, edges)
    limits = {name: thresholds_of(name, pages, domain_of, chosen, settings) for name in DUPLICATES}
    alike = limits[NEAR_DUPLICATE]
    on = {name: ~np.isnan(limits[name]) for name in (EXACT_DUPLICATE, SAME_ADDRESS)}
    hashed = xxhash.xxh3_128(np.packbits(rows).tobytes() + len(rows).to_bytes(8, "little"))
    if np.any(alike != 0.0):
        hashed.update(np.where(rows, alike, 0.0).tobytes())
    for name, mask in on.items():
        if not np.all(mask[rows]):
            hashed.update(name.encode() + np.packbits(mask | ~rows).tobytes())
    parents = spared_parents(store, files["documents"], settings)
    if parents is None:
        parents = pa.nulls(len(rows), schemas.DOC_ID)
    else:
        hashed.update(b"parents" + b"".join(parents.filter(passes).to_pylist()))
    report = {"rows": len(rows), "eligible": int(rows.sum()), "digest": hashed.hexdigest()}
    columns = [passes, pa.array(alike, pa.float64(), from_pandas=True), *map(pa.array, on.values()), parents]
    store.write_table(output, pa.table(columns, schema=schemas.ELIGIBLE), report=report)
    return report
