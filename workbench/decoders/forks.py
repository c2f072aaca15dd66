"""Decode many files fast, each in a process of its own: one that is forked from a process which has the libraries.

A fork takes a millisecond, a new interpreter some tenths of a second. The process that is forked only copies bytes; it
never decodes any, so no file sees another one. Where there is no safe fork (macOS, Windows), it decodes one file and
ends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

from workbench.decoders.process import restrict, slot, start

_FORKS = sys.platform == "linux"
_HEAD = 12  # bytes before a reply: its length, the status of its process
_idle: list[subprocess.Popen[bytes]] = []


def call(module: str, data: bytes, most: int, seconds: float) -> tuple[bytes, int]:
    """What a module of this package replies to the bytes of a file, and the status with which its process ended.

    Args:
        module: name of the module; its `main` calls `serve`.
        data: the file.
        most: bytes of a reply; a longer one is cut.
        seconds: seconds after which it is ended, with status -9.

    Raises:
        PictureError: too many such processes are running.
    """
    with slot(module):
        process = _take(module)
        late = threading.Timer(seconds, _kill, (process,))
        late.start()
        try:
            found = _exchange(process, data, most)
        except OSError:  # it died, or is late and was killed
            found = None
        finally:
            late.cancel()
        if found and _FORKS:
            _idle.append(process)
            return found
        status = _discard(process)
        return found or (b"", status)


def _take(module: str) -> subprocess.Popen[bytes]:
    """A process that waits for a file, or a new one."""
    with contextlib.suppress(IndexError):
        while True:
            if (process := _idle.pop()).poll() is None:
                return process
    return start(module, session=True)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process, with the one that is forked from it."""
    if process.returncode is None:  # later its number may be that of another one
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()


def _discard(process: subprocess.Popen[bytes]) -> int:
    """End a process and close its pipes; the status with which it ended."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.2)  # one that died by itself says why
    _kill(process)
    with contextlib.suppress(OSError):
        process.communicate()
    return process.wait()


def _exchange(process: subprocess.Popen[bytes], data: bytes, most: int) -> tuple[bytes, int]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(len(data).to_bytes(8) + most.to_bytes(8))
    process.stdin.write(data)
    process.stdin.flush()
    head = process.stdout.read(_HEAD)
    if len(head) < _HEAD:
        raise BrokenPipeError
    length, status = int.from_bytes(head[:8]), int.from_bytes(head[8:], signed=True)
    reply = process.stdout.read(length)
    if len(reply) < length:
        raise BrokenPipeError
    return reply, status


@atexit.register
def _end_all() -> None:
    while _idle:
        process = _idle.pop()
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()  # it ends
        process.stdin = None
        _discard(process)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # they belong to the process that started them


# ---- in the process


def serve(handle: Callable[[bytes], Iterator[bytes]], seconds: int) -> None:
    """Reply to the files at the standard input, one after another.

    Args:
        handle: function from the bytes of a file to the parts of the reply.
        seconds: processor time in seconds that a file may take.
    """
    files, replies = sys.stdin.buffer, sys.stdout.buffer
    while size := files.read(16):
        data, most = files.read(int.from_bytes(size[:8])), int.from_bytes(size[8:])
        if not _FORKS:
            restrict(seconds)
            _send(replies, b"".join(handle(data)), 0)
            return
        _send(replies, *_in_fork(handle, data, most, seconds))


def _send(replies: BinaryIO, reply: bytes, status: int) -> None:
    replies.write(len(reply).to_bytes(8) + status.to_bytes(4, signed=True))
    replies.write(reply)
    replies.flush()


def _in_fork(handle: Callable[[bytes], Iterator[bytes]], data: bytes, most: int, seconds: int) -> tuple[bytes, int]:
    """Reply and status of a forked process, which has neither the input nor the output of this one."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        status = 1
        try:
            for descriptor in (reading, 0, 1):
                os.close(descriptor)
            restrict(seconds)
            with os.fdopen(writing, "wb") as out:
                out.writelines(handle(data))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as reply:
        got = reply.read(most)
    return got, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
