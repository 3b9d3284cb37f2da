"""Files that a command writes for its user: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import UserError


def write_whole(path: str, text: str) -> None:
    """Write a file of this disk, in the place of one that is there; its folder is made.

    Raises:
        UserError: when it cannot be written.
    """
    partial = f"{path}.partial"
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        Path(partial).write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
