"""docs/recipes.md: every published recipe of mixtures/recipes on the same pages.

    python -m tools.compare_recipes ROOT WEB CODE > docs/recipes.md

runs each recipe under ROOT (in this process; what is measured once serves all of them) on the crawl files WEB, or for
`code` on the table CODE: paths or globs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from pipeline.answers import stats
from pipeline.recipe import snapshot
from pipeline.run import driver
from pipeline.store.storage import Store

FOLDER = Path(__file__).resolve().parents[1] / "mixtures" / "recipes"
CODE = "code"
REASONS = 4
HEADER = """\
# Published recipes

Written by `python -m tools.compare_recipes`; the recipes are in `mixtures/recipes/`. Each says on top what it comes from, and
what the published pipeline did that it leaves out. They read `${INPUT}`:

    INPUT='/data/crawl/*.warc.gz' gristmill run mixtures/recipes/fineweb.yaml --root ROOT

What each was compared with stands in the second table: decisions with an oracle where there is one, else numbers with the published
code, fact by fact in `tests/test_published_recipes.py`. Where nothing is named, the numbers are those of the paper as far as known here.

Copy one to start from. All of them on the same pages (documentation sites of some twenty projects, so the shares say more about
these pages than about the web); `code` on source files of Python and C:
"""


def recipes() -> list[Path]:
    return sorted(FOLDER.glob("*.yaml"))


def about(path: Path) -> str:
    """The work that a recipe comes from: its first line, as far as its first full stop or colon behind a year."""
    first = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
    return first.partition(";")[0].rstrip(".")


def compared(path: Path) -> str:
    """The numbers that a recipe was compared with, by its own comment."""
    head = path.read_text(encoding="utf-8").partition("# Left out")[0]
    return " ".join(line.lstrip("# ") for line in head.partition("# Compared with: ")[2].splitlines())


def figures(store: Store, name: str) -> dict[str, Any]:
    """Pages read and kept, tokens, and the commonest reasons of a finished mixture."""
    found = stats.stats_of(snapshot.load(store, name))
    documents = next(step["documents"] for step in found["funnel"] if step["step"] == "documents")
    dropped = [row for row in found["reasons"] if row["documents"] and row["step"] not in ("records", "documents")]
    top = sorted(dropped, key=lambda row: (-row["documents"], row["reason"]))[:REASONS]
    kept = found["funnel"][-1]["documents"]
    return {
        "read": documents,
        "kept": kept,
        "tokens": found["corpus"]["tokenized"],
        "reasons": [f"`{row['reason']}` {row['documents'] / documents:.0%}" for row in top],
    }


def row(name: str, found: dict[str, Any]) -> str:
    share = found["kept"] / found["read"]
    reasons = ", ".join(found["reasons"])
    return f"| `{name}` | {found['read']:,} | {share:.1%} | {found['tokens']:,} | {reasons} |"


def page(root: str, web: str, code: str) -> str:
    """The whole page."""
    store = Store(root)
    lines = [
        HEADER,
        "| recipe | pages | kept | tokens | most frequent reasons, share of pages |",
        "|---|---|---|---|---|",
    ]
    for path in recipes():
        os.environ["INPUT"] = code if path.stem == CODE else web
        print(driver.run(str(path), store, "inline", None, True), file=sys.stderr)
        lines.append(row(path.stem, figures(store, path.stem)))
    lines += ["", "| recipe | from | compared with |", "|---|---|---|"]
    lines += [f"| `{path.stem}` | {about(path)} | {compared(path)} |" for path in recipes()]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    print(page(*sys.argv[1:4]), end="")
