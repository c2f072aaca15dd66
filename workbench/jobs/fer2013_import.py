"""Import of FER2013 in a process of its own, so that the app stays fast and the import can be cancelled.

The process is `fer2013_process`, whose lines of JSON a thread reads. One import runs at a time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from models.datasets import fer2013
from models.datasets.archives import is_archive
from models.paths import CODE
from models.text import thousands

from . import processes
from .store import JobError

IMAGES = sum(map(sum, fer2013.COUNTS.values()))
"""Images of the complete FER2013."""

_PATIENCE = 5.0  # seconds for a cancelled process to end by itself


@dataclass(frozen=True)
class Import:
    """An import of FER2013 that runs or has ended.

    Attributes:
        source: the name of the file or folder.
        state: how it stands.
        files: images read so far; 0 until the first, and for a CSV until all are read.
        started: seconds since 1970.
        message: why it failed, or what was imported.
    """

    source: str
    state: Literal["running", "done", "failed", "cancelled"]
    files: int
    started: float
    message: str = ""

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.time() - self.started

    @property
    def share(self) -> float:
        """How much of the complete dataset was read, 0..1."""
        return min(1.0, self.files / IMAGES)


_lock = threading.Lock()
_now: Import | None = None
_process: subprocess.Popen | None = None


def current() -> Import | None:
    """The import that runs, else the last one since `forget`; None where there was none."""
    return _now


def forget() -> None:
    """Drop the result of an import that has ended."""
    global _now
    with _lock:
        if _now and _now.state != "running":
            _now = None


def import_path(source: Path, out: Path) -> None:
    """Begin to import FER2013 from a path of this computer; `current` has the progress.

    Only for the owner of this computer: error messages tell what is at a path.

    Args:
        source: an archive, a folder or a CSV.
        out: the file to write.

    Raises:
        JobError: there is no such path, or an import runs already.
    """
    if not source.exists():
        raise JobError(f"{source} does not exist. Give the path of an archive, a folder or a CSV on this computer.")
    _begin(source, source.name, out, None)


def import_file(data: bytes, name: str, out: Path) -> None:
    """Begin to import FER2013 from an uploaded archive or CSV.

    Args:
        data: content of the file.
        name: what it is called where it comes from; only shown, never used as a path.
        out: the file to write.

    Raises:
        JobError: an import runs already.
    """
    folder = Path(tempfile.mkdtemp(prefix="ferscope-import-"))
    try:
        file = folder / "upload"
        file.write_bytes(data)
        if not is_archive(file):
            file = file.rename(folder / "upload.csv")
        _begin(file, name, out, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def cancel() -> None:
    """Stop the running import; nothing is written."""
    global _now
    with _lock:
        child = _process
        if _now is None or _now.state != "running" or child is None:
            return
        _now = replace(_now, state="cancelled")
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(_PATIENCE)
    child.kill()


def command(source: Path, out: Path) -> list[str]:
    """The command line of the process; tests replace it."""
    return [sys.executable, "-m", "workbench.jobs.fer2013_process", str(source), str(out)]


def _begin(source: Path, name: str, out: Path, folder: Path | None) -> None:
    """Start the process, and a thread that follows it and deletes `folder` at its end."""
    global _now, _process
    with _lock:
        if _now and _now.state == "running":
            raise JobError(f"{_now.source} is being imported: wait for its end, or cancel it.")
        _process = subprocess.Popen(
            command(source.absolute(), out.absolute()),
            cwd=CODE,
            env=processes.environment(1),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        _now = Import(name, "running", 0, time.time())
    processes.lower_priority(_process.pid)
    threading.Thread(target=_follow, args=(_process, folder), name="import", daemon=True).start()


def _follow(child: subprocess.Popen, folder: Path | None) -> None:
    """Take over the progress of a process until it ends."""
    global _now
    error = ""
    for line in _lines(child):
        error = line.get("error", error)
        with _lock:
            if _now and _now.state == "running":
                _now = replace(_now, files=line.get("files", _now.files))
    code = child.wait()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    with _lock:
        if _now is None or _now.state != "running":
            return
        if code == 0:
            done = f"FER2013 is imported: {thousands(IMAGES)} images."
            _now = replace(_now, state="done", files=IMAGES, message=done)
        else:
            why = error or f"The import ended with code {code} and without a message. There may be too little memory."
            _now = replace(_now, state="failed", message=why)


def _lines(child: subprocess.Popen) -> Iterator[dict]:
    for line in child.stdout or ():
        with suppress(ValueError):
            yield json.loads(line)
