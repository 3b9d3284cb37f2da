"""datatrove's FineWeb example without deduplication, in datatrove's environment: FILE.warc.gz OUT."""

from __future__ import annotations

import sys
from pathlib import Path


def main(file: str, out: str) -> None:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
        LambdaFilter,
    )
    from datatrove.pipeline.readers import WarcReader
    from datatrove.pipeline.writers.jsonl import JsonlWriter

    kept = 0

    def count(document):  # type: ignore[no-untyped-def]
        nonlocal kept
        kept += 1
        return True

    # URLFilter needs lists and LanguageFilter a model from the network: both are left out, which only helps the speed
    steps = [
        WarcReader(str(Path(file).parent), glob_pattern=Path(file).name, default_metadata={"dump": "made"}),
        Trafilatura(favour_precision=True, timeout=30),  # a second is too little for its first page
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
        LambdaFilter(count),
        JsonlWriter(out),
    ]
    LocalPipelineExecutor(steps, tasks=1, workers=1, skip_completed=False, logging_dir=f"{out}-logs").run()
    print(f"kept {kept}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
