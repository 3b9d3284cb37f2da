"""Charsets: what is declared, unless the bytes refute it clearly, then detection; a wrong byte costs itself."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from stages.documents.characters import clean
from stages.documents.charset_names import known
from stages.documents.charsets import decoded, to_utf8
from tests.support.archives import read, whole
from tests.support.charset_pages import RUSSIAN, page


@pytest.mark.parametrize(
    ("codec", "header", "meta"),
    [
        ("windows-1251", "windows-1251", None),
        ("windows-1251", None, "windows-1251"),
        ("windows-1251", "utf-8", "windows-1251"),
        ("windows-1251", "iso-8859-1", "windows-1251"),
        ("windows-1251", "windows-1251", "utf-8"),
        ("koi8-r", "koi8-r", None),
        ("koi8-r", None, None),
        ("windows-1251", None, None),
        ("utf-8", "windows-1251", None),
        ("utf-8", "iso-8859-1", "windows-1251"),
        ("utf-8", None, None),
        ("utf-8-sig", "windows-1251", None),
        ("utf-16", None, "utf-8"),
        ("utf-16-le", "text/html", None),
        ("utf-16-be", None, "utf-16"),
    ],
)
def test_russian_is_read_however_it_is_declared(codec: str, header: str | None, meta: str | None) -> None:
    html = page(RUSSIAN, meta)
    utf8, _ = to_utf8(html.encode(codec), f"text/html; charset={header}" if header else "text/html")
    assert utf8.decode("utf-8") == html


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("ISO-8859-1", "windows-1252"),
        ("latin1", "windows-1252"),
        ("gb2312", "gbk"),
        ("TIS-620", "windows-874"),
        ("ks_c_5601-1987", "euc-kr"),
        ("x-sjis", "shift_jis"),
        ("UTF8", "utf-8"),
        ("gbk", "gbk"),
        ("big-5", "big5"),
        ("GB18030-2022", "gb18030"),
        ("x-mac-greek", "mac-greek"),
        ("no-such-charset", None),
        ("rot13", None),
        ("base64", None),
    ],
)
def test_labels_are_read_as_browsers_read_them(label: str, name: str | None) -> None:
    assert known(label) == name


def test_utf8_cut_inside_a_character_is_still_utf8() -> None:
    whole_text = "日本語のページ"
    utf8, charset = to_utf8(whole_text.encode()[:-1])
    assert (utf8.decode(), charset) == (whole_text[:-1], "utf-8")


def test_free_bytes_of_windows_1252_are_controls() -> None:
    utf8, _ = to_utf8(b"caf\xe9 \x81", "text/html; charset=iso-8859-1")
    assert utf8.decode() == "café \x81"


def test_korean_without_declaration_follows_the_declared_language() -> None:
    html = page("번역물의 텍스트 크기", language="ko")
    utf8, charset = to_utf8(html.encode("cp949"))
    assert (utf8.decode(), charset) == (html, "euc-kr")


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\xff", b"\xff\xfe", b"\x1b$B", bytes(range(256)) * 3, b"\xef\xbb\xbf\xff"]
)
@pytest.mark.parametrize(
    "header", ["", "text/html; charset=utf-16", "text/html; charset=utf-7", "x; charset=iso-2022-jp"]
)
def test_any_bytes_give_valid_utf8(data: bytes, header: str) -> None:
    to_utf8(data, header)[0].decode("utf-8")


def test_transcoded_pages_give_the_text_of_the_original(shared: Path) -> None:
    folder = shared / "data" / "zoo" / "charsets"
    truth = {}
    with gzip.open(folder / "transcoded.jsonl.gz") as lines:
        for line in lines:
            case = json.loads(line)
            text = " ".join(clean(case["text"]).split())[:1900]
            # two pages quote their own declaration, which was rewritten with them
            truth[case["url"]] = (text, text.replace("charset=utf-8", f"charset={case['charset']}"))
    rows, _ = read(whole(folder / "transcoded.warc.gz"), extractor="resiliparse")  # as the truth was made
    right = [" ".join(row["text"].split()).startswith(truth[row["url"]]) for row in rows]
    assert (sum(right), len(right), len(truth)) == (197, 197, 197)


FRENCH = "La rivière naît à l’est, près d’Évreux, où l’été est très sec ; les blés dorés y mûrissent. "
KOREAN = (
    "그 강은 북쪽 언덕에서 시작하여 바다에 이르기 전에 여러 작은 마을을 지나 흐르며, 오래전에 그곳에 항구가 지어졌다. "
)
CHINESE = "这条河发源于北部的山丘，流经几个小村庄，然后到达大海，很久以前在那里建了一个港口。"
TAIWANESE = "這條河發源於北部的山丘，流經幾個小村莊，然後到達大海，很久以前在那裡建了一個港口。"
JAPANESE = "この川は北の丘陵に源を発し、海に達する前にいくつかの小さな村を流れ、そこには昔港が築かれた。"
WRONG = (b"\xff", b"\xe9t", b"\x80", b"\xe2\x80", b"\xed\xa0\xbd\xed\xb8\x80")
WRITTEN = [
    ("utf-8", FRENCH), ("utf-8", KOREAN), ("utf-8", RUSSIAN), ("euc-kr", KOREAN), ("gbk", CHINESE),
    ("big5", TAIWANESE), ("euc-jp", JAPANESE), ("shift_jis", JAPANESE),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("charset", "text"), WRITTEN)
@pytest.mark.parametrize("declared", ["header", "meta", "identified", "nowhere"])
@pytest.mark.parametrize("times", [1, 3, 40])
def test_wrong_bytes_cost_themselves(charset: str, text: str, declared: str, times: int, wrong: bytes) -> None:
    html = page(text * times, charset if declared == "meta" else None).encode(charset)
    before = html[: html.index(b"<p>") + 3]
    damaged = before + wrong + b" " + html[len(before) :]
    header = f"text/html; charset={charset}"
    found = decoded(
        damaged, header if declared == "header" else "text/html", header if declared == "identified" else "text/html"
    )
    assert found.charset == known(charset) or (charset == "gbk" and found.charset == "gb18030")
    assert (text * times).strip() in found.utf8.decode()


@pytest.mark.parametrize("text", [FRENCH, "A café.", "Mjød"])
def test_a_declared_windows_page_with_another_declaration_of_utf8_is_read(text: str) -> None:
    html = page(text, "windows-1252").encode("windows-1252")
    assert to_utf8(html, "text/html; charset=utf-8") == (html.decode("windows-1252").encode(), "windows-1252")


def test_a_wrong_byte_in_a_page_of_ascii_that_declares_utf8_is_one_wrong_character() -> None:
    assert decoded(b"plain words \xe9 and more", "text/html; charset=utf-8") == (
        "plain words \ufffd and more".encode(),
        "utf-8",
        1,
    )


def test_what_was_there_before_is_not_counted_as_wrong() -> None:
    found = decoded("\ufffd and été été".encode() + b"\xff", "text/html; charset=utf-8")
    assert found.num_wrong == 1


@pytest.mark.parametrize(
    ("codec", "charset", "text"),
    [
        ("cp949", "euc-kr", KOREAN),
        ("mac_roman", "macintosh", FRENCH),
        (
            "mac_roman",
            "macintosh",
            "Für größere Häuser und über schöne Gärten hört man früh gute Gründe, sagt die Bäuerin. ",
        ),
        (
            "mac_roman",
            "macintosh",
            "También el señor Muñoz está aquí, más allá del río; después pasó por más de cinco pueblos. " * 2,
        ),
        ("mac_cyrillic", "x-mac-cyrillic", RUSSIAN),
        ("cp855", "ibm855", RUSSIAN),
        ("cp852", "ibm852", "Rzeka bierze początek w północnych wzgórzach i płynie przez kilka małych wiosek. " * 4),
        ("iso2022_kr", "iso-2022-kr", KOREAN),
        ("cp866", "ibm866", RUSSIAN),
        ("iso2022_jp", "iso-2022-jp", JAPANESE),
        ("big5", "big5", TAIWANESE),
        ("gbk", "gb18030", CHINESE),
    ],
)
@pytest.mark.parametrize("times", [1, 4])
def test_undeclared_charsets_are_detected(codec: str, charset: str, text: str, times: int) -> None:
    html = page(text * times)
    assert to_utf8(html.encode(codec)) == (html.encode(), charset)


ARABIC = "يقع المطعم القديم على ضفة النهر الكبير، وتدور عجلته ليلاً ونهاراً، ويأتي إليه الناس من كل القرى حولها. "
PERSIAN = "آسیاب پیر کنار رودخانه است و چرخ آن شب و روز می‌گردد و گندم روستاهای ژرف دره را آرد می‌کند. "
HEBREW = "הטחנה הישנה עומדת על שפת הנהר הגדול, והגלגל שלה מסתובב יומם ולילה בלי הפסקה. "


@pytest.mark.parametrize(
    ("codec", "charset", "text"),
    [
        ("iso8859-6", "iso-8859-6", ARABIC),
        ("cp1256", "windows-1256", ARABIC),
        ("cp1256", "windows-1256", PERSIAN.replace("ی", "ي")),
        ("cp1255", "windows-1255", HEBREW),
    ],
)
@pytest.mark.parametrize("declared", ["text/html", "text/html; charset=utf-8"])
@pytest.mark.parametrize("language", ["", "lang"])
@pytest.mark.parametrize("times", [1, 4])
def test_letters_of_two_directions_do_not_touch(
    codec: str, charset: str, text: str, declared: str, language: str, times: int
) -> None:
    """ISO-8859-6 read as windows-1256 is Arabic with French letters in its words."""
    html = page(text * times)
    if language:
        code = {ARABIC: "ar", HEBREW: "he"}.get(text, "fa")
        html = html.replace("<html", f"<html lang={code}") if "<html" in html else f"<html lang={code}>{html}"
    assert to_utf8(html.encode(codec), declared) == (html.encode(), charset)


@pytest.mark.parametrize("num_wrong", [1, 4, 8])
def test_wrong_bytes_that_look_latin_inside_arabic_words_tell_nothing(num_wrong: int) -> None:
    data = bytearray(ARABIC.encode("cp1256"))
    inner = [place for place in range(2, len(data) - 2) if min(data[place - 2 : place + 3]) > 127]
    for number in range(num_wrong):
        data[inner[number * len(inner) // num_wrong]] = 0xE9
    assert to_utf8(bytes(data)) == (data.decode("cp1256").encode(), "windows-1256")


@pytest.mark.parametrize(
    "text",
    ["Don’t say “it’s” — the author’s “words” aren’t ours… " * 9, "It costs 5 € – she said: «No»… " * 9, "Isn’t it?"],
)
def test_quotes_of_windows_are_no_letters_of_macroman(text: str) -> None:
    assert to_utf8(page(text).encode("cp1252", "ignore"))[1] == "windows-1252"


@pytest.mark.parametrize("charset", ["koi8-r", "ibm866"])
def test_bars_of_a_chart_are_no_words(charset: str) -> None:
    rows = "".join(f"│ {number:04} │ {'█' * (number % 40 + 9)} │\n" for number in range(90))
    html = page(f"{RUSSIAN * 3}<pre>{rows}</pre>", language="ru")
    assert to_utf8(html.encode(charset)) == (html.encode(), known(charset).replace("-r", "-u"))


@pytest.mark.parametrize(("place", "kind"), [(place, kind) for place in range(3, 90, 7) for kind in range(4)])
def test_a_wrong_byte_of_iso_2022_jp_costs_few_characters(place: int, kind: int) -> None:
    data = bytearray(JAPANESE.encode("iso2022_jp"))
    if kind == 0:
        del data[place]
    else:
        data[place : place + (kind == 1)] = b"e" if kind == 2 else b"\xe9"
    found, charset, wrong = decoded(b"<p>" + bytes(data), "text/html; charset=iso-2022-jp")
    text = found.decode()[3:]
    assert charset == "iso-2022-jp"
    pairs = list(zip(text, JAPANESE, strict=False))
    before = next((n for n, (a, b) in enumerate(pairs) if a != b), len(pairs))
    behind = next((n for n in range(1, len(text) + 1) if text[-n:] != JAPANESE[-n:]), len(text))
    assert before + behind >= len(JAPANESE) - 4
    assert wrong <= 1


def test_the_circled_numbers_of_windows_are_read_in_euc_jp() -> None:
    row_13 = bytes([0xAD, 0xA1])
    found = decoded(page(JAPANESE).encode("euc-jp") + row_13, "text/html; charset=euc-jp")
    assert (found.utf8.decode()[-1], found.num_wrong) == ("①", 0)


def test_a_euro_sign_of_code_page_936() -> None:
    assert decoded(CHINESE.encode("gbk") + b" \x80 ", "text/html; charset=gbk").utf8.decode().endswith(" € ")


def test_cases_with_one_wrong_byte(shared: Path) -> None:
    rows, report = read(whole(shared / "cases" / "utf8-one-bad-byte" / "a.warc.gz"))
    assert [row["charset"] for row in rows] == ["utf-8"] * 6 + ["euc-kr"]
    assert [row["text"].count("\ufffd") for row in rows] == [1, 1, 1, 0, 0, 0, 1]
    assert report["notes"] == {"wrong_bytes": 7}
    assert all("rivière" in row["text"] for row in rows[:6])


def test_case_of_an_undeclared_korean_page(shared: Path) -> None:
    rows, _ = read(whole(shared / "cases" / "euc-kr-undeclared" / "a.warc.gz"))
    assert {row["charset"] for row in rows} == {"euc-kr"}
    assert all("그 강은 북쪽" in row["text"] for row in rows)


BOXES = "┌" + "─" * 29 + "┐\n" + "│ docs │\n" * 30


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("gbk", f"A page of English with one plan: {BOXES} 请参阅中文文档，谢谢。"),
        ("big5", "It’s mostly English — “quoted” words, the author’s, aren’t they… " * 6 + "繁體中文說明。"),
        ("gbk", "It’s mostly English — “quoted” words, the author’s, aren’t they… " * 6 + "简体中文说明。"),
    ],
)
def test_chinese_pages_of_marks_and_boxes_are_recognised(codec: str, text: str) -> None:
    html = page(text, language="zh").encode(codec)
    for damaged in (html, html.replace(b"English", b"Engl\xa9ish", 1)):
        utf8, name = to_utf8(damaged)
        assert (name, text[-7:] in utf8.decode()) == ({"gbk": "gb18030"}.get(codec, codec), True)


@pytest.mark.parametrize("wrong", [b"", b"\xff", b"\x9a\x8e"])
def test_a_short_page_of_macroman_is_recognised(wrong: bytes) -> None:
    text = "Séances publiées à l'été : élèves, français, hôtel, forêt, déjà là."
    html = page(text, language="fr").encode("mac_roman") + b" abc" + wrong + b"def"
    utf8, name = to_utf8(html)
    assert (name, text in utf8.decode()) == ("macintosh", True)


SHIFTED = {
    "iso-2022-jp": ("iso2022_jp", JAPANESE, (b"\x1b$B", b"\x1b(B")),
    "iso-2022-kr": ("iso2022_kr", KOREAN, (b"\x0e", b"\x0f")),
    "hz": ("hz", "水车磨坊坐落在河边，村里的人们每年秋天都把粮食送到那里去磨成面粉。", (b"~{", b"~}")),
}


def shifted_page(name: str) -> tuple[str, bytes]:
    """Lines of characters and ASCII by turns, as text and as bytes."""
    codec, text, _ = SHIFTED[name]
    words = text.replace(" ", "").replace("\n", "")[:24]
    page = "".join(f"<p>Line {number} {words} and more</p>\n" for number in range(4))
    return page, page.encode(codec)


@pytest.mark.parametrize("header", ["text/html", "text/html; charset={}"])
@pytest.mark.parametrize("name", SHIFTED)
@pytest.mark.parametrize("mark", [0, 1])
def test_a_damaged_shift_costs_no_text(name: str, mark: int, header: str) -> None:
    """Each byte of the second shift to two bytes, or back, is lost in turn, and then all of it."""
    page, data = shifted_page(name)
    token = SHIFTED[name][2][mark]
    assert decoded(data, header.format(name))[:2] == (page.encode(), name)
    place = data.index(token, data.index(token) + 1)
    lost = [data[: place + k] + data[place + k + 1 :] for k in range(len(token))]
    if name != "iso-2022-jp" or mark:
        lost.append(data[:place] + data[place + len(token) :])
    for damaged in lost:
        found, charset, wrong = decoded(damaged, header.format(name))
        letters = [re.sub(r"[~{}]", "", text) for text in (found.decode(), page)]
        assert (letters[0], charset, wrong) == (letters[1], name, 0)


@pytest.mark.parametrize("cut", [b"\x1b$)C", b"$", b"C"])
def test_korean_without_its_header_is_read(cut: bytes) -> None:
    page, data = shifted_page("iso-2022-kr")
    found, charset, _ = decoded(data.replace(b"\x1b$)C", b"\x1b$)C".replace(cut, b"")), "")
    assert charset == "iso-2022-kr"
    assert found.decode().endswith(page[page.index("<p>") + 3 :])


@pytest.mark.parametrize(
    "page",
    [
        b"<p>In TeX ~{\\bf x} and ~{\\it y}~} are groups, ~{A,B}~} and ~{0,1}~} too</p>",
        b"<p>a~{b and c\x0ed, e\x0ff</p>",
        b"\x0eABC\x0f ~{} ~}",
    ],
)
def test_ascii_with_such_marks_stays_what_it_is(page: bytes) -> None:
    assert decoded(page, "text/html") == (page, "utf-8", 0)


@pytest.mark.parametrize("quote", ["’", "“{}”"])
def test_a_wrong_byte_in_english_with_a_few_han_changes_no_charset(quote: str) -> None:
    words = [quote.format(word) if "{}" in quote else f"don{quote}t {word}" for word in ("git", "see", "push") * 4]
    page = f'<html lang="zh"><p>{" ".join(words)} 圖表 {" ".join(words)} 圖表</p>'.encode("gb18030")
    place = page.index(words[1].encode("gb18030"))
    for damaged in (page, page[:place] + b"\xd3" + page[place:], page[:place] + b"\x9a" + page[place:]):
        assert decoded(damaged).charset == "gb18030"


@pytest.mark.parametrize("data", [b"a\0b", b"ab\0cdef", b"\0ab", b"abcdef\0", b"ab\0c", b"plain\0 words of a page"])
def test_a_stray_nul_makes_no_utf16(data: bytes) -> None:
    assert to_utf8(data) == (data, "utf-8")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["a", "A.", "abc", "plain words", "Été à l’hôtel", "русский текст, два слова"])
def test_utf16_without_a_mark_is_recognised_by_its_nuls(codec: str, text: str) -> None:
    assert to_utf8(text.encode(codec))[0].decode() == text
