"""dolma's taggers for Gopher's and C4's rules, in its environment: FILE.jsonl.gz OUT. They mark pages and drop none."""

from __future__ import annotations

import gzip
import shutil
import sys
from pathlib import Path


def main(file: str, out: str) -> None:
    from dolma.cli.main import main as dolma

    folder = Path(out)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "documents").mkdir(parents=True)
    shutil.copy(file, folder / "documents/pages.jsonl.gz")
    tag = ["tag", "--documents", f"{folder}/documents/*.gz", "--taggers", "gopher_v1", "c4_v1", "--experiment", "rules"]
    dolma([*tag, "--processes", "1"])
    found = list(folder.rglob("attributes/rules/*.gz"))
    if not found:
        sys.exit("dolma left no attributes")
    print(f"kept {sum(gzip.decompress(path.read_bytes()).count(10) for path in found)}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
