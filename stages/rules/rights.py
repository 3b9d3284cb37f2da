"""Rights: requests of pages and servers to robots, and the licence a page states, as rules of `kept`.

| rule (reason of a drop) | column of `documents` | fails when |
|---|---|---|
| `asked_not_to_be_used` | `robots` | it has one of the directives named (`kept.robots`) |
| `licence_not_wanted` | `licence` | the licence is not among those to keep, or among those to drop (`kept.licences`) |
| `robots_txt_disallows_AGENT` | `url` | robots.txt disallows it to that agent (`kept.robots.files`) |
| `robots_txt_unreachable` | `url` | the server answered with an error of its own when asked for robots.txt |
| `robots_txt_missing` | `url` | no answer is among the files (with ``missing: drop``) |
| `ai_txt_disallows`, `tdmrep_reserves` | `url` | ai.txt or tdmrep.json says so, where the files have one |
| `robots_txt_reserves` | `url` | robots.txt has ``Content-Signal: ai-train=no`` or ``Content-Usage: train-ai=n`` |

All are off until their section stands in the mixture file; `stages.rules.robots_files` has those on `url`. ``robots``
holds what ``<meta>`` and ``X-Robots-Tag`` say, ``noai,noindex`` of all robots, ``ccbot:noindex`` of one,
``tdm-reservation`` (W3C TDMRep), and ``ai-train=no`` of the fields ``Content-Signal`` and ``Content-Usage``. What is
said of all counts for every agent; what is said of one counts where it is named; a robot that a field
``X-Robots-Tag`` names is meant by the rest of that field. A licence is called by its Creative Commons name (``by``,
``by-sa``, ``by-nc-nd``; ``zero`` and ``mark`` of the public domain), whatever version or country its address or its
short name (``CC-BY-NC-4.0``) has, or, where it is none of those, by its whole text in small letters.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from stages.contract import StageParams
from stages.rules import robots_files

ASKED = "asked_not_to_be_used"
LICENCE = "licence_not_wanted"
RULES = (ASKED, LICENCE)
COLUMNS = {ASKED: "robots", LICENCE: "licence"}
TDM = "tdm-reservation"
NO_TRAINING = "ai-train=no"
_COMMONS = re.compile(r"creativecommons\.org/(?:licen[sc]es|publicdomain)/([a-z+-]+)")
_SHORT = re.compile(r"cc[ _-]?(by(?:[ _-](?:nc|nd|sa))*|0|zero|pdm)(?:[ _-]?v?\d(?:\.\d)?(?:[ _-][a-z]{2,3})?)?")
"""Short names, as SPDX and people have them: ``CC-BY-NC-4.0``, ``CC BY-SA 3.0 DE``, ``CC0``."""
_PUBLIC = {"0": "zero", "pdm": "mark"}


class Robots(StageParams):
    """Requests of pages and servers that are honoured."""

    directives: tuple[str, ...] = ("noai", "noimageai", TDM, NO_TRAINING)
    """Pages that ask any of this of all robots are dropped; `noindex` and `none` may be wanted too."""
    agents: tuple[str, ...] = ()
    """Robots in whose name pages are read (`CCBot`, `GPTBot`): what is asked of these alone counts too."""
    files: tuple[str, ...] = ()
    """robots.txt, ai.txt and tdmrep.json of the services that pages are from, applied to them for `agents`: Common
    Crawl's `robotstxt` WARC files, or folders of files named after hosts; paths, folders and globs."""
    missing: Literal["keep", "drop"] = "keep"
    """Treatment of pages of which `files` has no robots.txt."""

    @field_validator("files", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _for_whom(self) -> Robots:
        if not self.files:
            if self.missing == "drop":
                raise ValueError("missing: drop needs `files`, in which robots.txt is looked for; found none")
            return self
        if not self.agents:
            raise ValueError("files need `agents`, the robots whose lines count (CCBot, GPTBot); found none")
        for name in self.agents:
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise ValueError(
                    f"agents: expected names as robots.txt has them (letters, digits, '-', '_'), found {name!r}"
                )
        if len(self.agents) > robots_files.MAX_AGENTS:
            raise ValueError(f"agents: expected at most {robots_files.MAX_AGENTS}, found {len(self.agents)}")
        return self

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The settings as they were before `files` were known, where there are none: what was decided then stands."""
        plain: dict[str, Any] = handler(self)
        return plain if self.files else {name: plain[name] for name in ("directives", "agents")}

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that rest on `files`, in the order of their bits."""
        return robots_files.rules_of(self.agents, self.missing == "drop") if self.files else ()

    @field_validator("directives", "agents")
    @classmethod
    def _small(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not re.fullmatch(r"[A-Za-z0-9_.*=-]+", name):
                raise ValueError(f"expected one word of letters, digits, '-', '_', '=' and '.', found {name!r}")
        return tuple(sorted({name.lower() for name in names}))


class Licences(StageParams):
    """Licences that stay."""

    keep: tuple[str, ...] | None = None
    """Pages that state another licence are dropped."""
    drop: tuple[str, ...] | None = None
    """Pages that state one of these are dropped."""
    missing: Literal["keep", "drop"] = Field(default="keep")
    """Treatment of pages that state none."""

    @model_validator(mode="after")
    def _one_way(self) -> Licences:
        if (self.keep is None) == (self.drop is None):
            raise ValueError("expected licences to `keep` or licences to `drop`, one of the two")
        return self


def asked(requests: str | None, robots: Robots) -> bool:
    """Whether a value of ``robots`` asks one of the things that are honoured."""
    for request in (requests or "").split(","):
        agent, mark, directive = request.rpartition(":")
        if directive in robots.directives and (not mark or agent in robots.agents):
            return True
    return False


def unwanted(licence: str | None, licences: Licences) -> bool:
    """Whether a page that states this licence is to go."""
    if not licence:
        return licences.missing == "drop"
    named = {called(licence), licence.lower()}
    if licences.keep is not None:
        return not named & {name.lower() for name in licences.keep}
    return bool(named & {name.lower() for name in licences.drop or ()})


def called(licence: str) -> str:
    """The name of a licence: 'by-sa' of a Creative Commons address or short name, else its text in small letters."""
    text = licence.lower()
    found = _COMMONS.search(text)
    if found:
        return found[1]
    short = _SHORT.fullmatch(text.strip())
    if not short:
        return text
    first, *others = re.split("[ _-]", short[1])
    return _PUBLIC.get(first, "-".join((first, *sorted(others))))  # in the order of the addresses: nc, nd or sa


def failing(
    rule: str, column: pa.ChunkedArray, robots: Robots | None, licences: Licences | None
) -> npt.NDArray[np.bool_]:
    """Pages that fail the rule; each different value is looked at once. Without its section, none."""

    def fails(value: str | None) -> bool:
        if rule == ASKED:
            return robots is not None and asked(value, robots)
        return licences is not None and unwanted(value, licences)

    values = column.combine_chunks().dictionary_encode()
    verdicts = np.array([*map(fails, values.dictionary.to_pylist()), fails(None)], np.bool_)
    found: npt.NDArray[np.bool_] = verdicts[values.indices.fill_null(len(verdicts) - 1).to_numpy(zero_copy_only=False)]
    return found
