"""Main text of HTML pages: a compiled scanner, a learned choice of blocks, and a writer."""

from stages.extraction.html_to_text import VERSION, ExtractionParams, main_text
from stages.extraction.model import load_model

__all__ = ["VERSION", "ExtractionParams", "load_model", "main_text"]
