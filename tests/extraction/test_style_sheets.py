"""Style sheets of a page: what they hide is no text; what they show again, or may show, is."""

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
        ("p.a{display:block}.a{display:none}div.b{display:none}", "seen one two three four"),
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


SELECTORS = (
    ".a", ".b", "#c", "p.a", "div.b", "*.a", ".a.b", ".b .a", ".b > .a", ".a:hover", ".b::after", ".tab", "p",
    ".x\\:y", ":not(.a, .b)", ".b:is(p, div)",
)  # fmt: skip
DECLARATIONS = (
    "display:none", "display:none", "DISPLAY: None ! important", "display:block", "display : flex", "visibility:hidden", "visibility: hidden",
    "visibility:visible", "visibility:visible!important", "opacity:0", "color:red", "content:'}{;'", "background:url(a;b{)", "/* } */", "--x:y",
)  # fmt: skip
GROUPS = (
    "@media print{",
    "@media screen{",
    "@media only screen, print {",
    "@media (x){",
    "@supports (x){",
    "@font-face{",
    "@layer z{",
)
NOISE = ("}", "{", "@import 'x';", "<!--", "-->", ";", "/* .a{display:none} */", "\n", "'", ".a{")


def random_rules(rng: random.Random, depth: int = 0) -> str:
    """Up to five rules, some of them in groups, nested, or broken."""
    rules = []
    for _ in range(rng.randint(1, 5)):
        kind = rng.random()
        if kind < 0.15 and depth < 3:
            rules.append(rng.choice(GROUPS) + random_rules(rng, depth + 1) + "}")
        elif kind < 0.2:
            rules.append(rng.choice(NOISE))
        else:
            inner = [rng.choice(DECLARATIONS) for _ in range(rng.randint(1, 3))]
            if rng.random() < 0.1 and depth < 3:
                inner.insert(
                    rng.randint(0, len(inner)), rng.choice(("&:hover", "& p", "")) + random_rules(rng, depth + 1)
                )
            rules.append(
                ",".join(rng.choice(SELECTORS) for _ in range(rng.randint(1, 2))) + "{" + ";".join(inner) + "}"
            )
    return rng.choice(("", " ", "\n")).join(rules)


def test_random_style_sheets_hide_what_the_slow_twin_says() -> None:
    rng, hidden = random.Random(5), 0
    elements = [
        ("p", "a", ""),
        ("p", "b x:y", ""),
        ("div", "b", ""),
        ("p", "a b", ""),
        ("div", "", "c"),
        ("p", "a", "c"),
        ("p", "tab", ""),
    ]
    for _ in range(1500):
        page, expected, twin = "", ["shown"] * 60, Sheet()
        for _ in range(rng.randint(1, 2)):
            query, css = rng.choice(("", "screen", "print", "all and (x)")), random_rules(rng)
            page += f"<style media='{query}'>{css}</style>"
            if media(query) < 2:
                twin.read(css, media(query))
        page += "<p>" + "shown " * 60
        for number, (tag, classes, name) in enumerate(elements):
            style = rng.choice(("", "", "display:block", "visibility:visible;color:red"))
            page += f"<{tag} class='{classes}' id='{name}' style='{style}'>word{number}</{tag}>"
            if twin.hides(tag, classes.split(), name, style):
                hidden += 1
            else:
                expected.append(f"word{number}")
        assert text_of(page).split() == expected, page
    assert hidden > 500


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
