"""C4's lines as their scripts are written: `stages.kernels.words.script_lines`, and the rules that stand on it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import kept, quality
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.unicode import characters
from stages.kernels.words.c4_lines import CITATION_PATTERN, FEW_WORDS, LONG_WORD, TERMINATED, c4_lines
from stages.kernels.words.script_lines import lines_by_script
from stages.kernels.words.spacy_words import split_script_words
from stages.kernels.words.unspaced import mostly_unspaced
from tests.slow import rules as slow_rules
from tests.slow import words as slow_words
from tests.support import characters as support

FAMILIES = ("c4", "c4_strict", "fineweb_cleaned")
PARAGRAPHS = {
    "zh": "磨坊坐落在河边，村里的人们每天都去那里。",
    "ja": "水車小屋は川のほとりに立っています。",
    "th": "โรงสีตั้งอยู่ริมแม่น้ำและชาวบ้านไปที่นั่นทุกวัน",
    "km": "រោងម៉ាស៊ីនស្ថិតនៅមាត់ទន្លេហើយអ្នកភូមិទៅទីនោះ។",
    "my": "ကြိတ်စက်သည်မြစ်ကမ်းဘေးတွင်ရှိသည်။",
    "hi": "चक्की नदी के किनारे खड़ी है।",
    "ur": "چکی دریا کے کنارے کھڑی ہے۔",
    "hy": "Ջրաղացը կանգնած է գետի ափին։",
    "am": "ወፍጮው በወንዙ ዳር ይገኛል።",
    "ar": "هل تقع الطاحونة على ضفة النهر؟",
}


def measured(texts: list[str], unit: str) -> list[dict[str, Any]]:
    params = quality.Params(families=FAMILIES, unit=unit)
    batch = pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string())], ["text"])
    rows: list[dict[str, Any]] = quality.prepare(params)(batch).to_pylist()
    return rows


@pytest.mark.parametrize("language", PARAGRAPHS)
def test_lines_of_every_script_are_read_as_they_are_written(language: str) -> None:
    text = "\n".join([PARAGRAPHS[language]] * 6)
    by_script, reference = (measured([text], unit)[0] for unit in ("as_written", "white_space"))
    unmarked, unspaced = language == "th", language in ("zh", "ja", "th", "km", "my")
    assert (by_script["c4_num_kept_lines"], by_script["c4_num_few_word_lines"]) == (6, 0)
    assert by_script["c4_strict_num_kept_lines"] == (0 if unmarked else 6)
    assert by_script["fineweb_cleaned_num_lines"] == 6
    assert (reference["c4_num_kept_lines"], reference["c4_strict_num_kept_lines"]) == (0 if unspaced else 6, 0)


def test_a_long_paragraph_without_spaces_is_no_long_word() -> None:
    text = "磨坊坐落在河边。" * 200  # 1,600 characters
    by_script, reference = (measured([text], unit)[0] for unit in ("as_written", "white_space"))
    assert (by_script["c4_num_long_word_lines"], by_script["c4_num_sentences"]) == (0, 200)
    assert (reference["c4_num_long_word_lines"], reference["c4_num_sentences"]) == (1, 0)
    rows = measured([f"磨坊坐落在河边。{'x' * 1001}。磨坊坐落在河边。" + "磨坊坐落在河边。" * 200], "as_written")
    assert rows[0]["c4_num_long_word_lines"] == 1


def test_a_menu_without_spaces_still_has_too_few_words() -> None:
    row = measured(["首页\n联系我们\n！！！？？？\n磨坊坐落在河边。"], "as_written")[0]
    assert (row["c4_num_few_word_lines"], row["c4_num_kept_lines"]) == (3, 1)


def test_marks_beyond_ascii_end_a_line_with_what_closes_behind_them() -> None:
    ends = {
        **dict.fromkeys(["。", "。」", "！』", "」", "۔”", "։»", "。[1]", "？）[citation needed][2]"], True),
        **dict.fromkeys(["，", "…", "”", "»", "、」x", "[1]", "...", "।x", "．．．x"], False),
    }
    for end, terminated in ends.items():
        row = measured(["the mill by the river" + end], "as_written")[0]
        assert row["c4_strict_num_kept_lines"] == terminated, end
        assert measured(["the mill by the river" + end], "white_space")[0]["c4_strict_num_kept_lines"] == 0, end


def test_pages_in_latin_letters_are_counted_as_the_reference_counts_them() -> None:
    texts = [
        "The mill stands by the river.\nHome page\nHe said “no.”\n" + "x" * 1001 + " a b.",
        "Жернова стоят у реки.\nМеню",
    ]
    assert measured(texts, "as_written") == measured(texts, "white_space")


LINES = st.text(st.sampled_from("磨坊カのกโរ។ ab.。」”!?[1]\n…x"), max_size=60) | support.texts(40)


@settings(max_examples=200, deadline=None)
@given(st.lists(LINES, max_size=4))
def test_facts_of_lines_equal_the_twin(texts: list[str]) -> None:
    data, offsets = text_buffers(pa.array(["before", *texts, "磨坊坐落在河边"], pa.large_string()).slice(1))
    unspaced_D = mostly_unspaced(data, offsets)
    lines = c4_lines(data, offsets)
    found = lines_by_script(data, offsets, lines, split_script_words(data, offsets), unspaced_D)
    expected = []
    for text, unspaced in zip([*texts, "磨坊坐落在河边"], unspaced_D.tolist(), strict=True):
        expected += [twin(line.strip(), unspaced) for line in text.splitlines()]
    assert [(bool(f & FEW_WORDS), bool(f & LONG_WORD), bool(f & TERMINATED)) for f in found.facts_L] == expected


def twin(line: str, unspaced: bool) -> tuple[bool, bool, bool]:
    """(few words, a long word, terminated)."""
    few, long = slow_rules.few_and_long(line, slow_words.script if unspaced else None)
    cut = CITATION_PATTERN.sub(b"", line.encode()).decode()
    terminated = cut.endswith((".", "?", "!", '"', "'")) and not cut.endswith("...")
    while cut and not cut[-1].isascii():
        flags = characters.classes()[ord(cut[-1])]
        if flags & characters.TERMINAL or cut[-1] in "」』":
            terminated = True
        if terminated or not flags & characters.CLOSER:
            break
        cut = cut[:-1]
    return few, long, terminated


def test_rules_on_marks_are_off_where_lines_need_none() -> None:
    names = ["too_few_lines_end_in_punctuation", "too_few_sentences_in_terminated_lines"]
    pages = pa.table(
        {
            "language": ["th", "tir", "bo", "en", "zh"],
            "fineweb_punctuated_line_fraction": [0.0] * 5,
            "c4_strict_num_sentences": [0] * 5,
            "confidence": [1.0] * 5,
            "source": ["web"] * 5,
            "text_bytes": [100] * 5,
        }
    )
    settings_ = {"families": [], "rules": dict.fromkeys(names, True)}

    def failed(**more: Any) -> list[list[str]]:
        params = kept.Params.model_validate(settings_ | more)
        return [sorted(own) for own in kept.prepare(params, ())(pages).column("failed").to_pylist()]

    families = {"families": ["fineweb", "c4_strict"], "rules": {}}
    others = ["too_many_short_lines", "too_many_repeated_characters", "too_many_line_breaks"]
    others += ["lorem_ipsum_in_terminated_lines", "curly_bracket_in_terminated_lines"]
    families["rules"] = dict.fromkeys(others, False)
    assert failed(**families) == [[], [], [], sorted(names), sorted(names)]
    assert failed() == [sorted(names)] * 5, "true switches them on everywhere"
    thai = {"languages": ["th"], "rules": {names[0]: True}}
    assert failed(**families, overrides=[thai]) == [[names[0]], [], [], sorted(names), sorted(names)]
