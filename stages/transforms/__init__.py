"""Transforms that come with the program, and the process that every transform runs in."""
