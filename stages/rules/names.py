"""Names a user may write in the YAML, and the nearest known one for a name that is not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from typing import TypeVar

Languages = TypeVar("Languages", bound=Collection[str] | None)

# The labels of lid.176. Other models (GlotLID, OpenLID) use the three letters of ISO 639-3.
_LID176 = """
af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb co cs cv cy da de
    diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu gv he hi hif hr hsb ht hu hy ia id ie ilo io
    is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr mrj ms mt
    mwl my myv mzn nah nap nds ne new nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru rue sa sah sc scn sco sd
    sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo wa war wuu xal xmf yi yo yue
    zh
"""
LID176 = frozenset(_LID176.split())
UNDETERMINED = "und"
_ENGLISH_NAMES = """
ar arabic bg bulgarian bn bengali ca catalan cs czech da danish de german el greek en english es spanish et estonian
    fa persian fi finnish fr french he hebrew hi hindi hr croatian hu hungarian id indonesian it italian ja japanese
    ko korean lt lithuanian lv latvian nl dutch no norwegian pl polish pt portuguese ro romanian ru russian sk slovak
    sl slovenian sr serbian sv swedish ta tamil th thai tr turkish uk ukrainian ur urdu vi vietnamese zh chinese
"""
_PAIRED = _ENGLISH_NAMES.split()
CODE_OF = dict(zip(_PAIRED[1::2], _PAIRED[::2], strict=True))
"""Codes of languages by their English names."""
UNSPACED = frozenset(
    "zh ja th lo km my bo dz wuu yue zho cmn lzh nan hak gan cjy hsn jpn tha lao khm mya bod dzo".split()  # noqa: SIM905
)
"""Languages that are written without spaces between words, by the codes of any model."""
LONG_WORDED = frozenset("ml ta sa dv mal tam san div kal cot cpu cni cic".split())  # noqa: SIM905
"""Languages whose ordinary words are near 10 characters or longer, combining marks counted: of a quarter or more of the
pieces (8 paragraphs) of the Universal Declaration the mean is above 10. Means: Malayalam 12, Tamil 10, Sanskrit 10,
Dhivehi 9, Greenlandic 15; Kannada (9.0), Telugu (8.8) and Zulu (8.7) are below."""
UNMARKED = frozenset("th lo km my bo dz am ti tha lao khm mya bod dzo amh tir".split())  # noqa: SIM905
"""Languages whose lines need not end in a sentence mark: spaces, a shad or two word spaces stand for one. FineWeb-2
asks for no share of such lines in any of them (``line_punct_thr: 0.0`` in its configs of 7ee60b3)."""
_CODES = """
    af afr; am amh; an arg; ar ara arb; as asm; av ava; az aze azj; ba bak; be bel; bg bul; bh bih bho; bn ben;
    bo bod; br bre; bs bos; ca cat; ce che; co cos; cs ces; cv chv; cy cym; da dan; de deu; dv div; el ell;
    en eng; eo epo; es spa; et est ekk; eu eus; fa fas pes; fi fin; fr fra; fy fry; ga gle; gd gla; gl glg;
    gn grn gug; gu guj; gv glv; he heb; hi hin; hr hrv; ht hat; hu hun; hy hye; ia ina; id ind; ie ile; io ido;
    is isl; it ita; ja jpn; jv jav; ka kat; kk kaz; km khm; kn kan; ko kor; ku kur kmr; kv kom kpv; kw cor;
    ky kir; la lat; lb ltz; li lim; lo lao; lt lit; lv lav lvs; mg mlg plt; mk mkd; ml mal; mn mon khk; mr mar;
    ms msa zsm; mt mlt; my mya; ne nep npi; nl nld; nn nno; no nor nob nno nn; oc oci; or ori ory; os oss;
    pa pan; pl pol; ps pus pbt; pt por; qu que quy; rm roh; ro ron; ru rus; sa san; sc srd; sd snd; sh hbs;
    si sin; sk slk; sl slv; so som; sq sqi; sr srp; su sun; sv swe; sw swa swh; ta tam; te tel; tg tgk; th tha;
    tk tuk; tl tgl fil; tr tur; tt tat; ug uig; uk ukr; ur urd; uz uzb uzn; vi vie; vo vol; wa wln; yi yid ydd;
    yo yor; zh zho cmn
"""
CODES = {first: (first, *others) for first, *others in map(str.split, _CODES.split(";"))}
"""Codes of a language by its code in lid.176: that one, and those of models that have the three letters of ISO 639-3
(GlotLID, OpenLID), which name the standard language (`arb`, `swh`, `npi`) where a two-letter code is a group's.
Albanian is without its `als`, which is Alemannic in lid.176. Nynorsk (`nn`, `nno`) is Norwegian too: of two lists
that hold for a page, that of fewer codes is the nearer one."""


def codes_of(language: str) -> tuple[str, ...]:
    """A language's code, and what other models call it."""
    return CODES.get(language, (language,))


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def check_names(noun: str, names: Iterable[str], known: Collection[str]) -> None:
    """Refuse all unknown names at once, each with the nearest known one.

    Raises:
        ValueError: naming every unknown name.
    """
    unknown = [f"unknown {noun} {name!r}{nearest(name, known)}" for name in names if name not in known]
    if unknown:
        raise ValueError("; ".join(unknown))


def check_languages(languages: Languages) -> Languages:
    """Refuse what cannot be a language code: two-letter codes must be known, three letters may be any model's."""
    if languages is not None:
        known = [name for name in languages if re.fullmatch("[a-z]{3}", name) or name in LID176]
        unknown = [name for name in languages if name not in {*known, *LID176}]
        problems = []
        for name in unknown:
            code = CODE_OF.get(name.lower()) or (name.lower() if name.lower() in LID176 else None)
            problems.append(f"unknown language {name!r}" + (f"; did you mean {code!r}?" if code else ""))
        if problems:
            raise ValueError(f"{'; '.join(problems)}; languages are written as codes: en, de, zh")
    return languages


def some(names: Languages) -> Languages:
    """Refuse an empty list of what is chosen, which would choose nothing.

    Raises:
        ValueError: saying that leaving the key out chooses all.
    """
    if names is not None and not names:
        raise ValueError("expected at least one name, found []; leave the key out, and all are meant")
    return names
