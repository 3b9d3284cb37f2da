"""What a page's own style sheets hide is no text; what they show again, or may show, is."""

from __future__ import annotations

import random
import time

import pytest

from tests.extraction.test_structure import text_of
from tests.slow.style_sheets import Sheet, media

BODY = "<p>seen<p class=a>one<p id=b>two<div class='c d'>three</div><span class=e>four</span>"


@pytest.mark.parametrize(
    ("css", "text"),
    [
        (".a{display:none}", "seen two three four"),
        ("#b{display:none}", "seen one three four"),
        ("a{}\n.a,\n#b , .c { DISPLAY : None ! important }", "seen four"),
        ("/* .b{} */ .a{color:red;visibility:hidden}/*.c{display:none}*/", "seen two three four"),
        ("@media print{.a{display:none}} .c{display:none/**/}", "seen one two four"),
        ("@media print, speech{.a{display:none}}@media only screen , print{#b{display:none}}", "seen one three four"),
        ("@media screen and (min-width:3px){.a{display:none}}", "seen one two three four"),
        (".a{display:none}@media (min-width:3px){.a{display:block}}", "seen one two three four"),
        ("@supports (display:grid){@layer x{.a{display:none}}}", "seen two three four"),
        (".a{display:none}.a{display:block}", "seen one two three four"),
        (".a{display:none!important}.a{display:block}", "seen two three four"),
        (".c{display:none}.d{display:flex}", "seen one two three four"),
        (".d{display:flex}.c{display:none}", "seen one two four"),
        ("p.a{display:none}p.c{display:none}", "seen two three four"),
        (".a{display:none} .open .a{display:block}", "seen one two three four"),
        (".a{display:none} .a.open, .x{display:block}", "seen one two three four"),
        (".a{display:none} .a::before{content:'}';display:block}", "seen two three four"),
        (".a{display:none;&:hover{display:block}} .x{.c{display:none}}", "seen one two three four"),
        ("@font-face{src:url(data:x;{}) } .a{display:none}", "seen two three four"),
        ("<!-- .a{display:none} -->", "seen two three four"),
        ("@import 'x.css'; :root{--display:none} .e{display:none", "seen one two three"),
        (".x .a, .a.x, .a > p, [class=a], p, *{display:none}", "seen one two three four"),
        (".a{visibility:hidden;opacity:0}", "seen one two three four"),
        ("main, body, html, #main{display:none}", "seen one two three four"),
    ],
)
def test_simple_rules_hide_and_all_others_show(css: str, text: str) -> None:
    assert text_of(f"<style>{css}</style>{BODY}").split() == text.split()


def test_several_style_elements_count_wherever_they_stand_but_not_what_is_no_style_sheet() -> None:
    others = "<script>'<style>.a{display:none}</style>'</script><!--<style>.a{display:none}</style>--><noscript><style>#b{display:none}"
    others += (
        "</style></noscript><style media=print>.a{display:none}</style><style type=text/less>.a{display:none}</style>"
    )
    page = f"{others}<STYLE media='screen'>.e{{display:none}}</STYLE>{BODY}<style>.c{{display:none}}</style>"
    assert text_of(page).split() == ["seen", "one", "two"]
    assert text_of(BODY).split() == ["seen", "one", "two", "three", "four"]  # of another page


def test_what_unfolds_by_name_or_element_style_stays() -> None:
    names = (".more", "#read-more", ".accordion-content", ".tabcontent", ".panel", ".collapsible", ".spoiler-text")
    for name in names:
        kind = "class" if name[0] == "." else "id"
        assert text_of(f"<style>{name}{{display:none}}</style><p>a<p {kind}={name[1:]}>b") == "a\n\nb"
    assert text_of("<style>.x{display:none}</style><div class=accordion><p>a<div class=x><p>b</div></div>") == "a\n\nb"
    assert text_of("<style>.x{display:none}</style><p>a<p class=x style='color:red; display: block'>b") == "a\n\nb"


def test_a_page_that_would_hide_most_of_itself_is_shown() -> None:
    text = ("all of it " * 60).strip()
    assert (
        text_of(f"<style>.js{{visibility:hidden}}</style><main class=js>x</main><div class=js><p>{text}</div>")
        == f"x\n\n{text}"
    )
    assert text_of(f"<style>.js{{display:none}}</style><p>a<div class=js>{text}</div><p hidden>no") == f"a\n\n{text}"


WORDS = (
    ".a", ".b", "#c", "p.a", "div.b", "*.a", ".a.b", ".b .a", ".a:hover", ".b::after", "#c > .b", ".tab", "p", ".x\\:y",
    ":not(.a, .b)", ",", ",", "{", "{", "{", "}", "}", "}", "}", "display:none", "display:block", "display: none !important",
    "visibility:hidden", "visibility:visible", "display : flex", "opacity:0", "color:red", "content:'}{'", "background:url(a;b{)",
    ";", ";", ";", "/* } */", "@media print{", "@media screen{", "@media (x){", "@supports (x){", "@font-face{", "@layer z{", "&:hover{", "@import 'x';",
    "\n", " ",
)  # fmt: skip


def test_random_style_sheets_hide_what_the_slow_twin_says() -> None:
    rng = random.Random(5)
    elements = [
        ("p", "a", ""),
        ("p", "b x:y", ""),
        ("div", "b", ""),
        ("p", "a b", ""),
        ("div", "", "c"),
        ("p", "a", "c"),
        ("p", "tab", ""),
    ]
    for _ in range(400):
        sheets = ["".join(rng.choice(WORDS) for _ in range(rng.randint(3, 40))) for _ in range(rng.randint(1, 2))]
        page, expected, twin = "<p>" + "shown " * 60, ["shown"] * 60, Sheet()
        for css in sheets:
            query = rng.choice(("", "screen", "print", "all and (x)"))
            page = f"<style media='{query}'>{css}</style>{page}"
        for part in page.split("<style media='")[1:]:
            query, _, rest = part.partition("'>")
            if media(query) < 2:
                twin.read(rest.partition("</style>")[0], media(query))
        for number, (tag, classes, name) in enumerate(elements):
            style = rng.choice(("", "", "display:block", "visibility:visible;color:red"))
            page += f"<{tag} class='{classes}' id='{name}' style='{style}'>word{number}</{tag}>"
            if not twin.hides(tag, classes.split(), name, style):
                expected.append(f"word{number}")
        assert text_of(page).split() == expected, page


HOSTILE = (".a{display:none}", ".a,", "{", "}", "/*", "'", "url(", "@media screen{", "&", "\\", ".a{display:", "display :", ":not(", "<style>", "<sty",
           "<noscript>", "y ", "a{display:none;b{")  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_style_sheets_take_linear_time(unit: str) -> None:
    def seconds(times: int) -> float:
        start = time.process_time()
        text_of("<style>.a{display:none}" + unit * times + "</style><p class=a>x")
        return time.process_time() - start

    seconds(10)
    small = min(seconds(5_000) for _ in range(2))
    assert seconds(40_000) < 8 * 6 * max(small, 0.005)


def test_a_hundred_thousand_rules_are_read_and_what_is_beyond_the_table_is_shown() -> None:
    rules = "".join(f".x{number}{{display:none;color:red;padding:0 0 0 0}}" for number in range(100_000))
    page = f"<style>{rules}.a{{display:none}}</style><p>shown<p class=x1>one<p class=x99999>late"
    start = time.process_time()
    assert text_of(page).split() == ["shown", "late"]
    assert time.process_time() - start < 2
    shows = "".join(f".x{number}{{display:flex}}" for number in range(20_000))
    assert text_of(f"<style>{shows}.a{{display:none}}</style><p>shown<p class=a>no<p class=x9>yes").split() == [
        "shown",
        "yes",
    ]
