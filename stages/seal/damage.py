"""Parts that all seals share: their mark, the name of a file as it goes into them, and the error of damage."""

from __future__ import annotations

import re

MARK = b"GMSEAL01"
MISPLACED = "or the file of another name"
_OPTIONS = re.compile(r"\?[^?=]*=[^?]*$")
"""Options behind a URI: no file of ours has such a name."""


class DamagedFile(RuntimeError):
    """A file under the root is not what was written: altered, cut off or gone. It is named, and made again by a run."""

    def __init__(self, address: str, what: str) -> None:
        super().__init__(address, what)
        self.address, self.what = address, what

    def __str__(self) -> str:
        return f"{self.address}: {self.what}; the next run of its mixture makes it again"


def name_of(address: str) -> bytes:
    """The part of an address that goes into a seal: its last two names: a root may be moved and read by its URI."""
    if "://" in address:
        address = _OPTIONS.sub("", address)
    return "/".join(address.split("/")[-2:]).encode("utf-8", "surrogateescape")
