"""The build backend: setuptools', with wheels that carry compiled kernels, and so are of one Python and machine.

What compiling needs is asked for when a wheel is built, and only then: `make` installs the checkout as it lies, and
compiles with what it has installed.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

COMPILING = ("numba", "numpy", "pyarrow", "pydantic", "xxhash")
"""Imports of `stages.kernels.compile`, of the project's dependencies."""


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """Requirements of setuptools, and the packages that compile kernels, in the versions that will run them."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [name for name in project["dependencies"] if name.startswith(COMPILING)]
    return [*build_meta.get_requires_for_build_wheel(config_settings), *wanted]


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    """Compile all kernels into the sources, and pack both."""
    subprocess.run([sys.executable, "-m", "stages.kernels.compile"], check=True)
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    machine = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    tags = [f"--python-tag={python}", f"--plat-name={machine}"]
    return str(build_meta.build_wheel(wheel_directory, {"--build-option": tags}, metadata_directory))
