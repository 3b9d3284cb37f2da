"""MediaWiki XML dumps: the current text of each article without its markup.

Through mwparserfromhell (an extra: ``pip install gristmill[mediawiki]``). Redirects (`redirect`), pages outside the
article namespace (`other_namespace`) and other content models (`not_wikitext`) are dropped. ``offset`` is the page's
number in the wiki, ``url`` its address there. Price: about 1 MB/s of markup. Limit: templates are cut, not expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from stages.documents.account import Account
from stages.documents.archives import seconds
from stages.documents.files import problem_of
from stages.documents.page import Page

_HIDDEN = re.compile(
    r"\[\[(?:File|Image|Category|Datei|Fichier|Archivo|Kategorie|Catégorie|Categoría):[^\[\]]*\]\]", re.I
)
_BLANK = re.compile(r"\n{3,}")


def dump_pages(stream: Any, account: Account) -> Iterator[Page]:
    """The articles of a dump."""
    root = ""
    number = 0
    elements: list[Any] = []
    try:
        for event, element in ElementTree.iterparse(stream, events=("start", "end")):
            if event == "start":
                elements.append(element)
                continue
            elements.pop()
            tag = element.tag.rpartition("}")[2]
            if tag == "base" and element.text:
                root = element.text.rpartition("/")[0] + "/"
            elif tag == "page":
                number = int(_text(element, "id") or 0)
                page = _article(element, number, root, account)
                if page is not None:
                    yield page
                element.clear()
                if elements:
                    elements[-1].remove(element)
    except ElementTree.ParseError:
        account.damage(number, problem_of(stream) or "damaged_xml")


def _article(element: Any, number: int, root: str, account: Account) -> Page | None:
    title = _text(element, "title") or ""
    revision = next((child for child in element if child.tag.endswith("}revision") or child.tag == "revision"), None)
    markup = _text(revision, "text") if revision is not None else None
    size = len((markup or "").encode("utf-8"))
    if _text(element, "ns") not in (None, "0"):
        account.drop("other_namespace", size)
    elif any(child.tag.rpartition("}")[2] == "redirect" for child in element):
        account.drop("redirect", size)
    elif revision is None or (_text(revision, "model") or "wikitext") != "wikitext":
        account.drop("not_wikitext", size)
    elif markup is None:
        account.drop("no_text", 0)
    else:
        return Page(
            offset=number,
            raw_bytes=size,
            url=root + quote(title.replace(" ", "_"), safe="/:()',!*~@;$") if root else None,
            time=seconds(_text(revision, "timestamp")),
            content_type="text/x-wiki",
            title=title or None,
            finish=partial(_finish, markup=markup),
        )
    return None


def _finish(page: Page, markup: str) -> bool:
    try:
        page.text = plain_text(markup)
    except (ValueError, RecursionError, RuntimeError):
        return False
    return True


def _text(element: Any, tag: str) -> str | None:
    return next((child.text for child in element if child.tag.rpartition("}")[2] == tag), None)


def plain_text(markup: str) -> str:
    """Article text: markup resolved, templates, files and categories cut, paragraphs kept."""
    try:
        import mwparserfromhell
    except ImportError:
        raise ImportError("MediaWiki dumps need mwparserfromhell: pip install 'gristmill[mediawiki]'") from None
    try:
        code = mwparserfromhell.parse(_HIDDEN.sub("", markup), skip_style_tags=True)
    except mwparserfromhell.parser.ParserError as error:
        raise ValueError(str(error)) from error
    text = str(code.strip_code(normalize=True, collapse=True, keep_template_params=False))
    return _BLANK.sub("\n\n", text.replace("'''", "").replace("''", "")).strip()
