"""Reasons of records and pages in words: one table for the report, `why` and docs/rules.md.

For whom: everybody who is shown a reason. Rules of families say it by column and threshold (`stages.rules.families`),
limits and rules of the user's own likewise; all other reasons stand here, and a test finds one that does not.
"""

from __future__ import annotations

from stages.rules import families, rights
from stages.rules.robots_files import AI, DISALLOWS, MISSING, RESERVES, TDM, UNREACHABLE

READING = {
    "quarantined": "it cannot be read as what it says it is, or kills the library that reads it",
    "warcinfo_record": "the record describes its file",
    "request_record": "the record is a request",
    "metadata_record": "the record describes another one",
    "revisit_record": "the record says that a page was as before",
    "other_record": "the record is of another kind",
    "status_not_ok": "the HTTP status is not 200 to 299",
    "no_body": "the response is empty",
    "not_html": "its type is none that is taken (`documents.text_types` takes more)",
    "not_text": "it is declared as text, and its bytes are those of a picture, an archive or the like;"
    " or it is a PDF, DOCX or EPUB file, which `documents.text_types` does not take",
    "nested_too_deep": "elements nest deeper than `documents.max_depth`",
    "no_text": "the row has no text",
    "no_text_column": "no row of this file of the archive has text",
    "other_file": "this file of the archive is of no known format",
    "missing_file": "the file that the index names is not there (`documents.missing: skip`)",
    "other_namespace": "the page of the wiki is no article",
    "redirect": "the page of the wiki only leads to another one",
    "not_wikitext": "the page of the wiki is not written in wikitext",
    "made_nothing": "the transform made nothing of the page",
    "unchanged": "the transform gave the page as it was",
    "repeats_a_sibling": "the transform made the same text of this page before",
}
"""Reasons of `documents`: why a record becomes no page."""
PAPERS = {
    "cut": "the end is missing",
    "encrypted": "it opens with a password alone",
    "damaged": "its parts cannot be read",
    "too_large": "it unfolds to more than is held",
    "without_text": "it has no text (a scan, pictures)",
}
"""Reasons of PDF, DOCX and EPUB files, behind ``pdf_``, ``docx_``, ``epub_``."""
READING |= {f"{kind}_{end}": words for kind in ("pdf", "docx", "epub") for end, words in PAPERS.items()}
OUTSIDE = {
    "empty_text": "the page has no text; always on",
    "language_not_selected": "its language is not one of `kept.languages`",
    "low_language_confidence": "the confidence of the language label is below `kept.min_confidence`, or that of its"
    " language in `kept.min_confidences`; a number in `rules` or an override, 0 too, stands in place of both",
    rights.ASKED: "the page, or its server's answer, asks robots for what `kept.robots` honours",
    rights.LICENCE: "the licence that the page states is none that `kept.licences` keeps",
    "nothing_left": "the views cut all of its text but for white space; always on",
    "no_domain": "it meets the conditions of no domain; always on",
    "taken_down": "`gristmill remove` took it out",
    "exact_duplicate": "another page has the same normalised text and stays (a text of signs alone has none)",
    "near_duplicate": "a page that stays is at least `clusters.threshold` similar, or as similar as a larger number"
    " of this rule says, compared on the text",
    "same_address": "a page that stays has the same address (`clusters.urls`)",
}
"""Reasons of `kept` outside families."""
PREFIXES = {
    "listed_in_": "the address is on the list {} of `kept.urls`",
    "unwanted_": "the label of the labeller {} is not one that `kept.labels` keeps",
    DISALLOWS: "robots.txt forbids it to {}",
}
"""Reasons with names of the user's own: what stands before the name, and the words with it in."""
SERVICES = {
    UNREACHABLE: "robots.txt of the service could not be had",
    MISSING: "no robots.txt of the service is known",
    AI: "ai.txt of the service forbids it",
    TDM: "tdmrep.json of the service reserves its rights",
    RESERVES: "robots.txt of the service reserves training (Content-Signal, Content-Usage)",
}
PUBLISHED = {rule.name: rule for rules in families.RULES.values() for rule in rules}
BELOW_OR_ABOVE = {"min": "below", "max": "above"}


def words_of(reason: str) -> str:
    """The condition under which a record or page has the reason, as a clause; an unknown name is returned as it is."""
    for table in (OUTSIDE, READING, SERVICES):
        if reason in table:
            return table[reason]
    if rule := PUBLISHED.get(reason):
        return f"`{rule.column}` is {BELOW_OR_ABOVE[rule.side]} its limit (published: {rule.threshold:g})"
    for prefix, side in (("below_min_", "below"), ("above_max_", "above")):
        if reason.startswith(prefix):
            return f"`{reason.removeprefix(prefix)}` is {side} the limit in `kept.rules`"
    for prefix, words in PREFIXES.items():
        if reason.startswith(prefix):
            return words.format(reason.removeprefix(prefix))
    return reason.replace("_", " ")
