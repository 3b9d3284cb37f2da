"""`calibrate`: thresholds that drop as many pages of another language as the published one drops of English."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stages import kept
from stages.rules.calibrate import calibrate, overrides


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


def test_proposals_are_settings_of_kept() -> None:
    params = kept.Params(overrides=tuple(overrides(calibrate(*sample()))))
    assert params.overrides[0].languages == ("de",)


def test_too_few_pages_of_the_reference_are_refused() -> None:
    quality, languages = sample()
    with pytest.raises(ValueError, match="found 0"):
        calibrate(quality, languages, reference="fr")
    assert calibrate(quality.slice(0, 1050), languages.slice(0, 1050)) == []
