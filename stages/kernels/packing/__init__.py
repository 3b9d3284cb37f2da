"""Pieces into bins, and samples of several data sets in turn."""
