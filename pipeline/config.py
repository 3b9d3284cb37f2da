"""Mixture files: YAML in, validated models out, every mistake at once, with file, line and key.

YAML is read by the rules of YAML 1.2 where 1.1 surprises: ``no`` is Norwegian, not false. A key
given twice is an error.
"""

from __future__ import annotations

import difflib
import re
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from pipeline.errors import UserError

Key = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: the line it is on (1 is the first), the key as a dotted path, and what is wrong."""

    line: int
    key: str
    message: str


class ConfigError(UserError):
    """Everything wrong with a mixture file, one line each."""

    def __init__(self, path: str, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__(
            "\n".join(f"{path}:{problem.line}: {problem.key}: {problem.message}" for problem in self.problems)
        )


@dataclass
class Document:
    """A YAML file as plain data, and the line of every key and list entry."""

    path: str
    data: dict[str, Any]
    lines: dict[Key, int]
    problems: list[Problem] = field(default_factory=list)

    def line(self, key: Key) -> int:
        """Line of the key, or of the nearest key around it that the file has."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def add(self, key: Key, message: str) -> None:
        self.problems.append(Problem(self.line(key), dotted(key), message))

    def check(self) -> None:
        """Raise everything found so far, if anything was."""
        if self.problems:
            raise ConfigError(self.path, self.problems)


class _Loader(yaml.SafeLoader):
    """SafeLoader whose only booleans are true and false, as in YAML 1.2."""


_Loader.yaml_implicit_resolvers = {
    letter: [
        (tag, pattern) for tag, pattern in pairs if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
    ]
    for letter, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _letter in "tTfF":
    _Loader.add_implicit_resolver(
        "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), [_letter]
    )


def read_yaml(path: str | Path) -> Document:
    """Read one YAML file.

    Raises:
        ConfigError: when it is no YAML or no mapping, or a key stands twice.
        UserError: when it cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"mixture file {path} cannot be read: {error}") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, path: str) -> Document:
    """`read_yaml` of a text; ``path`` is what errors name."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(path, [Problem(1, "file", "expected a mapping of keys, found none")])
        document = Document(path, {}, {})
        _walk(node, (), document)
        document.check()
        document.data = typing.cast(dict[str, Any], loader.construct_document(node))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(path, [Problem(line, "file", f"no YAML: {error.problem or error.context}")]) from error
    except yaml.YAMLError as error:
        raise ConfigError(path, [Problem(1, "file", f"no YAML: {error}")]) from error
    return document


def _walk(node: yaml.Node, key: Key, document: Document) -> None:
    document.lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            inner = (*key, name.value)
            if inner in document.lines and name.value != "<<":
                document.problems.append(Problem(name.start_mark.line + 1, dotted(inner), "this key stands here twice"))
            document.lines[inner] = name.start_mark.line + 1
            _walk(value, inner, document)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            _walk(value, (*key, position), document)


def dotted(key: Key) -> str:
    """``('sources', 'web', 'paths', 0)`` as ``sources.web.paths[0]``."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "file"


def validate(model: type[Model], data: Any, document: Document, prefix: Key = ()) -> Model | None:
    """A model of ``data``, which stands at ``prefix`` in the document; or None, with the mistakes added to it."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for entry in error.errors():
            key = (*prefix, *(part for part in entry["loc"] if not _is_union_tag(part)))
            document.add(key, message_of(model, entry))
        return None


def _is_union_tag(part: str | int) -> bool:
    """Pydantic names the branch of a union in the location; users have no such key."""
    return isinstance(part, str) and (part in ("int", "str", "float", "bool") or "[" in part)


def message_of(model: type[BaseModel], entry: Any) -> str:
    """A pydantic error in our words: what was expected, what was found, the nearest known key."""
    kind = entry["type"]
    if kind == "extra_forbidden":
        known = _fields_at(model, entry["loc"][:-1])
        return f"no such key{nearest(str(entry['loc'][-1]), known)}"
    if kind == "missing":
        return "this key is needed"
    found = entry.get("input")
    message = str(entry["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = message[:1].lower() + message[1:]
    return message if kind == "value_error" else f"{message}; found {found!r}"


def nearest(word: str, known: list[str]) -> str:
    """``; did you mean 'x'?`` or, where nothing is near, ``; known: a, b``."""
    close = difflib.get_close_matches(word, known, 1, 0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(sorted(known))}" if known else ""


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
