"""Twin of `stages.kernels.html.style_sheets`, in plain Python: whether a page's style sheets hide an element."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNFOLDING = re.compile("more|expa|coll|acco|togg|spoi|pane|fold|answ|slid|deta|reve|tab", re.I)
SIMPLE = re.compile(r"(\*|[a-zA-Z][a-zA-Z0-9]*)?([.#])((?:[\w-]|\\[^0-9a-fA-F])+)")
MOVING = {"opacity", "height", "max-height", "transition", "animation", "transform"}
TOKEN = re.compile(r"""/\*.*?(?:\*/|$)|"[^"\n]*["\n]?|'[^'\n]*['\n]?|url\((?!["'])[^)]*|\\.|.""", re.S | re.I)


@dataclass
class Said:
    """What one rule says of one selector: ``hides`` None where it says nothing of display (or visibility)."""

    selector: str
    visibility: bool
    hides: bool
    important: bool
    sure: bool
    place: int


def media(query: str) -> int:
    """0 on every screen, 1 on some, 2 on none."""
    parts = [re.sub(r"^only\s+", "", part.strip().lower()) for part in query.split(",")]
    if not query.strip() or any(part in ("screen", "all") for part in parts):
        return 0
    return 2 if all(re.match(r"(print|speech)\b", part) for part in parts) else 1


def blank(text: str) -> str:
    """``text`` without white space and the ``<!--``, ``-->`` of old pages around it."""
    return re.sub(r"^(\s|<!--|-->)+", "", text).rstrip()


def split(text: str, at: str) -> list[str]:
    """``text`` cut at a character that stands outside strings and brackets."""
    parts, depth = [""], 0
    for token in TOKEN.findall(text):
        depth += (token in "([") - (token in ")]")
        if token == at and depth == 0:
            parts.append("")
        else:
            parts[-1] += " " if token.startswith("/*") else token
    return parts


class Sheet:
    """Rules of style sheets, in order."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.again: list[tuple[str, bool]] = []
        self.place = 0

    def read(self, css: str, kind: int) -> None:
        """Add a style sheet."""
        tokens = [" " if token.startswith("/*") else token for token in TOKEN.findall(css)]
        i = 0
        while i < len(tokens):
            i, _ = self._block(tokens, i, kind, None)

    def _block(self, tokens: list[str], i: int, kind: int, selectors: str | None) -> tuple[int, set[bool]]:
        """Read to the closing brace: (place behind it, what nested rules with ``&`` show again)."""
        text, declarations, again = "", [], set()
        while i < len(tokens) and tokens[i] != "}":
            if tokens[i] == ";":
                declarations.append(text)
                text = ""
            elif tokens[i] == "{":
                i, more = self._open(tokens, i + 1, blank(text), kind, selectors)
                again |= more
                text = ""
                continue
            else:
                text += tokens[i]
            i += 1
        shown: set[bool] = set()
        if selectors is not None:
            shown = self._rule(selectors, [*declarations, text], kind, again)
        return i + 1, shown

    def _open(self, tokens: list[str], i: int, head: str, kind: int, outer: str | None) -> tuple[int, set[bool]]:
        if head.startswith("@"):
            name = re.match(r"@[\w-]*", head)
            rest, word = head[len(name[0]) :], name[0].lower()  # type: ignore[index]
            holds = media(rest) if word == "@media" else 1 if word in ("@container", "@starting-style") else 0
            if word not in ("@media", "@container", "@starting-style", "@supports", "@layer"):
                holds = 2
            holds = max(holds, kind, 1 if outer is not None else 0)
            return self._block(tokens, i, holds, outer)[0], set()
        after, shown = self._block(tokens, i, max(kind, 1 if outer is not None else 0), head)
        return after, shown if outer is not None and "&" in head else set()

    def _rule(self, selectors: str, declarations: list[str], kind: int, again: set[bool]) -> set[bool]:
        found: dict[bool, tuple[bool, bool]] = {}
        moves = False
        for declaration in declarations:
            name, colon, value = declaration.partition(":")
            name, value = name.strip().lower(), value.strip().lower()
            moves |= name in MOVING
            if not colon or name not in ("display", "visibility"):
                continue
            word, important = re.match(r"[\w-]*", value)[0], "!" in value  # type: ignore[index]
            visibility = name == "visibility"
            if visibility and word not in ("hidden", "collapse", "visible"):
                continue
            hides = word in ("hidden", "collapse") if visibility else word == "none"
            if important or not found.get(visibility, (False, False))[1]:
                found[visibility] = hides, important
        if kind == 2:
            return set()
        if moves and found.get(True, (False, False))[0]:
            del found[True]
        shown = {visibility for visibility, (hides, _) in found.items() if not hides}
        for selector in split(selectors, ","):
            self.place += 1
            selector = blank(selector)
            sure = kind == 0 and SIMPLE.fullmatch(selector) is not None
            for visibility, (hides, important) in found.items():
                if hides and (not sure or UNFOLDING.search(selector)):
                    continue
                self.said.append(Said(selector, visibility, hides, important, sure, self.place))
                if not sure:
                    self.again.append((selector, visibility))
            self.again += [(selector, visibility) for visibility in again]
        return shown

    def hides(self, tag: str, classes: list[str], name: str, style: str) -> bool:
        """Whether an element is hidden by the rules."""
        own = Sheet()
        own._rule(".x", style.split(";"), 0, set())
        named = {("." + word) for word in classes} | ({"#" + name} if name else set())
        for visibility in (False, True):
            best: tuple[tuple[bool, bool, bool, int], Said] | None = None
            for said in self.said:
                match = SIMPLE.fullmatch(said.selector)
                if not said.sure or not match or said.visibility != visibility:
                    continue
                key = match[2] + match[3].replace("\\", "")
                if key not in named or (match[1] not in (None, "*") and match[1].lower() != tag):
                    continue
                if said.hides and any(key in subject(selector) for selector, what in self.again if what == visibility):
                    continue
                rank = said.important, match[2] == "#", match[1] not in (None, "*"), said.place
                if best is None or rank >= best[0]:
                    best = rank, said
            if best is not None and best[1].hides:
                shows = any(not said.hides and said.visibility == visibility for said in own.said)
                if not shows or best[1].important:
                    return True
        return False


def subject(selector: str) -> set[str]:
    """Classes and ids of the last compound of a selector; none of a pseudo-element."""
    flat = re.sub(r"\([^)]*\)|\[[^\]]*\]", lambda inner: inner[0].replace(" ", "\0"), selector)
    last = re.split(r"[\s>+~]", flat)[-1]
    if re.search(r"::|:(before|after|first-line|first-letter)\b", selector):
        return set()
    return {match[1] + match[2].replace("\\", "") for match in re.finditer(r"([.#])((?:[\w-]|\\[^0-9a-fA-F])+)", last)}
