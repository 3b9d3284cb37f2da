"""Charsets that are much alike: wrong bytes lead from none of them to another."""

from __future__ import annotations

import pytest

from stages.documents.charset_words import LONGEST, as_elsewhere
from stages.documents.charsets import decoded
from tests.support.charset_pages import RUSSIAN, page

MISE = "Le règlement précise déjà la portée générale des mesures adoptées à l'été. " * 8


GREEK = "Ο ποταμός πηγάζει από τους βόρειους λόφους και διασχίζει πολλά μικρά χωριά. " * 5


LITHUANIAN = "Upė prasideda šiaurinėse kalvose ir teka pro kelis mažus kaimus, kol pasiekia jūrą. " * 4


CZECH = "Řeka pramení v severních kopcích a protéká několika malými vesnicemi, než dosáhne moře. " * 4


TURKISH = "Nehir kuzey tepelerinde doğar ve denize ulaşmadan önce küçük köylerden geçer; yapılır. " * 4


RELATIVES = [
    ("fr", "iso-8859-15", "windows-1252", MISE + "La mise en œuvre de ces vœux.", b"\x93\x80\x98"),
    ("fr", "windows-1252", "iso-8859-15", MISE + "Il dit : “non”… l’été — ici.", b"\xbd\xbc\xb8"),
    ("el", "iso-8859-7", "windows-1253", GREEK + "Άλλα και Άλλος.", b"\x94\x99\x80"),
    ("el", "windows-1253", "iso-8859-7", GREEK + "Άλλα και Άλλος: “ναι”.", b"\xb6\xa1\xb6"),
    ("lt", "windows-1257", "iso-8859-13", LITHUANIAN + "„Taip“, – sako jis.", b"\xb4\xff\xa1"),
    ("cs", "windows-1250", "iso-8859-2", CZECH, b"\xb9\xa5\xb1"),
    ("cs", "iso-8859-2", "windows-1250", CZECH, b"\x9e\x84\x9a"),
    ("tr", "windows-1254", "iso-8859-3", TURKISH, b"\xb9\xa1\xb1"),
    ("ru", "windows-1251", "x-mac-cyrillic", "ДОКУМЕНТАЦИЯ НА РУССКОМ. " * 6 + RUSSIAN, b"\xc6\xc6\x80"),
]


@pytest.mark.parametrize(("language", "charset", "relative", "text", "wrong"), RELATIVES)
def test_wrong_bytes_do_not_lead_to_a_relative(
    language: str, charset: str, relative: str, text: str, wrong: bytes
) -> None:
    """Bytes that only the relative can read, put into the middle of words: they tell for neither."""
    codec = {"x-mac-cyrillic": "mac_cyrillic"}.get(charset, charset)
    page_ = page(text, language=language).encode(codec)
    name = decoded(page_).charset
    assert name in (charset, relative)
    assert decoded(page_).utf8.decode() == page_.decode(codec)
    for number in (1, 2, 3):
        damaged = bytearray(page_)
        for k in range(number):
            place = page_.index(b" ", 200 + 90 * k) + 3 + k
            damaged[place:place] = wrong[k : k + 1]
        assert decoded(bytes(damaged)).charset == name, (number, name)


LETTERS = [
    ("el", "iso-8859-7", GREEK + "Άλλα στο Follow.", b"F", b"F\x97"),
    ("el", "iso-8859-7", GREEK + "Άλλα στο Online.", b"O", b"\x92"),
    ("fr", "iso-8859-15", MISE + "La mise en œuvre.", b"mise", b"\x92mise \x96 \x95"),
]


@pytest.mark.parametrize(("language", "charset", "text", "sound", "broken"), LETTERS)
def test_a_quote_among_controls_tells_less_than_a_letter(
    language: str, charset: str, text: str, sound: bytes, broken: bytes
) -> None:
    """A byte that the windows relative reads as a quote or dash where one may stand; a letter says what the page is."""
    page_ = page(text, language=language).encode(charset)
    assert decoded(page_).charset == charset
    damaged = page_.replace(sound, broken)
    assert damaged != page_
    assert decoded(damaged).charset == charset


PLAIN_CZECH = "Začátečník čte knihu o řece, která protéká několika obcemi, a začátečník ji má rád. " * 3


WORDS_ELSEWHERE = [
    ("cs", "iso-8859-2", PLAIN_CZECH + "Začátečník a spouštěcí modul.", ("Začátečník a", "Za\x9eátečník a")),
    ("cs", "iso-8859-2", PLAIN_CZECH + "Začátečník a spouštěcí modul.", ("Začátečník a", "Začá\x9etečník a")),
    ("cs", "windows-1250", PLAIN_CZECH + "Začátečník tam.", ("Začátečník tam", "Začáteąčník tam")),
    ("el", "windows-1253", GREEK + "Αναζήτηση Experience", ("Αναζήτηση Exp", "Α¶ναζήτηση ExpΆ")),
    ("et", "windows-1257", "Võistlus algab järgmisel päeval. " * 4 + "Web Experience", ("Exp", "®Exp")),
]


@pytest.mark.parametrize(("language", "charset", "text", "change"), WORDS_ELSEWHERE)
def test_a_word_that_a_wrong_byte_spoiled_tells_for_no_charset(
    language: str, charset: str, text: str, change: tuple[str, str]
) -> None:
    """The page has the word elsewhere without the wrong byte, or it stands behind the capital that begins it."""
    page_ = page(text, language=language).encode(charset)
    assert decoded(page_).charset == charset
    sound, broken = (part.encode(charset) for part in change)
    assert page_.count(sound) == 1
    assert decoded(page_.replace(sound, broken)).charset == charset


FORMS = "Odmiana: {}. To jest zwykły tekst o deklinacji w języku polskim dla uczniów."


@pytest.mark.parametrize("words", ["ustawa ustawą", "ustawa ustawą, szkoła szkołą"])
@pytest.mark.parametrize("charset", ["iso-8859-2", "windows-1250"])
def test_forms_of_a_word_that_differ_at_its_end_have_no_wrong_byte(words: str, charset: str) -> None:
    assert decoded(page(FORMS.format(words), language="pl").encode(charset)).charset == charset


@pytest.mark.parametrize(("place", "is_sound"), [(0, True), (LONGEST - 1, True), (LONGEST, False), (97, False)])
def test_a_wrong_byte_is_looked_for_in_the_first_letters_of_a_word(place: int, is_sound: bool) -> None:
    """In 64 KiB of letters without a space each place was compared with all of them, which took a second a page."""
    sound = b"a" * 99
    text = sound + b" " + sound[:place] + b"\x9c" + sound[place:]
    found = as_elsewhere(text, "windows-1250", "iso-8859-2")
    assert found == (sound + b" " + sound if is_sound else text)
