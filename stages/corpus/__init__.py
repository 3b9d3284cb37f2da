"""`corpus`: the mixture made real: interleaved token shards with exact shares, every shard a sample of the whole.

Input: the manifests of the domains' shards and the tokens to take of each (`stages.mixture`). Output: a folder in
the format of `stages.shard_format`, whose docs carry two columns more: ``domain`` and ``pass`` (0 for the first time
a document is used).

Method. The documents of a domain form a sequence: its shards in order, pass after pass where the mixture repeats
it. Of K corpus shards, shard k takes of each domain the documents whose first token lies in
[k*T/K, (k+1)*T/K), T being the domain's target; so every shard has the mixture's shares to one document per domain,
and the corpus exceeds a target by less than one document. No document is cut. Inside a shard documents are ordered
by a keyed hash of (seed, doc_id, pass). A phase of training reads the documents that begin in its part of the sequence,
in as many positions a pass as that part has: a cap of one pass repeats none of them, whatever their sizes.

Here is the plan; `jobs` does the work, `sequence` is a domain's documents in order, `selection` those of one shard.

Price: one read of the tokens used, one write. A task holds 8 MB of its output; of its input nothing where the root is
local (files are mapped) and documents are large, all of it on an object store, twice where documents are also small.
Copying is bound by memory and disk; `benchmarks/corpus.py` measures it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from stages.contract import StageParams, Task, Wave
from stages.shard_format import ShardNames, hugging_face_names

if TYPE_CHECKING:  # jobs import this package: a fresh process need not load the solvers for them
    from typing import Any

    from stages.mixture import Mixture, PhasePlan, Window

VERSION = 3
PHASES_VERSION = 2
"""Of corpora of phases, beside `VERSION`."""


class Params(StageParams):
    """Settings by which the corpus is written."""

    target_tokens: int = Field(1 << 28, ge=1, description="tokens a shard, about")
    batch_tokens: int = Field(1 << 27, ge=1, lt=1 << 31, description="tokens a record batch of a shard, at most")
    seed: int = Field(0, ge=0, lt=1 << 63, description="seed of the order inside a shard")
    materialise: bool = Field(
        True, description="write the interleaved shards; else a manifest that refers to the domains'"
    )


def plan(
    params: Params,
    name: str,
    mixture: Mixture,
    manifests: dict[str, str],
    directory: str,
    *,
    tokenizer: dict[str, Any],
    windows: dict[str, Window] | None = None,
) -> list[Wave]:
    """Phases that write the corpus into ``directory``.

    Args:
        manifests: address of the shard manifest of every domain of the mixture.
        tokenizer: the `tokenizer` block that all those manifests must have.
        windows: of a phase of training, the part of each domain's sequence it reads (`stages.mixture.solve_phases`).
    """
    missing = sorted(domain for domain, target in mixture.targets.items() if target and domain not in manifests)
    if missing:
        raise ValueError(f"no shards for the domains {', '.join(missing)}")
    domains = {
        part.name: {
            "manifest": manifests[part.name],
            "target": part.target_tokens,
            "available": part.available_tokens,
            "window": list(vars(windows[part.name]).values()) if windows else None,
        }
        for part in mixture.domains
        if part.target_tokens
    }
    if not domains:
        raise ValueError("the mixture takes no tokens of any domain")
    described = {"name": name, "directory": directory, "seed": params.seed, "mixture": mixture.as_dict()}
    manifest_address = f"{directory}/manifest.json"
    if not params.materialise:
        if windows:
            raise ValueError(
                "phases take parts of domains, which a corpus of references cannot; set corpus.materialise"
            )
        args = {**described, "domains": domains, "tokenizer": tokenizer}
        task = Task("stages.corpus.jobs:refer", args, (manifest_address,), "corpus manifest", copies=True)
        return [Wave("manifest", (task,))]
    count = max(1, -(-mixture.tokens // params.target_tokens))
    shared = {
        "name": name,
        "domains": domains,
        "directory": directory,
        "count": count,
        "seed": params.seed,
        "batch_tokens": params.batch_tokens,
        "tokenizer": tokenizer,
    }
    size = mixture.tokens * np.dtype(tokenizer["dtype"]).itemsize // count
    tasks = tuple(_shard_task(shared, k, count, directory, size) for k in range(count))
    finish = Task(
        job="stages.corpus.jobs:manifest",
        args={**described, "count": count, "tokenizer": tokenizer, **({"windows": domains} if windows else {})},
        outputs=(manifest_address, *hugging_face_names(directory, ["train"])),
        label="corpus manifest",
        copies=True,
    )
    return [Wave("corpus", tasks), Wave("manifest", (finish,))]


def _shard_task(shared: dict[str, Any], index: int, count: int, directory: str, size: int) -> Task:
    """The task that writes shard ``index`` of a corpus, of ``size`` bytes of tokens."""
    return Task(
        job="stages.corpus.jobs:shard",
        args={**shared, "index": index},
        outputs=ShardNames(directory, index, count).addresses(),
        label=f"corpus shard {index + 1}/{count}",
        cost=size,
        memory=(1 << 28) + 2 * size,
        copies=True,
    )


def plan_phases(
    params: Params,
    name: str,
    phases: list[PhasePlan],
    manifests: dict[str, str],
    directory: str,
    *,
    tokenizer: dict[str, Any],
) -> dict[str, list[Wave]]:
    """For every phase of training the `Wave`s of work that write its corpus, into a folder of its name."""
    return {
        phase.name: plan(
            params,
            f"{name}/{phase.name}",
            phase.mixture,
            manifests,
            f"{directory}/{phase.name}",
            tokenizer=tokenizer,
            windows=phase.windows,
        )
        for phase in phases
    }
