"""A process that decodes a file: a crash, endless work or too much memory ends it and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from models.paths import CODE
from workbench.decoders.errors import PictureError

MEMORY = 2 * 1024**3  # bytes of address space
_WAIT = 60.0  # seconds
_SLOTS = {  # processes at a time
    "image": threading.BoundedSemaphore(max(2, (os.cpu_count() or 2) // 2)),
    "video": threading.BoundedSemaphore(max(2, (os.cpu_count() or 2) // 2)),
}


def restrict(seconds: int | None) -> None:
    """Limit the memory and the processor time of this process, where the operating system can; None: memory only."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if seconds is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if sys.platform != "darwin":  # macOS refuses a limit below what is mapped already
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _command(module: str, arguments: tuple[str, ...]) -> list[str]:
    return ["-m", f"workbench.decoders.{module}", *arguments]


@contextmanager
def slot(module: str) -> Iterator[None]:
    """Wait until fewer than the most processes of a module run; PictureError after a minute."""
    if not _SLOTS[module].acquire(timeout=_WAIT):
        raise PictureError("Many files are being decoded at the moment. Try again in a minute.")
    try:
        yield
    finally:
        _SLOTS[module].release()


def start(module: str, *arguments: str, stdin: int = subprocess.PIPE, session: bool = False) -> subprocess.Popen[bytes]:
    """A process that runs a module of this package, with pipes.

    Args:
        module: name of the module.
        *arguments: arguments of the program.
        stdin: the descriptor of an open file in place of a pipe.
        session: whether it has a process group of its own, which can be ended as a whole.
    """
    paths = str(CODE), os.environ.get("PYTHONPATH", "")
    environment = {**os.environ, "MALLOC_ARENA_MAX": "2", "PYTHONPATH": os.pathsep.join(p for p in paths if p)}
    return subprocess.Popen(
        [sys.executable, *_command(module, arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=session,
    )


@contextmanager
def started(module: str, *arguments: str, stdin: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    """A process as `start` starts it, in a `slot`; it ends with the block."""
    with slot(module):
        process = start(module, *arguments, stdin=stdin)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()
