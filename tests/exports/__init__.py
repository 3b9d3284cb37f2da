"""Tests of the room `exports`."""
