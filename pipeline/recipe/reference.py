"""docs/mixtures.md, written from the models that check mixture files.

``python -m pipeline.recipe.reference > docs/mixtures.md``; a test compares the two, so no key can be without its line.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import textwrap
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from pipeline.recipe import graph, rules

INTRODUCTION = """\
# Mixture files

YAML, read by the rules of YAML 1.2 (`no` is Norwegian, `1:30` text, `010` ten). All mistakes are reported at once, with
file, line and the nearest known key. Paths are relative to the file; `${root}` is the root of the run, `${NAME}` an
environment variable.
`mixtures/commoncrawl.yaml` is a commented file to start from. This page is written from the models that check files.

Top level: `name` (default: the file's name), `sources`, `domains`, and one section per product. An entry under
`sources` may override the sections OVERRIDABLE for that source, key by key. A file has either `mixture` or `phases`.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION.replace("OVERRIDABLE", ", ".join(f"`{name}`" for name in graph.overridable()))]
    models = [*graph.ENTRIES.items(), *graph.SECTIONS.items(), *graph.ALTERNATIVES.items()]
    seen: set[type[BaseModel]] = set()
    while models:
        path, model = models.pop(0)
        if model in seen:
            continue
        seen.add(model)
        parts.append(section(path, model))
        models[:0] = [(f"{path}.{name}", inner) for name, inner in inner_models(model)]
    return "\n".join([*parts, rule_table()])


def rule_table() -> str:
    """The rules that `kept.rules` may name."""
    lines = [
        "## Rules",
        "",
        "What `kept.rules` may name, by family (`kept.families` switches one on). `false` turns a rule off, `true` on;",
        "a number is its threshold where it is on, and switches nothing on. Equality passes. `below_min_COLUMN` and",
        "`above_max_COLUMN` limit any column, at their number, whatever family is on.",
        "",
        "| family | rule | column of `quality` | fails | published threshold |",
        "|---|---|---|---|---|",
    ]
    for family, name, column, side, threshold in rules():
        lines.append(f"| {family} | `{name}` | `{column}` | {'below' if side == 'min' else 'above'} | {threshold:g} |")
    return "\n".join([*lines, ""])


def section(path: str, model: type[BaseModel]) -> str:
    lines = [f"## `{path}`", "", *paragraph(model.__doc__ or ""), "", "| key | type | default | |", "|---|---|---|---|"]
    described = descriptions(model)
    for name, field in model.model_fields.items():
        if hidden(path, name):
            continue
        default = "needed" if field.default is PydanticUndefined and field.default_factory is None else shown(field)
        words = " ".join((field.description or described.get(name, "")).split()).replace("``", "`").replace("|", "\\|")
        lines.append(f"| `{name}` | {type_name(field.annotation)} | {default} | {words} |")
    return "\n".join([*lines, ""])


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """The string under each field, of the class itself or of a base.

    Read from the source here, and not by pydantic's ``use_attribute_docstrings``: that reads and parses the source of
    every model in every process that starts, a fifth of the time to import the command line.
    """
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not issubclass(owner, BaseModel) or owner is BaseModel:
            continue
        [body] = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(body, ast.ClassDef)
        for field, words in itertools.pairwise(body.body):
            match field, words:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = inspect.cleandoc(text)
    return found


def paragraph(text: str) -> list[str]:
    return [" ".join(text.split()).replace("``", "`")]


def hidden(path: str, name: str) -> bool:
    """Keys that the program fills in from elsewhere in the file."""
    return (path, name) in {("documents", "format"), ("documents", "columns"), ("domains.NAME", "name")}


def shown(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "see below"
    if value is None or value in ((), {}, []):
        return "none"
    return f"`{json.dumps(value, default=lambda other: other.model_dump(mode='json'), ensure_ascii=False)}`"


def type_name(annotation: Any) -> str:
    """A type in the words of YAML."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin in (tuple, list, frozenset, set):
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return f"mapping to {type_name(arguments[1])}"
    if arguments:
        return " or ".join(type_name(argument) for argument in arguments if argument is not type(None))
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "anything"}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def inner_models(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Sections inside a section, with the name of the key they stand under."""
    for name, field in model.model_fields.items():
        stack = [field.annotation]
        while stack:
            annotation: Any = stack.pop()
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                yield (f"{name}.NAME" if typing.get_origin(field.annotation) is dict else name), annotation
            stack += typing.get_args(annotation)


if __name__ == "__main__":
    print(page(), end="")
