"""Fitting curves of few parameters to few points, many times over."""
