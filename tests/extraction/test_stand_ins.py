"""Elements that stand for others: tables by role, items of Word, levels of Google Docs, boxes of tasks."""

from __future__ import annotations

import pytest

from tests.extraction.test_structure import text_of

TABLE = "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 |  |"


def by_role(rows: list[tuple[str, ...]], cell: str = "cell") -> str:
    head, *body = [
        "".join(f"<div role={cell if n else 'columnheader'}>{text}</div>" for text in row) for n, row in enumerate(rows)
    ]
    return "".join(f"<div role=rowgroup><div role=row>{row}</div></div>" for row in (head, *body))


@pytest.mark.parametrize(("table", "cell"), [("table", "cell"), ("grid", "gridcell"), ("treegrid", "gridcell")])
def test_a_table_of_divs_is_a_table_by_its_roles(table: str, cell: str) -> None:
    page = f"<p>x<div role={table}>{by_role([('a', 'b'), ('1', '2'), ('3', '')], cell)}</div><p>y"
    assert text_of(page) == f"x\n\n{TABLE}\n\ny"


def test_rows_and_cells_outside_of_a_table_are_blocks() -> None:
    assert text_of("<div role=row><div role=cell>a</div><div role=cell>b</div></div>") == "a\n\nb"


def javadoc(*cells: str, last: str = "col-last") -> str:
    names = (
        "table-header col-first",
        "table-header " + last,
        "col-first even-row-color",
        "col-last even-row-color method-summary-table",
    )
    return "".join(f"<div class='{names[n % 2 + 2 * (n > 1)]}'>{cell}</div>" for n, cell in enumerate(cells))


def test_a_table_of_javadoc_has_rows_that_no_element_holds() -> None:
    cells = javadoc("a", "b", "1", "<div class=block>2</div>", "3", "")
    page = f"<p>x<div class=caption><span>T</span></div><div class='summary-table two-column-summary'>{cells}</div><p>y"
    assert text_of(page) == f"x\n\nT\n\n{TABLE}\n\ny"
    three = javadoc("a", "b", "c", "1", "2", "", last="col-second").replace(
        "col-first even-row-color'>c", "col-last'>c"
    )
    three = three.replace("col-last even-row-color method-summary-table'>1", "col-constructor-name'>1").replace(
        "col-first even-row-color'>2", "col-second'>2"
    )
    page = f"<div class='summary-table three-column-summary'>{three}</div><p>y"
    assert text_of(page) == "| a | b | c |\n| --- | --- | --- |\n| 1 | 2 |  |\n\ny"


@pytest.mark.parametrize(
    "names",
    ["sidebar col-last", "summary-table", "summary-table wide", "summary-tables two-column-summary", "s col-last"],
)
def test_words_of_javadoc_on_a_page_of_others_mean_no_table(names: str) -> None:
    rows = "<div class=row><div>a</div><div>b</div></div><div class='col-last'><p>c</div><div>d</div>"
    assert text_of(f"<p>x<div class='{names}'>{rows}</div><p>y") == "x\n\na\n\nb\n\nc\n\nd\n\ny"
    assert text_of(f"<p>x<div role='{names}'>{rows}</div><p>y") == "x\n\na\n\nb\n\nc\n\nd\n\ny"


def test_tables_that_are_no_div_keep_their_rows_whatever_their_class() -> None:
    for names in ("summary-table two-column-summary", "ltx_tabular", "col-last"):
        assert text_of(f"<table class='{names}'><tr><td>a<td>b<tr><td>1<td>2</table>").endswith("| 1 | 2 |")
        div = (
            f"<div role=table class='{names.replace('two-column-', '')}'>{by_role([('a', 'b'), ('1', '2'), ('3', '')])}"
        )
        assert text_of(div) == TABLE


def test_words_of_javadoc_elsewhere_mean_no_table() -> None:
    assert (
        text_of("<div class=col-last>a</div><div class=col-first>b</div><div class='x summary-table'><p>c</div>")
        == "a\n\nb\n\nc"
    )


LATEXML = (
    "<span class=ltx_tabular><span class=ltx_tbody>",
    "<span class=ltx_tr>{}</span>",
    "<span class='ltx_td ltx_align_left'>{}</span>",
)
ROLES = ("<span role=table><span>", "<span role=row>{}</span>", "<span role=cell>{}</span>")


@pytest.mark.parametrize("parts", [LATEXML, ROLES])
def test_a_table_of_spans_is_a_table(parts: tuple[str, str, str]) -> None:
    table, row, cell = parts
    cells = (
        ("a", "<span><span>b</span></span>"),
        ("<span class=ltx_text>1</span>", "<math alttext='2'><mn>2</mn></math>"),
        ("3", ""),
    )
    rows = "".join(row.format("".join(cell.format(text) for text in line)) for line in cells)
    expected = TABLE.replace("| 2 |", "| $2$ |")
    assert text_of(f"<p>x {table}{rows}</span></span> <span>y</span></p><p>z") == f"x\n\n{expected}\n\ny\n\nz"


def test_spans_that_end_at_once_or_are_left_out_keep_the_cells_of_a_table_apart() -> None:
    row = "<span class='ltx_tr'><span class='ltx_td'>{}</span>{}</span>"
    cells = row.format("a<span class='x'/>", "<span class='ltx_td'>b</span>") + row.format(
        "1", "<span class='ltx_td'/>"
    )
    page = f"<?xml version='1.0'?><html><body><p>x <span class='ltx_tabular'>{cells}</span> y</p></body></html>"
    assert text_of(page) == "x\n\n| a | b |\n| --- | --- |\n| 1 |  |\n\ny"
    cell = "<span role=cell>{}</span>"
    rows = f"<span role=row>{cell.format('a<span class=mw-editsection>[edit]</span>')}{cell.format('b')}</span>"
    rows += f"<span role=row>{cell.format('1')}{cell.format('2')}</span>"
    assert text_of(f"<p><span role=table>{rows}</span> y") == "| a | b |\n| --- | --- |\n| 1 | 2 |\n\ny"


def test_rows_and_cells_of_spans_outside_of_a_table_are_words() -> None:
    assert text_of("<p>a <span class=ltx_td>b</span> <span role=row>c</span> <span role=img>d</span>") == "a b c d"
    page = "<table class=ltx_tabular><tr class=ltx_tr><td class=ltx_td>a<td>b<tr><td>1<td><span class=ltx_td>2</span></table>"
    assert text_of(page) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def word(level: int, mark: str, text: str, names: str = "style='text-indent:-.25in;mso-list:l0 level{} lfo1'") -> str:
    spaces = "<span style='font:7.0pt \"Times New Roman\"'>&nbsp;&nbsp;&nbsp; </span>"
    mark = f"<![if !supportLists]><span style='font-family:Symbol'><span style='mso-list:Ignore'>{mark}{spaces}</span></span><![endif]>"
    return f"<p class=MsoListParagraphCxSpMiddle {names.format(level)}>{mark}{text}<o:p></o:p></p>\n"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (word(1, "·", "a") + word(2, "o", "b") + word(1, "§", "c"), "- a\n   - b\n- c"),
        (word(1, "1.", "a") + word(2, "b)", "b") + word(1, "12.", "c"), "1. a\n   b. b\n12. c"),
        (word(1, "A.", "a", "") + word(1, "B.", "b", ""), "A. a\nB. b"),
        (word(1, "(iv)", "a"), "(iv)\n\na"),
        ("<p class=MsoListParagraph>Maker<span style='font-size:7.0pt'>TM</span> of a", "MakerTM of a"),
        ("<p class=MsoListParagraph>1. a</p><p class=MsoNormal style='mso-list:l0 level1'>b</p>", "1. a\n\nb"),
    ],
)  # fmt: skip
def test_paragraphs_of_word_are_items_if_their_mark_says_so(page: str, text: str) -> None:
    assert text_of(page).replace("(iv) a", "(iv)\n\na") == text


def test_lists_of_google_docs_stand_as_deep_as_their_classes_say() -> None:
    page = "<ul class='c1 lst-kix_ab-0 start'><li>a</ul><ul class='lst-kix_ab-1 start'><li>b<li>c</ul><ol class='lst-kix_cd-2' start=4><li>d</ol><ul class=lst-kix_ab-0><li>e</ul>"
    assert text_of(page) == "- a\n   - b\n   - c\n      4. d\n- e"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<ul><li class=task-list-item><input type=checkbox disabled checked> a<li class=task-list-item><input type=checkbox disabled> b</ul>", "- [x] a\n- [ ] b"),
        ("<ul class=task-list><li><label><input type=checkbox checked>a</label><li><p><input type=checkbox>b</ul>", "- [x] a\n- [ ] b"),
        ("<ul><li><input type=checkbox> Red (12)<li><input type=radio disabled> Blue</ul>", "- Red (12)\n- Blue"),
        ("<p><input type=checkbox disabled> I agree", "I agree"),
    ],
)  # fmt: skip
def test_boxes_of_tasks_are_marks_and_those_of_forms_are_not(page: str, text: str) -> None:
    assert text_of(page) == text


@pytest.mark.parametrize(
    "cell",
    [
        "<img src=t.png alt=Yes>",
        "<i class='fa fa-check' aria-label=' Yes'></i>",
        "<p><svg aria-label=Yes><path d=M1></path></svg></p>",
        "<i class=icon></i><span class=sr-only>Yes</span>",
        "<i aria-label=Yes></i><span class=sr-only>Yes</span>",
        "<img src=/flags/yes.png alt=Yes>",
    ],
)
def test_cells_that_an_icon_answers_have_its_text(cell: str) -> None:
    page = f"<table><tr><th>Part<th>One<th>Two<tr><td>Fast<td>{cell}</td><td>text<tr><td>Cheap<td>text<td>{cell}</td></tr></table>"
    assert text_of(page).split("\n")[2:] == ["| Fast | Yes | text |", "| Cheap | text | Yes |"]


@pytest.mark.parametrize(
    "cell",
    [
        "<img alt=Home>",
        "<input type=checkbox aria-label=Yes>",
        "<img alt=Yes> text",
        "text <img alt=Yes>",
        "<img alt=logo><img alt=site>",
        "<img alt=No><img alt=Yes>",
        "<i aria-label=Yes></i><i aria-label=No></i>",
        "<span class=sr-only>No</span><span class=sr-only>Yes</span>",
        "<img alt=No><i aria-label=cross></i><img alt=Yes>",
        "<img alt=NO src=/flags/no.png>",
        "<img alt='Yes, it is a long description of it'>",
    ],
)
def test_other_texts_of_images_in_cells_are_none(cell: str) -> None:
    page = (
        f"<table><tr><th>Part<th>One<tr><td>Fast<td>{cell}</td></tr><tr><td>Cheap<td>text</table><p>b <img alt=Yes></p>"
    )
    assert not {"Yes", "No", "NO", "Home", "logo", "site"} & set(text_of(page).replace("|", " ").split())
