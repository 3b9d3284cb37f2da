"""Types of options: whole numbers, numbers and paths of this disk, each with the words for what is not one."""

from __future__ import annotations

import math
import re
import sys
from typing import Any

import click

from pipeline.store.storage import is_path


class Count(click.IntRange):
    """A whole number within bounds, at most what a machine counts to."""

    def __init__(self, least: int, most: int = sys.maxsize) -> None:
        super().__init__(least, most)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            bounds = f"{self.min} or more" if self.max == sys.maxsize else f"{self.min} to {self.max}"
            self.fail(f"expected a whole number, {bounds}, found {value!r}", param, ctx)


class Number(click.FloatRange):
    """A finite number within bounds, of which the lower one is always given."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            number = super().convert(value, param, ctx)
        except click.BadParameter:
            number = math.nan
        if not math.isfinite(number):
            least = f"more than {self.min:g}" if self.min_open else f"{self.min or 0:g} or more"
            most = (
                "" if self.max is None else f", less than {self.max:g}" if self.max_open else f", at most {self.max:g}"
            )
            self.fail(f"expected a number, {least}{most}, found {str(value)!r}", param, ctx)
        return number


POSITIVE = Number(0, min_open=True)


class Local(click.Path):
    """A path of this machine; a URI is refused instead of becoming a folder of that name."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, str) and not is_path(value):
            self.fail(f"{value} is a URI; this is written on a disk: give a path here and copy the result", param, ctx)
        return super().convert(value, param, ctx)


def names_in(*entries: str) -> list[str]:
    """The names in entries that hold one or several each, parted by commas."""
    return [name.strip() for entry in entries for name in entry.split(",") if name.strip()]


def wrong_request(error: click.ClickException) -> str:
    """The mistake in the words of a command, in one line: the command, the option, what was expected."""
    context = getattr(error, "ctx", None)
    name = context.info_name if context is not None and context.parent is not None else ""
    message = " ".join(error.format_message().split()).rstrip(".")
    message = re.sub(r"(?:File|Path) ('.*') is a directory$", r"expected a file, found the folder \1", message)
    message = re.sub(r"Directory ('.*') is a file$", r"expected a folder, found the file \1", message)
    if not isinstance(error, click.BadParameter) or isinstance(error, click.MissingParameter):
        message += f"; `{' '.join(filter(None, ('gristmill', name, '--help')))}` lists what it takes"
    return f"{name}: {message}" if name else message
