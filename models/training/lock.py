"""A lock that lets one process at a time train in a folder.

The operating system releases it when the process ends, even if killed. Process ids, which are reused, and clocks, which
are adjusted, are not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import TrainingError
from .events import first_process

FILE = "process.lock"
_PATIENCE = 2.0  # seconds; `is_locked` holds the lock for a moment


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock inside the block; of several processes of one training run, the first one does.

    May be nested within a thread. Raises TrainingError if another process holds the lock.
    """
    if not first_process():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.absolute() / FILE, is_singleton=True)
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout as error:
        raise TrainingError(
            f"Another process trains in {folder}. Wait until it ends, stop it, or choose another --out."
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process is training in this folder."""
    path = folder.absolute() / FILE
    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
