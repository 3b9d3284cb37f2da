"""Hints of class, id, role and schema.org words about an element: one bit for each kind of thing web pages are made of.

For `blocks`. A value is cut into words at everything but letters and at `aB`; a word that is not in `HINTS` is
cut again at its longest known beginning of four letters or more, so `commentlist` means comment and list, `maincontent`
main and content. The bits of a whole value are remembered by its hash, so a page pays once for each class it uses.
The words are ours, from the habits of common site builders, with the commonest German, French, Spanish, Polish, Czech
and Russian (transliterated) ones; what each bit is worth is learned (`tools/train_extractor.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html.tables import FNV_START, HINT_SIZE, HINT_TABLE, build_table, look_up, mix
from stages.kernels.jit import lean_inline_kernel as inline_kernel

HINTS: dict[str, str] = {
    "content": "content contents text body main copy prose richtext wysiwyg rte markdown inhalt contenu contenido tresc "
    "texte texto obsah tekst bodytext maincontent",
    "article": "article post entry story blog blogpost hentry news artikel articulo artykul clanek beitrag posts "
    "articlebody newsarticle blogposting posting novost statya noticia actualite single",
    "comment": "comment comments commentlist respond disqus kommentar kommentare commentaire commentaires comentario "
    "comentarios komentarze komentar kommentarii remark coments",
    "forum": "forum message messages thread threads topic topics reply replies answer answers question questions "
    "discussion discourse phpbb xenforo vbulletin smf flarum nodebb bbpress postbit qapage crayons",
    "nav": "nav navi navigation navbar menu menus menubar submenu mainmenu navbox sitenav topnav dropdown hamburger "
    "offcanvas megamenu menyu",
    "breadcrumb": "breadcrumb breadcrumbs crumb crumbs pathway ariadne",
    "sidebar": "sidebar side aside rail secondary complementary left right leftcol rightcol rightside seitenleiste",
    "footer": "footer foot bottom colophon contentinfo fuss stopka pied",
    "header": "header head masthead top topbar kopf entete",
    "share": "share sharing social facebook twitter whatsapp linkedin pinterest telegram follow addthis sharethis "
    "addtoany like likes",
    "related": "related recommended recommend recommendations recommendation similar more also popular trending latest "
    "recent readmore most aehnliche pohozhie podobne featured",
    "ad": "ad ads advert adverts advertisement advertising sponsor sponsored promo promotion promotional adsense dfp "
    "taboola outbrain werbung reklama anzeige pub publicite publicidad",
    "author": "author authors byline writer avatar bio autor auteur redakteur",
    "date": "date time published timestamp meta info postmeta updated datum data datetime posted pubdate datepublished",
    "tag": "tag tags category categories cat keywords keyword labels taxonomy rubrik kategorie",
    "consent": "cookie cookies consent gdpr popup modal overlay lightbox notice onetrust interstitial toast",
    "form": "search login signin signup register subscribe subscription newsletter form account suche field input "
    "paywall register registration",
    "title": "title headline heading titre titel titulo tytul zagolovok subject",
    "caption": "caption credit image images photo photos gallery media thumbnail thumb picture figure img foto video "
    "player embed",
    "product": "product products price prices cart shop sku buy stock checkout variant woocommerce shopify magento basket "
    "prestashop preis prix precio cena tovar add shipping delivery",
    "review": "review reviews rating ratings stars star testimonial testimonials",
    "pager": "pagination pager paging next prev previous pagenav pages",
    "widget": "widget widgets module modules block box panel portlet component",
    "hidden": "hidden hide visuallyhidden offscreen invisible screenreader sr",
    "code": "highlight code codehilite source syntax sourcecode snippet hljs prism rouge",
    "toc": "toc tableofcontents outline localtoc",
    "list": "list listing card cards grid item items teaser tile tiles feed archive row liste lista results result",
    "docs": "doc docs documentation document reference wiki mw sphinx docusaurus mkdocs vuepress gitbook readthedocs "
    "rst manual api guide techarticle theme",
    "user": "user users username profile member members signature nick nickname poster postauthor karma badge",
    "quote": "quote quotes quotation blockquote quoted pullquote",
    "faq": "faq faqs accordion tab tabs collapse collapsible toggle faqpage",
    "lead": "lead lede intro introduction summary excerpt abstract description desc standfirst subtitle deck dek "
    "subheading chapo teasertext annotation",
    "tool": "skip print tools tool toolbar button buttons btn action actions cta edit icon icons controls vote votes "
    "voting link links download",
    "language": "lang language languages locale sprache",
    "legal": "copyright legal disclaimer privacy terms impressum licence license",
    "hero": "hero slider slide slides carousel swiper jumbotron banner slideshow marquee ticker",
}
HINT_NAMES = tuple(HINTS)
HINT_BITS = {name: bit for bit, name in enumerate(HINT_NAMES)}
NOT_SHOWN = len(HINT_NAMES)
"""Bit of an element with ``hidden``, ``aria-hidden="true"`` or a style that shows nothing."""

_MIN_BEGINNING = 4
_MAX_WORD = 32


def fill_hint_table(T: npt.NDArray[np.int64]) -> None:
    """Write `HINTS` into ``T``, words to bit masks; a word under two kinds has both bits."""
    masks: dict[str, int] = {}
    for bit, words in enumerate(HINTS.values()):
        for word in words.split():
            masks[word] = masks.get(word, 0) | 1 << bit
    table = build_table([word.encode() for word in masks], HINT_SIZE, list(masks.values()))
    T[HINT_TABLE : HINT_TABLE + 2 * HINT_SIZE] = table


@inline_kernel
def read_hints(data, start, stop, T):  # type: ignore[no-untyped-def]
    """Bit mask of all words of ``data[start:stop]``."""
    mask = 0
    i = start
    while i < stop:
        h = FNV_START
        first = i
        known = 0
        known_stop = -1
        was_lower = False
        while i < stop and i - first < _MAX_WORD:  # keeps a long run of known words linear
            b = data[i]
            upper = 65 <= b <= 90
            if not (upper or 97 <= b <= 122) or (upper and was_lower):
                break
            was_lower = not upper
            h = mix(h, b | 0x20)
            i += 1
            if i - first >= _MIN_BEGINNING:
                bits = look_up(T, HINT_TABLE, HINT_SIZE, h)
                if bits >= 0:
                    known, known_stop = bits, i
        if i == first:
            i += 1  # a byte that is no letter
            continue
        if i - first < _MIN_BEGINNING:
            bits = look_up(T, HINT_TABLE, HINT_SIZE, h)
            if bits >= 0:
                mask |= bits
        elif known_stop >= 0:
            mask |= known
            i = known_stop if i - known_stop >= 3 else i
    return mask
