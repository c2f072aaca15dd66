"""One process at a time trains in a folder: it holds a lock on a file there, which the operating system releases when
the process ends, however it ends. Neither process numbers, which are used again, nor clocks, which are set, matter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import TrainingError
from .events import first_process

FILE = "process.lock"
_PATIENCE = 2.0  # seconds; whoever asks whether a folder is locked holds the lock for a moment


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside, no other process trains in this folder; of several processes of one training the first holds the lock.

    May be nested within a thread. Raises TrainingError where another process holds it.
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
            f"Another process trains in {folder} right now. Wait until it ends, stop it, or choose another --out."
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process trains in this folder now."""
    path = folder.absolute() / FILE
    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
