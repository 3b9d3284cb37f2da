"""`report`: what became of every record, in numbers that add up: stats.json, report.html, text for the terminal.

For whom: everybody who asks how many tokens there are, what each rule removed, and whether the mixture came out as
asked. All of it is computed from counts that stand inside the product files, so its price grows with the number of
files, not of pages, and it never reads text (but for the few pages shown as samples).

    build_stats   reports of the products -> the dict that becomes stats.json (`stages.report.stats` has its schema)
    encode        the bytes of stats.json
    render_html   stats (and costs, which are no part of it) -> one HTML file that loads nothing
    Page          the same for several such files, that show other costs or none
    render_text   stats -> tables for a terminal
"""

from stages.report.page import Page, render_html
from stages.report.stats import build_stats, encode
from stages.report.terminal import render_text

__all__ = ["Page", "build_stats", "encode", "render_html", "render_text"]
