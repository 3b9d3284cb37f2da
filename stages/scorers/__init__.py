"""Scorers that come with the program, for `scores`: functions of a batch of texts."""
