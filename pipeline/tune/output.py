"""Files that a command writes for its user: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline import recipe as recipes
from pipeline.errors import UserError
from pipeline.store.storage import Store


def write_whole(path: str, content: str | bytes) -> None:
    """Write a file of this disk, in the place of one that is there; its folder is made.

    Raises:
        UserError: when it cannot be written.
    """
    partial = f"{path}.partial"
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        Path(partial).write_bytes(content if isinstance(content, bytes) else content.encode())
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


def copy_modules(mixture: str, store: Store, folder: str) -> list[str]:
    """Copy the modules that lie beside a mixture file, and that it uses, beside the files made of it in ``folder``.

    Returns:
        The files that were not there before.

    Raises:
        UserError: another file is in the way, or one cannot be written.
    """
    if os.path.realpath(folder) == os.path.realpath(os.path.dirname(os.path.abspath(mixture))):
        return []
    modules = {Path(folder, place): source for place, source in recipes.modules_beside(mixture, store).items()}
    new = [file for file in modules if not file.exists()]
    for file in sorted(modules.keys() - set(new)):
        if not file.is_file() or file.read_bytes() != modules[file]:
            raise UserError(f"{file} is there, and is not the module of that name beside {mixture}")
    for file in new:
        write_whole(str(file), modules[file])
    return [str(file) for file in new]
