"""What several tests use: made archives, corpora, roots, servers and browsers."""
