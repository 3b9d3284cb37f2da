"""Tests of the room `reader`."""
