"""Tests of the room `mixture`."""
