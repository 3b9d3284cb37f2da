"""Writes `stages/rules/stop_words.json`, the stop words that `quality` counts where a mixture names none.

    python -m tools.write_stop_words wordfreq-3.1.1-py3-none-any.whl korean.jsonl > stages/rules/stop_words.json

Method, as FineWeb-2 has it (Penedo et al. 2025, arXiv 2506.20920): words that are 0.8% or more of a language's words,
eight at least, the most frequent first. Frequencies are those of wordfreq 3.1.1 (Robyn Speer, data CC-BY-SA-4.0:
Wikipedia, subtitles, news, books, web text and others together). Words with digits are left out; a final sigma is
written as one again; Serbian has the Serbo-Croatian list in both scripts. Korean, which wordfreq cuts into morphemes,
gets the 32 words between spaces that are the most frequent of a text (JSONL with a field ``text``; the shipped ones
are of the Korean translation of The Rust Programming Language, rust-kr/doc.rust-kr.org, MIT or Apache-2.0).
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import zipfile
from collections import Counter

import msgpack

from stages.rules.calibrate import MIN_STOP_WORDS, STOP_WORD_SHARE

LANGUAGES = """
ar bg bn ca cs da de el es fa fi fr he hi hr hu id it ja ko lt nl no pl pt ro ru sk sl sr sv tr uk vi zh
""".split()  # noqa: SIM905 - a list of 35 short words
KOREAN = 32
HANGUL = r"(?<!\S)[가-힣]+(?!\S)"
THEIRS = {"no": "nb", "hr": "sh", "sr": "sh"}
CYRILLIC = str.maketrans("abcdefghijklmnoprstuvzčćđšž", "абцдефгхијклмнопрстувзчћђшж")


def frequent(wheel: zipfile.ZipFile, language: str) -> list[str]:
    """The most frequent words of a language, by wordfreq's largest list of it."""
    names = [f"wordfreq/data/{size}_{THEIRS.get(language, language)}.msgpack.gz" for size in ("large", "small")]
    name = next(name for name in names if name in wheel.namelist())
    buckets = msgpack.loads(gzip.decompress(wheel.read(name)), raw=False)[1:]  # words of 10 ** (-place / 100)
    ranked = [(word, 10 ** (-place / 100)) for place, words in enumerate(buckets) for word in words]
    ranked = [(word, share) for word, share in ranked if not any(letter.isdigit() for letter in word)]
    found = [word for place, (word, share) in enumerate(ranked) if share >= STOP_WORD_SHARE or place < MIN_STOP_WORDS]
    if language == "el":
        return [f"{word[:-1]}ς" if word.endswith("σ") else word for word in found]
    return [*found, *(word.translate(CYRILLIC) for word in found)] if language == "sr" else found


def main() -> None:
    """Prints the lists as JSON."""
    wheel_path, korean = sys.argv[1:]
    with zipfile.ZipFile(wheel_path) as wheel, open(korean, encoding="utf-8") as file:
        counts = Counter(word for line in file for word in re.findall(HANGUL, json.loads(line)["text"]))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))[:KOREAN]
        lists = {code: ranked if code == "ko" else frequent(wheel, code) for code in LANGUAGES}
    lines = [f"  {json.dumps(code)}: {json.dumps(words, ensure_ascii=False)}" for code, words in lists.items()]
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
