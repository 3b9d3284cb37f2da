"""Messages about files that are no YAML: what the parser says, where the part began, and what to write instead."""

from __future__ import annotations

import re

import yaml

UNQUOTED = 'a value with ${ inside braces or brackets must stand in quotes: {paths: "${NAME}/a.jsonl"}'
UNCLOSED = {
    "flow mapping": "; is a } missing?",
    "flow sequence": "; is a ] missing?",
    "quoted scalar": "; is a quote missing?",
    "block scalar": "; text that begins with > or | must stand in quotes",
    "block": "; is each line indented like its neighbours?",
}
"""The closing mark that people forget most often, by what the parser was reading."""
CLOSE_COLON = re.compile(r"\s*(?:-\s+)?([\w-]+):([^\s:/\\][^\n]*)", re.ASCII)
"""A line that begins with a key whose colon has no space behind it."""
DOTS = re.compile(r"^\.\.\.\s*$", re.MULTILINE)
STARTS = "while scanning an alias", "while scanning an anchor"
RESERVED = re.compile(r"found character '([%@`])' that cannot start any token")


def no_yaml(error: yaml.MarkedYAMLError) -> str:
    """The parser's message, with the place where the part began that it could not read, and a hint."""
    mark = error.problem_mark
    text, place = (mark.buffer or "", mark.pointer) if mark is not None else ("", 0)
    line = text[: place + 1].rpartition("\n")[2]
    if line.endswith("${"):
        return UNQUOTED
    problem = (error.problem or error.context or "").replace("but got", "found")
    if problem == "but found another document":
        return "a line of three dashes begins another document: a file holds one mixture"
    if problem.startswith("expected '<document start>'") and DOTS.search(text, 0, place):
        return "a line of three dots ends the document before this: a file holds one mixture"
    hint = _hint(error, problem, text, place)
    if error.context and error.problem and error.context_mark and not problem.startswith("mapping values"):
        hint = hint or next((words for part, words in UNCLOSED.items() if part in error.context), "")
        return f"{problem} ({error.context}, which begins in line {error.context_mark.line + 1}){hint}"
    return f"{problem}{hint}"


def _hint(error: yaml.MarkedYAMLError, problem: str, text: str, place: int) -> str:
    """What to write, where the message and the text before the place of the mistake tell; else nothing."""
    if "'\\t'" in problem:
        return "; indent with spaces"
    reserved = RESERVED.match(problem)
    if reserved:
        return f"; text that begins with {reserved[1]} must stand in quotes"
    if error.context in STARTS and error.context_mark is not None:
        return f"; text that begins with {text[error.context_mark.pointer :][:1]} must stand in quotes"
    if problem.startswith("found undefined alias"):
        return "; text that begins with * must stand in quotes"
    if "escape" in problem:
        return "; in double quotes \\ begins an escape: write single quotes"
    before = text[:place].split("\n")
    near = before[-1:] if ": " in before[-1] else before[-2:]  # the line before goes on where this one has no key
    close = next(filter(None, map(CLOSE_COLON.match, near)), None)
    if close and problem.startswith(("mapping values", "expected <block end>", "could not find expected ':'")):
        return f"; a colon has a space behind it: {close[1]}: {close[2][:20]}"
    if problem.startswith("mapping values"):
        return "; a value with ': ' in it must stand in quotes"
    if problem.startswith("sequence entries"):
        return "; a list begins on a line of its own, or is written [a, b]"
    same_line = error.context_mark is not None and "\n" not in text[error.context_mark.pointer : place]
    if same_line and problem.startswith("expected ','") and problem.endswith("found '<scalar>'"):
        return f"; is a comma missing, or a {problem[17]} before it?"
    if problem.endswith(("found '{'", "found '['")):
        return f"; is a comma missing, or are quotes around text with {problem[-2]} in it?"
    if problem.endswith("found '<scalar>'") and "<block end>" in problem and re.search(r"['\"][^'\"]*$", before[-1]):
        return "; does text go on behind its closing quote?"
    return ""
