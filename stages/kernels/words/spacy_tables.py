"""Tables of the word unit `spacy`: what spaCy's English tokenizer knows of characters, units and exceptions.

Written from spaCy's documentation (usage/linguistic-features, "How spaCy's tokenizer works") and its observable
behaviour, version 3.8: affix rules by kinds of characters, and special cases as lists and as the rule that
makes contractions of pronouns, question words and verbs. Letters are those of Unicode 14.0.0, where spaCy lists the
scripts of its own languages; of emoticons and pictures made of letters only the short ones are known.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.unicode import characters as unicode
from stages.kernels.words.words import word_hash

PREFIX, SUFFIX, BEFORE_STOP, LOWERISH, UPPERISH, DIGIT, QUOTE, CURRENCY, ICON, HYPHEN = (1 << k for k in range(10))
"""Kinds of characters: is cut off in front, is cut off behind, lets a full stop behind it be cut off, counts as a small
letter, as a capital (letters without case as both), ASCII digit, quotation mark, currency sign, picture, hyphen."""

_PUNCTUATION = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"
_CURRENCIES = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿"
_UNITS = """
km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa mbar mb
MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч кПа Па мбар Кб КБ
кб Мб МБ мб Гб ГБ гб Тб كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ
"""

_WHOLE = r"""
' '' 'Cause 'Cos 'Coz 'Cuz 'S 'bout 'cause 'cos 'coz 'cuz 'd 'em 'll 'nuff 're 's (*_*) (-8 (-: (-; (-_-) (._.) (: (;
(= (>_<) (^_^) (o: )-: ): -_- -__- ._. 0.0 0.o 0_0 0_o 8) 8-) 8-D 8D :'( :') :'-( :'-) :( :(( :((( :() :) :)) :))) :*
:-( :-(( :-((( :-) :-)) :-))) :-* :-/ :-0 :-3 :-> :-D :-O :-P :-X :-] :-o :-p :-x :-| :-} :/ :0 :1 :3 :> :D :O :P :X
:] :o :o) :p :x :| :} :’( :’) :’-( :’-) ;) ;-) ;-D ;D ;_; <.< </3 <3 <33 <333 <space> =( =) =/ =3 =D =[ =] =| >.< >.>
>:( >:o @_@ \") [-: [: [= ]= ^_^ ^__^ ^___^ O.O O.o O_O O_o V.V V_V XD XDD o.0 o.O o.o o_0 o_O o_o v.v v_v xD xDD Adm.
Ak. Ala. Apr. Ariz. Ark. Aug. Bros. C++ Calif. Co. Colo. Conn. Corp. D.C. Dec. Del. Dr. E.G. E.g. Feb. Fla. Ga. Gen.
Gov. I.E. I.e. Ia. Id. Ill. Inc. Ind. Jan. Jr. Jul. Jun. Kan. Kans. Ky. La. Ltd. Mar. Mass. Md. Messrs. Mich. Minn.
Miss. Mo. Mont. Mr. Mrs. Ms. Mt. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. Ph.D. Prof.
Rep. Rev. S.C. Sen. Sep. Sept. St. Tenn. Va. Wash. Wis. a.m. and/or e.g. i.e. p.m. v.s. vs. w/o a. b. c. co. d. e. f.
g. h. i. j. k. l. m. n. o. p. q. r. s. t. u. v. w. x. y. z. ä. ö. ü. Ma'am Ma’am ma'am ma’am O'clock O’clock o'clock
o’clock Ol Ol' Ol’ ol ol' ol’ em ll nuff — ‘S ‘s ’ ’Cause ’Cos ’Coz ’Cuz ’S ’bout ’cause ’cos ’coz ’cuz ’d ’em ’ll
’nuff ’re ’s ’’
"""
_DROPPED_G = "doin goin havin lovin nothin nuthin somethin"
_CUT = "can|not gon|na got|ta c'm|on c’m|on let|'s let|’s"
_CUT_SMALL = "y'|all y|all y’|all how|'d|'y how|’d|’y"
_DEGREES = "°|C|. °|F|. °|K|. °|c|. °|f|. °|k|."
_NO_CONTRACTION = frozenset(["ill", "its", "hell", "shell", "shed", "were", "well"])


@cache
def kinds() -> npt.NDArray[np.uint16]:
    """uint16 of flags per code point."""
    classes = unicode.classes()
    table = np.zeros(len(classes), np.uint16)
    uncased = (classes & unicode.ALPHA != 0) & (classes & (unicode.UPPER | unicode.LOWER) == 0)
    table[(classes & unicode.LOWER != 0) | uncased] |= LOWERISH | BEFORE_STOP
    table[(classes & unicode.UPPER != 0) | uncased] |= UPPERISH
    table[unicode.of_category("So")] |= PREFIX | SUFFIX | ICON
    for characters, flags in (
        ("0123456789", DIGIT | BEFORE_STOP),
        (_PUNCTUATION, PREFIX | SUFFIX | BEFORE_STOP),
        (_QUOTES, PREFIX | SUFFIX | QUOTE | BEFORE_STOP),
        ("—–", PREFIX | SUFFIX | HYPHEN),
        ("-~", HYPHEN),
        ("§%=", PREFIX),
        ("%²-+|", BEFORE_STOP),
        (_CURRENCIES, PREFIX | CURRENCY),
    ):
        for character in characters:
            table[ord(character)] |= flags
    table.flags.writeable = False
    return table


def special_cases() -> dict[str, tuple[str, ...]]:
    """Exceptions to the rules: a text and its pieces."""
    cut = [text.split("|") for text in (_CUT + " " + _CUT_SMALL + " " + _DEGREES).split()]
    cut += [text.split("|") for text in (small[0].upper() + small[1:] for small in _CUT.split())]
    cut += [["How", quote + "d", quote + "y"] for quote in "'’"]
    cut += [[str(hour), half] for hour in range(1, 13) for half in ("am", "a.m.", "pm", "p.m.")]
    cut += [pieces for small in _contractions() for pieces in (small, [small[0].title(), *small[1:]])]
    whole = _WHOLE.split()
    whole += [word + end for small in _DROPPED_G.split() for word in (small, small.title()) for end in ("", "'", "’")]
    cases = {text: (text,) for text in whole} | {"".join(pieces): tuple(pieces) for pieces in cut}
    return {text: pieces for text, pieces in cases.items() if text.lower() not in _NO_CONTRACTION}


def _contractions() -> list[list[str]]:
    """In small letters: with either apostrophe, and without one where that is no common word."""
    marks = ("'", "’", "")
    found: list[list[str]] = []
    for mark in marks:
        ll, d, ve = mark + "ll", mark + "d", mark + "ve"
        for word in ["you", "he", "she", "it", "we", "they"]:
            found += [
                [word, ll, ve],
                [word, d],
                [word, d, ve],
                *([[word, ll]] if mark or word in ("you", "they", "it") else []),
            ]
        found += [["i", mark + "m"], ["i", mark + "m", "a"], ["i", d], ["i", d, ve], ["i", ll, ve], ["i", ve]]
        found += [["i", ll]] if mark else []
        found += [[word, mark + "re"] for word in ["you", "we", "they"]]
        found += [[word, ve] for word in ["you", "we", "they"]]
        found += [[word, mark + "s"] for word in ["he", "she", "it"]]
        for word in ["who", "what", "when", "where", "why", "how", "there", "that", "this", "these", "those"]:
            found += [[word, ll], [word, ll, ve], [word, d], [word, d, ve]]
            found += [[word, mark + "s"]] if word not in ("these", "those") else []
            found += [[word, mark + "re"]] if word not in ("that", "this") and (mark or word != "who") else []
            found += [[word, ve]] if word not in ("that", "this") else []
        for word in [
            "ca", "could", "do", "does", "did", "had", "may", "might", "must", "need", "ought", "sha", "should", "wo",
            "would",
        ]:  # fmt: skip
            found += [[word, "n" + mark + "t"], [word, "n" + mark + "t", ve]]
        for word in ["could", "might", "must", "should", "would", "not"]:
            found.append([word, ve])
        for word in ["ai", "are", "is", "was", "were", "have", "has", "dare"]:
            found.append([word, "n" + mark + "t"])
    return found


MAX_BYTES = 16
"""Longest special case and unit."""


@cache
def special_table() -> tuple[npt.NDArray[Any], ...]:
    """(keys_E, first_E, sizes): open addressing by hash, 0 is free; pieces of entry e are the sizes in bytes from
    ``first_E[e]`` on, up to a 0."""
    cases = {text: pieces for text, pieces in special_cases().items() if len(text.encode()) <= MAX_BYTES}
    keys_E, first_E = np.zeros(8192, np.uint64), np.zeros(8192, np.int32)
    sizes: list[int] = []
    for text, pieces in cases.items():
        put(keys_E, first_E, text, len(sizes))
        sizes += [*(len(piece.encode()) for piece in pieces), 0]
    return frozen(keys_E), frozen(first_E), frozen(np.array(sizes, np.int8))


@cache
def unit_table() -> npt.NDArray[np.uint64]:
    """keys_E of the units of measurement."""
    keys_E = np.zeros(512, np.uint64)
    for unit in _UNITS.split():
        put(keys_E, np.zeros(512, np.int32), unit, 0)
    return frozen(keys_E)


def put(keys_E: npt.NDArray[np.uint64], values_E: npt.NDArray[np.int32], text: str, value: int) -> None:
    """Enter a text into an open-addressing table."""
    key = word_hash(text)
    slot = key & len(keys_E) - 1
    while keys_E[slot] not in (0, key):
        slot = (slot + 1) & len(keys_E) - 1
    keys_E[slot], values_E[slot] = key, value


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array, read-only."""
    array.flags.writeable = False
    return array
