"""What unload and row steps share: the content key of a chunk, its receipt, and the cache that keeps receipts.

A chunk is named by its content: the key is a hash of everything that its bytes depend on, the file is named after the
key, and the receipt of a finished chunk is a persisted Prefect result stored under the same key, inside the storage
area. Whoever asks for the same content again, from whichever host or Prefect server, gets the receipt back.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union

from prefect.cache_policies import CacheKeyFnPolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.filesystems import LocalFileSystem, WritableFileSystem
from prefect.futures import PrefectFuture
from pydantic import BaseModel, ConfigDict

from tasks.errors import RetryableError
from tasks.storage import FolderArea, S3Area, StorageArea

if TYPE_CHECKING:
    from prefect_aws import S3Bucket

RECEIPTS = "receipts"

C = TypeVar("C")
R = TypeVar("R")


class Receipt(BaseModel):
    """What a chunk task returns: one published file.

    path: relative to the storage area.  rows: data rows.  bytes: size of the file.
    sha256: hexadecimal, of the file's bytes.  key: the content key.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    rows: int
    bytes: int
    sha256: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[C, R]):
    """What became of a chunk: its result, and whether it was there already."""

    chunk: C
    result: R
    was_cached: bool


def content_key(**parts: object) -> str:
    """SHA-256 (hexadecimal) over named parts, which must be JSON values: equal parts, equal key."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _key_of_chunk(_context: TaskRunContext, parameters: dict[str, Any]) -> str:
    key: str = parameters["chunk"].key
    return key


#: The cache policy of every chunk task: its parameter `chunk` carries the content key.
CONTENT = CacheKeyFnPolicy(cache_key_fn=_key_of_chunk)


def is_retryable(_task: object, _run: TaskRun, state: State[object]) -> bool:
    """Whether the error that ended a task's try says that the same call may succeed; a task's `retry_condition_fn`."""
    return isinstance(state.data, RetryableError)


def in_flight(submit: Callable[[C], PrefectFuture[R]], chunks: Iterable[C], limit: int) -> Iterator[Outcome[C, R]]:
    """Run a chunk task over chunks, at most `limit` at once; yields outcomes as they come.

    After the first error nothing new starts, what is in flight ends, and the error is raised.
    """
    done: SimpleQueue[tuple[C, PrefectFuture[R]]] = SimpleQueue()
    waiting = iter(chunks)
    running = 0
    error: Exception | None = None
    while True:
        for chunk in islice(waiting, limit - running if error is None else 0):
            future = submit(chunk)
            future.add_done_callback(partial(_put, done, chunk))
            running += 1
        if running == 0:
            break
        chunk, future = done.get()
        running -= 1
        try:
            result = future.result()
        except Exception as failure:
            error = error or failure
        else:
            yield Outcome(chunk=chunk, result=result, was_cached=future.state.name == "Cached")
    if error is not None:
        raise error


def _put(done: SimpleQueue[tuple[C, PrefectFuture[R]]], chunk: C, future: PrefectFuture[R]) -> None:
    done.put((chunk, future))


def receipts_of(area: StorageArea) -> WritableFileSystem:
    """The Prefect block through which an area keeps its receipts; saved under a name made from the area's URI.

    The receipts lie beside the files that they speak of: another host needs nothing but the area.
    """
    block = _receipts_block(area)
    block.save("receipts-" + hashlib.sha256(area.uri.encode()).hexdigest()[:16], overwrite=True)
    return block


def _receipts_block(area: StorageArea) -> Union[LocalFileSystem, "S3Bucket"]:
    if isinstance(area, S3Area):
        from prefect_aws import S3Bucket

        # A new block, not a copy: a copy knows its original's id, and saving it would overwrite the operator's block.
        folder = f"{area.prefix}/{RECEIPTS}".lstrip("/")
        return S3Bucket(bucket_name=area.bucket, bucket_folder=folder, credentials=area.block.credentials)
    assert isinstance(area, FolderArea)
    return LocalFileSystem(basepath=str(area.root / RECEIPTS))
