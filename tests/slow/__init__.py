"""Slow, obvious twins of kernels and products, written from their docstrings: the oracles of tests."""
