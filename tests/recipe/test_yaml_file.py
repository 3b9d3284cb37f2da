"""YAML reading and validation: every mistake at once, with its line and key, and the nearest known key."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from pipeline.errors import UserError
from pipeline.recipe.mistakes import validate
from pipeline.recipe.yaml_file import ConfigError, parse_yaml, read_yaml
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


def test_all_mistakes_are_reported_at_once_in_order_of_lines() -> None:
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


def test_a_section_given_twice_is_reported_once_not_for_each_key_in_it() -> None:
    assert problems("count: 1\ninner: {threshold: 0.1}\ninner: {threshold: 0.2}\n") == [
        "m.yaml:3: inner: this key stands here twice"
    ]


def test_what_may_be_of_several_kinds_is_reported_once_with_all_of_them() -> None:
    class Either(BaseModel):
        rules: dict[str, bool | float]

    document = parse_yaml("rules:\n  x: many\n  y:\n", "m.yaml")
    assert validate(Either, document.data, document) is None
    assert [str(problem.message) for problem in document.problems] == [
        "expected true or false, or a number, found 'many'",
        "expected true or false, or a number, found nothing",
    ]


def test_a_bracket_left_open_is_reported_with_the_line_it_stands_in() -> None:
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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            ("0100000", 100000),
            ("0o17", 15),
            ("0x1F", 31),
            ("-7", -7),
            ("+7", 7),
            ("1:30", "1:30"),
            ("190:20:30", "190:20:30"),
        ),
        *(
            ("1e6", 1e6),
            (".5", 0.5),
            ("5.", 5.0),
            ("-.inf", float("-inf")),
            ("0b101", "0b101"),
            ("no", "no"),
            ("On", "On"),
        ),
        *(("2026-01-01", "2026-01-01"), ("~", None), ("null", None), ("TRUE", True), ("1_000", "1_000"), ("=", "=")),
        *(('"\\ud83d\\ude00 x"', "\U0001f600 x"), ("\U0001f600", "\U0001f600")),
        *(("18446744073709551615", 2**64 - 1), ("0x", "0x"), ("08", 8), ("1.2.3", "1.2.3"), ("'012'", "012")),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = parse_yaml(f"a: {text}\n", "m.yaml").data["a"]
    assert found == value
    assert type(found) is type(value)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)
MERGES = "a: &a {k0: x}\n" + "".join(
    f"b{n}: &b{n} {{<<: [{', '.join([f'*b{n - 1}' if n else '*a'] * 10)}]}}\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (BOMB, 6, "its aliases stand for"),
        (MERGES, None, "its aliases stand for"),
        ("a: " + "[" * 5000 + "]" * 5000, 1, "nested more than 40 deep"),
        ("a:\n" + "".join(" " * n + "- \n" for n in range(60)), None, "nested more than 40 deep"),
        ("a:\n  b: &x [1, *x]\n", 2, "stands for what contains it"),
        ("x: 1\na: &x {b: *x}\n", 2, "stands for what contains it"),
        ("a: 1\nb: " + "9" * 10_000, 2, "at most 64 bits"),
        ("b: 18446744073709551616", 1, "at most 64 bits"),
        ("b: 0x" + "f" * 100, 1, "at most 64 bits"),
        ("b: !!int x", 1, "expected a whole number, found 'x'"),
        ("b: !!float ''", 1, "expected a number"),
        ("a: 1\n? [x, y]\n: 2\n", 2, "expected text as a key"),
        ("a: 1\nb: '\x1b[2J'\n", 2, "U+001B"),
        ('a: 1\nb: "x\\ud83d"\n', 2, "half a character is no text"),
        ("a: !!python/object:os.system x", 1, "could not determine a constructor"),
    ],
)
def test_what_no_mixture_needs_is_refused_at_once_with_its_line(text: str, line: int | None, said: str) -> None:
    """A bomb that is not refused would hold this test for minutes, or fill the memory."""
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "m.yaml")
    [problem] = caught.value.problems
    assert said in problem.message
    assert line is None or problem.line == line


def test_aliases_and_merges_that_stay_small_are_read() -> None:
    found = parse_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [*a, *a]\n1: yes\n", "m.yaml").data
    assert found == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": [{"x": 1, "y": 2}] * 2, "1": "yes"}
