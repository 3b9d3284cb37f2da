"""Keys of objects that file systems and URIs would take for something else."""

from __future__ import annotations

KEYS = [
    *("plain.jsonl", "a b.jsonl", "a+b.jsonl", "a%2Bb.jsonl", "a%20b.jsonl", "100%.jsonl", "a?b.jsonl", "x#1.jsonl"),
    *("?region=x.jsonl", "ü漢.jsonl", "e\u0301.jsonl", "[1].jsonl", "{x}.jsonl", "*.jsonl", "/double.jsonl"),
    *("a//b.jsonl", "a/./b.jsonl", "a/../b.jsonl", "../up.jsonl", "q's\"x.jsonl", "c=1.jsonl", "c%3D1.jsonl"),
    *("a:b.jsonl", "s3://x.jsonl", "a^b|<c>`~.jsonl", "a\rb.jsonl", "tab\there.jsonl", " lead.jsonl", "a\\b.jsonl"),
    *("a&b;c,d@e!f$(1).jsonl", "\u2028.jsonl"),
]
