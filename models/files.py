"""Atomic writing of files: to a temporary file beside the target, then `os.replace`."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

# Error numbers of operating systems: disk full, quota reached, file size limit reached.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}

UNPACKING_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
"""What zipfile raises, and `np.load` with it, for a file that is damaged or of a kind it does not know."""


class DiskFullError(RuntimeError):
    """The disk is full; an earlier file of the same name is unchanged."""


class NotWritableError(DiskFullError, PermissionError):
    """The account has no permission to write a file; an earlier file of the same name is unchanged."""


@contextlib.contextmanager
def say_when_full(path: Path) -> Iterator[None]:
    """Turn the operating system's "no room" and "no right" into a `DiskFullError` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_RIGHT:
            message = f"{path} cannot be written: this account may not write there, or the disk is read-only. Change"
            raise NotWritableError(f"{message} the folder's rights, or use another folder.") from error
        if error.errno not in _NO_ROOM:
            raise
        message = f"No room left on the disk to write {path}. What was there before is unharmed; free some space and"
        raise DiskFullError(f"{message} start the same command again.") from error


@contextlib.contextmanager
def written_at_once(path: Path, private: bool = False) -> Iterator[BinaryIO]:
    """A file to write to that appears at `path` when the block ends, and not at all when it raises.

    `private`: nobody but its owner may read it.

    Raises:
        DiskFullError: there is no room; the earlier file stays.
    """
    with say_when_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o600 if private else 0o644)
            _put(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _put(temporary: str, path: Path) -> None:
    """`os.replace`; Windows refuses it while somebody reads the earlier file, which takes a moment at most."""
    for _ in range(50 if os.name == "nt" else 0):
        with contextlib.suppress(PermissionError):
            os.replace(temporary, path)
            return
        time.sleep(0.02)
    os.replace(temporary, path)


def write_bytes(path: Path, data: bytes, private: bool = False) -> None:
    """Put `data` at `path` in one step; raises DiskFullError and leaves the earlier file where there is no room.

    `private`: nobody but its owner may read it.
    """
    with written_at_once(path, private) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    """Put `value` at `path` as indented JSON, in one step."""
    write_bytes(path, as_json(value, indent=2))


def as_json(value: Any, indent: int | None = None) -> bytes:
    """One value as strict JSON with a line break behind it; numbers that JSON has no form for (NaN, ∞) become null."""
    return (json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
