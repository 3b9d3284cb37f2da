"""Near-duplicates: shingles, signatures, candidate pairs, Jaccard, components, survivors."""
