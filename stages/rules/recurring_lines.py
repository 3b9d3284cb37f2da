"""Lines that recur on many pages, as a rule of `kept`: our own, no published one.

| rule | column of `lines` | fails |
|---|---|---|
| too_many_frequent_lines | frequent_lines_fraction | above 0.5 |

`stages.lines` measures: the share of a page's bytes in lines that at least ``lines.min_pages`` pages of the same source
or host have. Half of a page in navigation and notices is the point where what was meant to be read is the smaller part;
lines repeated within one page have Gopher's rules (`stages.rules.gopher_repetition`).
"""

from __future__ import annotations

from stages.rules.rule import Rule

RULES = (Rule("too_many_frequent_lines", "frequent_lines_fraction", "max", 0.5),)
