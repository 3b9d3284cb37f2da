"""NeMo Curator's filters for words, characters and symbols on processors, in its environment: FILE.jsonl.gz OUT."""

from __future__ import annotations

import gzip
import shutil
import sys
from pathlib import Path


def main(file: str, out: str) -> None:
    from nemo_curator.core.client import RayClient
    from nemo_curator.pipeline import Pipeline
    from nemo_curator.stages.text.filters import ScoreFilter
    from nemo_curator.stages.text.filters.heuristic import (
        MeanWordLengthFilter,
        NonAlphaNumericFilter,
        PunctuationFilter,
        SymbolsToWordsFilter,
        WordCountFilter,
    )
    from nemo_curator.stages.text.io.reader import JsonlReader
    from nemo_curator.stages.text.io.writer import JsonlWriter

    folder = Path(out)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "in").mkdir(parents=True)
    with gzip.open(file) as packed:
        (folder / "in/pages.jsonl").write_bytes(packed.read())
    client = RayClient(num_cpus=2, num_gpus=0, include_dashboard=False)
    client.start()
    try:
        pipeline = Pipeline(name="peer")
        pipeline.add_stage(JsonlReader(str(folder / "in"), fields=["text"]))
        for one in (
            WordCountFilter,
            NonAlphaNumericFilter,
            MeanWordLengthFilter,
            PunctuationFilter,
            SymbolsToWordsFilter,
        ):
            pipeline.add_stage(ScoreFilter(one(), text_field="text"))
        pipeline.add_stage(JsonlWriter(str(folder / "out")))
        pipeline.run()
    finally:
        client.stop()
    print(f"kept {sum(1 for path in (folder / 'out').glob('*.jsonl') for _ in path.open())}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
