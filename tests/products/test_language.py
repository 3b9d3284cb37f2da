"""`language`: labels, scripts, and what is not a language at all."""

import json
import subprocess
import sys
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import language, schemas
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.unicode.lines import cases, cut_lines, mostly_capitals
from tests.slow.fasttext import library
from tests.support.runs import run_inline

PAGES = {
    "en": "The mill stood by the river, and the people of the village brought their grain there every autumn.",
    "de": "Die Mühle stand am Fluss, und die Leute aus dem Dorf brachten im Herbst ihr Korn dorthin.",
    "ru": "Мельница стояла у реки, и жители деревни каждую осень привозили туда своё зерно.",
    "zh": "磨坊坐落在河边,村里的人们每年秋天都把粮食送到那里去磨成面粉。",
    "ja": "水車小屋は川のそばにあり、村の人々は毎年秋になると穀物をそこへ運んでいました。",
    "th": "โรงสีตั้งอยู่ริมแม่น้ำและชาวบ้านนำข้าวไปที่นั่นทุกฤดูใบไม้ร่วง",
}
SCRIPTS = {"en": "Latn", "de": "Latn", "ru": "Cyrl", "zh": "Hani", "ja": "Jpan", "th": "Thai"}


def label(texts: list[str], **params: object) -> list[dict[str, object]]:
    batch = pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string())], ["text"])
    labelled = language.prepare(language.Params(**params))(batch)
    assert labelled.schema == language.schema(language.Params(**params))
    assert list(labelled.schema)[:3] == list(schemas.LANGUAGE)
    assert labelled.num_rows == len(texts)
    return labelled.to_pylist()


def test_pages_get_their_language_and_script() -> None:
    rows = label(list(PAGES.values()))
    assert [row["language"] for row in rows] == list(PAGES)
    assert [row["script"] for row in rows] == [SCRIPTS[name] for name in PAGES]
    assert all(0.5 < row["confidence"] <= 1 for row in rows)


@pytest.mark.parametrize("text", ["", " \n\t", "1234 5678 !!", "\0\0"])
def test_text_without_letters_is_undetermined(text: str) -> None:
    assert label([text]) == [{"language": "und", "script": "Zyyy", "confidence": 0.0}]


def test_no_rows_give_no_rows() -> None:
    assert label([]) == []


def test_line_breaks_do_not_end_the_reading() -> None:
    one_line = label([PAGES["de"]])
    assert label([PAGES["de"].replace(" ", "\n")]) == one_line
    assert label([PAGES["de"].replace(" ", "\r\n")])[0]["language"] == "de"


def test_one_piece_is_the_beginning() -> None:
    text = PAGES["de"] * 10
    assert label([text + PAGES["en"] * 100], max_bytes=len(text.encode()), pieces=1)[0]["language"] == "de"
    assert label([text + PAGES["en"] * 100], max_bytes=len(text.encode()))[0]["language"] == "en"


def test_short_texts_are_read_whole() -> None:
    predict = library(language.MODELS["lid.176"])
    (confidence, name), *_ = predict(PAGES["ru"].encode() + b"\n", 1, 0.0, "strict")
    (row,) = label([PAGES["ru"]])
    assert (row["language"], row["confidence"]) == (language.language_of(name), pytest.approx(confidence, rel=1e-6))


def test_top_labels_and_mixed_pages_are_found() -> None:
    mixed, plain = label([PAGES["de"] * 20 + PAGES["ru"] * 20, PAGES["de"] * 20], top_k=3, segments=4)
    assert len(mixed["languages"]) == len(mixed["confidences"]) == 3
    assert mixed["languages"][0] == mixed["language"]
    assert mixed["other_language_fraction"] >= 0.25
    assert plain["other_language_fraction"] == 0


def test_mixed_pages_can_be_dropped_and_put_into_a_domain(tmp_path: Path) -> None:
    texts = [PAGES["de"] * 20 + PAGES["en"] * 18, PAGES["de"] * 20, PAGES["de"] * 28 + PAGES["en"] * 8]
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"id": str(k), "text": t}) + "\n" for k, t in enumerate(texts))
    )
    text = "sources: {a: {paths: a.jsonl}}\nlanguage: {segments: 8}\nclusters: {enabled: false}\n"
    text += "kept: {families: [], rules: {above_max_other_language_fraction: 0.3}}\n"
    text += "domains: {mixed: {min: {other_language_fraction: 0.1}}, pure: {}}\n"
    text += "mixture: {domains: {mixed: {epochs: 1}, pure: {epochs: 1}}}\n"
    (tmp_path / "m.yaml").write_text(text)
    run_inline(tmp_path / "m.yaml", tmp_path / "root")
    [kept] = (tmp_path / "root" / "kept").glob("*/*.parquet")
    rows = pq.read_table(kept).to_pylist()
    assert [(row["reason"], row["domain"]) for row in rows] == [
        ("above_max_other_language_fraction", None),
        (None, "pure"),
        (None, "mixed"),
    ]


def test_a_piece_never_ends_inside_a_character() -> None:
    for max_bytes in range(64, 72):
        assert label([PAGES["zh"] * 4], max_bytes=max_bytes)[0]["script"] == "Hani"


def test_a_slice_is_labelled_like_the_whole() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(list(PAGES.values()), pa.large_string())], ["text"])
    run = language.prepare(language.Params())
    assert run(batch.slice(2, 3)).equals(run(batch).slice(2, 3))


def test_identity_is_the_content_of_the_model(tmp_path: Path) -> None:
    copy = tmp_path / "other-name.ftz"
    copy.write_bytes(language.MODELS["lid.176"].read_bytes())
    assert language.identity(language.Params(model=str(copy))) == language.identity(language.Params())


def test_a_model_by_path_with_labels_of_language_and_script(tmp_path: Path) -> None:
    """As GlotLID and OpenLID name them: the language is what stands before the script."""
    script = (
        "import fasttext, sys\n"
        "fasttext.train_supervised(sys.argv[1], dim=8, epoch=30, minn=2, maxn=3, bucket=1000, thread=1, verbose=0)"
        ".save_model(sys.argv[2])"
    )
    lines = [f"__label__{name} {PAGES[page]}" for name, page in (("eng_Latn", "en"), ("rus_Cyrl", "ru"))] * 20
    (tmp_path / "train.txt").write_text("\n".join(lines) + "\n")
    model = tmp_path / "model.bin"
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "train.txt"), str(model)], check=True)
    rows = label([PAGES["en"], PAGES["ru"]], model=str(model), top_k=2)
    assert [row["language"] for row in rows] == ["eng", "rus"]
    assert rows[0]["languages"] == ["eng", "rus"]


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"lid\.176"):
        language.prepare(language.Params(model="lid.177"))
    broken = tmp_path / "broken.ftz"
    broken.write_bytes(b"no model at all")
    with pytest.raises(ValueError, match="expected a supervised fastText model"):
        language.prepare(language.Params(model=str(broken)))


@pytest.mark.slow
def test_labels_agree_with_the_full_text(shared: Path) -> None:
    table = pq.read_table(shared / "reference" / "quality" / "dev.parquet", columns=["text", "lang"])
    rows = label(table.column("text").to_pylist())
    same = sum(row["language"] == name for row, name in zip(rows, table.column("lang").to_pylist(), strict=True))
    assert same / len(rows) > 0.99


@pytest.mark.parametrize("language_name", ["en", "de", "ru"])
def test_capitals_are_read_as_small_letters(language_name: str) -> None:
    text = PAGES[language_name]
    mostly = text.upper()[: len(text) * 3 // 4] + text[len(text) * 3 // 4 :]
    rows = label([text.upper(), mostly])
    assert [row["language"] for row in rows] == [language_name] * 2
    assert all(row["confidence"] > 0.5 for row in rows)


def test_text_with_some_capitals_is_read_as_it_is() -> None:
    texts = ["NASA and ESA said so, in the USA", "NASA AND ESA SAID SO, in the USA", "РЕКА БЕРЁТ начало"]
    texts += ["Река БЕРЁТ начало", "川 は 北", ""]
    texts += [
        "ＮＡＳＡ said",
        "Ｎａｓａ said",
        "ｓａｉｄ so",
        "ꜱᴀɪᴅ ꜱᴏ",
        "𝐒𝐚𝐢𝐝 𝖘𝖔 ℋ",
        "Ⓢⓐⓘⓓ",
        "川，北！（一）",
        "ㄱㄴ ª º ² ㎏",
    ]
    data, offsets = text_buffers(pa.array(texts, pa.large_string()))
    capitals, styled = mostly_capitals(data, offsets)
    assert capitals.tolist() == [False, True, True, False, False, False, *[False] * 8]
    assert styled.tolist() == [*[False] * 8, True, True, True, True, False, False]


def test_every_code_point_has_the_case_that_python_says() -> None:
    kinds = cases() & 3
    for code in range(len(kinds)):
        letter = chr(code)
        assert kinds[code] == (1 if letter.isupper() else 2 if letter.islower() else 0), hex(code)


CAPITALS = {
    "el": "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας και η μεγαλύτερη πόλη της χώρας.",
    "uk": "Київ є столицею України та найбільшим містом країни, яке знають усі люди.",
    "hy": "Երևանը Հայաստանի մայրաքաղաքն է և երկրի ամենամեծ քաղաքը։",
    "ka": "თბილისი საქართველოს დედაქალაქი და ქვეყნის უდიდესი ქალაქია.",
    "tr": "İstanbul Türkiye’nin en büyük şehridir. Şehrin uzun bir tarihi vardır ve herkes bunu çok iyi bilir.",
    "vi": "Hà Nội là thủ đô của Việt Nam và là một trong những thành phố lớn nhất.",
}


def in_style(text: str, capital: int, small: int) -> str:
    """ASCII letters as those that begin at two code points."""
    return "".join(
        chr(capital + ord(c) - 65) if "A" <= c <= "Z" else chr(small + ord(c) - 97) if "a" <= c <= "z" else c
        for c in text
    )


@pytest.mark.parametrize("name", CAPITALS)
def test_capitals_of_every_script_are_read_as_small_letters(name: str) -> None:
    text = CAPITALS[name]
    whole = text.replace("i", "İ").upper() if name == "tr" else text.upper()
    title = f"{whole[: len(whole) // 4]}\n{text}"
    rows = label([text, whole, unicodedata.normalize("NFD", whole), title])
    assert [row["language"] for row in rows] == [name] * 4
    assert all(row["confidence"] > 0.5 for row in rows)


def test_styled_letters_are_read_as_plain_ones() -> None:
    text = PAGES["en"]
    church = CAPITALS["ka"].translate({0x10D0 + k: 0x10A0 + k for k in range(38)})
    small_capitals = dict(zip("abcdefghijklmnopqrstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", strict=True))
    styles = [in_style(text, *style) for style in ((0xFF21, 0xFF41), (0x1D400, 0x1D41A), (0x24B6, 0x24D0))]
    styles += ["".join(small_capitals.get(c, c) for c in text), styles[0].replace(" ", "\u3000"), styles[1].upper()]
    plain, *rows, georgian = label([text, *styles, church])
    assert [(row["language"], row["script"]) for row in rows] == [("en", "Latn")] * len(styles)
    assert all(abs(row["confidence"] - plain["confidence"]) < 0.02 for row in rows)
    assert (georgian["language"], georgian["script"]) == ("ka", "Geor")


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(max_size=300), max_size=4), pieces=st.integers(1, 9), divided=st.booleans())
def test_lines_are_cut_as_by_slow_twin(texts: list[str], pieces: int, divided: bool) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    data, offsets = text_buffers(pa.array(texts, pa.large_string()))
    cut, ends, bounds = cut_lines(data, offsets, 64, pieces, divided)
    for d, text in enumerate(texts):
        parts = slow_pieces(text.encode(), 64, pieces, divided)
        line = cut[ends[d] : ends[d + 1]].tobytes()
        assert line == b" ".join(parts).replace(b"\n", b" ").replace(b"\r", b" ")
        begins = [len(b" ".join(parts[:k])) + (k > 0) for k in range(len(parts))]
        assert bounds[d].tolist() == begins + [len(line)] * (pieces + 1 - len(parts))


def slow_pieces(text: bytes, max_bytes: int, pieces: int, divided: bool) -> list[bytes]:
    """A text whole, if it is short, or pieces of it, cut between characters."""
    long = len(text) > max_bytes
    size = max_bytes // pieces if long else -(-len(text) // pieces) if divided else len(text)
    step = (len(text) - size) / max(pieces - 1, 1) if long else max(size, 1)
    found = []
    for k in range(pieces):
        first, last = int(k * step), min(int(k * step) + size, len(text))
        while first < last and text[first] & 0xC0 == 0x80:
            first += 1
        while first < last < len(text) and text[last] & 0xC0 == 0x80:
            last += 1
        found += [text[first:last]] if first < last else []
    return found
