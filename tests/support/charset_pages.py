"""Pages of a charset."""

from __future__ import annotations

RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 5


def page(text: str, charset: str | None = None, language: str | None = None) -> str:
    lang = f' lang="{language}"' if language else ""
    meta = f'<meta charset="{charset}">' if charset else ""
    return f"<html{lang}><head>{meta}</head><body><p>{text}</p></body></html>"
