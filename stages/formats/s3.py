"""S3 as a file system of Arrow's, through botocore: an object's key is a name and goes to the server as it is.

Arrow's own client reads keys as paths: ``a//b`` is refused, ``a/../b`` silently becomes ``b``, and a failed request for
few bytes ends a read at once (`docs/decisions/object-stores.md`). Here every request is made again within bounds
(`stages.formats.retries`), a read goes on where its connection broke and fails when the object was replaced meanwhile,
a written body carries its MD5, and `put` makes an object whole or not at all, on demand only where there is none yet.

Paths are ``bucket/key``. Price: one request per read; a client costs a process half a second once.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
from pyarrow import fs

from stages.formats import retries
from stages.formats.ranged_file import REPLACED, RangedFile

PART_BYTES = 64 << 20
"""Objects above this size are sent in parts of at least this size."""
MOST_PARTS = 9_000
PART_THREADS = 4
PIECE = 1 << 20
NO_RANGES = "the server does not answer range requests"
OPTIONS = frozenset(
    {"region", "scheme", "endpoint_override", "anonymous", "access_key", "secret_key", "session_token"}
    | {"tls_ca_file_path", "force_virtual_addressing", "allow_bucket_creation", "allow_bucket_deletion"}
)
"""Options that may follow the last ``?`` of a URI; the names are Arrow's."""


class Listed(NamedTuple):
    """An object: ``bucket/key``, bytes, ETag, and when it was written."""

    path: str
    size: int
    etag: str
    time: datetime


def aws() -> Any:
    """The half of this that speaks botocore (`stages.formats.s3_client`), loaded by the first request.

    It is a tenth of what a command loads, and most roots and sources are on a disk.
    """
    from stages.formats import s3_client

    return s3_client


class S3(fs.FileSystemHandler):  # type: ignore[misc]
    """All buckets that one set of options leads to. Methods are Arrow's; `stat`, `listed`, `put`, `sweep` are ours."""

    def __init__(self, options: dict[str, str]) -> None:
        self.options = options
        self._client: Any = None
        self._answered = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, S3) and other.options == self.options

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.options.items())))

    def get_type_name(self) -> str:
        return "s3"

    def normalize_path(self, path: str) -> str:
        return path

    # Requests

    def ask(self, operation: str, path: str, **arguments: Any) -> Any:
        """One operation of the client on ``bucket/key``, patiently; its errors as Python's own."""
        bucket, _, key = path.partition("/")
        if key:
            arguments["Key"] = key
        try:
            answer = retries.patiently(
                lambda: getattr(self.client(), operation)(Bucket=bucket, **arguments), aws().passes, self._tries
            )
        except Exception as error:
            self._answered |= bool(aws().status_of(error))
            raise aws().as_os_error(error, path) from error
        self._answered = True
        return answer

    def client(self) -> Any:
        if self._client is None:
            self._client = aws().client_of(self.options)
        return self._client

    def _tries(self, error: Exception) -> int:
        nobody = aws().is_unheard(error) and not self._answered
        return retries.FIRST_TRIES if nobody else retries.TRIES

    # Looking

    def stat(self, path: str) -> Listed | None:
        """The object of exactly this name, or None."""
        if not path.partition("/")[2]:
            return None
        for tried in range(1, retries.TRIES + 1):
            try:
                head = self.ask("head_object", path)
                break
            except FileNotFoundError:
                return None
            except OSError as error:
                if aws().status_of(error.__cause__) not in (400, 403, 409) or tried == retries.TRIES:
                    raise
                self._hear_why(path)
            retries.pause(tried)
        return Listed(path, head["ContentLength"], _tag(head), head["LastModified"])

    def _hear_why(self, path: str) -> None:
        """Ask for the first byte of an object whose head was refused: that answer had no body, and so no reason.

        Raises:
            OSError: the reason, where it is one that stays.
        """
        try:
            self.ask("get_object", path, Range="bytes=0-0")["Body"].close()
        except OSError as error:
            if aws().status_of(error.__cause__) not in (404, 416):  # none, or an empty one: the head will say so
                raise

    def listed(self, folder: str, recursive: bool = True) -> Iterator[Listed]:
        """Objects below ``bucket/folder``, in the order of their keys; those that only mark a folder are left out."""
        bucket, _, key = folder.rstrip("/").partition("/")
        for page in self._pages(bucket, f"{key}/" if key else "", recursive):
            for entry in page.get("Contents", ()):
                if not (entry["Key"].endswith("/") and entry["Size"] == 0):
                    yield _listed(bucket, entry)

    def _pages(self, bucket: str, prefix: str, recursive: bool) -> Iterator[dict[str, Any]]:
        more: dict[str, str] = {} if recursive else {"Delimiter": "/"}
        while True:
            page = self.ask("list_objects_v2", bucket, Prefix=prefix, **more)
            yield page
            if not page.get("IsTruncated"):
                return
            if not page.get("NextContinuationToken"):
                raise OSError(f"s3://{bucket}/{prefix}: the server cuts its list off and does not say how it goes on")
            more["ContinuationToken"] = page["NextContinuationToken"]

    def listed_alone(self, path: str) -> Listed | None:
        """The object of exactly this name as a listing states it: not all servers give it the ETag that its head has
        (MinIO has given that of the encrypted bytes)."""
        bucket, _, key = path.partition("/")
        page = self.ask("list_objects_v2", bucket, Prefix=key, MaxKeys=1)
        return next((_listed(bucket, entry) for entry in page.get("Contents", ()) if entry["Key"] == key), None)

    def is_folder(self, path: str) -> bool:
        """Whether an object lies below; a bucket is a folder, empty or not."""
        bucket, _, key = path.rstrip("/").partition("/")
        try:
            page = self.ask("list_objects_v2", bucket, Prefix=f"{key}/" if key else "", MaxKeys=1)
        except FileNotFoundError:
            return False
        return not key or bool(page.get("Contents") or page.get("CommonPrefixes"))

    def get_file_info(self, paths: list[str]) -> list[fs.FileInfo]:
        return [self._info(path) for path in paths]

    def _info(self, path: str) -> fs.FileInfo:
        if found := self.stat(path):
            return fs.FileInfo(path, fs.FileType.File, size=found.size, mtime=found.time)
        kind = fs.FileType.Directory if self.is_folder(path) else fs.FileType.NotFound
        return fs.FileInfo(path, kind)

    def get_file_info_selector(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        try:
            found = [
                fs.FileInfo(one.path, fs.FileType.File, size=one.size, mtime=one.time)
                for one in self.listed(selector.base_dir, selector.recursive)
            ]
        except FileNotFoundError:
            found = []
        if not found and not selector.allow_not_found and not self.is_folder(selector.base_dir):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), selector.base_dir)
        return found

    # Reading and writing

    def open_input_file(self, path: str) -> pa.PythonFile:
        return pa.PythonFile(S3File(self, path), mode="r")

    open_input_stream = open_input_file

    def put(self, path: str, source: BinaryIO, size: int, *, only_new: bool = False, replaces: str = "") -> bool:
        """Make an object of the first ``size`` bytes of a file: whole, or not at all.

        Args:
            only_new: only where there is none of that name.
            replaces: only where the one of that name has this ETag.

        Returns:
            Whether it was made: False when another object stood there.
        """
        if size > PART_BYTES:
            self._put_parts(path, source, size)
            return True
        source.seek(0)
        body = source.read(size)
        only = {"IfNoneMatch": "*"} if only_new else {"IfMatch": f'"{replaces}"'} if replaces else {}
        try:
            self.ask("put_object", path, Body=body, ContentMD5=_md5(body), **only)
        except FileExistsError:
            if not only:
                raise
            if (found := self.stat(path)) is not None and found.size == size:  # an answer that was lost: is it ours?
                return bool(S3File(self, path).read() == body)
            return False
        except FileNotFoundError:
            if replaces:
                return False
            raise
        return True

    def _put_parts(self, path: str, source: BinaryIO, size: int) -> None:
        upload = self.ask("create_multipart_upload", path)["UploadId"]
        step = max(PART_BYTES, -(-size // MOST_PARTS))
        handle = source.fileno()

        def send(number: int) -> dict[str, Any]:
            body = _read_all(handle, number * step, min(step, size - number * step))
            answer = self.ask(
                "upload_part", path, UploadId=upload, PartNumber=number + 1, Body=body, ContentMD5=_md5(body)
            )
            return {"PartNumber": number + 1, "ETag": answer["ETag"]}

        try:
            with ThreadPoolExecutor(PART_THREADS) as threads:
                parts = list(threads.map(send, range(-(-size // step))))
            try:
                self.ask("complete_multipart_upload", path, UploadId=upload, MultipartUpload={"Parts": parts})
            except FileNotFoundError:  # an answer that was lost, and the second time there was no upload any more
                if (found := self.stat(path)) is None or found.size != size:
                    raise
        except BaseException:
            self._give_up(path, upload)
            raise

    def _give_up(self, path: str, upload: str) -> None:
        try:
            self.ask("abort_multipart_upload", path, UploadId=upload)
        except OSError:
            return  # `unfinished` finds it; the error under way is the one to see

    def unfinished(self, folder: str) -> list[tuple[str, str]]:
        """(path, id) of the uploads below a folder that were begun and never ended: they cost, and nobody sees them."""
        bucket, _, key = folder.rstrip("/").partition("/")
        found: list[tuple[str, str]] = []
        more: dict[str, str] = {}
        while True:
            page = self.ask("list_multipart_uploads", bucket, Prefix=f"{key}/" if key else "", **more)
            found += [(f"{bucket}/{one['Key']}", one["UploadId"]) for one in page.get("Uploads", ())]
            if not page.get("IsTruncated"):
                return found
            more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def sweep(self, folder: str) -> int:
        """End all uploads of `unfinished`; how many there were."""
        uploads = self.unfinished(folder)
        for path, upload in uploads:
            self._give_up(path, upload)
        return len(uploads)

    def open_output_stream(self, path: str, metadata: Any) -> pa.PythonFile:
        raise NotImplementedError("objects are written whole: use `put`")

    open_append_stream = open_output_stream

    def create_dir(self, path: str, recursive: bool) -> None:
        """Make the bucket; folders need no making."""
        bucket = path.partition("/")[0]
        region = self.client().meta.region_name
        where = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
        try:
            self.ask("create_bucket", bucket, **where)
        except FileExistsError:
            return

    def delete_file(self, path: str) -> None:
        self.ask("delete_object", path)

    def delete_dir(self, path: str) -> None:
        bucket, _, key = path.rstrip("/").partition("/")
        for page in self._pages(bucket, f"{key}/" if key else "", True):
            keys = [{"Key": entry["Key"]} for entry in page.get("Contents", ())]
            failed = self.ask("delete_objects", bucket, Delete={"Objects": keys, "Quiet": True}) if keys else {}
            for one in failed.get("Errors", ()):
                raise OSError(f"s3://{bucket}/{one['Key']} cannot be removed: {one.get('Message', one.get('Code'))}")

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        self.delete_dir(path)

    def delete_root_dir_contents(self) -> None:
        raise NotImplementedError

    def move(self, src: str, dest: str) -> None:
        raise NotImplementedError("an object store renames nothing")

    copy_file = move


class S3File(RangedFile):
    """An object, read by ranges; what is read is of the object that stood there when it was opened."""

    def __init__(self, store: S3, path: str) -> None:
        found = store.stat(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"s3://{path}")
        super().__init__(found.size)
        self.store, self.path, self._etag = store, path, found.etag

    def range(self, start: int, stop: int) -> bytes:
        """The bytes [start, stop) that there are, wherever the file stands; several threads may ask at once."""
        wanted = min(stop, self._size) - start
        held = bytearray()
        failures = 0
        while len(held) < wanted:
            before = len(held)
            try:
                self._fetch(held, start, wanted)
            except Exception as error:
                failures = failures + 1 if len(held) == before else 1
                if not aws().passes(error) or failures >= retries.TRIES:
                    raise aws().as_os_error(error, self.path) from error
                retries.pause(failures, error)
        return bytes(held)

    def _fetch(self, held: bytearray, start: int, wanted: int) -> None:
        """Append what one request gives of what is missing of the ``wanted`` bytes from ``start`` on."""
        first = start + len(held)
        byte_range = f"bytes={first}-{start + wanted - 1}"
        same = {"IfMatch": f'"{self._etag}"'} if self._etag else {}
        answer = self.store.ask("get_object", self.path, Range=byte_range, **same)
        with answer["Body"] as body:
            served = answer.get("ContentRange", "")
            if (first or served) and not served.startswith(f"bytes {first}-"):
                why = f"asked for byte {first}, answered {served}" if served else NO_RANGES
                raise OSError(f"s3://{self.path}: {why}")
            etag = _tag(answer)
            if self._etag and etag and etag != self._etag:  # a server that knows no conditions
                raise OSError(f"s3://{self.path}{REPLACED}")
            while piece := body.read(min(PIECE, wanted - len(held))):
                held += piece
        if len(held) < wanted:
            raise ConnectionError(f"the answer ends at byte {start + len(held)}")


def _listed(bucket: str, entry: dict[str, Any]) -> Listed:
    return Listed(f"{bucket}/{entry['Key']}", entry["Size"], _tag(entry), entry["LastModified"])


def _tag(about: dict[str, Any]) -> str:
    """The ETag of an answer or an entry of a list; a proxy may call that of one answer weak and not of the next."""
    return str(about.get("ETag", "")).removeprefix("W/").strip('"')


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _read_all(handle: int, offset: int, size: int) -> bytes:
    held = bytearray()
    while len(held) < size:
        piece = os.pread(handle, size - len(held), offset + len(held))
        if not piece:
            raise OSError(f"the file to send ends at byte {offset + len(held)}")
        held += piece
    return bytes(held)
