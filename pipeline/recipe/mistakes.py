"""Models from the data of a mixture file, and what is wrong with it in our words: every mistake at once, at its key."""

from __future__ import annotations

import difflib
import re
import types
import typing
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.recipe.yaml_file import Key, YamlFile
from stages.figures import listed

Model = TypeVar("Model", bound=BaseModel)

MOST_SHOWN = 80
DECIMAL = r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})"
MOST_KNOWN = 30
_KINDS = {
    "a list": "tuple_type list_type set_type frozen_set_type",
    "a mapping of keys": "dict_type model_type model_attributes_type mapping_type",
    "true or false": "bool_type bool_parsing",
    "a whole number": "int_type int_parsing int_parsing_size int_from_float",
    "a number": "float_type float_parsing",
    "a finite number": "finite_number",
    "text": "string_type",
}
KINDS = {name: kind for kind, names in _KINDS.items() for name in names.split()}
"""Names for writers of YAML of the kinds in pydantic's errors."""
BOUNDS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "too_short": "at least {min_length} entry",
    "too_long": "at most {max_length} entries",
    "literal_error": "{expected}",
}


def validate(model: type[Model], data: Any, file: YamlFile, prefix: Key = (), mend: bool = False) -> Model | None:
    """A model of ``data``, which stands at ``prefix`` in the file; or None, with the mistakes added to it.

    Args:
        mend: give a model without the wrong entries, so that other mistakes, there and elsewhere, are reported too.
    """
    while True:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            _add_mistakes(model, error, file, prefix)
            places = [_entry_at(data, entry["loc"]) for entry in error.errors()]
        if not mend or () in places:
            return None
        data = _without(data, places)


def _add_mistakes(model: type[BaseModel], error: ValidationError, file: YamlFile, prefix: Key) -> None:
    wanted: dict[Key, tuple[list[str], Any]] = {}
    for entry in error.errors():
        key = (*prefix, *(part for part in entry["loc"] if not _is_union_tag(part)))
        expected = expected_of(entry)
        if expected is None:
            file.add(key, message_of(model, entry))
        else:
            kinds = wanted.setdefault(key, ([], entry["input"]))[0]
            kinds += [expected] if expected not in kinds else []
    for key, (kinds, found) in wanted.items():  # what may be of several kinds is wrong for each, and reported once
        name, colon, value = str(key[-1]).partition(":")
        close = f"; a colon has a space behind it: {name}: {value}" if colon and found is None else ""
        file.add(key, f"{_unexpected(kinds, found)}{close}")


def _entry_at(data: Any, location: tuple[str | int, ...]) -> Key:
    """The innermost entry of nested mappings that a mistake's location lies in; lists are one entry."""
    place: Key = ()
    for part in location:
        if not isinstance(data, dict) or part not in data:
            break
        place, data = (*place, part), data[part]
    return place


def _without(data: Any, places: list[Key]) -> Any:
    """Nested mappings without the entries at these places."""
    gone = {place[0] for place in places if len(place) == 1}
    inner = {name: [place[1:] for place in places if len(place) > 1 and place[0] == name] for name in data}
    return {
        name: _without(value, inner[name]) if inner[name] else value for name, value in data.items() if name not in gone
    }


def _unexpected(kinds: list[str], found: Any) -> str:
    shown = "nothing" if found is None else str(found).lower() if isinstance(found, bool) else repr(found)
    shown = cut(shown)
    hint = f"; write [{cut(str(found))}]" if "a list" in kinds and isinstance(found, (str, int, float)) else ""
    percent = re.fullmatch(rf"\s*{DECIMAL}\s*%\s*", found) if isinstance(found, str) and "a number" in kinds else None
    if percent:
        hint = f"; write {float(percent[1]) / 100:g}"
    size = re.fullmatch(rf"\s*{DECIMAL}\s*([kmgt])(i?)b?\s*", found, re.IGNORECASE) if isinstance(found, str) else None
    if size and "a whole number" in kinds:
        power = "kmgt".index(size[2].lower()) + 1
        hint = f"; write {int(float(size[1]) * (1024 if size[3] else 1000) ** power)}"
    return f"expected {', or '.join(kinds)}, found {shown}{hint}"


def cut(shown: str) -> str:
    """A value of the file as messages show it."""
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}..."


def _is_union_tag(part: str | int) -> bool:
    """Pydantic names the branch of a union in the location; users have no such key."""
    return isinstance(part, str) and (part in ("int", "str", "float", "bool") or "[" in part)


def expected_of(entry: Any) -> str | None:
    """The kind or bounds that a value should have had, where it has others; None for other mistakes."""
    if entry["type"] not in BOUNDS:
        return KINDS.get(entry["type"])
    bounds = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in entry["ctx"].items()}
    return BOUNDS[entry["type"]].format(**bounds)


def message_of(model: type[BaseModel], entry: Any) -> str:
    """A pydantic error in our words: what was expected, what was found, the nearest known key."""
    kind = entry["type"]
    if kind == "extra_forbidden":
        known = _fields_at(model, entry["loc"][:-1])
        return no_such_key(str(entry["loc"][-1]), known)
    if kind == "missing":
        return "this key is needed"
    found = entry.get("input")
    message = str(entry["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = message[:1].lower() + message[1:]
    return message if kind == "value_error" else f"{message}; found {found!r}"


def no_such_key(word: str, known: list[str]) -> str:
    """The message about a key that is none of those known: what was meant by it, as far as it tells."""
    key, colon, value = word.partition(":")
    if word != word.strip():
        blank = next((letter for letter in word if letter.isspace() and letter != " "), "")
        if blank:
            return f"no such key; it has a blank that is no plain space (U+{ord(blank):04X}): indent with spaces"
        return f"no such key; it begins or ends with a space{nearest(word.strip(), known)}"
    if colon and key in known:
        return f"no such key; a colon has a space behind it: {key}: {value}"
    if word.isdecimal():
        return "no such key; is it part of a number? No number has a comma: 0.5, not 0,5; 1000, not 1,000"
    return f"no such key{nearest(word, known)}"


def nearest(word: str, known: list[str]) -> str:
    """``; did you mean 'x'?`` or, where nothing is near, ``; known: a, b``"""
    close = difflib.get_close_matches(word, known, 1, 0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {listed(sorted(known), MOST_KNOWN)}" if known else ""


def _fields_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Field names of the model that stands at a location inside ``model``."""
    types_here: list[Any] = [model]
    for part in location:
        following: list[Any] = []
        for here in types_here:
            if isinstance(here, type) and issubclass(here, BaseModel):
                if part in here.model_fields:
                    following += _open(here.model_fields[str(part)].annotation)
            else:
                following += [inner for argument in typing.get_args(here) for inner in _open(argument)]
        types_here = following or types_here
    models = [here for here in types_here if isinstance(here, type) and issubclass(here, BaseModel)]
    return sorted({name for here in models for name in here.model_fields})


def _open(annotation: Any) -> list[Any]:
    """The members of a union or Annotated, or the annotation itself."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        return [inner for argument in typing.get_args(annotation) for inner in _open(argument)]
    return [annotation]
