"""data-juicer's operators for words, repetition and characters, in its environment: FILE.jsonl.gz OUT."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

PROCESS = [
    {"words_num_filter": {"tokenization": False, "min_num": 50, "max_num": 100000}},
    {"word_repetition_filter": {"tokenization": False, "rep_len": 10, "max_ratio": 0.3}},
    {"character_repetition_filter": {"rep_len": 10, "max_ratio": 0.3}},
    {"alphanumeric_filter": {"tokenization": False, "min_ratio": 0.6}},
    {"average_line_length_filter": {"min_len": 10}},
    {"special_characters_filter": {"max_ratio": 0.3}},
]


def main(file: str, out: str) -> None:
    from data_juicer.config import init_configs
    from data_juicer.core import DefaultExecutor

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    plain = folder / "pages.jsonl"
    with gzip.open(file) as packed:
        plain.write_bytes(packed.read())
    config = {"project_name": "peer", "dataset_path": str(plain), "export_path": str(folder / "out.jsonl"), "np": 1}
    path = folder / "config.json"
    path.write_text(json.dumps({**config, "use_cache": False, "process": PROCESS}))
    DefaultExecutor(init_configs(["--config", str(path)])).run()
    print(f"kept {sum(1 for _ in (folder / 'out.jsonl').open())}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
