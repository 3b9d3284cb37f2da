"""The classes and ids that the style sheets of a page hide or show: a table, what a selector adds to it, and what it says of a class or id.

For `css_sheets`, which finds the rules, and `style_sheets`, which says what they mean and asks. Legend: W state: from ``W[s.RULES]`` on a table by hash of
four columns (key, rank for display, for visibility, `D_SHOWN` and `V_SHOWN`). A rank is 0 where no rule speaks, else twice its place in the
cascade, and 1 if it hides.
"""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html.css_words import SURE, read_name, read_word, skip_blank, skip_string
from stages.kernels.html.tables import FNV_START, fnv, hash_span, mix
from stages.kernels.html.tokens import is_space, read_tag_name
from stages.kernels.jit import lean_inline_kernel as inline_kernel

SIZE = s.RULE_SIZE
MAX_RULES, MAX_HIDDEN = SIZE // 2, SIZE // 4
D_SHOWN, V_SHOWN = 1, 2
GROUP, RULE = 0, 4
"""Kinds of a block of a style sheet, beside `SURE` ... `NEVER`."""
HIDE, SHOW, IMPORTANT = 1, 2, 4
"""The values of a rule for display, and for visibility."""
HIDES, NOTES = 1, 2
BOTH = HIDES | NOTES
"""Purposes of a reading. One for both is enough where the table has room for all that is displayed."""
KIND, FROM, TO, DISPLAYS, SHOWS, MOVES, AGAIN = range(7)
"""Columns of the stack of open blocks."""
_PSEUDO_ELEMENTS = tuple(fnv(name) for name in (b"before", b"after", b"first-line", b"first-letter"))
UNFOLDING = "more expa coll acco togg spoi pane fold answ slid deta reve"
"""Beginnings of more, expand, collapse, accordion, toggle, spoiler, panel, (un)fold, answer, slide, details, reveal; and `_TAB`."""
_UNFOLDING = tuple(int.from_bytes(word.encode(), "big") for word in UNFOLDING.split())
_TAB = int.from_bytes(b"tab", "big")


@inline_kernel
def rule_key(name_hash, is_id, tag):  # type: ignore[no-untyped-def]
    """Key of a class or id in the table, 0 left free; ``tag`` 0 is any element."""
    h = mix(mix(name_hash, 35 if is_id else 46), tag)
    return h if h != 0 else 1


@inline_kernel
def place_of(W, key):  # type: ignore[no-untyped-def]
    """Where ``key`` is in the table, or would be."""
    place = (key >> 32) & (SIZE - 1)
    while W[s.RULES + place] != 0 and W[s.RULES + place] != key:
        place = (place + 1) & (SIZE - 1)
    return place


@inline_kernel
def add_key(W, key, most):  # type: ignore[no-untyped-def]
    """Make room for a selector, unless ``most`` are there: its place, or that of none."""
    place = place_of(W, key)
    if W[s.RULES + place] != 0:
        return place
    if W[s.NUM_RULES] >= most:
        W[s.RULES_FULL] = 1
    else:
        W[s.RULES + place] = key
        for column in range(1, 4):
            W[s.RULES + column * SIZE + place] = 0
        W[s.NUM_RULES] += 1
    return place


@inline_kernel
def forget_rules(W):  # type: ignore[no-untyped-def]
    """From here on nothing is hidden by a style sheet."""
    if W[s.NUM_RULES] > 0:
        for i in range(s.RULES, s.RULES + SIZE):
            W[i] = 0
    W[s.NUM_RULES] = W[s.NUM_HIDDEN] = W[s.HAS_TAGS] = W[s.RULES_FULL] = 0
    W[s.SHEETS] += 1


@inline_kernel
def unfolds_by_name(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether a selector holds one of `_UNFOLDING`."""
    last = 0
    for i in range(start, stop):
        last = (last << 8 | data[i] | 0x20) & 0xFFFFFFFF
        if last in _UNFOLDING or last & 0xFFFFFF == _TAB:
            return True
    return False


@inline_kernel
def rank_of(state, is_id, tag, pos):  # type: ignore[no-untyped-def]
    """Twice the place in the cascade of a declaration at ``pos``, and 1 if it hides; 0 for none."""
    if state == 0:
        return 0
    weight = (4 if state & IMPORTANT else 0) + (2 if is_id else 0) + (1 if tag > 0 else 0)
    return ((weight << 40) + pos + 1) << 1 | (state & HIDE)


@inline_kernel
def show_again(data, start, stop, again, reading, W):  # type: ignore[no-untyped-def]
    """A selector that is not simple, or may hold, displays its subject: the classes and ids there unfold (``again``: `D_SHOWN`, `V_SHOWN`)."""
    i, subject, depth = start, start, 0
    while i < stop:
        b = data[i]
        if b == 34 or b == 39:
            i = skip_string(data, i, stop)
            continue
        if b == 40 or b == 91:
            depth += 1
        elif b == 41 or b == 93:
            depth -= 1
        elif depth == 0:
            if is_space(b) or b == 62 or b == 43 or b == 126:
                subject = i + 1
            elif b == 58 and i + 1 < stop:
                if data[i + 1] == 58:
                    return
                _, h = read_word(data, i + 1, stop)
                if h in _PSEUDO_ELEMENTS:
                    return
        i += 1
    i = subject
    while i < stop:
        if data[i] == 46 or data[i] == 35:
            is_id = data[i] == 35
            i, h = read_name(data, i + 1, stop)
            key = rule_key(h, is_id, 0)
            place = add_key(W, key, MAX_RULES) if reading == BOTH else place_of(W, key)
            if W[s.RULES + place] != 0:
                W[s.RULES + 3 * SIZE + place] |= again
        else:
            i += 1


@inline_kernel
def take_selector(data, start, stop, at, displays, shows, reading, T, W):  # type: ignore[no-untyped-def]
    """One selector of a rule that hides or shows: with `HIDES` hidden simple ones are added, with `NOTES` what is said of all is noted."""
    start = skip_blank(data, start, stop)
    while stop > start and is_space(data[stop - 1]):
        stop -= 1
    i, tag = start, 0
    if i < stop and data[i] == 42:
        i += 1
    elif i < stop and data[i] != 46 and data[i] != 35:
        i, _ = read_word(data, i, stop)
        _, tag = read_tag_name(data, start, i, T)
        if tag == 0:
            i = stop  # an element we do not know
    is_simple, is_id, h = False, False, 0
    if i + 1 < stop and (data[i] == 46 or data[i] == 35):
        is_id = data[i] == 35
        begin = i + 1
        i, h = read_name(data, begin, stop)
        is_simple = skip_blank(data, i, stop) >= stop and i > begin
    sure = is_simple and W[at + KIND] == RULE | SURE
    if (displays | shows) & HIDE and (not sure or unfolds_by_name(data, start, stop)):
        displays, shows = 0 if displays & HIDE else displays, 0 if shows & HIDE else shows
    key = rule_key(h, is_id, 0)
    if reading & HIDES and (displays | shows) & HIDE:
        W[s.NUM_HIDDEN] += 1
        add_key(W, key, MAX_RULES if reading == BOTH else MAX_HIDDEN)
        if tag > 0:
            add_key(W, rule_key(h, is_id, tag), MAX_RULES if reading == BOTH else MAX_HIDDEN)
            W[s.HAS_TAGS] = 1
    if not reading & NOTES:
        return
    again = W[at + AGAIN]
    if not sure:
        again |= (D_SHOWN if displays & SHOW else 0) | (V_SHOWN if shows & SHOW else 0)
    if again:
        show_again(data, start, stop, again, reading, W)
    if not sure:
        return
    if (displays | shows) & SHOW:
        add_key(W, key, MAX_RULES)
        if tag > 0:
            add_key(W, rule_key(h, is_id, tag), MAX_RULES)
            W[s.HAS_TAGS] = 1
    place = place_of(W, rule_key(h, is_id, tag))
    if W[s.RULES + place] != 0:
        at = s.RULES + SIZE + place
        W[at] = max(W[at], rank_of(displays, is_id, tag, start))
        W[at + SIZE] = max(W[at + SIZE], rank_of(shows, is_id, tag, start))


@inline_kernel
def ask(W, name_hash, is_id, tag, displays, shows):  # type: ignore[no-untyped-def]
    """(``displays``, ``shows``), or the ranks of the rules for a class or id if they are higher."""
    plain = place_of(W, rule_key(name_hash, is_id, 0))
    if W[s.RULES + plain] == 0:
        return displays, shows
    again = W[s.RULES + 3 * SIZE + plain]
    for turn in range(1 + W[s.HAS_TAGS]):
        place = plain if turn == 0 else place_of(W, rule_key(name_hash, is_id, tag))
        if W[s.RULES + place] != 0:
            d, v = W[s.RULES + SIZE + place], W[s.RULES + 2 * SIZE + place]
            displays = displays if again & D_SHOWN and d & 1 else max(displays, d)
            shows = shows if again & V_SHOWN and v & 1 else max(shows, v)
    return displays, shows


@inline_kernel
def ask_classes(data, i, stop, tag, W):  # type: ignore[no-untyped-def]
    """`ask` for all words of a class, kept by its hash while the rules are the same and speak of no elements."""
    key = hash_span(data, i, stop) ^ W[s.SHEETS]
    kept = s.ASKED + ((key >> 32) & (s.ASKED_SIZE - 1))
    if W[kept] == key and not W[s.HAS_TAGS]:
        return W[kept + s.ASKED_SIZE], W[kept + 2 * s.ASKED_SIZE]
    displays, shows = 0, 0
    while i < stop:
        if is_space(data[i]):
            i += 1
            continue
        h = FNV_START
        while i < stop and not is_space(data[i]):
            h = mix(h, data[i])
            i += 1
        displays, shows = ask(W, h, False, tag, displays, shows)
    W[kept] = key
    W[kept + s.ASKED_SIZE] = displays
    W[kept + 2 * s.ASKED_SIZE] = shows
    return displays, shows
