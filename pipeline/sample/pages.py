"""Child process of `pipeline.sample`: render Python's own documentation as HTML pages.

Run as a script, ``python -P sample_pages.py MODULE...``; writes one JSON object a line to standard output:
``{"module": NAME}`` before a module is imported (so the parent knows whom to blame for a crash or a hang), then
``{"path", "html"}`` per page: the module, and each public class and function with a docstring worth a page.
``topics`` in place of a module name gives the chapters of the language reference that `help()` shows.

Importing other people's modules runs their code: therefore a process of its own, without the caller's environment,
with nothing on its standard streams. Pages are made reproducible by masking addresses and paths.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import pydoc
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MIN_DOC_CHARACTERS = 240
"""A class or function with a shorter docstring is described on its module's page only."""
MAX_PAGE_CHARACTERS = 1 << 20

NO_NAMES: Mapping[str, str] = {}
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")


class Renderer(pydoc.HTMLDoc):
    """pydoc's own renderer, except that values without a stable form are shown by their type."""

    def docother(self, object: Any, name: str | None = None, mod: Any = None, *ignored: Any) -> str:
        label = f"<strong>{name}</strong> = " if name else ""
        plain = isinstance(object, (int, float)) or (isinstance(object, str) and "/" not in object)
        return label + (self.repr(object) if plain else f"<em>{self.escape(type(object).__name__)}</em>")

    def markup(
        self,
        text: str,
        escape: Any = None,
        funcs: Mapping[str, str] = NO_NAMES,
        classes: Mapping[str, str] = NO_NAMES,
        methods: Mapping[str, str] = NO_NAMES,
    ) -> str:
        """pydoc's own, which looks at every word, asked only for what may become a link: twice as fast."""
        escape = escape or self.escape
        parts, here = [], 0
        for match in links(tuple(classes)).finditer(text):
            called = match["called"]
            if called and called not in methods and called not in funcs and called not in classes:
                continue
            start, end = match.span()
            parts += [escape(text[here:start]), super().markup(text[start:end], escape, funcs, classes, methods)]
            here = end
        return "".join([*parts, escape(text[here:])])


@functools.lru_cache(maxsize=64)
def links(classes: tuple[Any, ...]) -> re.Pattern[str]:
    """The words that pydoc marks up: addresses, RFCs and PEPs, what belongs to ``self``, calls, and these classes
    (by name; pydoc keeps the classes themselves among their names)."""
    named = "".join(f"|{re.escape(name)}(?!\\w)" for name in classes if isinstance(name, str))
    return re.compile(rf"\b(?:(?:https?|ftp)://\S+[\w/]|(?:RFC|PEP)[- ]?\d+|self\.\w+\(?|(?P<called>\w++)\({named})")


def replaced(text: str, *pairs: str) -> str:
    """`pydoc.replace`, in a third of its time, which is half of a page's."""
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        text = text.replace(old, new)
    return text


def once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its answer for an object kept: classes show what they inherit, again and again."""
    answers: dict[int, tuple[Any, Any]] = {}

    @functools.wraps(function)
    def kept(target: Any, **options: Any) -> Any:
        if options:
            return function(target, **options)
        if id(target) not in answers:
            answers[id(target)] = target, function(target)  # the object too, so that its number stays its own
        return answers[id(target)][1]

    return kept


def paths() -> list[tuple[str, str]]:
    """Folders to mask, longest first: those of this environment's modules, and the home and temporary folders."""
    folders = {os.path.realpath(entry) for entry in sys.path if entry} | {entry for entry in sys.path if entry}
    folders |= {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__), os.getcwd()}
    folders.discard("/")
    return [(folder, "/usr/lib/python3") for folder in sorted(folders, key=lambda f: (-len(f), f))]


def mask(html: str, folders: list[tuple[str, str]]) -> str:
    """The page without what differs from machine to machine or from run to run."""
    for folder, name in folders:
        html = html.replace(folder, name)
    return ADDRESS.sub("0x7f0000000000", html) if "0x" in html else html


def module_pages(renderer: pydoc.HTMLDoc, name: str) -> Iterator[tuple[str, str]]:
    """The page of a module and of its public members; what cannot be rendered is passed over."""
    module = importlib.import_module(name)
    for path, target, short in [(name, module, name), *members(module, name)]:
        try:
            content = renderer.document(target, short, name)
        except Exception:  # noqa: BLE001 - descriptors of other people's classes may raise anything
            continue
        if len(content) <= MAX_PAGE_CHARACTERS:
            yield path, renderer.page(path, content)


def members(module: Any, name: str) -> list[tuple[str, Any, str]]:
    """Public classes and functions with a docstring of their own, in order of name."""
    found = []
    for short, target in inspect.getmembers(module):
        if short.startswith("_") or inspect.ismodule(target):
            continue
        if not (inspect.isclass(target) or inspect.isroutine(target)):
            continue
        doc = inspect.getdoc(target) if isinstance(getattr(target, "__doc__", None), str) else None
        if doc and len(doc) >= MIN_DOC_CHARACTERS:
            found.append((f"{name}.{short}", target, short))
    return found


def topic_pages(renderer: pydoc.HTMLDoc) -> Iterator[tuple[str, str]]:
    """Chapters of the language reference, as the documentation server shows them."""
    topics = importlib.import_module("pydoc_data.topics").topics
    for name in sorted(topics):
        text = renderer.markup(topics[name].strip())
        heading = renderer.heading(f'<strong class="title">{renderer.escape(name)}</strong>')
        yield f"topic-{name}", renderer.page(f"Topic: {name}", f"{heading}<pre>{text}</pre>")


def main(names: list[str]) -> None:
    # What imported modules print must not mix with the pages.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    warnings.simplefilter("ignore")
    # Where there is no docstring pydoc looks for comments, which parses the whole file anew for each object.
    inspect.getcomments = lambda object: None
    pydoc.replace = replaced  # type: ignore[assignment]
    inspect.signature = once(inspect.signature)
    renderer, folders = Renderer(), paths()
    for name in names:
        out.write(json.dumps({"module": name}) + "\n")
        out.flush()
        try:
            for path, html in topic_pages(renderer) if name == "topics" else module_pages(renderer, name):
                out.write(json.dumps({"path": path, "html": mask(html, folders)}) + "\n")
        except (Exception, SystemExit):  # noqa: BLE001 - a module that cannot be imported here has no page
            continue
    out.flush()
    os._exit(0)  # not sys.exit: threads and exit handlers of imported modules are nobody's business


if __name__ == "__main__":
    main(sys.argv[1:])
