"""Text of a page's life: many columns of one measurement are a line, those that a rule looks at stay."""

from __future__ import annotations

from typing import Any

from pipeline.answers.why_text import measured

RULE = {"rule": "too_few_stop_words", "side": "min", "threshold": 2, "fails": False}


def column(name: str, value: Any, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"column": name, "value": value, "rules": [*rules]}


def test_word_lists_of_every_language_are_a_line_with_the_largest_counts() -> None:
    languages = ("ca", "cs", "da", "es", "fi", "fr", "it", "ja", "ko")
    lists = [column(f"stop_words_{name}", number) for number, name in enumerate(languages)]
    lines = measured([column("num_words", 12), *lists, column("stop_words_en", 7, RULE), column("min_x", 1)])
    assert lines == [
        "  num_words                12",
        "  stop_words_*   9 columns, most: ko 8, ja 7, it 6 (--json shows all)",
        "  stop_words_en             7  at least 2: ok (too_few_stop_words)",
        "  min_x                     1",
    ]


def test_probabilities_of_labels_with_underscores_are_one_line_and_texts_are_not_folded() -> None:
    several = [column(f"topic_probability_a_{number}", 0.0) for number in range(8)]
    texts = [column(f"note_{number}", "x") for number in range(8)]
    lines = measured([*several, *texts])
    assert lines[0] == "  topic_probability_*  8 columns, all 0 or empty (--json shows all)"
    assert len(lines) == 9


def test_a_few_columns_of_one_name_stay_lines_of_their_own() -> None:
    assert len(measured([column(f"repetition_{number}", 0.5) for number in range(7)])) == 7
