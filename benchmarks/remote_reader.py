"""Windows of a corpus in an object store through the cache, against local files, in one run.

``python -m benchmarks.remote_reader FOLDER [MILLION TOKENS] [CACHE MIB]``: shards of random ids are written in FOLDER
and served by an S3-speaking server on loopback (moto); windows of 4,096 as int64 are read in the order of the shards
from local files, through a cold cache, through a warm one, and with 50 ms added to each request.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from moto.server import ThreadedMotoServer

from pipeline.reader import Stream, TokenShards, Windows
from pipeline.reader.remote import RemoteShards
from stages.formats.locations import locate
from stages.formats.ranges import Ranged
from tests.support.shard_folders import write_folder


def seconds(shards: TokenShards) -> tuple[float, float]:
    """(wall, processor) seconds of one epoch."""
    started, used = time.perf_counter(), time.process_time()
    for batch in Stream(Windows(shards, 4096), 64, seed=None, epochs=1):
        assert batch["input_ids"].shape[1] == 4096
    return time.perf_counter() - started, time.process_time() - used


def main() -> None:
    folder = Path(sys.argv[1])
    millions = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    cache_bytes = (int(sys.argv[3]) if len(sys.argv) > 3 else 2048) << 20
    corpus, cache = folder / "corpus", folder / "cache"
    draw = np.random.default_rng(0)
    documents = [np.append(draw.integers(3, 30000, 999), 2) for _ in range(millions * 1000)]
    parts = [[documents[k::4]] for k in range(4)]
    write_folder(corpus, parts, block_bytes=1 << 24)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    host, port = server.get_host_and_port()
    options = f"?endpoint_override={host}:{port}&scheme=http&region=us-east-1"
    filesystem, _ = locate("s3://bench" + options)
    filesystem.create_dir("bench")
    for path in corpus.rglob("*.*"):
        if path.is_file():
            with path.open("rb") as file:
                filesystem.handler.put(f"bench/{path.relative_to(corpus)}", file, path.stat().st_size)
    tokens = TokenShards(corpus).num_tokens / 1e6
    remote = f"s3://bench{options}"
    shutil.rmtree(cache, ignore_errors=True)
    results = {"local files": min(seconds(TokenShards(corpus)) for _ in range(3))}
    results["local files, checked as they are read"] = min(
        seconds(TokenShards(corpus, verify="lazy")) for _ in range(3)
    )
    results["cold cache"] = seconds(RemoteShards(remote, cache, cache_bytes))
    results["warm cache"] = min(seconds(RemoteShards(remote, cache, cache_bytes)) for _ in range(3))
    shutil.rmtree(cache)
    get = Ranged.get

    def late(self: Ranged, start: int, stop: int) -> bytes:
        time.sleep(0.05)
        return get(self, start, stop)

    Ranged.get = late  # type: ignore[method-assign]
    results["cold cache, 50 ms a request"] = seconds(RemoteShards(remote, cache, cache_bytes))
    for name, (wall, used) in results.items():
        print(f"| {name} | {tokens / wall:,.0f} | {results['local files'][0] / wall:.2f} | {used:.1f} |")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB (the server is in it)")
    server.stop()


if __name__ == "__main__":
    main()
