"""HTML bytes: tokens, blocks, features of blocks, and the text written from them."""
