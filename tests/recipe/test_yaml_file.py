"""YAML reading and validation: every mistake at once, with its line and key, and the nearest known key."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from pipeline.errors import UserError
from pipeline.recipe.yaml_file import ConfigError, parse_yaml, read_yaml, validate
from stages.contract import StageParams


class Inner(StageParams):
    threshold: float = Field(0.5, ge=0, le=1)
    languages: tuple[str, ...] = ()


class Outer(StageParams):
    count: int
    inner: Inner = Inner()
    table: dict[str, Inner] = {}
    either: Inner | None = None


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        document = parse_yaml(text, "m.yaml")
        validate(Outer, document.data, document)
        document.check()
    return str(caught.value).split("\n")


def test_a_good_file_becomes_a_model() -> None:
    document = parse_yaml("count: 3\ninner: {threshold: 0.25, languages: [en, no]}\n", "m.yaml")
    model = validate(Outer, document.data, document)
    document.check()
    assert model == Outer(count=3, inner=Inner(threshold=0.25, languages=("en", "no")))


def test_norwegian_is_not_false() -> None:
    assert parse_yaml("a: [no, on, yes, off, true]", "m.yaml").data == {"a": ["no", "on", "yes", "off", True]}


def test_all_mistakes_are_told_at_once_in_order_of_lines() -> None:
    found = problems("count: many\ninner:\n  treshold: 0.3\n  languages: 5\ntable:\n  x:\n    threshold: 2\n")
    assert found == [
        "m.yaml:1: count: expected a whole number, found 'many'",
        "m.yaml:3: inner.treshold: no such key; did you mean 'threshold'?",
        "m.yaml:4: inner.languages: expected a list, found 5; write [5]",
        "m.yaml:7: table.x.threshold: expected 1 or less, found 2",
    ]


def test_an_unknown_key_with_no_near_one_lists_what_is_known() -> None:
    assert problems("count: 1\ninner: {zzz: 1}\n") == ["m.yaml:2: inner.zzz: no such key; known: languages, threshold"]
    assert problems("count: 1\ntable: {a: {thresh: 1}}\n") == [
        "m.yaml:2: table.a.thresh: no such key; did you mean 'threshold'?"
    ]


def test_a_missing_key_names_the_key_and_the_place_it_belongs() -> None:
    assert problems("inner: {}\n") == ["m.yaml:1: count: this key is needed"]


def test_a_key_given_twice_is_an_error_not_a_silent_choice() -> None:
    assert problems("count: 1\ninner:\n  threshold: 0.1\n  threshold: 0.2\n") == [
        "m.yaml:4: inner.threshold: this key stands here twice"
    ]


def test_a_section_given_twice_is_told_once_not_for_each_key_in_it() -> None:
    assert problems("count: 1\ninner: {threshold: 0.1}\ninner: {threshold: 0.2}\n") == [
        "m.yaml:3: inner: this key stands here twice"
    ]


def test_what_may_be_of_several_kinds_is_told_once_with_all_of_them() -> None:
    class Either(BaseModel):
        rules: dict[str, bool | float]

    document = parse_yaml("rules:\n  x: many\n  y:\n", "m.yaml")
    assert validate(Either, document.data, document) is None
    assert [str(problem.message) for problem in document.problems] == [
        "expected true or false, or a number, found 'many'",
        "expected true or false, or a number, found nothing",
    ]


def test_a_bracket_left_open_is_told_with_the_line_it_stands_in() -> None:
    with pytest.raises(ConfigError, match=r"expected ',' or '\]', found '<stream end>'.* begins in line 2"):
        parse_yaml("a: 1\nb: [1, 2\n", "m.yaml")


def test_a_file_that_is_not_there_names_the_nearest_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "crawl.yaml").write_text("a: 1\n")
    with pytest.raises(UserError, match=r"cawl.yaml does not exist; did you mean .*crawl.yaml\?"):
        read_yaml(tmp_path / "cawl.yaml")


@pytest.mark.parametrize(
    "text", ["", "- 1\n", "just words", "a: [1, 2", "a: b: c", "\t- x", "a: !!python/object:os.system x"]
)
def test_what_is_no_mapping_or_no_yaml_is_one_line_with_its_place(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^m.yaml:\d+: file: "):
        parse_yaml(text, "m.yaml")
