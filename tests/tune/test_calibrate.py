"""`calibrate`: thresholds that drop as many pages of another language as the published one drops of English."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline import recipe as recipes
from pipeline.errors import UserError
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.calibration import rules_by_source
from pipeline.recipe.yaml_file import parse_yaml
from pipeline.store.storage import Store
from pipeline.tune import calibrate as calibration
from stages import kept
from stages.rules.calibrate import Method, calibrate, least_confidences, overrides, rounded, stop_words
from stages.rules.rule import Rule
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline

RULE_OF = {"gopher_ellipsis_line_fraction": ("too_many_ellipsis_lines",), "gopher_num_words": ("too_few_words",)}


def sample() -> tuple[pa.Table, pa.ChunkedArray]:
    steps = np.arange(1000) / 1000
    columns = {
        "gopher_num_words": np.concatenate([1000 * steps, 2000 * steps]),
        "gopher_mean_word_characters": np.concatenate([4 + 8 * steps, 6 + 16 * steps]),
    }
    return pa.table(columns), pa.chunked_array([["en"] * 1000 + ["de"] * 1000])


def test_quantiles_drop_the_same_share() -> None:
    proposals = calibrate(*sample(), rules=("too_few_words", "words_too_long"))
    assert [(p.language, p.rule) for p in proposals] == [("de", "too_few_words"), ("de", "words_too_long")]
    assert [p.proposed for p in proposals] == pytest.approx([100, 18], rel=0.01)
    assert [p.drops_proposed for p in proposals] == pytest.approx([0.05, 0.25], abs=0.002)
    assert all(sum(p.histogram) == p.pages == 1000 and len(p.bar()) == 20 for p in proposals)


def test_spreads_scale_with_the_language() -> None:
    (proposal,) = calibrate(*sample(), rules=("words_too_long",), method="spread")
    assert proposal.proposed == pytest.approx(18, rel=0.01)


@pytest.mark.parametrize(("value", "column"), [(1 / 3, "gopher_ellipsis_line_fraction"), (2 / 3, "gopher_num_words")])
def test_the_rounding_of_a_threshold_drops_no_page_that_it_stands_on(value: float, column: str) -> None:
    """Most pages have one value in common, which is no round number: all of them pass."""
    steps = np.arange(1000) / 1000
    english = steps if column != "gopher_num_words" else 1000 * steps
    own = np.concatenate([np.full(900, value), np.full(50, value - 0.2), np.full(50, value + 0.2)])
    languages = pa.chunked_array([["en"] * 1000 + ["de"] * 1000])
    [proposal] = calibrate(pa.table({column: np.concatenate([english, own])}), languages, rules=RULE_OF[column])
    [override] = overrides([proposal])
    limit = override["rules"][proposal.rule]
    assert limit == proposal.proposed == pytest.approx(value, rel=1e-3)
    fails = own < limit if column == "gopher_num_words" else own > limit
    assert fails.mean() == proposal.drops_proposed == 0.05


def test_a_round_threshold_stays_as_it_is() -> None:
    for side in ("min", "max"):
        rule = Rule("a_rule", "a_column", side, 1)  # type: ignore[arg-type]
        assert [rounded(rule, value) for value in (0.3, 0.0, -2.5, 12345.0)] == [
            *(0.3, 0.0, -2.5), 12340.0 if side == "min" else 12350.0
        ]  # fmt: skip


def test_proposals_are_settings_of_kept() -> None:
    params = kept.Params(overrides=tuple(overrides(calibrate(*sample()))))
    assert params.overrides[0].languages == ("de",)


def test_too_few_pages_of_the_reference_are_refused() -> None:
    quality, languages = sample()
    with pytest.raises(ValueError, match="found 0"):
        calibrate(quality, languages, reference="fr")
    assert calibrate(quality.slice(0, 1050), languages.slice(0, 1050)) == []


@pytest.mark.parametrize("few", ["en", "de"])
def test_few_pages_that_count_for_a_rule_make_no_threshold(few: str) -> None:
    quality, languages = sample()
    for values in (99, 100):  # the others are of sources for which the rule is off
        start = 0 if few == "en" else 1000
        counts = np.full(2000, True)
        counts[start + values : start + 1000] = False
        column = pa.array(quality["gopher_num_words"].to_numpy(), mask=~counts)
        found = calibrate(quality.set_column(0, "gopher_num_words", column), languages)
        assert ("too_few_words" in {proposal.rule for proposal in found}) == (values == 100)
        assert "words_too_long" in {proposal.rule for proposal in found}


@pytest.mark.parametrize(("method", "proposed"), [("median", 10 * 14 / 8), ("tail", 6 + 16 * 0.9)])
def test_the_other_published_methods(method: Method, proposed: float) -> None:
    [proposal] = calibrate(*sample(), rules=("words_too_long",), method=method)
    assert proposal.proposed == pytest.approx(proposed, rel=0.01)


def test_confidences_and_stop_words_are_those_of_fineweb_2() -> None:
    languages = pa.chunked_array([["en"] * 1000 + ["de"] * 1000 + ["fr"] * 3])
    values = pa.chunked_array([np.concatenate([np.full(1000, 0.99), np.arange(1000) / 1000, np.zeros(3)])])
    assert least_confidences(values, languages) == {"en": 0.9, "de": 0.3}
    text = "der Hund und die Katze und das Haus in der Stadt mit dem Fluss auf der Karte"
    assert stop_words([text] * 3)[:2] == ["der", "und"]
    assert stop_words(["one two"]) == []


def test_only_languages_that_the_mixture_keeps_and_the_reference_are_proposed_for(tmp_path: Path) -> None:
    mixture = write_mixture(tmp_path / "small.yaml", write_corpus(tmp_path / "in", files=1))
    pages = pa.table({"language": ["en", "de", "fr", None], "gopher_num_words": [1, 2, 3, 4]})
    text = mixture.read_text()
    for kept_languages, expected in (("", ["en", "de", "fr", None]), ("languages: [de], ", ["en", "de"])):
        mixture.write_text(
            text.replace("kept:\n", f"kept:\n  {kept_languages.rstrip(', ')}\n" if kept_languages else "kept:\n")
        )
        recipe = recipes.load(mixture, Store(str(tmp_path / "root")))
        assert calibration.of_languages(pages, recipe, "en").column("language").to_pylist() == expected


def test_the_command_prints_yaml_that_a_mixture_takes(tmp_path: Path) -> None:
    mixture = write_mixture(tmp_path / "small.yaml", write_corpus(tmp_path / "in", files=2))
    run_inline(mixture, tmp_path / "root")
    wanted = calibration.Wanted("tail", "en", 300, 10, stop_words=True)
    text = calibration.calibrate(str(mixture), Store(str(tmp_path / "root")), wanted)
    proposed = parse_yaml(text[text.index("# proposals") :], "proposals").data
    assert "the" in proposed["quality"]["stop_words"]["en"]
    params = kept.Params.model_validate(proposed["kept"])
    assert set(params.min_confidences) == {"en"} | {
        name for entry in params.overrides for name in entry.languages or ()
    }
    store = Store(str(tmp_path / "root"))
    with pytest.raises(UserError, match=r"nothing is measured of source \S+; it has code, web"):
        calibration.calibrate(str(mixture), store, replace(wanted, sources=("wbe",)))
    with pytest.raises(UserError, match="did you mean 'too_few_words'"):
        calibration.calibrate(str(mixture), store, replace(wanted, rules=("too_few_wrods",)))


def test_pages_count_for_the_rules_that_are_on_for_their_source(tmp_path: Path) -> None:
    mixture = write_mixture(tmp_path / "small.yaml", write_corpus(tmp_path / "in", files=2))
    text = mixture.read_text()
    store, columns = Store(str(tmp_path / "root")), ("gopher_num_words", "gopher_mean_word_characters")
    run_inline(mixture, tmp_path / "root")
    rules = ("too_few_words", "words_too_long")

    def counted(of_code: str, **more: tuple[str, ...]) -> tuple[list[int], set[str]]:
        """Pages that have each column, and the files they are of."""
        assert "{families: [], rules: {low_language_confidence: false}}" in text
        mixture.write_text(text.replace("{families: [], rules: {low_language_confidence: false}}", of_code))
        recipe = recipes.load(mixture, store)
        wanted = calibration.Wanted("tail", "en", 10_000, 1, **more)
        on = {} if wanted.sources else rules_by_source(recipe, rules)
        pages = calibration.sample(snapshots.load(store), wanted, rules, on)
        return [pages.num_rows - pages.column(name).null_count for name in columns], set(
            pages.column("file").to_pylist()
        )

    both, files = counted("{families: [gopher_quality]}")
    web, files_of_web = counted("{families: [gopher_quality]}", sources=("web",))
    assert both[0] > web[0] > 0
    assert both[1] > web[1] > 0
    assert counted("{families: []}") == (web, files_of_web)  # no rule is on for code: it is left out
    some, all_files = counted("{families: [gopher_quality], rules: {words_too_long: false, words_too_short: false}}")
    assert (some, all_files) == ([both[0], web[1]], files)


def test_a_mixture_without_a_rule_is_not_said_to_be_unmeasured(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "The river turns the wheel of the mill."}\n' * 3)
    mixture, store = tmp_path / "m.yaml", Store(str(tmp_path / "root"))
    mixture.write_text(
        "sources: {web: {paths: a.jsonl}}\nkept: {families: []}\nclusters: {enabled: false}\n"
        "domains: {all: {}}\nmixture: {domains: {all: {share: 1}}}\n"
    )
    run_inline(mixture, tmp_path / "root")
    wanted = calibration.Wanted("tail", "en", 300, 10, stop_words=False)
    with pytest.raises(UserError, match="no rule of the mixture is on for its pages; nothing to propose"):
        calibration.calibrate(str(mixture), store, wanted)
