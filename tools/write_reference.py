"""Writes the reference pages that follow from code: docs/rules.md, docs/input-files.md and docs/reader-reference.md.

`python -m tools.write_reference` writes them anew; a test compares. `docs/mixtures.md` has a writer of its own
(`pipeline.recipe.reference`), the map of the house another (`tools.write_map`).
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline import reader
from pipeline.reader import remote
from stages.documents.tables import ALIASES
from stages.formats import COMPRESSIONS, CONTAINERS
from stages.kept.params import DUPLICATES, FIRST, LAST, LINE_VIEWS, OWN_VIEWS, REPEAT_VIEWS, VIEWS
from stages.kept.takedown import TAKEN_DOWN
from stages.rules import families, reasons, rights
from stages.rules import views as cuts
from stages.rules.robots_files import AI, DISALLOWS, MISSING, RESERVES, TDM, UNREACHABLE

ROOT = Path(__file__).resolve().parents[1]
NAMED = {
    "below_min_COLUMN, above_max_COLUMN": "a limit of your own in `kept.rules`, on any measured column",
    "listed_in_NAME": "the address is on the list NAME of `kept.urls`",
    "unwanted_NAME": "the label of the labeller NAME is not one that `kept.labels` keeps",
    f"{DISALLOWS}AGENT, {UNREACHABLE}, {MISSING}, {AI}, {TDM}, {RESERVES}": "what robots.txt, ai.txt and tdmrep.json"
    " say to the agents of `kept.robots` ([mixtures.md](mixtures.md#keptrobots))",
    "the names in `quality.rules`": "rules of your own ([extending.md](extending.md))",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines]) + "\n"


def spelt(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


def note() -> str:
    return "<!-- written by `python -m tools.write_reference` -->\n"


def rules_page() -> str:
    """docs/rules.md."""
    parts = [
        "# Rules and reasons\n",
        note(),
        "Every page that is dropped has one reason, the first that applies; `gristmill why` lists the others. Duplicates come last. A rule is on by its"
        " family in `kept.families` or by `true` in `kept.rules`; a number sets its threshold and switches nothing on. Equality passes, and so does a"
        " column that is null.\n",
        "## When reading\n",
        "Why a record becomes no page. Quarantined records, and stretches of damaged files in which none can be read, are listed by `gristmill status`, each with"
        " file, position and what was wrong.\n",
        table(("reason", "a record has it when"), ((f"`{name}`", says) for name, says in reasons.READING.items())),
        "## Outside families\n",
        table(
            ("reason", "a page has it when"), ((f"`{name}`", reasons.OUTSIDE[name]) for name in (*FIRST, *rights.RULES))
        ),
        "Reasons with names of your own:\n",
        table(("reason", "a page has it when"), ((f"`{n}`" if "`" not in n else n, says) for n, says in NAMED.items())),
        "After all rules of families:\n",
        table(
            ("reason", "a page has it when"),
            ((f"`{name}`", reasons.OUTSIDE[name]) for name in (*LAST, TAKEN_DOWN, *DUPLICATES)),
        ),
        "## Families\n",
        "Published thresholds. *Spaced*: off, unless a setting says otherwise, for languages that are written without spaces between words; *marked*: for those whose lines need no sentence mark at their end (Thai, Lao, Khmer, Burmese, Tibetan, Dzongkha, Amharic, Tigrinya); *short-worded*: for those whose ordinary words have about 10 characters or more (Malayalam, Tamil, Sanskrit, Dhivehi, Greenlandic, Chickasaw, three Arawakan languages).\n",
    ]
    for name, family in families.FAMILIES.items():
        measured = "" if family.by_default else " Measured where `quality.families` names it."
        parts.append(f"### {name}\n")
        if not family.rules:
            parts.append(f"No rule: it measures, and views and limits of your own use its columns.{measured}\n")
            continue
        if measured:
            parts.append(measured.strip() + "\n")
        rows = [
            (
                f"`{rule.name}`",
                f"`{rule.column}`",
                f"{reasons.BELOW_OR_ABOVE[rule.side]} {rule.threshold:g}",
                ", ".join(word for word in ("spaced", "marked", "short_worded") if getattr(rule, word)).replace(
                    "_", "-"
                ),
            )
            for rule in family.rules
        ]
        parts.append(table(("reason", "column", "fails", ""), rows))
    holders = {
        **dict.fromkeys(cuts.VIEWS, "a family of `quality`"),
        **dict.fromkeys(LINE_VIEWS, "`lines`"),
        **dict.fromkeys(OWN_VIEWS, "`lines.rules`"),
        **dict.fromkeys(REPEAT_VIEWS, "`repeats`"),
        "redacted": "the family `privacy`",
        "decontaminated": "the family `contamination`",
    }
    parts += [
        "## Views\n",
        "What `kept.views` may cut or replace in kept pages.\n",
        table(("view", "spans from"), ((f"`{view}`", holders[view]) for view in VIEWS)),
    ]
    return "\n".join(parts)


def input_page() -> str:
    """docs/input-files.md."""
    kinds = (
        (f"`{c.name}`", spelt(c.suffixes), "read whole" if c.divides == "whole" else f"divided by {c.divides}")
        for c in CONTAINERS.values()
    )
    packed: dict[str, list[str]] = {}
    for suffix, name in COMPRESSIONS.items():
        packed.setdefault(name, []).append(suffix)
    return "\n".join(
        [
            "# Input files\n",
            note(),
            "The suffix of a file names its kind; `sources.NAME.format` names it where there is none, or another one. Capital letters are as small"
            " ones. Files of unknown suffix in a folder are left out, and `plan` and `run` say which suffixes they have; named itself, one is"
            " refused. `.json` is one of them: name `format: jsonl` where each line, or each item of a list, is a page.\n",
            table(("format", "suffixes", "a large file is"), kinds),
            "Behind any of these, a suffix of compression (`.tgz` is `.tar.gz`, and so on: `.tbz2`, `.txz`, `.tzst`):\n",
            table(("compression", "suffixes"), ((name, spelt(suffixes)) for name, suffixes in packed.items())),
            "A compressed file that is entered at its end (Parquet, Arrow) is inflated to a temporary copy first; pages of Parquet that carry a checksum are checked by it. JSON Lines and CSV are UTF-8,"
            " or UTF-16 or UTF-32 throughout (read whole); a row that is none of these is decoded as a page is. A list of JSON"
            " (`[{...}, {...}]`), on one line or laid out over many, is read too, and so are objects laid out over lines or one behind the other on the"
            " only line: whole, but for a list with an item a line and its brackets on lines of their own, which is divided. A quote opens a CSV value only where the value begins. A tar or zip archive may hold all of these but another and dumps. The text of PDF, DOCX and EPUB files is read where `documents.text_types` names them (`[pdf, docx, epub]`); `plan` and `run` say where it does not.\n",
            "The columns that each gives: [formats.md](formats.md#documents); what is left out, with which reason: [rules.md](rules.md#when-reading)."
            " Formats of your own: [extending.md](extending.md).\n",
            "## Columns\n",
            "Rows of JSON Lines, CSV, Parquet, Arrow and of formats of your own are pages. A column is found under one of these names, the first that has a"
            " value, or under the one that `sources.NAME.columns` gives (`{text: body, url: meta.link}`; a dot goes into nested fields). `carry` takes"
            " further columns along, for labels.\n",
            table(("column", "found as"), ((f"`{ours}`", spelt(theirs)) for ours, theirs in ALIASES.items())),
            "A row without text is dropped (`no_text`). A `time` is a date (ISO 8601, RFC 5322), or a number or its digits: `YYYY`, `YYYYMM`, `YYYYMMDD` or `YYYYMMDDhhmmss`, else from 10^8 on seconds since 1970 (up to 10^11), milli- (10^14), micro- (10^17) or nanoseconds (10^20); one that cannot be read, and a smaller number that is no date, is null and counted. A column that is named and that no row has is refused before the run.\n",
        ]
    )


def reader_page() -> str:
    """docs/reader-reference.md."""
    parts = [
        "# The reader, name by name\n",
        note(),
        "From docstrings. What to use for what, and how to install it alone: [reader.md](reader.md).\n",
        "## pipeline.reader\n",
    ]
    for name in sorted(reader.__all__, key=str.lower):
        parts.append(described(name, getattr(reader, name)))
    parts += ["## pipeline.reader.remote\n", described("RemoteShards", remote.RemoteShards)]
    parts.append("## pipeline.reader.pytorch\n")
    tree = ast.parse((ROOT / "pipeline/reader/pytorch.py").read_text(encoding="utf-8"))  # PyTorch need not be installed
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            begin = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
            arguments = ast.unparse(begin.args).removeprefix("self, ") if begin else ""
            parts.append(f"### {node.name}\n\n`{node.name}({arguments})`\n\n{prose(ast.get_docstring(node) or '')}\n")
    return "\n".join(parts)


def described(name: str, thing: object) -> str:
    """A section of one name: its signature, its docstring, and its public methods in a line each."""
    if not callable(thing):
        return f"### {name}\n\n`{name} = {thing!r}`\n"
    lines = [f"### {name}\n"]
    if not (inspect.isclass(thing) and issubclass(thing, Exception)):
        lines.append(f"`{name}{signature(thing)}`\n")
    lines.append(f"{prose(inspect.getdoc(thing) or '')}\n")
    if inspect.isclass(thing):
        for member, value in vars(thing).items():
            text = inspect.getdoc(value.fget if isinstance(value, property) else value)
            shown = inspect.isfunction(value) or isinstance(value, (property, classmethod, staticmethod))
            if member.startswith("_") or not shown or not text:
                continue
            call = "" if isinstance(value, property) else signature(getattr(thing, member))
            lines.append(f"- `.{member}{call}`: {' '.join(text.partition(chr(10) * 2)[0].split())}")
        lines.append("")
    return "\n".join(lines)


def signature(thing: object) -> str:
    found = inspect.signature(thing)  # type: ignore[arg-type]
    named = [one for one in found.parameters.values() if one.name != "self"]
    return str(found.replace(parameters=named)).replace("'", "").partition(" -> None")[0]


def prose(text: str) -> str:
    """A docstring as Markdown: its paragraphs, and what is indented as it stands."""
    paragraphs = []
    for paragraph in text.split("\n\n"):
        whole = any(line.startswith((" ", "-")) for line in paragraph.splitlines())
        flowing = " ".join(paragraph.split()).replace("``", "`")
        paragraphs.append(f"```text\n{paragraph}\n```" if whole else flowing)
    return "\n\n".join(paragraphs)


PAGES = {"rules.md": rules_page, "input-files.md": input_page, "reader-reference.md": reader_page}


if __name__ == "__main__":
    for name, write in PAGES.items():
        (ROOT / "docs" / name).write_text(write(), encoding="utf-8")
