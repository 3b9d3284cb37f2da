"""The materialised corpus: exact shares, whole documents, every token traceable."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.store.storage import Store
from stages import corpus, shards, tokens, verify
from stages.mixture import Mixture, MixtureError, MixtureParams, PhasesParams, solve, solve_phases
from stages.shard_format import read_manifest
from stages.tokenizers import load
from tests.support.token_files import (
    TOKENIZER,
    Shards,
    doc_id,
    read_docs,
    read_documents,
    run,
    write_domain,
    write_split,
)


def made_shards(domain: str, sizes: list[list[int]]) -> Shards:
    """Shards of documents of the given numbers of tokens; the ids tell domain and document."""
    found: Shards = []
    number = 0
    for shard in sizes:
        found.append([])
        for size in shard:
            found[-1].append(
                (doc_id(f"{domain} {number}"), [3 + (number * 31 + i) % 900 for i in range(size - 1)] + [2])
            )
            number += 1
    return found


def taken(shards: Shards, target: int, low: int, high: int) -> list[tuple[bytes, int]]:
    """(doc_id, pass) of the documents whose first token is in [low, high) of the repeated sequence: the slow way."""
    found, position, number = [], 0, 0
    while position < min(high, target):
        for name, ids in (document for shard in shards for document in shard):
            if low <= position < min(high, target):
                found.append((name, number))
            position += len(ids)
        number += 1
    return found


def build(store: Store, domains: dict[str, Shards], shares: dict[str, Any], budget: int, **params: Any) -> Mixture:
    manifests = {name: write_domain(store, f"domains/{name}", name, shards) for name, shards in domains.items()}
    available = {name: read_manifest(store, address)["tokens"] for name, address in manifests.items()}
    mixture = solve(MixtureParams.model_validate({"domains": shares, "budget": budget, "max_epochs": 1000}), available)
    settings = corpus.Params(**{"target_tokens": 50, "batch_tokens": 30, **params})
    run(store, corpus.plan(settings, "c", mixture, manifests, "corpus", tokenizer=TOKENIZER))
    return mixture


def test_a_fresh_process_writes_shards(store: Store) -> None:
    build(store, {"a": made_shards("a", [[3, 4, 2], [5]])}, {"a": {"share": 1}}, 14)
    names = write_split(store, "s", ["one two", "three"])
    tokens.tokenize(store, **names, params={})
    mixture = solve(MixtureParams.model_validate({"domains": {"a": {"share": 1}}, "budget": 14}), {"a": 14})
    plans = corpus.plan(corpus.Params(), "c", mixture, {"a": "domains/a/manifest.json"}, "again", tokenizer=TOKENIZER)
    identity = load("mistral-v1").identity()
    inputs = [shards.Input(names["output"], 2, 5)]
    plans += shards.plan(shards.Params(), "en", inputs, "shards", tokenizer=identity, seed=0)
    jobs = [(task.job, task.args) for phase in plans for task in phase.tasks]
    code = "import json, sys\nfrom pipeline.engine.scheduler import call_job\n"
    code += "from pipeline.engine.process import prepare_process\n"
    code += "prepare_process()\n"
    code += "for job in json.load(sys.stdin): call_job(sys.argv[1], *job)\n"
    subprocess.run([sys.executable, "-c", code, str(store.root)], input=json.dumps(jobs), text=True, check=True)
    assert store.exists("again/manifest.json")
    assert store.exists("shards/manifest.json")


SIZES = st.lists(st.lists(st.integers(1, 12), max_size=7), min_size=1, max_size=3).filter(lambda s: any(s))


@given(SIZES, SIZES, st.integers(1, 400), st.integers(1, 19), st.integers(20, 200))
@settings(max_examples=20, deadline=None)
def test_each_shard_takes_the_documents_that_start_in_its_part(
    one: list[list[int]], two: list[list[int]], budget: int, twentieths: int, target_tokens: int
) -> None:
    folder = tempfile.mkdtemp()
    try:
        store = Store(folder)
        domains = {"one": made_shards("one", one), "two": made_shards("two", two)}
        shares = {"one": {"share": twentieths / 20}, "two": {"share": 1 - twentieths / 20}}
        mixture = build(store, domains, shares, budget, target_tokens=target_tokens)
        manifest = read_manifest(store, "corpus/manifest.json")
        found = read_documents(store, "corpus", manifest)
        contents = {name: ids for shards in domains.values() for shard in shards for name, ids in shard}
        count = len(found)
        assert count == -(-budget // target_tokens)
        for k, (documents, docs) in enumerate(zip(found, read_docs(store, "corpus", manifest), strict=True)):
            expected = Counter(
                (domain, name, number)
                for domain, shards in domains.items()
                for target in [mixture.targets[domain]]
                for name, number in taken(shards, target, k * target // count, (k + 1) * target // count)
            )
            rows = list(zip(*(docs[c].to_pylist() for c in ("domain", "doc_id", "pass")), strict=True))
            assert Counter(rows) == expected
            assert [(row[1], contents[row[1]]) for row in rows] == documents
            assert docs["num_tokens"].to_pylist() == [len(ids) for _, ids in documents]
        for domain, target in mixture.targets.items():
            largest = max(len(ids) for shard in domains[domain] for _, ids in shard)
            realised = manifest["domains"][domain]["tokens"]
            assert target <= realised < target + largest or target == realised == 0
        assert verify.verify(store, "corpus/manifest.json") == []
    finally:
        shutil.rmtree(folder)


def example(store: Store, **params: Any) -> dict[str, Any]:
    domains = {name: made_shards(name, [[5, 6, 7] * 9, [4] * 11]) for name in ("web", "code")}
    build(store, domains, {"web": {"share": 0.8}, "code": {"share": 0.2}}, 400, **params)
    return read_manifest(store, "corpus/manifest.json")


def test_manifest_tells_requested_and_realised(store: Store) -> None:
    manifest = example(store)
    web = manifest["domains"]["web"]
    available = 9 * 18 + 44
    assert (web["requested_tokens"], web["requested_share"], web["available_tokens"]) == (320, 0.8, available)
    assert web["unique_tokens"] == available
    assert web["epochs"] == web["tokens"] / available > 1.5
    assert web["realised_share"] == pytest.approx(0.8, abs=12 / 400)
    assert manifest["tokens"] == sum(domain["tokens"] for domain in manifest["domains"].values())
    assert manifest["kind"] == "corpus"


def test_a_repeated_document_stands_in_another_order_in_the_next_pass(store: Store) -> None:
    domains = {"web": made_shards("web", [[5] * 40])}
    build(store, domains, {"web": {"epochs": 2}}, 400, target_tokens=200)
    first, second = read_documents(store, "corpus", read_manifest(store, "corpus/manifest.json"))
    assert sorted(first) == sorted(second)
    assert first != second


def test_the_seed_changes_the_order_and_not_the_documents(store: Store, tmp_path: Path) -> None:
    other = Store(str(tmp_path / "other"))
    one = read_documents(store, "corpus", example(store))
    two = read_documents(other, "corpus", example(other, seed=1))
    assert one != two
    assert [sorted(shard) for shard in one] == [sorted(shard) for shard in two]


def test_the_same_corpus_has_the_same_bytes(store: Store, tmp_path: Path) -> None:
    other = Store(str(tmp_path / "other"))
    example(store)
    example(other)
    listed = [address for address, _ in store.list("corpus")]
    assert listed == [address for address, _ in other.list("corpus")]
    assert all(store.read_bytes(address) == other.read_bytes(address) for address in listed)


def test_domains_of_another_tokenizer_are_refused(store: Store) -> None:
    example(store)
    mixture = solve(MixtureParams.model_validate({"domains": {"web": {"epochs": 1}}}), {"web": 206})
    phases = corpus.plan(
        corpus.Params(), "c", mixture, {"web": "domains/web/manifest.json"}, "x", tokenizer={**TOKENIZER, "sha256": "1"}
    )
    with pytest.raises(ValueError, match="its tokenizer differs"):
        run(store, phases)


def test_hugging_face_opens_the_corpus(store: Store, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    manifest = example(store)
    loaded = datasets.load_from_disk(str(tmp_path / "root" / "corpus" / "train"))
    expected = [ids for shard in read_documents(store, "corpus", manifest) for _, ids in shard]
    assert loaded["input_ids"][:] == expected


# Phases and references


def test_a_reserve_is_read_by_its_phase_alone(store: Store) -> None:
    shards = {name: made_shards(name, [[5, 6, 7] * 9, [4] * 11, [9] * 6]) for name in ("web", "books")}
    manifests = {name: write_domain(store, f"domains/{name}", name, made) for name, made in shards.items()}
    available = {name: read_manifest(store, address)["tokens"] for name, address in manifests.items()}
    both = {"web": {"share": 0.6}, "books": {"share": 0.4}}
    params = PhasesParams.model_validate(
        {
            "budget": 400,
            "phases": [
                {"name": "warm", "until": 0.25, "mixture": {"domains": both}},
                {"name": "stable", "until": 0.8, "mixture": {"domains": both}},
                {
                    "name": "anneal",
                    "until": 1,
                    "mixture": {"domains": {"books": {"share": 1}}},
                    "reserve": {"books": 0.4},
                },
            ],
        }
    )
    phases = solve_phases(params, available)
    assert [sum(phase.mixture.targets.values()) for phase in phases] == [100, 220, 80]
    plans = corpus.plan_phases(corpus.Params(target_tokens=60), "c", phases, manifests, "c", tokenizer=TOKENIZER)
    seen: dict[str, Counter[bytes]] = {}
    for name, plan in plans.items():
        run(store, plan)
        manifest = read_manifest(store, f"c/{name}/manifest.json")
        assert verify.verify(store, f"c/{name}/manifest.json") == []
        names = [n for docs in read_docs(store, f"c/{name}", manifest) for n in docs["doc_id"].to_pylist()]
        seen[name] = Counter(names)
    order = {name: [n for shard in made for n, _ in shard] for name, made in shards.items()}
    books = set(order["books"])
    reserved = set(seen["anneal"])
    assert reserved <= books
    assert not reserved & (set(seen["warm"]) | set(seen["stable"]))
    web = [n for n in order["web"] if seen["warm"][n] or seen["stable"][n]]
    assert web == order["web"][: len(web)]  # the second phase goes on where the first stopped
    assert all(seen["warm"][n] + seen["stable"][n] == 1 for n in web)
    positions = [order["books"].index(n) for n in reserved]
    assert min(positions) > max(i for i, n in enumerate(order["books"]) if seen["warm"][n] or seen["stable"][n])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.integers(2, 60), min_size=1, max_size=6), min_size=1, max_size=3),
    st.lists(st.sampled_from([0, 0.1, 0.25, 0.3]), min_size=1, max_size=3),
    st.integers(1, 2),
)
def test_no_document_is_read_more_often_than_the_cap_whatever_a_reserve_begins_with(
    sizes: list[list[int]], reserves: list[float], most: int
) -> None:
    made = made_shards("a", sizes)
    order = [(name, len(ids)) for shard in made for name, ids in shard]
    available = sum(size for _, size in order)
    assume(all(int(part * available) for part in reserves if part))
    mixture = {"domains": {"a": {"share": 1}}, "max_epochs": most, "on_shortfall": "shrink"}
    listed = [
        {
            "name": f"p{i}",
            "until": (i + 1) / (len(reserves) + 1),
            "mixture": mixture,
            "reserve": {"a": part} if part else {},
        }
        for i, part in enumerate(reserves)
    ]  # more than enough for all of them, and a last phase for what is reserved for none
    listed.append({"name": "rest", "until": 1, "mixture": mixture})
    budget = 3 * most * available * len(listed)
    try:
        phases = solve_phases(PhasesParams.model_validate({"budget": budget, "phases": listed}), {"a": available})
    except MixtureError:  # a phase before the last one took all that is reserved for none
        assume(False)
    seen: Counter[bytes] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        manifests = {"a": write_domain(store, "domains/a", "a", made)}
        settings = corpus.Params(target_tokens=40, batch_tokens=30)
        for name, plan in corpus.plan_phases(settings, "c", phases, manifests, "c", tokenizer=TOKENIZER).items():
            run(store, plan)
            docs = read_docs(store, f"c/{name}", read_manifest(store, f"c/{name}/manifest.json"))
            seen.update(name for table in docs for name in table["doc_id"].to_pylist())
    assert dict(seen) == {name: most for name, _ in order}


def test_caps_hold_over_all_phases_together() -> None:
    mixture = {"domains": {"a": {"share": 0.5}, "b": {"share": 0.5}}, "max_epochs": 4}
    phases = [{"name": "one", "until": 0.5, "mixture": mixture}, {"name": "two", "until": 1, "mixture": mixture}]
    params = PhasesParams.model_validate({"budget": 1000, "phases": phases})
    plans = solve_phases(params, {"a": 125, "b": 1000})
    assert [plan.mixture.targets["a"] for plan in plans] == [250, 250]
    with pytest.raises(MixtureError, match="phase 'two': not enough tokens: 'a'"):
        solve_phases(params, {"a": 124, "b": 1000})


def test_a_phase_for_which_earlier_ones_left_nothing_says_so() -> None:
    def solved(budget: int, ends: tuple[float, float], shares: dict[str, float]) -> None:
        mixtures = [{"domains": {"a": {"share": 1}}, "on_shortfall": "shrink"}]
        mixtures.append(
            {"domains": {name: {"share": share} for name, share in shares.items()}, "on_shortfall": "shrink"}
        )
        phases = [
            {"name": name, "until": end, "mixture": mixture}
            for name, end, mixture in zip("st", ends, mixtures, strict=True)
        ]
        solve_phases(PhasesParams.model_validate({"budget": budget, "phases": phases}), {"a": 50, "b": 900})

    with pytest.raises(MixtureError, match=r"^phase 't': earlier phases took all that max_epochs allows of 'a', and"):
        solved(200, (0.5, 1), {"a": 0.1, "b": 0.9})
    with pytest.raises(MixtureError, match=r"of 'a'; raise max_epochs, .* or let it take another domain$"):
        solved(200, (0.5, 1), {"a": 1})
    with pytest.raises(MixtureError, match=r"^phase 's': its part of the budget is not one token"):
        solved(10, (0.01, 1), {"b": 1})


@pytest.mark.parametrize(
    ("reserves", "available", "message"),
    [
        ([{"a": 0.1}, {}], {"a": 7}, "phase 'p0': its reserve of 'a', 0.1 of 7 tokens, is not one token; raise it"),
        ([{}, {"a": 1}], {"a": 50}, "phase 'p0': domain 'a' is reserved whole for p1; lower that reserve"),
        ([{}, {"a": 1}], {"a": 0}, "phase 'p0': domain 'a' has no tokens; take it out of the mixture"),
        (
            [{}, {"a": 1}],
            {"a": 50, "b": 0},
            "phase 'p0': domain 'a' is reserved whole for p1; lower that reserve, or take the domain out of this phase;"
            " domain 'b' has no tokens; take it out",
        ),
    ],
)
def test_a_reserve_that_leaves_a_phase_no_token_is_named(
    reserves: list[dict[str, float]], available: dict[str, int], message: str
) -> None:
    mixture = {"domains": {name: {"share": 1 / len(available)} for name in available}}
    phases = [
        {"name": f"p{i}", "until": until, "mixture": mixture, "reserve": reserves[i]}
        for i, until in enumerate((0.5, 1))
    ]
    with pytest.raises(MixtureError, match=f"^{message}"):
        solve_phases(PhasesParams.model_validate({"budget": 10, "phases": phases}), available)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"until": [0.5, 0.5]}, "phases overlap or leave a gap"),
        ({"until": [0.5, 0.9]}, "phases overlap or leave a gap"),
        ({"reserve": [{"a": 0.6}, {"a": 0.6}]}, "reserves of a come to more than the whole"),
        ({"reserve": [{"x": 0.6}, {}]}, "reserves 'x', which its mixture does not take"),
        ({"budget": None}, "phases need a budget"),
    ],
)
def test_phases_that_make_no_sense_are_refused(change: dict[str, Any], message: str) -> None:
    untils, reserves = change.get("until", [0.5, 1]), change.get("reserve", [{}, {}])
    mixture = {"domains": {"a": {"share": 1}}}
    phases = [
        {"name": f"p{i}", "until": until, "mixture": mixture, "reserve": reserve}
        for i, (until, reserve) in enumerate(zip(untils, reserves, strict=True))
    ]
    with pytest.raises(ValidationError, match=message):
        PhasesParams.model_validate({"budget": change.get("budget", 100), "phases": phases})


def test_a_corpus_of_references_copies_nothing(store: Store) -> None:
    domains = {name: made_shards(name, [[5] * 10, [5] * 10, [5] * 10]) for name in ("web", "code")}
    build(store, domains, {"web": {"epochs": 2.4}, "code": {"epochs": 0.6}}, 450, materialise=False)
    assert [address for address, _ in store.list("corpus")] == ["corpus/manifest.json"]
    manifest = read_manifest(store, "corpus/manifest.json")
    times = {entry["path"]: entry["multiplicity"] for entry in manifest["shards"]}
    assert times == {
        "../domains/code/train/data-00000-of-00003.arrow": 1,
        "../domains/code/train/data-00001-of-00003.arrow": 1,
        "../domains/web/train/data-00000-of-00003.arrow": 3,
        "../domains/web/train/data-00001-of-00003.arrow": 2,
        "../domains/web/train/data-00002-of-00003.arrow": 2,
    }
    assert manifest["domains"]["web"]["tokens"] == 350
    assert manifest["tokens"] == 450
    assert verify.verify(store, "corpus/manifest.json") == []
