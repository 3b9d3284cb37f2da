"""Shared means of the tests: made archives, corpora, roots, servers and browsers."""
