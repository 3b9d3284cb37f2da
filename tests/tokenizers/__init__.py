"""Tests of the room `tokenizers`."""
