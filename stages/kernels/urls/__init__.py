"""Addresses of pages: keys of them, and the lists they fall under."""
