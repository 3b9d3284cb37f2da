"""Words, lines and phrases of texts: counted, hashed and found."""
