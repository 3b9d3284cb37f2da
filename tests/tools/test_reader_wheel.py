"""The reader's own wheel: it reads shards where neither Ray nor Numba can be imported, and holds nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.shard_folders import random_documents, write_folder
from tools import reader_wheel

BLOCKED = (
    "ray numba llvmlite pydantic botocore boto3 fastwarc resiliparse fasttext sentencepiece rich click yaml jinja2"
)
READ = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}.split():
            raise ImportError(f"{{name}} is not installed here")

sys.meta_path.insert(0, Blocked())
sys.path[:] = [{wheel!r}, *(entry for entry in sys.path if entry not in ("", {root!r}))]
import pipeline
from pipeline.reader import Stream, TokenShards, Windows
assert pipeline.__file__.startswith({wheel!r}), pipeline.__file__
shards = TokenShards({folder!r})
stream = Stream(Windows(shards, 32), global_batch_size=4, seed=1, rank=0, world_size=1, epochs=1)
print(sum(int(batch["input_ids"].sum()) for batch in stream))
from pipeline.errors import UserError
from pipeline.reader import Packed
try:
    Packed(shards, 32)
except UserError as error:
    assert "pip install 'gristmill-reader[packing]'" in str(error)
else:
    raise AssertionError("packing went on without Numba")
"""


def total(folder: Path, wheel: Path) -> str:
    code = READ.format(blocked=BLOCKED, wheel=str(wheel), root=str(reader_wheel.ROOT), folder=str(folder))
    done = subprocess.run([sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_of_the_reader_reads_without_ray_or_numba(tmp_path: Path) -> None:
    from pipeline.reader import Stream, TokenShards, Windows

    wheel = reader_wheel.build(tmp_path)
    assert wheel.stat().st_size < 200_000
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        packed.extractall(tmp_path / "there")
        told = packed.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert not [name for name in names if "/run/" in name or "/engine/" in name or "/documents/" in name]
    needed = {
        line.partition(": ")[2].partition(">")[0].partition("<")[0]
        for line in told.splitlines()
        if "Requires-Dist" in line and "extra" not in line
    }
    assert needed == {"numpy", "pyarrow", "xxhash"}
    write_folder(tmp_path / "corpus", [[random_documents(50)]])
    stream = Stream(
        Windows(TokenShards(str(tmp_path / "corpus")), 32), global_batch_size=4, seed=1, rank=0, world_size=1, epochs=1
    )
    whole = sum(int(batch["input_ids"].sum()) for batch in stream)
    assert total(tmp_path / "corpus", tmp_path / "there") == f"{whole}\n"
