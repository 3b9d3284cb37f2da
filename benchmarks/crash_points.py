"""A kill before every request that changes a bucket: does the next run end in the bytes of an undisturbed one?

    python -m benchmarks.crash_points [--mixture small|everything] [--moments 2] [--most 0] [--part-bytes 0]

What `tests/run/test_crash_points.py` does on a disk, with a root on S3 (moto, in this process): a run is watched, and
before each PUT, each part and end of a multipart upload, and each removal the bucket is noted as it is. A removal of
many keys is no single moment: before its first, its middle and its last. Moments that differ in hashes and numbers
alone are one kind; of each kind the first and the last are tried (``--moments 0``: all of them). For each the bucket
is made as it was, unfinished uploads and the dead owner's lock with it, and the same mixture is run: its bytes must be
those of the undisturbed run, nothing may be left, no upload either. ``--part-bytes`` sends what is larger in parts, so
that small files have such moments too; ``--most`` tries that many kinds, spread over all. Prints a line a moment that
ends otherwise and the sum; status 1 where there is one. Some seconds a moment.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from moto import mock_aws
from moto.s3 import models as moto_s3

from pipeline.run import driver
from pipeline.store.storage import Store
from stages.formats import s3
from tests.run import test_damage as recipes

BUCKET = "corpus"
ROOT = "root"


class Moment(NamedTuple):
    """A step about to happen, and the bucket before it: objects, and (key, parts) of unfinished uploads."""

    what: str
    objects: dict[str, bytes]
    uploads: list[tuple[str, int]]


class Watched:
    """`S3.ask` that notes every moment before a request that changes something, and what it changes."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        self._ask = s3.S3.ask

    def ask(self, store: s3.S3, operation: str, path: str, **arguments: Any) -> Any:
        key = path.partition("/")[2]
        if operation == "delete_objects":
            self._before_removals([one["Key"] for one in arguments["Delete"]["Objects"]])
        elif operation in _CHANGES:
            self._note(f"{operation} {key}")
        answer = self._ask(store, operation, path, **arguments)
        if operation == "put_object":
            self.objects[key] = arguments["Body"]
        elif operation == "delete_object":
            self.objects.pop(key, None)
        elif operation == "create_multipart_upload":
            self.uploads[answer["UploadId"]] = (key, {})
        elif operation == "upload_part":
            self.uploads[arguments["UploadId"]][1][arguments["PartNumber"]] = arguments["Body"]
        elif operation == "complete_multipart_upload":
            parts = self.uploads.pop(arguments["UploadId"])[1]
            self.objects[key] = b"".join(parts[number] for number in sorted(parts))
        elif operation == "abort_multipart_upload":
            self.uploads.pop(arguments["UploadId"], None)
        return answer

    def _before_removals(self, keys: list[str]) -> None:
        for number, key in enumerate(keys):
            if number in (0, len(keys) // 2, len(keys) - 1):
                self._note(f"{'next' if number else 'first'} delete_objects {key.rpartition('/')[0]}")
            self.objects.pop(key, None)

    def _note(self, what: str) -> None:
        uploads = [(key, len(parts)) for key, parts in self.uploads.values()]
        self.moments.append(Moment(what, dict(self.objects), uploads))


_CHANGES = (
    *("put_object", "delete_object", "create_multipart_upload", "upload_part", "complete_multipart_upload"),
    "abort_multipart_upload",
)


def kind_of(what: str) -> str:
    """The step about to happen, without hashes and numbers."""
    return re.sub(r"[0-9a-f]{16,}|\d+", "*", what)


def chosen(moments: list[Moment], each: int, most: int) -> tuple[list[Moment], int]:
    """The first and the last moment of every kind (``each`` 2), the first (1) or all (0); and the number of kinds."""
    kinds: dict[str, list[Moment]] = {}
    for moment in moments:
        kinds.setdefault(kind_of(moment.what), []).append(moment)
    step = max(1, len(kinds) // most) if most else 1
    found: list[Moment] = []
    for those in [*kinds.values()][::step][: most or None]:
        found += those if each == 0 else [those[0], those[-1]][: min(each, len(those))]
    return found, len(found and kinds)


def bytes_of(client: Any) -> dict[str, str]:
    """SHA-256 of every object of the root but those of ``runs/``, which depend on time and machine."""
    found: dict[str, str] = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", ()):
            name = entry["Key"].removeprefix(f"{ROOT}/")
            if not name.startswith("runs/"):
                body = client.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
                found[name] = hashlib.sha256(body).hexdigest()
    return found


def restored(client: Any, moment: Moment) -> None:
    """The bucket as it was at a moment."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        keys = [{"Key": entry["Key"]} for entry in page.get("Contents", ())]
        if keys:
            client.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})
    for key, body in moment.objects.items():
        client.put_object(Bucket=BUCKET, Key=key, Body=body)
    for key, parts in moment.uploads:
        upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        for number in range(parts):
            client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number + 1, Body=b"a part")


def wrong(client: Any, expected: dict[str, str]) -> list[str]:
    """Faults of the bucket: files that are not as expected, and uploads left over."""
    found = bytes_of(client)
    names = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    left = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    return names + [f"an upload of {one['Key']}" for one in left]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixture", choices=("small", "everything"), default="small")
    parser.add_argument("--moments", type=int, choices=(0, 1, 2), default=2, help="of each kind; 0: all")
    parser.add_argument("--most", type=int, default=0, help="kinds; 0: all")
    parser.add_argument("--part-bytes", type=int, default=0, help="larger objects go in parts of so many bytes")
    given = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_EC2_METADATA_DISABLED": "true"}
    if given.part_bytes:
        s3.PART_BYTES = given.part_bytes
        moto_s3.S3_UPLOAD_PART_MIN_SIZE = 1  # type: ignore[attr-defined]
    with mock_aws(), tempfile.TemporaryDirectory() as folder:  # answers in this process: no sockets, half the time
        client = s3.aws().client_of({"region": "us-east-1"})
        client.create_bucket(Bucket=BUCKET)
        failed = tried(Path(folder), client, f"s3://{BUCKET}/{ROOT}?region=us-east-1", given)
    if failed:
        sys.exit(f"{failed} moments end otherwise")


def tried(folder: Path, client: Any, uri: str, given: argparse.Namespace) -> int:
    """Run once, then from every chosen moment; how many end otherwise."""
    recipes.inputs(folder, recipes.EVERYTHING if given.mixture == "everything" else recipes.MIXTURE)

    def run() -> None:
        driver.run(str(folder / "small.yaml"), Store(uri), "inline", None, quiet=True)

    watched = Watched()
    with mock.patch.object(s3.S3, "ask", lambda store, *rest, **named: watched.ask(store, *rest, **named)):
        run()
    expected = bytes_of(client)
    moments, kinds = chosen(watched.moments, given.moments, given.most)
    print(f"{len(watched.moments)} moments of {kinds} kinds, {len(moments)} tried", flush=True)
    failed: dict[str, None] = {}
    num_failed, started = 0, time.monotonic()
    for number, moment in enumerate(moments):
        restored(client, moment)
        try:
            run()
            found = wrong(client, expected)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next moments are tried too
            found = [f"{type(error).__name__}: {error}"]
        if found:
            num_failed += 1
            failed[kind_of(moment.what)] = None
            print(f"before {moment.what}: {len(found)} differ: {found[:5]}", flush=True)
        if number % 25 == 24:
            print(f"{number + 1} moments, {time.monotonic() - started:.0f} s, {num_failed} otherwise", flush=True)
    tried_kinds = len({kind_of(moment.what) for moment in moments})
    print(f"{tried_kinds - len(failed)} of {tried_kinds} kinds, {len(moments) - num_failed} of {len(moments)} moments:")
    print("the same bytes, nothing left")
    return num_failed


if __name__ == "__main__":
    main()
