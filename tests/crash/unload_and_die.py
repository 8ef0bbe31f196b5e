"""One unload in a process of its own, which kills itself at a named point; run as a script by the crash tests.

The product knows nothing of this: the script wraps its functions. What the run reports is printed as JSON.
"""

import argparse
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.client import BaseClient
from prefect.filesystems import LocalFileSystem

from flows.unload_erp import unload_erp
from tasks.storage import FolderArea
from tasks.unload import cut, plan
from tasks.unload.read import ChunkReader
from tasks.unload.report import TableProgress

Matches = Callable[..., bool]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def every(*_args: Any, **_options: Any) -> bool:
    return True


def below(folder: str) -> Matches:
    """Calls of FolderArea's methods that publish something in this folder."""
    return lambda _area, _local, path: path.startswith(f"{folder}/")


def die_at(owner: Any, name: str, nth: int, *, matches: Matches = every, after: bool = False) -> None:
    """Die at the n-th matching call of a function: as it begins, or after it has returned."""
    original, calls = getattr(owner, name), itertools.count(1)

    def wrapped(*args: Any, **options: Any) -> Any:
        is_fatal = matches(*args, **options) and next(calls) == nth
        if is_fatal and not after:
            die()
        result = original(*args, **options)
        if is_fatal:
            die()
        return result

    setattr(owner, name, wrapped)


def die_while_a_file_grows(nth: int) -> None:
    """Die when the n-th chunk's file has its first rows, and not all."""
    original, calls = ChunkReader.write_parquet, itertools.count(1)

    def watch(file: Path) -> None:
        while not file.exists() or file.stat().st_size < 100_000:
            time.sleep(0.001)
        die()

    def wrapped(self: ChunkReader, chunk: plan.Chunk, columns: Any, file: Path) -> None:
        if next(calls) == nth:
            threading.Thread(target=watch, args=[file], daemon=True).start()
        original(self, chunk, columns, file)

    ChunkReader.write_parquet = wrapped  # type: ignore[method-assign]  # the product has no hook, on purpose


def die_in_a_receipt(nth: int) -> None:
    """Die when half of the n-th receipt is on disk."""
    calls = itertools.count(1)

    original = LocalFileSystem.write_path

    def wrapped(folder: LocalFileSystem, path: str, content: bytes, **options: Any) -> Any:
        if next(calls) == nth:
            Path(folder.basepath, path).write_bytes(content[: len(content) // 2])
            die()
        return original(folder, path, content, **options)

    LocalFileSystem.write_path = wrapped  # type: ignore[assignment,method-assign]  # as above


def s3_call(operation: str) -> Matches:
    return lambda _client, name, _parameters: name == operation


#: What the word on the command line stands for, given which time it comes to pass.
POINTS: dict[str, Callable[[int], None]] = {
    "never": lambda nth: None,
    "before-the-salt": lambda nth: die_at(FolderArea, "_link", nth, matches=below("salts")),
    "after-the-salt": lambda nth: die_at(FolderArea, "_link", nth, matches=below("salts"), after=True),
    "planning": lambda nth: die_at(plan, "fingerprints", nth, after=True),
    "before-write": lambda nth: die_at(ChunkReader, "write_parquet", nth),
    "in-write": die_while_a_file_grows,
    "after-write": lambda nth: die_at(FolderArea, "put_file", nth, matches=below("data")),
    "before-record": lambda nth: die_at(FolderArea, "put_file", nth, matches=below("data"), after=True),
    "in-record": die_in_a_receipt,
    "after-record": lambda nth: die_at(TableProgress, "count", nth, after=True),
    "before-manifest": lambda nth: die_at(FolderArea, "put_file", nth, matches=below("manifests")),
    "before-latest": lambda nth: die_at(FolderArea, "put_file", nth, matches=below("latest")),
    "after-latest": lambda nth: die_at(FolderArea, "put_file", nth, matches=below("latest"), after=True),
    "before-part": lambda nth: die_at(BaseClient, "_make_api_call", nth, matches=s3_call("UploadPart")),
    "before-completion": lambda nth: die_at(
        BaseClient, "_make_api_call", nth, matches=s3_call("CompleteMultipartUpload")
    ),
}


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("source")
    options.add_argument("source_schema")
    options.add_argument("storage")
    options.add_argument("--at", choices=POINTS, default="never")
    options.add_argument("--nth", type=int, default=1)
    options.add_argument("--chunk-blocks", type=int, default=4)
    given = options.parse_args()
    cut.LEAST_CHUNK_BLOCKS = given.chunk_blocks
    POINTS[given.at](given.nth)
    report = unload_erp(
        source=given.source, source_schema=given.source_schema, storage=given.storage, source_name="crash"
    )
    sys.stdout.write(report.model_dump_json())


if __name__ == "__main__":
    main()
