"""The transform of definition lists: questions and answers, and what is no definition list."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from stages.transforms.definitions import questions


def asked(text: str, **params: Any) -> list[str]:
    return next(iter(questions(pa.record_batch({"text": pa.array([text], pa.large_string())}), **params)))


SLUICE, WEIR, HOPPER = (
    "A gate that lets water pass.",
    "A low dam across a river.",
    "The box that feeds grain to the stones.",
)
ANSWERS = f"What is Sluice?\n{SLUICE}\n\nWhat is Weir?\n{WEIR}\n\nWhat is Feed hopper?\n{HOPPER}"


@pytest.mark.parametrize(
    "block",
    [
        f"Sluice\n{SLUICE}\nWeir\n{WEIR}\nFeed hopper\n{HOPPER}",
        f"Sluice\n: {SLUICE}\nWeir\n: {WEIR}\nFeed hopper\n: {HOPPER}",
        f"Sluice: {SLUICE}\nWeir: {WEIR}\nFeed hopper: {HOPPER}",
        f"- Sluice – {SLUICE}\n- Weir — {WEIR}\n- Feed hopper - {HOPPER}",
    ],
)
def test_definition_lists_become_questions_and_answers(block: str) -> None:
    assert asked(f"Glossary\n\nWords of the mill.\n\n{block}\n\nThat is all.") == [ANSWERS]
    assert asked(f"{block}\n\n{block}", question="Was ist {term}?") == [ANSWERS.replace("What is", "Was ist")] * 2
    assert asked(block, least=4) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"Sluice\n{SLUICE}\nWeir\n{WEIR}",
        f"Sluice\n{SLUICE}\nWeir\n{WEIR}\nFeed hopper\n{HOPPER}\nand one line more",
        f"It was cold.\n{SLUICE}\nIt rained.\n{WEIR}\nIt froze.\n{HOPPER}",
        "Home: page\nAbout: us\nContact: mail",
        "if x: return the value of x.\nx = {1: two, 3: four five six.}\nwhile y: go on and on.",
        f"{'word ' * 7}\n{SLUICE}\n{'word ' * 7}\n{WEIR}\n{'word ' * 7}\n{HOPPER}",
        "12\nOn that day it rained.\n13\nOn that day it was dry.\n14\nOn that day it snowed.",
    ],
)
def test_what_is_no_definition_list_is_left_alone(text: str) -> None:
    assert asked(text) == []
