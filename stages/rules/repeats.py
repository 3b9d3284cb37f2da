"""Pages of little but repeats, as a rule of `kept`: our own, no published one.

| rule | column of `repeats` | fails |
|---|---|---|
| mostly_repeats | repeats_spare_fraction | above 0.8 |

`stages.repeats` measures: the share of a page's bytes that stand elsewhere too and stay there. A page that keeps a
passage for others has no such share and never fails, so that the rule takes no text of which copies were cut. What is
left of the others, a fifth or less of the page in pieces between copied passages, reads as no text of its own.
"""

from __future__ import annotations

from stages.rules.rule import Rule

RULES = (Rule("mostly_repeats", "repeats_spare_fraction", "max", 0.8),)
