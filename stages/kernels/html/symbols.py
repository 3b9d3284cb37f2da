"""Characters of mathematics as TeX: what stands in `mi` and `mo`, by code point.

For `formulas`. Names are of LaTeX with amsmath and amssymb. Letters of the mathematical alphabets (U+1D400 to U+1D7FF, and those of
older blocks) are a letter and one of `VARIANTS`.
"""

from __future__ import annotations

import unicodedata

import numpy as np
import numpy.typing as npt

from stages.kernels.html.tables import (
    ALPHABETS,
    FNV_START,
    SYMBOL_SIZE,
    SYMBOL_TABLE,
    SYMBOL_TEXTS,
    build_table,
    look_up,
    mix,
)
from stages.kernels.jit import lean_inline_kernel as inline_kernel

TEXT_BYTES = 21

_GREEK = [
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
    "o", "pi", "rho", "varsigma", "sigma", "tau", "upsilon", "varphi", "chi", "psi", "omega",
]  # fmt: skip
_CAPITALS = {"Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon",
             "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega"}  # fmt: skip
_COMMANDS = """
ϵ epsilon|ε varepsilon|ϑ vartheta|ϕ phi|φ varphi|ϖ varpi|ϱ varrho|ς varsigma|ϰ varkappa|ℵ aleph|ℶ beth|ℏ hbar|ℓ ell|℘ wp|ℜ Re
ℑ Im|∂ partial|∇ nabla|∞ infty|∅ emptyset|∀ forall|∃ exists|∄ nexists|¬ neg|⊤ top|⊥ bot|∠ angle|△ triangle|′ prime|∑ sum|∏ prod
∐ coprod|∫ int|∬ iint|∭ iiint|∮ oint|⋃ bigcup|⋂ bigcap|⨆ bigsqcup|⋁ bigvee|⋀ bigwedge|⨁ bigoplus|⨂ bigotimes|⨀ bigodot|± pm
∓ mp|× times|÷ div|⋆ star|∘ circ|∙ bullet|• bullet|⋅ cdot|· cdot|∩ cap|∪ cup|⊎ uplus|⊓ sqcap|⊔ sqcup|∨ vee|∧ wedge|∖ setminus
≀ wr|⊕ oplus|⊖ ominus|⊗ otimes|⊘ oslash|⊙ odot|† dagger|‡ ddagger|≤ leq|≥ geq|≡ equiv|≺ prec|≻ succ|∼ sim|≃ simeq|≪ ll|≫ gg
≍ asymp|⊂ subset|⊃ supset|⊆ subseteq|⊇ supseteq|≈ approx|≅ cong|≠ neq|≐ doteq|∝ propto|∈ in|∋ ni|∉ notin|⊢ vdash|⊣ dashv|∣ mid
∥ parallel|⊨ models|⊧ models|⊊ subsetneq|⊋ supsetneq|⩽ leqslant|⩾ geqslant|≲ lesssim|≳ gtrsim|⪯ preceq|⪰ succeq|⊲ vartriangleleft
⊴ trianglelefteq|⊵ trianglerighteq|← leftarrow|→ to|↔ leftrightarrow|⇐ Leftarrow|⇒ Rightarrow|⇔ Leftrightarrow|↦ mapsto|↪ hookrightarrow
↩ hookleftarrow|↑ uparrow|↓ downarrow|↕ updownarrow|⇑ Uparrow|⇓ Downarrow|↗ nearrow|↘ searrow|↙ swarrow|↖ nwarrow|⟵ longleftarrow
⟶ longrightarrow|⟷ longleftrightarrow|⟸ Longleftarrow|⟹ Longrightarrow|⟺ Longleftrightarrow|⟼ longmapsto|⇌ rightleftharpoons
⇀ rightharpoonup|⇝ leadsto|↠ twoheadrightarrow|↣ rightarrowtail|… ldots|⋯ cdots|⋮ vdots|⋱ ddots|⟨ langle|⟩ rangle|〈 langle|〉 rangle|⌊ lfloor
⌋ rfloor|⌈ lceil|⌉ rceil|‖ |∴ therefore|∵ because|□ square|◻ square|■ blacksquare|◊ lozenge|⋄ diamond|♢ diamondsuit|♡ heartsuit
♣ clubsuit|♠ spadesuit|♭ flat|♮ natural|♯ sharp|√ surd|ı imath|ȷ jmath|∔ dotplus|⊞ boxplus|⊠ boxtimes|⋉ ltimes|⋊ rtimes
⊩ Vdash|⊬ nvdash|⊭ nvDash|≔ coloneqq|≜ triangleq|⋙ ggg|⋘ lll|∁ complement|⌢ frown|⌣ smile|⊑ sqsubseteq|⊒ sqsupseteq|▽ bigtriangledown
⊺ intercal|⌉ rceil|⟦ llbracket|⟧ rrbracket|∤ nmid|∦ nparallel|≮ nless|≯ ngtr|≰ nleq|≱ ngeq|⊈ nsubseteq|⊉ nsupseteq|≁ nsim|≇ ncong|∡ measuredangle
"""
_PLAIN = {"−": "-", "‐": "-", "–": "-", "∶": ":", "{": "\\{", "}": "\\}", "%": "\\%", "#": "\\#", "&": "\\&", "_": "\\_", "$": "\\$",
          "\\": "\\backslash", "∣": "\\mid", "‖": "\\|", "∥": "\\parallel", "\u2061": "", "\u2062": "", "\u2063": "", "\u2064": "",
          "\u200b": "", "\xa0": "", "\u2009": "", "\u200a": "", "\u2005": "", "\u2004": "", "\u205f": "", "\u2003": "", "\u2002": "",
          "″": "''", "‴": "'''", "′": "'", "’": "'", "≔": ":=", "⩴": "::=", "﹣": "-", "\ufeff": "", "∕": "/",
          "⁄": "/", "∗": "*", "ℎ": "h", "ˆ": "^", "^": "\\wedge", "~": "\\sim", "˜": "\\sim", "⋅": "\\cdot", "\ue020": "\\not",
          "≢": "\\not\\equiv", "≉": "\\not\\approx", "⊄": "\\not\\subset", "⊅": "\\not\\supset", "∌": "\\not\\ni"}  # fmt: skip
VARIANTS = ("", "mathrm", "mathbf", "mathbb", "mathcal", "mathfrak", "mathsf", "mathtt", "boldsymbol")
V_NORMAL, V_BOLD, V_DOUBLE, V_SCRIPT, V_FRAKTUR, V_SANS, V_MONO, V_BOLD_ITALIC = range(1, len(VARIANTS))
_LETTERS = {"mathbb": "ℝR ℕN ℤZ ℂC ℚQ ℙP ℍH", "mathcal": "ℬB ℰE ℱF ℋH ℐI ℒL ℳM ℛR ℯe ℊg ℴo", "mathfrak": "ℭC ℌH ℨZ"}
_STYLES = {"BOLD": V_BOLD, "ITALIC": 0, "BOLD ITALIC": V_BOLD_ITALIC, "SCRIPT": V_SCRIPT, "BOLD SCRIPT": V_SCRIPT, "FRAKTUR": V_FRAKTUR,
           "DOUBLE-STRUCK": V_DOUBLE, "BOLD FRAKTUR": V_FRAKTUR, "SANS-SERIF": V_SANS, "SANS-SERIF BOLD": V_SANS, "SANS-SERIF ITALIC": V_SANS,
           "SANS-SERIF BOLD ITALIC": V_SANS, "MONOSPACE": V_MONO}  # fmt: skip
ALPHABETS_FROM, ALPHABETS_TO = 0x1D400, 0x1D800


def symbol_texts() -> dict[int, str]:
    """TeX of every character that is not its own."""
    found: dict[int, str] = {}
    for name, code in zip(_GREEK, range(ord("α"), ord("ω") + 1), strict=True):
        found[code] = "\\" + name if name != "o" else "o"
    found.update({ord(character): "\\" + name for character, name in _CAPITALS.items()})
    for entry in _COMMANDS.replace("\n", "|").split("|"):
        if " " in entry.strip():
            character, name = entry.strip().split(" ")
            found[ord(character)] = "\\" + name
    for variant, pairs in _LETTERS.items():
        found.update({ord(pair[0]): f"\\{variant}{{{pair[1]}}}" for pair in pairs.split()})
    found.update({ord(character): text for character, text in _PLAIN.items()})
    return found


def _alphabets() -> list[int]:
    """Of every letter of the mathematical alphabets, the plain letter and its place in `VARIANTS` << 32."""
    rows = []
    for code in range(ALPHABETS_FROM, ALPHABETS_TO):
        parts = unicodedata.decomposition(chr(code)).split()
        plain = chr(int(parts[1], 16)) if parts else chr(code)  # not NFKC, to which both kinds of phi are one
        plain = "Θ" if plain == "ϴ" else plain
        name = unicodedata.name(chr(code), "").removeprefix("MATHEMATICAL ")
        style = max((style for style in _STYLES if name.startswith(style + " ")), key=len, default="ITALIC")
        rows.append(ord(plain) | _STYLES[style] << 32)
    return rows


def fill_symbol_table(T: npt.NDArray[np.int64]) -> None:
    """Write `symbol_texts` into ``T``, up to `TEXT_BYTES` and their count for each, and the alphabets."""
    texts = symbol_texts()
    keys = [bytes((code & 255, code >> 8 & 255, code >> 16)) for code in texts]
    T[SYMBOL_TABLE : SYMBOL_TABLE + 2 * SYMBOL_SIZE] = build_table(keys, SYMBOL_SIZE)
    for row, text in enumerate(texts.values()):
        content = text.encode().ljust(TEXT_BYTES, b"\0")
        for word in range(3):
            number = int.from_bytes(content[7 * word : 7 * word + 7], "little")
            T[SYMBOL_TEXTS + 4 * row + word] = number
        T[SYMBOL_TEXTS + 4 * row + 3] = len(text)
    T[ALPHABETS : ALPHABETS + ALPHABETS_TO - ALPHABETS_FROM] = _alphabets()


@inline_kernel
def symbol_of(code, T):  # type: ignore[no-untyped-def]
    """Row of the TeX of a code point, or -1: it is written as it is."""
    h = mix(mix(mix(FNV_START, code & 255), (code >> 8) & 255), code >> 16)
    return look_up(T, SYMBOL_TABLE, SYMBOL_SIZE, h)


@inline_kernel
def symbol_byte(row, k, T):  # type: ignore[no-untyped-def]
    """Byte ``k`` of the TeX in ``row``."""
    return (T[SYMBOL_TEXTS + 4 * row + k // 7] >> (8 * (k % 7))) & 255
