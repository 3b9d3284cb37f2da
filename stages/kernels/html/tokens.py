"""Tokens of HTML: tag names, attributes, and where comments, scripts and other raw text end.

For `blocks`. Follows the tokenizer of the HTML standard where it decides what is text: quoting of attributes,
comments (`<!-->`, `--!>`), bogus comments, raw text (`script` with its escaped states, `style`, `iframe`, ...),
escapable raw text (`title`, `textarea`). Every function reads forward only and stays below ``end``, so a construct
that is never closed costs one pass to the end of the page and then the page is done.

`TAGS` says what each element means for text; the numbers of elements and of wanted attributes are module constants.
Legend: data uint8, positions int64; T the array of all tables (`tables`);
``W[s.SPANS + 2 * k]`` and the next hold start and stop of the value of wanted attribute ``k``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html import state as s
from stages.kernels.html.tables import (
    ATTRIBUTE_SIZE,
    ATTRIBUTE_TABLE,
    FNV_START,
    TAG_FLAGS,
    TAG_SIZE,
    TAG_TABLE,
    build_table,
    look_up,
    mix,
)
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.simd import block_bits, lowest

BLOCK = 1  # text before and after it stands apart
STACKED = 2  # has an end tag we wait for: becomes a node
CLOSES_P = 4  # its start tag ends an open paragraph
VOID = 8
RAW = 16  # its content is raw text and no text of the page
ESCAPABLE = 32  # title, textarea: references are decoded, tags are not tags
SCOPE = 64  # an end tag inside does not reach out of it
DROPPED = 128  # its whole content is no text of the page: svg, template, select, ...
BREAKOUT = 256  # its start tag ends svg
PARAGRAPH = BLOCK | STACKED | CLOSES_P

TAGS: dict[str, int] = {
    **dict.fromkeys(("address", "article", "aside", "blockquote", "center", "details", "dialog", "dir"), PARAGRAPH),
    **dict.fromkeys(("div", "dl", "fieldset", "figcaption", "figure", "footer", "form", "header"), PARAGRAPH),
    **dict.fromkeys(("hgroup", "main", "menu", "nav", "ol", "search", "section", "summary", "ul"), PARAGRAPH),
    **dict.fromkeys(("p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "listing", "li", "dd", "dt"), PARAGRAPH),
    **dict.fromkeys(("legend", "noscript", "video", "audio", "canvas"), BLOCK | STACKED),
    "button": BLOCK | STACKED | SCOPE,
    **dict.fromkeys(("object", "applet", "marquee"), STACKED | SCOPE),
    "table": PARAGRAPH | SCOPE,
    **dict.fromkeys(("td", "th", "caption"), BLOCK | STACKED | SCOPE),
    **dict.fromkeys(("tr", "tbody", "thead", "tfoot"), BLOCK | STACKED),
    **dict.fromkeys(("html", "head", "body", "frameset"), BLOCK),
    "br": BLOCK | VOID,
    "hr": BLOCK | VOID | CLOSES_P,
    "plaintext": PARAGRAPH,
    "xmp": BLOCK | CLOSES_P,
    **dict.fromkeys(("script", "style", "iframe", "noembed", "noframes"), RAW),
    "title": ESCAPABLE,
    "textarea": ESCAPABLE | BLOCK,
    **dict.fromkeys(("svg", "template"), DROPPED),
    **dict.fromkeys(("select", "datalist"), DROPPED | BLOCK),
    **dict.fromkeys(("meta", "link", "base", "img", "input", "wbr", "col", "frame", "embed", "source", "area"), VOID),
    **dict.fromkeys(("a", "b", "strong", "code", "tt", "kbd", "samp", "time", "em", "i", "span", "foreignobject"), 0),
    **dict.fromkeys(("big", "nobr", "ruby", "s", "small", "strike", "sub", "sup", "u", "var", "option"), 0),
    **dict.fromkeys(("rt", "rp", "rtc"), DROPPED),  # readings of ruby: not part of the words they stand over
    **dict.fromkeys(("rb", "rbc"), 0),
}
for _name in [
    "b", "big", "blockquote", "body", "br", "center", "code", "dd", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4",
    "h5", "h6", "head", "hr", "i", "img", "li", "menu", "meta", "nobr", "ol", "p", "pre", "ruby", "s", "small",
    "span", "strong", "strike", "sub", "sup", "table", "tt", "u", "ul", "var",
]:  # fmt: skip
    TAGS[_name] |= BREAKOUT
# further inline elements, numbered behind the others: trained classifiers know elements by number
for _name in ("math", "mml:math", "m:math", "mjx-container", "mjx-math", "label", "abbr", "del",
              "ins", "font", "cite", "mark", "math-field", "d-math", "d-code", "q"):  # fmt: skip
    TAGS[_name] = 0

TAG_NAMES = ("", *TAGS)
assert len(TAG_NAMES) <= 160  # `tables.TAG_FLAGS`, `state.OPEN`
assert not any(flags & STACKED for flags in [*TAGS.values()][127:])  # features of pairs of elements
"""Names by number; 0 is every element we do not know, which is treated as inline."""
ALIASES = {**dict.fromkeys(("tex", "tex-math", "la-tex", "embed-katex", "math-inline", "math-display"), "d-math")}
_N = {name: number for number, name in enumerate(TAG_NAMES)}
P, LI, DD, DT, PRE, LISTING, XMP, PLAINTEXT = (
    _N[n] for n in ["p", "li", "dd", "dt", "pre", "listing", "xmp", "plaintext"]
)
H1, H2, H3, H4, H5, H6, A, BR, HR = (_N[n] for n in ["h1", "h2", "h3", "h4", "h5", "h6", "a", "br", "hr"])
TABLE, TR, TD, TH, CAPTION = (_N[n] for n in ["table", "tr", "td", "th", "caption"])
TBODY, THEAD, TFOOT = (_N[n] for n in ["tbody", "thead", "tfoot"])
SCRIPT, STYLE, TITLE, TEXTAREA, SELECT = (_N[n] for n in ["script", "style", "title", "textarea", "select"])
SVG, TEMPLATE, FOREIGNOBJECT = (_N[n] for n in ["svg", "template", "foreignobject"])
BODY, HTML, META, LINK, IMG, INPUT = (_N[n] for n in ["body", "html", "meta", "link", "img", "input"])
CODE, TT, KBD, SAMP, B, STRONG, TIME, Q = (_N[n] for n in ["code", "tt", "kbd", "samp", "b", "strong", "time", "q"])
FORM, DIV, ADDRESS, BUTTON, UL, OL, DL, MENU = (
    _N[n] for n in ["form", "div", "address", "button", "ul", "ol", "dl", "menu"]
)
ARTICLE, MAIN, NAV, ASIDE, HEADER, FOOTER = (_N[n] for n in ["article", "main", "nav", "aside", "header", "footer"])
SECTION, BLOCKQUOTE, FIGURE, FIGCAPTION = (_N[n] for n in ["section", "blockquote", "figure", "figcaption"])
NOSCRIPT, DETAILS, VIDEO, AUDIO, CANVAS = (_N[n] for n in ["noscript", "details", "video", "audio", "canvas"])
SPAN, RUBY, RT, RP, RTC, RB, RBC = (_N[n] for n in ["span", "ruby", "rt", "rp", "rtc", "rb", "rbc"])
MATH, MML_MATH, M_MATH, MJX_CONTAINER, MJX_MATH, SUP, SUB, MATH_FIELD, D_MATH, D_CODE, VAR = (
    _N[n] for n in ["math", "mml:math", "m:math", "mjx-container", "mjx-math", "sup",
                    "sub", "math-field", "d-math", "d-code", "var"]
)  # fmt: skip
FONT = _N["font"]
SUMMARY, LEGEND, CENTER, FIELDSET, DIALOG = (_N[n] for n in ["summary", "legend", "center", "fieldset", "dialog"])

ATTRIBUTES = [
    "class", "id", "role", "itemprop", "itemtype", "style", "hidden", "aria-hidden", "href", "rel", "type", "name",
    "property", "content", "lang", "datetime", "alt", "src", "data-tex", "data-latex", "data-formula", "data-math",
    "data-expr", "data-equation-content", "encoding", "display", "alttext", "mathvariant", "columnalign",
    "linethickness", "notation", "displaystyle", "open", "close", "colspan", "rowspan", "start", "value", "reversed",
    "data-lang", "data-language", "data-enlighter-language", "data-syntaxhighlighter-params", "data-tagsearch-lang",
    "language", "shadowrootmode", "aria-labelledby", "media", "data-mml-node", "data-labels", "data-mathml",
    "data-value", "data-attrs", "disabled", "checked", "aria-label",
]  # fmt: skip
(CLASS, ID, ROLE, ITEMPROP, ITEMTYPE, STYLE_ATTR, HIDDEN, ARIA_HIDDEN, HREF, REL, TYPE, NAME, PROPERTY, CONTENT,
 LANG, DATETIME, ALT, SRC, DATA_TEX, DATA_LATEX, DATA_FORMULA, DATA_MATH, DATA_EXPR, DATA_EQUATION, ENCODING, DISPLAY, ALTTEXT,
 MATHVARIANT, COLUMNALIGN, LINETHICKNESS, NOTATION, DISPLAYSTYLE, OPEN, CLOSE, COLSPAN, ROWSPAN, START, VALUE, REVERSED, DATA_LANG, DATA_LANGUAGE, DATA_ENLIGHTER, DATA_PARAMS, DATA_TAGSEARCH, LANGUAGE,
 SHADOWROOTMODE, LABELLED, MEDIA, DATA_MML_NODE, DATA_LABELS, DATA_MATHML, DATA_VALUE, DATA_ATTRS, DISABLED, CHECKED, ARIA_LABEL) = range(len(ATTRIBUTES))  # fmt: skip


def fill_token_tables(T: npt.NDArray[np.int64]) -> None:
    """Write names of elements and attributes, and what each element means, into ``T``."""
    names = [*TAG_NAMES[1:], *ALIASES]
    tags = build_table([name.encode() for name in names], TAG_SIZE, [_N[ALIASES.get(name, name)] for name in names])
    T[TAG_TABLE : TAG_TABLE + 2 * TAG_SIZE] = tags
    numbers = [*range(len(ATTRIBUTES)), DATA_EQUATION]
    attributes = build_table([name.encode() for name in [*ATTRIBUTES, "data-equation"]], ATTRIBUTE_SIZE, numbers)
    T[ATTRIBUTE_TABLE : ATTRIBUTE_TABLE + 2 * ATTRIBUTE_SIZE] = attributes
    T[TAG_FLAGS : TAG_FLAGS + len(TAG_NAMES)] = [0, *TAGS.values()]


@inline_kernel
def is_space(b):  # type: ignore[no-untyped-def]
    """Tab, line feed, form feed, carriage return, space."""
    return b == 32 or b == 10 or b == 9 or b == 13 or b == 12


@inline_kernel
def find_byte(data, pos, end, byte):  # type: ignore[no-untyped-def]
    """The first place of ``byte`` from ``pos`` on; ``end`` if there is none before it."""
    while pos + 64 <= end:
        found = block_bits(data, pos, byte, 0, 0)
        if found:
            return pos + lowest(found)
        pos += 64
    while pos < end and data[pos] != byte:
        pos += 1
    return pos


@inline_kernel
def read_tag_name(data, pos, end, T):  # type: ignore[no-untyped-def]
    """(position after the name at ``pos``, its number or 0)."""
    h = FNV_START
    while pos < end:
        b = data[pos]
        if b == 62 or b == 47 or is_space(b):
            break
        if 65 <= b <= 90:
            b |= 0x20
        h = mix(h, b)
        pos += 1
    return pos, max(0, look_up(T, TAG_TABLE, TAG_SIZE, h))


@inline_kernel
def read_attributes(data, pos, end, T, W):  # type: ignore[no-untyped-def]
    """Read to the end of a tag from behind its name.

    Gives (position after ``>``, or -1 if the page ends first; bit mask of wanted attributes found, their values
    in ``W``; whether it ends in ``/>``). The first of two attributes of one name counts.
    """
    found = 0
    while pos < end:
        b = data[pos]
        if b == 62:
            return pos + 1, found, data[pos - 1] == 47
        if b == 47 or is_space(b):
            pos += 1
            continue
        h = mix(FNV_START, b | 0x20 if 65 <= b <= 90 else b)
        pos += 1
        while pos < end:
            b = data[pos]
            if b == 61 or b == 62 or b == 47 or is_space(b):
                break
            if 65 <= b <= 90:
                b |= 0x20
            h = mix(h, b)
            pos += 1
        while pos < end and is_space(data[pos]):
            pos += 1
        start, stop = pos, pos
        if pos < end and data[pos] == 61:
            pos += 1
            while pos < end and is_space(data[pos]):
                pos += 1
            if pos >= end:
                return -1, found, False
            b = data[pos]
            if b == 34 or b == 39:
                pos += 1
                start = pos
                pos = find_byte(data, pos, end, b)
                stop = pos
                pos += 1
            else:
                start = pos
                while pos < end and data[pos] != 62 and not is_space(data[pos]):
                    pos += 1
                stop = pos
                if pos < end and data[pos] == 62:
                    return pos + 1, _note(T, h, W, start, stop, found), False
        found = _note(T, h, W, start, stop, found)
    return -1, found, False


@inline_kernel
def _note(T, h, W, start, stop, found):  # type: ignore[no-untyped-def]
    which = look_up(T, ATTRIBUTE_TABLE, ATTRIBUTE_SIZE, h)
    if which < 0 or (found >> which) & 1:
        return found
    W[s.SPANS + 2 * which] = start
    W[s.SPANS + 2 * which + 1] = stop
    return found | (1 << which)


@inline_kernel
def skip_markup(data, pos, end):  # type: ignore[no-untyped-def]
    """Position after the comment, doctype or bogus comment that starts at ``pos`` with ``<!``, ``<?`` or ``</``."""
    if pos + 3 < end and data[pos + 1] == 33 and data[pos + 2] == 45 and data[pos + 3] == 45:
        i = pos + 4
        if i < end and data[i] == 62:
            return i + 1
        if i + 1 < end and data[i] == 45 and data[i + 1] == 62:
            return i + 2
        begin = i
        i = find_byte(data, i, end, 62)
        while i < end:
            dash = i - 2 if data[i - 1] == 33 else i - 1
            if dash > begin and data[dash] == 45 and data[dash - 1] == 45:
                return i + 1
            i = find_byte(data, i + 1, end, 62)
        return end
    return min(end, find_byte(data, pos + 2, end, 62) + 1)


@inline_kernel
def names_tag(data, pos, end, T, tag):  # type: ignore[no-untyped-def]
    """Whether the name at ``pos`` is that of ``tag`` and ends as a tag name must."""
    after, number = read_tag_name(data, pos, min(end, pos + 12), T)
    return number == tag and after < end and (data[after] == 62 or data[after] == 47 or is_space(data[after]))


@inline_kernel
def find_raw_end(data, pos, end, T, tag):  # type: ignore[no-untyped-def]
    """Position of the ``</tag`` that ends raw text begun at ``pos``, or ``end``.

    ``script`` knows its escaped states: after ``<!--`` a ``<script`` makes the next ``</script`` part of the text.
    """
    escaped = 0
    i = pos
    while i + 1 < end:
        if escaped == 0:
            i = find_byte(data, i, end, 60)
            if i + 1 >= end:
                break
        b = data[i]
        if b == 60:
            c = data[i + 1]
            if c == 47:
                if names_tag(data, i + 2, end, T, tag):
                    if escaped < 2:
                        return i
                    escaped = 1
            elif tag == SCRIPT:
                if c == 33 and i + 3 < end and data[i + 2] == 45 and data[i + 3] == 45:
                    if escaped == 0:
                        escaped = 1
                    i += 2  # `<!-->` ends what it starts
                elif escaped == 1 and names_tag(data, i + 1, end, T, SCRIPT):
                    escaped = 2
        elif b == 45 and escaped and i + 2 < end and data[i + 1] == 45 and data[i + 2] == 62:
            escaped = 0
        i += 1
    return end
