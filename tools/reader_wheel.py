"""The reader alone as a wheel, `gristmill-reader`: what a trainer imports, for machines that make no corpus.

    python -m tools.reader_wheel dist

The wheel has `pipeline.reader` and every module of the two packages that it imports, wherever in them, from the same
source and with the same version as `gristmill`, which holds the same modules: install one of the two. It needs NumPy,
pyarrow and xxhash; `gristmill-reader[remote]` reads buckets, `[packing]` packs documents, `[torch]` is for PyTorch.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDS = ("numpy", "pyarrow", "xxhash")
EXTRAS = {"remote": ("botocore",), "packing": ("numba",)}
TORCH = "torch>=2"
"""PyTorch, which the whole project does not require, so that no version of it is pinned."""


def modules() -> list[Path]:
    """Files of the reader and of all it imports, from the root of the checkout, sorted."""
    found: set[Path] = set()
    left = [f"pipeline.reader.{path.stem}" for path in (ROOT / "pipeline/reader").glob("*.py")]
    while left:
        path = file_of(left.pop())
        if path is None or path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                left += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                left += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        left += [".".join(parent.parts) for parent in path.parents if parent.parts]
    return sorted(found)


def file_of(module: str) -> Path | None:
    """The file of a module of the two packages, from the root; None: it is none of them."""
    place = Path(*module.split("."))
    if place.parts[0] not in ("pipeline", "stages"):
        return None
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if (ROOT / path).is_file()), None)


def project() -> str:
    """The pyproject.toml of the wheel: name, version, and what it needs in the versions of the whole."""
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = {name: next(one for one in whole["dependencies"] if one.startswith(name)) for name in ALL}
    extras = {name: [pinned[one] for one in wanted] for name, wanted in EXTRAS.items()} | {"torch": [TORCH]}
    lines = [
        "[build-system]",
        'requires = ["setuptools>=77"]',
        'build-backend = "setuptools.build_meta"',
        "[project]",
        'name = "gristmill-reader"',
        f'version = "{whole["version"]}"',
        'description = "Reads the token shards of Gristmill for training"',
        'license = "Apache-2.0"',
        f'requires-python = "{whole["requires-python"]}"',
        f"dependencies = {[pinned[one] for one in NEEDS]}",
        "[project.optional-dependencies]",
        *(f"{name} = {wanted}" for name, wanted in extras.items()),
        "[tool.setuptools]",
        'packages = { find = { include = ["pipeline*", "stages*"] } }',
    ]
    return "\n".join(lines) + "\n"


ALL = (*NEEDS, *(one for wanted in EXTRAS.values() for one in wanted))


def build(output: str | Path) -> Path:
    """Build the wheel into a folder; its path."""
    folder = Path(output).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        for path in modules():
            (Path(place) / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, Path(place) / path)
        (Path(place) / "pyproject.toml").write_text(project(), encoding="utf-8")
        (Path(place) / "LICENSE").write_bytes((ROOT / "LICENSE").read_bytes())
        code = f"from setuptools import build_meta; print(build_meta.build_wheel({str(folder)!r}))"
        done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
    return folder / done.stdout.split()[-1]


if __name__ == "__main__":
    wheel = build(sys.argv[1] if len(sys.argv) > 1 else "dist")
    print(f"{wheel}, {wheel.stat().st_size:,} bytes, {len(modules())} modules")
