"""One storage area: a local folder or an S3 prefix.

Objects appear whole or not at all and never change; paths are relative to the area and use `/`.
"""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast
from urllib.parse import unquote, urlsplit

from tasks.errors import StorageRefused, StorageUnavailable
from tasks.scratch import scratch_folder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from prefect_aws import S3Bucket

PARTIAL = ".partial"
S3_BLOCK = "s3-bucket/"


class StorageArea(Protocol):
    """Where files are published. Every write is atomic: a reader sees the whole object or none."""

    @property
    def uri(self) -> str:
        """`file:///…` or `s3://bucket/prefix`, without a slash at the end."""

    def put_file(self, local: Path, path: str) -> None:
        """Publish a finished local file and remove it; replaces what was there. Safe to repeat."""

    def put(self, path: str, content: bytes, *, only_if_absent: bool = False) -> bool:
        """Publish bytes; False when `only_if_absent` and something was there already (it stays)."""

    def open(self, path: str) -> BinaryIO:
        """A stream of the object's bytes; FileNotFoundError when there is none."""

    def size(self, path: str) -> int | None:
        """Bytes of the object; None when there is none."""

    def list(self, prefix: str) -> Iterator[str]:
        """Paths of the objects below a folder, sorted; unfinished ones never show."""


def open_area(reference: str) -> StorageArea:
    """The area that a folder, `file://` or `s3://` URI, or `s3-bucket/<block name>` stands for.

    Raises StorageRefused when the reference cannot be understood or the area cannot be reached.
    """
    if reference.startswith(S3_BLOCK):
        return _area_of_block(reference)
    parts = urlsplit(reference)
    if parts.scheme == "s3":
        return _area_of_uri(parts.netloc, parts.path.strip("/"), reference)
    if parts.scheme == "file":
        return _area_of_folder(unquote(parts.path))
    if "://" in reference or not reference:
        raise StorageRefused(f"storage {reference!r}: give a folder, s3://bucket/prefix or s3-bucket/<block name>")
    return _area_of_folder(reference)


def read_bytes(area: StorageArea, path: str) -> bytes:
    """The whole object; for small ones (records), not for chunk files."""
    with area.open(path) as stream:
        return stream.read()


def scratch_of(area: StorageArea) -> AbstractContextManager[Path]:
    """A folder to write files for this area in, before they are published: on the same disk, if the area has one.

    It is gone when the block ends; after a kill, when the next one starts.
    """
    if isinstance(area, FolderArea):
        return area.scratch()
    return scratch_folder(Path(tempfile.gettempdir()) / f"reprise-{os.getuid()}")


@dataclass(frozen=True, kw_only=True)
class FolderArea:
    """A local folder. An object is written under a temporary name, synced, and renamed."""

    root: Path

    @property
    def uri(self) -> str:
        return self.root.as_uri()

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for unfinished files, on the disk of the area."""
        with ExitStack() as stack:
            with _refusals_explained(self.uri):
                folder = stack.enter_context(scratch_folder(self.root / PARTIAL))
            yield folder

    def put_file(self, local: Path, path: str) -> None:
        target = self.root / path
        with _refusals_explained(self.uri):
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync(local)
            local.replace(target)
            _sync(target.parent)

    def put(self, path: str, content: bytes, *, only_if_absent: bool = False) -> bool:
        with self.scratch() as folder, _refusals_explained(self.uri):
            temporary = folder / "object"
            temporary.write_bytes(content)
            if not only_if_absent:
                self.put_file(temporary, path)
                return True
            return self._link(temporary, path)

    def _link(self, temporary: Path, path: str) -> bool:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync(temporary)
        try:
            target.hardlink_to(temporary)
        except FileExistsError:
            return False
        _sync(target.parent)
        return True

    def open(self, path: str) -> BinaryIO:
        return (self.root / path).open("rb")

    def size(self, path: str) -> int | None:
        try:
            return (self.root / path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def list(self, prefix: str) -> Iterator[str]:
        found = (p.relative_to(self.root) for p in (self.root / prefix).rglob("*") if p.is_file())
        yield from sorted(path.as_posix() for path in found if path.parts[0] != PARTIAL)


@dataclass(frozen=True, kw_only=True)
class S3Area:
    """A prefix of a bucket. An object appears when its put, or its multipart upload, completes.

    block: bucket, prefix and credentials, as Prefect keeps them; the credentials may be the environment's.
    """

    block: "S3Bucket"

    @cached_property
    def client(self) -> "S3Client":
        return self.block.credentials.get_s3_client()

    @property
    def bucket(self) -> str:
        return self.block.bucket_name

    @property
    def prefix(self) -> str:
        return self.block.bucket_folder.strip("/")

    @property
    def uri(self) -> str:
        return f"s3://{PurePosixPath(self.bucket, self.prefix)}"

    def _key(self, path: str) -> str:
        return str(PurePosixPath(self.prefix, path))

    def put_file(self, local: Path, path: str) -> None:
        with _s3_refusals_explained(self.uri):
            self.client.upload_file(str(local), self.bucket, self._key(path))
        local.unlink()

    def put(self, path: str, content: bytes, *, only_if_absent: bool = False) -> bool:
        from botocore.exceptions import ClientError

        with _s3_refusals_explained(self.uri):
            if not only_if_absent:
                self.client.put_object(Bucket=self.bucket, Key=self._key(path), Body=content)
                return True
            try:
                self.client.put_object(Bucket=self.bucket, Key=self._key(path), Body=content, IfNoneMatch="*")
            except ClientError as error:
                if _status(error) in {409, 412}:  # somebody else's put came, or is coming, first
                    return False
                raise
            return True

    def open(self, path: str) -> BinaryIO:
        from botocore.exceptions import ClientError

        with _s3_refusals_explained(self.uri):
            try:
                body = self.client.get_object(Bucket=self.bucket, Key=self._key(path))["Body"]
            except ClientError as error:
                if _status(error) == 404:
                    raise FileNotFoundError(f"{self.uri}/{path}") from error
                raise
        return cast(BinaryIO, body)

    def size(self, path: str) -> int | None:
        from botocore.exceptions import ClientError

        with _s3_refusals_explained(self.uri):
            try:
                return self.client.head_object(Bucket=self.bucket, Key=self._key(path))["ContentLength"]
            except ClientError as error:
                if _status(error) == 404:
                    return None
                raise

    def list(self, prefix: str) -> Iterator[str]:
        folder = self._key(prefix) + "/"
        root = len(self._key("")) + 1 if self.prefix else 0
        with _s3_refusals_explained(self.uri):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=folder):
                yield from (entry["Key"][root:] for entry in page.get("Contents", []))


def _area_of_folder(path: str) -> FolderArea:
    # The URI is part of every key: a folder has the same one however it is reached (`../staging`).
    return FolderArea(root=Path(path).expanduser().resolve())


def _area_of_uri(bucket: str, prefix: str, reference: str) -> S3Area:
    if not bucket:
        raise StorageRefused(f"storage {reference!r} names no bucket: write s3://bucket/prefix")
    try:
        from prefect_aws import AwsCredentials, S3Bucket
    except ImportError as error:
        raise StorageRefused("storage on S3 needs the extra `aws`: pip install 'reprise[aws]'") from error
    return S3Area(block=S3Bucket(bucket_name=bucket, bucket_folder=prefix, credentials=AwsCredentials()))


def _area_of_block(reference: str) -> S3Area:
    from prefect_aws import S3Bucket

    try:
        return S3Area(block=cast(S3Bucket, S3Bucket.load(reference.removeprefix(S3_BLOCK))))
    except ValueError as error:
        raise StorageRefused(f"storage {reference!r}: Prefect knows no such block; save it, or name another") from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _status(error: Exception) -> int:
    response = cast("dict[str, dict[str, int]]", getattr(error, "response", {}))
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


@contextmanager
def _refusals_explained(uri: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refusal(uri, error) from error


def refusal(uri: str, error: OSError) -> StorageRefused:
    """What an operating system's error on this area means to the person at the screen."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        remedy = "the disk is full: free some room, then run again; finished chunks are kept"
    else:
        remedy = "give a folder that this user may write, then run again"
    return StorageRefused(f"storage {uri}: {error.strerror or error}: {remedy}")


@contextmanager
def _s3_refusals_explained(uri: str) -> Iterator[None]:
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as BotoConnectionError

    try:
        yield
    except (BotoConnectionError, HTTPClientError) as error:
        raise StorageUnavailable(f"storage {uri} does not answer: {error}: run again when it does") from error
    except ClientError as error:
        if _status(error) >= 500 or _status(error) == 429:
            raise StorageUnavailable(f"storage {uri} is overloaded: {error}: run again") from error
        raise StorageRefused(f"storage {uri}: {error}: check bucket, region and permissions") from error
    except S3UploadFailedError as error:
        if isinstance(error.__context__, ClientError) and _status(error.__context__) >= 500:
            raise StorageUnavailable(f"storage {uri} is overloaded: {error}: run again") from error
        raise StorageRefused(f"storage {uri}: {error}: check bucket, credentials and permissions") from error
    except BotoCoreError as error:
        raise StorageRefused(f"storage {uri}: {error}: check bucket, credentials and region") from error
