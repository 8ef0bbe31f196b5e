"""Scratch folders: where files lie while they are unfinished, on the disk where they are wanted.

A folder lives as long as its user. A process that is killed leaves its folders behind, but not their locks: the next
user of the same place removes what nobody holds.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def scratch_folder(place: Path) -> Iterator[Path]:
    """A new folder below `place`, gone when the block ends; what killed processes left there goes first.

    Any number of processes and threads may use one place. Raises OSError where the place cannot be written.
    """
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(place)
    folder, lock = _locked_folder(place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # what stays is swept by the next user
        os.close(lock)


def _sweep(place: Path) -> None:
    for folder in place.iterdir():
        # In use; or swept by somebody else just now; or on a disk (NFS) that gives no such lock: there it stays.
        with contextlib.suppress(OSError):
            lock = _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _locked_folder(place: Path) -> tuple[Path, int]:
    """A new folder, and the handle whose lock ends with its process, however that ends."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=place))
        with contextlib.suppress(FileNotFoundError):
            lock = _lock(folder, fcntl.LOCK_SH)
            if folder.exists():
                return folder, lock
            os.close(lock)  # somebody's sweep came before the lock


def _lock(folder: Path, kind: int) -> int:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, kind)
    except BaseException:
        os.close(handle)
        raise
    return handle
