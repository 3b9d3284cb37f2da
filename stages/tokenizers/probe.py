"""The fixed texts on which tokenizers are compared: with the reference library at load, with the trainer's later.

Many languages and scripts, code and its white space, emoji, control characters, malformed corners of Unicode, and
the spellings of special tokens, which in a page's text must stay text. `probe_sha256` of a tokenizer is the SHA-256
over its ids on these texts, so it changes when a library changes its behaviour and the model file does not.
Never change a line: it would change the identity of every tokenizer. Add a new version instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

PROBE_VERSION = 1

SENTENCES = (
    "The quick brown fox jumps over the lazy dog; 1,234.56 dollars (about 12%) were paid on 2024-02-29.",
    "I'll say it's we've they'd you're HE'S don't 'tis rock'n'roll o'clock",
    "Übergrößenträger fließen über Äcker und Öfen – „Zitat“, ‚halb‘, 5 €.",
    "L’été, où étaient-ils ? Ça coûte 1 234,50 € — « guillemets » et œuvre.",
    "El pingüino Wenceslao hizo kilómetros; ¿quién? ¡nadie! Ñandú, año.",
    "À noite, vovô Kowalsky vê o ímã cair no pé do pinguim queixoso.",
    "Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy. Árvíztűrő tükörfúrógép.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Їжак, ґанок.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Ἐν ἀρχῇ ἦν ὁ λόγος.",
    "דג סקרן שט בים מאוכזב ולפתע מצא חברה. שָׁלוֹם",
    "نص حكيم له سر قاطع وذو شأن عظيم ١٢٣٤ ﷽ مُحَمَّد",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश। १२३",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน",
    "我能吞下玻璃而不伤身体。繁體中文測試，「引號」、頓號；全角１２３ＡＢＣ。",
    "いろはにほへと ちりぬるを。カタカナ、ｶﾀｶﾅ、漢字かな交じり文「引用」！？",
    "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다. ㅋㅋㅋ",
    "Trăm năm trong cõi người ta, chữ tài chữ mệnh khéo là ghét nhau.",
    "ქართული ენა, Հայերեն լեզու, አማርኛ, தமிழ் மொழி, বাংলা ভাষা, മലയാളം",
    "İstanbul'da ışıl ışıl; Iğdır, ıslak, şişe, çağ, öğrenci, ﬁnal ﬀ ß ẞ ǅ",
)

CODE = (
    "def f(x: int) -> list[int]:\n    if x > 0:\n        return [i ** 2 for i in range(x)]\n"
    "    raise ValueError(f'{x!r}')\n",
    "for (int i = 0; i < n; ++i) {\n\t\tif (a[i] != b[i]) { *p++ = ~a[i] & 0xFF; }\n\t}\r\n\r\n",
    '<div class="a b"><p>x &amp; y</p><!-- c --></div>\n<script>var a=1e-9,b=.5;</script>',
    '{"key": [1, 2.5, null, true], "nested": {"a": "\\u00e9\\n\\t\\\\"}}',
    "SELECT a.*, COUNT(*) FROM t a WHERE x >= 10 AND y LIKE '%z_' GROUP BY 1; -- end",
    "$ ls -la /usr/lib/x86_64-linux-gnu | grep 'lib.*\\.so' && echo \"$HOME\" > /dev/null 2>&1",
    "\\begin{equation} \\frac{\\partial u}{\\partial t} = \\nabla^2 u + \\alpha_{i,j} \\end{equation}",
    "aVeryLongCamelCaseIdentifierName snake_case_name SCREAMING_CASE kebab-case-name HTTPServer2Go",
    "https://example.org/a/b?c=d&e=%20f#g user.name+tag@example.co.uk 192.168.0.1 ::1 C:\\Temp\\x.txt",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9 d41d8cd98f00b204e9800998ecf8427e 0x1p-1074 1_000_000",
)

WHITE_SPACE = (
    "",
    " ",
    "  ",
    "   ",
    " " * 17,
    "\n",
    "\n\n",
    "\n\n\n\n",
    "\t",
    "\t\t\t",
    "\r\n",
    "\r",
    " \n",
    "\n ",
    " a",
    "a ",
    "  a  b   c    d     e",
    "a\tb\t\tc\n d\n  e\n\n\nf",
    "line one  \n   line two\t\n\n      line three",
    "\u00a0a\u00a0b\u2003c\u2009d\u200be\u3000f\u2028g\u2029h\u0085i\u000bj\u000ck",
    "\ufeffbyte order mark\ufeff",
    "soft\u00adhyphen zero\u200dwidth\u200cjoiner \u202eright-to-left\u202c",
)

SYMBOLS = (
    "😀 😃😄 👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 1️⃣ ☺ ☺️ 🫠 🧑🏿‍🚀",
    "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋, √2 ≈ 1.414…, a≤b≥c≠d, ½ ⅓ ² ³ ⁿ ₀ ™ © ® № ‰",
    "← ↑ → ↓ ⇒ ⇔ ■ □ ● ○ ★ ☆ ♠ ♥ ✓ ✗ │├─└ ░▒▓█",
    "e\u0301 é a\u030a å \u1112\u1161\u11ab 한 n\u0303\u0323 Z̷̢͝a̸l̶g̵o̴",
    "\u0000 \u0001\u0007\u0008\u001b[31mred\u001b[0m\u007f\u0080\u009f",
    "\ufffd\ufffd \ufffe\uffff \U0010ffff \U000e0041 \ue000 \U000f0000",
    "𝐛𝐨𝐥𝐝 𝓈𝒸𝓇𝒾𝓅𝓉 𝔉𝔯𝔞𝔨𝔱𝔲𝔯 𠀀𠀁𪚥 𐍈𐌰 𒀀𒁀 𓀀",
    "........ -------- ======== ________ ******** !!!!!! ?????? ~~~~~~ ////// \\\\\\\\\\\\",
    "a" * 300,
    "ab" * 150,
    "0" * 100 + "1234567890" * 10,
    "▁ ▁▁ ▁▁▁ ▁a ▁▁b a▁b Ġ ĠĠ Ċ ĉ",
)

SPECIALS = (
    "<s>",
    "</s>",
    "a</s>b",
    "<s>[INST] hi [/INST] there</s>",
    "<unk> <pad> <mask> <bos> <eos> <s></s><unk>",
    "<|endoftext|> <|begin_of_text|> <|end_of_text|> <|eot_id|><|im_start|>user<|im_end|>",
    "<|endofprompt|><|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>",
    "[CLS] [SEP] [MASK] [PAD] [UNK] [IMG] [TOOL_CALLS] [AVAILABLE_TOOLS][/AVAILABLE_TOOLS] [PREFIX][SUFFIX]",
    "<0x00> <0x0A><0xFF> <0x41> <SPECIAL_20> [control_8]",
    "<start_of_turn>model<end_of_turn> <｜begin▁of▁sentence｜><｜end▁of▁sentence｜>",
)

TEXTS: tuple[str, ...] = (
    *SENTENCES,
    *CODE,
    *WHITE_SPACE,
    *SYMBOLS,
    *SPECIALS,
    " ".join(SENTENCES),
    "\n\n".join(CODE),
    "\n".join(SPECIALS + SYMBOLS),
)


def texts(special_spellings: Iterable[str] = ()) -> list[bytes]:
    """The fixed texts, and each special token's spelling alone, after a letter, and between words."""
    own = [form for spelling in special_spellings for form in (spelling, f"a{spelling}b", f"one {spelling} two")]
    return [text.encode() for text in (*TEXTS, *own)]


def digest(encode: Callable[[bytes], npt.NDArray[np.uint32]]) -> str:
    """SHA-256 over the ids of the fixed texts: per text its count as uint32, then its ids, little-endian."""
    hasher = hashlib.sha256()
    for text in texts():
        ids = encode(text).astype("<u4")
        hasher.update(np.array([len(ids)], "<u4").tobytes())
        hasher.update(ids.tobytes())
    return hasher.hexdigest()
