"""Windows of a corpus in an object store through the cache, against local files, in one run.

``python -m benchmarks.remote_reader FOLDER``: shards of random ids are written in FOLDER
and served by an S3-speaking server on loopback (moto); windows of 4,096 as int64 are read in the order of the shards
from local files, through a cold cache, through a warm one, and with 50 ms added to each request.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

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


def serve(corpus: Path) -> tuple[ThreadedMotoServer, str]:
    """An S3-speaking server on loopback that holds the files of a folder, and its address for readers."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    options = f"?endpoint_override={host}:{port}&scheme=http&region=us-east-1"
    filesystem, _ = locate("s3://bench" + options)
    filesystem.create_dir("bench")
    for path in corpus.rglob("*.*"):
        if path.is_file():
            with path.open("rb") as file:
                filesystem.handler.put(f"bench/{path.relative_to(corpus)}", file, path.stat().st_size)
    return server, f"s3://bench{options}"


def late(get: Callable[[Ranged, int, int], bytes]) -> Callable[[Ranged, int, int], bytes]:
    """The request 50 ms later."""

    def later(self: Ranged, start: int, stop: int) -> bytes:
        time.sleep(0.05)
        return get(self, start, stop)

    return later


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--millions", type=int, default=100, help="millions of tokens")
    parser.add_argument("--cache-mib", type=int, default=2048)
    args = parser.parse_args()
    corpus, cache, cache_bytes = args.folder / "corpus", args.folder / "cache", args.cache_mib << 20
    draw = np.random.default_rng(0)
    documents = [np.append(draw.integers(3, 30000, 999), 2) for _ in range(args.millions * 1000)]
    write_folder(corpus, [[documents[k::4]] for k in range(4)], block_bytes=1 << 24)
    tokens = TokenShards(corpus).num_tokens / 1e6
    shutil.rmtree(cache, ignore_errors=True)
    results = {"local files": min(seconds(TokenShards(corpus)) for _ in range(3))}
    checked = (seconds(TokenShards(corpus, verify="lazy")) for _ in range(3))
    results["local files, checked as they are read"] = min(checked)
    with patch.dict(os.environ, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"):
        server, remote = serve(corpus)
        results["cold cache"] = seconds(RemoteShards(remote, cache, cache_bytes))
        results["warm cache"] = min(seconds(RemoteShards(remote, cache, cache_bytes)) for _ in range(3))
        shutil.rmtree(cache)
        with patch.object(Ranged, "get", late(Ranged.get)):
            results["cold cache, 50 ms a request"] = seconds(RemoteShards(remote, cache, cache_bytes))
        server.stop()
    print("| read | million tokens/s | of local files | CPU s |")
    print("|---|---|---|---|")
    for name, (wall, used) in results.items():
        print(f"| {name} | {tokens / wall:,.0f} | {results['local files'][0] / wall:.2f} | {used:.1f} |")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB (the server is in it)")


if __name__ == "__main__":
    main()
