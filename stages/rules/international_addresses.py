"""E-mail addresses with letters beyond the Latin ones before or behind their '@' (RFC 6531, RFC 5890).

For whom: `stages.rules.privacy`, for the '@' that its own pattern leaves, and hosts that it cuts short.

Host: labels of letters, marks and digits of any script, between dots; the last is one of the root zone's own
(`TOPS`), two Latin letters or more, or ``xn--``. Text in a script without spaces may stand directly behind it
(``joe@例子.公司联系``). Name: as the Latin pattern reads it, where Latin letters or digits stand before the '@';
letters of scripts that are written with spaces before these belong to it where the host has other letters too. Else
letters of any script, up to 64 bytes (RFC 5321): in a script without spaces only where the host has other letters, as
`关注@joe.example` is a sentence about an account.

Price: about 20 µs a place with a letter beyond ASCII beside it or in its host.
"""

from __future__ import annotations

import re
import unicodedata

TOPS = frozenset(
    """
    ישראל امارات հայ বাংলা бг البحرين бел 中国 中國 الجزائر مصر ею ευ موريتانيا გე ελ 香港 ಭಾರತ ଭାରତ ভাৰত भारतम् भारोत
    ڀارت ഭാരതം भारत بارت بھارت భారత్ ભારત ਭਾਰਤ ভারত இந்தியா ایران ايران عراق الاردن 한국 қаз ລາວ ලංකා இலங்கை المغرب
    мкд мон 澳門 澳门 مليسيا عمان پاکستان پاكستان فلسطين срб рф قطر السعودية السعودیة السعودیۃ السعوديه سودان 新加坡
    சிங்கப்பூர் سورية سوريا ไทย تونس 台灣 台湾 臺灣 укр اليمن कॉम セール 佛山 慈善 集团 在线 点看 คอม 八卦 موقع 公益 公司
    香格里拉 网站 移动 我爱你 москва католик онлайн сайт 联通 קום 时尚 微博 淡马锡 ファッション орг नेट ストア アマゾン
    삼성 商标 商店 商城 дети ポイント 新闻 家電 كوم 中文网 中信 娱乐 谷歌 電訊盈科 购物 クラウド 通販 网店 संगठन 餐厅
    网络 ком 亚马逊 食品 飞利浦 手机 ارامكو العليان بازار ابوظبي كاثوليك همراه 닷컴 政府 شبكة بيتك عرب 机构 组织机构
    健康 招聘 рус 大拿 みんな グーグル 世界 書籍 网址 닷넷 コム 天主教 游戏 企业 信息 嘉里大酒店 嘉里 广东 政务
    测试 測試 испытание परीक्षा δοκιμή 테스트 טעסט テスト பரிட்சை إختبار آزمایشی
    """.split()  # noqa: SIM905
)
"""Top-level domains beyond Latin letters: the root zone as the Public Suffix List has it, and the eleven names that
IANA's test of them used (`пример.испытание`), which examples go on using."""

_LONGEST_NAME = 64
_LONGEST_HOST = 253
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Letters of scripts without spaces between words, and Hangul, whose particles stand at the words before them."""
_LATIN_TOP = re.compile("xn--[A-Za-z0-9-]+|[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]{2,63}")
_LATIN_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,63}(?![A-Za-z0-9-])")
_PICTURE = re.compile(r"\d(?:\.\d)?x\.(?:png|jpe?g|gif|webp|svg|avif)", re.IGNORECASE)
_HOST_BEYOND = re.compile(rb"[A-Za-z0-9.-]*[\x80-\xff]")
_BEYOND = re.compile("[^\u0000-\u024f]")
_SPECIAL = frozenset("!#$%&'*+/=?^_`{|}~-.")


def added(page: bytes, signs: list[int], spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """``spans`` (start, stop: bytes, rising) of a page's addresses with those that its other '@' have, and with hosts
    up to their end."""
    found = list(spans)
    signs = [at for at in signs if page[at - 1] >= 0x80 or _HOST_BEYOND.match(page, at + 1)]
    k = 0
    free = 0
    for at in signs:
        while k < len(spans) and spans[k][1] <= at:
            free = max(free, spans[k][1])
            k += 1
        if at < free:
            continue
        if k < len(spans) and spans[k][0] < at:
            start, stop = spans[k]
            if page[stop : stop + 1] == b"." and page[stop + 1 : stop + 2] >= b"\x80":
                host = _host(_behind(page, at))
                longer = at + 1 + len(host.encode())
                if longer > stop:
                    found[k] = (start, longer)
                    free = longer
            continue
        ceiling = spans[k][0] if k < len(spans) else len(page)
        span = _address(page, at, free)
        if span is not None and span[1] <= ceiling:
            found.append(span)
            free = span[1]
    return sorted(found)


def _address(page: bytes, at: int, free: int) -> tuple[int, int] | None:
    """The address around the '@' at a byte, not before ``free``."""
    text = _behind(page, at)
    host = _host(text)
    beyond = _BEYOND.search(host) is not None
    if not beyond:
        match = _LATIN_HOST.match(text)
        if page[at - 1] < 0x80 or match is None or _PICTURE.fullmatch(match[0]):
            return None
        host = match[0]
    name = _name(_before(page, at, free), beyond)
    return (at - len(name.encode()), at + 1 + len(host.encode())) if name else None


def _behind(page: bytes, at: int) -> str:
    return page[at + 1 : at + 1 + _LONGEST_HOST].decode("utf-8", "ignore")


def _before(page: bytes, at: int, free: int) -> str:
    """Text before a byte, a little more than a name may have."""
    first = max(free, at - _LONGEST_NAME - 16)
    while first < at and page[first] & 0xC0 == 0x80:
        first += 1
    return page[first:at].decode("utf-8", "replace")


def _host(text: str) -> str:
    """The longest host with a known end that text begins with, or nothing."""
    stop = next((k for k, c in enumerate(text) if not (_is_letter(c) or c in "-.")), len(text))
    labels = text[:stop].split(".")
    end = place = 0
    for number, label in enumerate(labels):
        top = _top(label) if number else 0
        if top:
            end = place + top
        if not label or label[0] == "-" or label[-1] == "-" or not _is_letter(label[0]) or 0 < top < len(label):
            break
        place += len(label) + 1
    return text[:end]


def _top(label: str) -> int:
    """Characters of the top-level domain that a label is or, before a script without spaces, begins with."""
    lower = label.lower()
    if (lower in TOPS and label in (lower, label.upper())) or _LATIN_TOP.fullmatch(label):
        return len(label)
    latin = _LATIN_TOP.match(label)
    if latin:
        return latin.end() if _UNSPACED.match(label, latin.end()) else 0
    if not _UNSPACED.match(label):
        return 0
    return max((size for size in range(1, min(len(label), 8)) if label[:size] in TOPS), default=0)


def _name(text: str, host_is_beyond: bool) -> str:
    """The name that text ends with, or nothing."""
    start = len(text)
    latin = start > 0 and text[-1] < "\u0250"
    while start and (_is_letter(text[start - 1]) or text[start - 1] in _SPECIAL):
        if latin and _UNSPACED.match(text, start - 1):
            break
        start -= 1
    name = text[start:]
    if "/" in name or "?" in name:  # of a URL
        name = name[max(name.rfind(mark) for mark in "?&=;/") + 1 :]
    name = name[name.rfind("..") + 2 :] if ".." in name else name
    while name and not name[0].isalnum():
        name = name[1:]
    if not name or name[-1] == "." or len(name.encode()) > _LONGEST_NAME or "\ufffd" in name:
        return ""
    if _UNSPACED.search(name) and not host_is_beyond:
        return ""
    return name


def _is_letter(character: str) -> bool:
    """A letter, mark or digit, or what joins letters of Persian and Hindi."""
    return character.isalnum() or character in "\u200c\u200d" or unicodedata.category(character) in ("Mn", "Mc")
