"""Tests of the room `tune`."""
