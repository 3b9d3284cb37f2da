"""Ragged columns: views of Arrow buffers, rows gathered, keys grouped and hashed, histograms."""
