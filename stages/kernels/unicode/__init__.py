"""Characters: their kinds, bitmaps of them, and normal forms."""
