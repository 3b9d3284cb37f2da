"""Kernels compiled in a hurry are the kernels Numba makes when it takes its time."""

import os
import subprocess
import sys
from pathlib import Path

COMPILE = """
import sys
from stages.kernels import haste
if sys.argv[1] == "hurried":
    haste.hasten()
import numpy as np
from stages.kernels import page_head, words
from stages.kernels.columns.ragged import offsets_of
data = np.frombuffer(b"<html><head><title>a</title></head> some words of text", np.uint8)
offsets = offsets_of(np.array([len(data)]))
page_head.page_heads(data, offsets)
words.split_words(data, offsets)
"""


def test_hurried_kernels_are_the_same_machine_code(tmp_path: Path) -> None:
    usual, hurried = (_compiled(tmp_path / how, how) for how in ("usual", "hurried"))
    assert len(usual) > 1
    assert usual.keys() == hurried.keys()
    assert all(usual[kernel] == hurried[kernel] for kernel in usual)


def _compiled(folder: Path, how: str) -> dict[str, bytes]:
    """The instructions of every kernel compiled in a process of its own, by the name of its cache file."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder), "PYTHONHASHSEED": "0"}
    subprocess.run([sys.executable, "-c", COMPILE, how], env=environment, check=True)
    return {path.name: _text(path.read_bytes()) for path in folder.glob("**/*.nbc")}


def _text(entry: bytes) -> bytes:
    """Section .text of the object file in a cache entry of Numba's."""
    elf = entry[entry.index(b"\x7fELF") :]

    def word(at: int, size: int) -> int:
        return int.from_bytes(elf[at : at + size], "little")

    headers, count, names = word(0x28, 8), word(0x3C, 2), word(0x3E, 2)
    strings = word(headers + names * 64 + 0x18, 8)
    for number in range(count):
        header = headers + number * 64
        name = strings + word(header, 4)
        if elf[name : name + 6] == b".text\0":
            return elf[word(header + 0x18, 8) :][: word(header + 0x20, 8)]
    raise AssertionError("no section .text")
