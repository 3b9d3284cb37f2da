"""Byte-pair encoding: units of text, merges, and merges recovered from ranks."""
