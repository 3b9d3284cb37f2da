"""Main text of HTML pages: a compiled scanner, a learned choice of blocks, and a writer."""

from stages.extraction.html_to_text import VERSION, ExtractionParams, ExtractionResult, extract, visible_text

__all__ = ["VERSION", "ExtractionParams", "ExtractionResult", "extract", "visible_text"]
