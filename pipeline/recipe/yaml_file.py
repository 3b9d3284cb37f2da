"""Mixture files: plain data, with the line of every key, for mistakes to name.

YAML is read by the rules of YAML 1.2: ``no`` is Norwegian, ``1:30`` is text, ``010`` is ten and ``0o10`` eight. A key
given twice is an error, and so is what no mixture needs: nesting deeper than `MOST_DEEP`, aliases that stand for more
than `MOST_NODES` entries or for themselves, whole numbers of more than 64 bits.
"""

from __future__ import annotations

import difflib
import re
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UserError
from pipeline.recipe.syntax import UNQUOTED, no_yaml
from pipeline.terminal import safe_line

Key = tuple[str | int, ...]

MOST_DEEP = 40
MOST_NODES = 200_000
"""Entries of a file with every alias written out."""
MOST_DIGITS = 40
SMALLEST, LARGEST = -(1 << 63), (1 << 64) - 1


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
            "\n".join(
                safe_line(f"{path}:{problem.line}: {problem.key}: {problem.message}") for problem in self.problems
            )
        )


@dataclass
class YamlFile:
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
    """SafeLoader by YAML 1.2's core schema (10.3.2), but that ``<<`` merges, as in 1.1; keys of mappings are text."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        return {name.value: self.construct_object(value, deep=True) for name, value in node.value}


_SCHEMA = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "",
    ),
    "merge": (r"<<", "<"),
}
_Loader.yaml_implicit_resolvers = {}
for _name, (_pattern, _letters) in _SCHEMA.items():
    _first = [*(_letters or "-+.0123456789"), *([""] if _name == "null" else [])]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), _first)


class Refused(yaml.MarkedYAMLError):
    """YAML that no mixture file may hold."""


def _whole_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    try:
        value = int(text[2:] if base != 10 else text, base) if len(text) <= MOST_DIGITS else LARGEST + 1
    except ValueError:
        raise Refused(None, None, f"expected a whole number, found {text!r}", node.start_mark) from None
    if not SMALLEST <= value <= LARGEST:
        message = f"expected a whole number of at most 64 bits, found one of {len(text)} characters"
        raise Refused(None, None, message, node.start_mark)
    return value


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node))
    try:
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise Refused(None, None, f"expected a number, found {text!r}", node.start_mark) from None


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def read_yaml(path: str | Path) -> YamlFile:
    """Read one YAML file.

    Raises:
        ConfigError: when it is no YAML or no mapping, or a key stands twice.
        UserError: when it cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(f"mixture file {path} does not exist{_beside(Path(path))}") from error
    except (OSError, UnicodeDecodeError) as error:
        why = "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise UserError(f"mixture file {path} cannot be read: {why}") from error
    return parse_yaml(text, str(path))


def _beside(path: Path) -> str:
    """The mixture file of that folder, or of ``mixtures``, whose name is nearest."""
    found = [str(one) for folder in {path.parent, Path("mixtures")} for one in folder.glob("*.yaml")]
    close = difflib.get_close_matches(path.stem, [Path(one).stem for one in found], 1, 0.6)
    near = sorted(one for one in found if Path(one).stem in close)
    return f"; did you mean {near[0]}?" if near else ""


def parse_yaml(text: str, path: str) -> YamlFile:
    """`read_yaml` of a text; ``path`` is what errors name."""
    try:
        _check_depth(text)
        loader = _Loader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            kind = "nothing" if node is None else "a list" if isinstance(node, yaml.SequenceNode) else "text"
            raise ConfigError(path, [Problem(1, "file", f"expected a mapping of keys, found {kind}")])
        _check_size(node)
        file = YamlFile(path, {}, {})
        _walk(node, (), file)
        file.check()
        file.data = typing.cast(dict[str, Any], loader.construct_document(node))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        message = no_yaml(error)
        kind = "" if isinstance(error, Refused) or message == UNQUOTED else "no YAML: "
        raise ConfigError(path, [Problem(line, "file", f"{kind}{message}")]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found = f"no YAML: it holds the character U+{ord(text[error.position]):04X}, which YAML has no place for"
        raise ConfigError(path, [Problem(line, "file", found)]) from error
    return file


def _check_depth(text: str) -> None:
    """Refuse what is nested too deep before anything walks down it."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEEP:
            mark: Any = event.start_mark
            raise Refused(None, None, f"nested more than {MOST_DEEP} deep", mark)


def _check_size(root: yaml.Node) -> None:
    """Refuse aliases that contain themselves, or that grow to more than a mixture file can mean."""
    sizes: dict[int, int] = {}
    depths: dict[int, int] = {}
    above: set[int] = set()

    def visit(node: yaml.Node) -> None:
        if id(node) in above:
            raise Refused(None, None, "an alias here stands for what contains it", node.start_mark)
        if id(node) in sizes:
            return
        if isinstance(node, yaml.ScalarNode):
            node.value = _whole_characters(node)
        above.add(id(node))
        inner = node.value if isinstance(node, yaml.CollectionNode) else []
        parts = [part for entry in inner for part in (entry if isinstance(entry, tuple) else (entry,))]
        for part in parts:
            visit(part)
        above.remove(id(node))
        sizes[id(node)] = 1 + sum(sizes[id(part)] for part in parts)
        depths[id(node)] = 1 + max((depths[id(part)] for part in parts), default=0)
        if sizes[id(node)] > MOST_NODES or depths[id(node)] > MOST_DEEP:
            found = f"{sizes[id(node)]:,} entries" if sizes[id(node)] > MOST_NODES else f"{depths[id(node)]} levels"
            raise Refused(None, None, f"its aliases stand for {found}, too many", node.start_mark)

    visit(root)


def _whole_characters(node: yaml.ScalarNode) -> str:
    """The text of a node; two halves of a character, as JSON escapes it, are that character."""
    text = str(node.value)
    if text.isascii():
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise Refused(None, None, f"half a character is no text: {text!a}", node.start_mark) from None


def _walk(node: yaml.Node, key: Key, file: YamlFile) -> None:
    file.lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                problem = "expected text as a key, found a list or mapping"
                file.problems.append(Problem(name.start_mark.line + 1, dotted(key), problem))
                continue
            inner = (*key, name.value)
            if inner in file.lines and name.value != "<<":
                file.problems.append(Problem(name.start_mark.line + 1, dotted(inner), "this key stands here twice"))
                continue
            file.lines[inner] = name.start_mark.line + 1
            _walk(value, inner, file)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            _walk(value, (*key, position), file)


def dotted(key: Key) -> str:
    """``('sources', 'web', 'paths', 0)`` as ``sources.web.paths[0]``."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "file"
