"""Processes of jobs: start, find, signal and kill them.

A job runs as long as a process holds the lock on its folder (`models.training.lock`). Before the lock is taken, and to
send signals, the process is found by its id, which the system may have given to another process since: it counts only
if the command line names the folder. A child process that ended is a zombie until it is polled, so ours are polled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired

import psutil

from models.paths import CODE
from models.training.lock import is_locked

from .store import Job

_NICENESS = 10
_LOG_BYTES = 2**20  # a longer log is cut to its last quarter

_children: dict[int, Popen] = {}  # started by this process


def command(job: Job) -> list[str]:
    """The command line that runs a job; tests replace it."""
    return [sys.executable, "-m", "models.train", "--config", str(job.folder / "config.json")]


def environment(threads: int) -> dict[str, str]:
    """The environment of this process, with a number of CPU threads for every library."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return os.environ | dict.fromkeys(names, str(threads)) | {"PYTHONUNBUFFERED": "1"}


def default_threads() -> int:
    """Number of CPU cores that this process may use, less one for the app."""
    process = psutil.Process()
    cores = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count() or 1
    return max(1, cores - 1)


def lower_priority(pid: int) -> None:
    """Give a process a low scheduling priority, as far as the system permits.

    Linux may divide CPU time between sessions first (man 7 sched, "The autogroup feature"): the niceness of a process
    then counts within its session only, so that the priority of the whole session is lowered.
    """
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if os.name == "nt" else max(_NICENESS, process.nice()))
    group = Path(f"/proc/{pid}/autogroup")  # Linux only, and only with this feature
    with contextlib.suppress(OSError):
        if group.is_file() and os.getsid(pid) == pid:
            group.write_text(str(_NICENESS))


def start(job: Job, threads: int) -> int:
    """Start the process of a job in a session of its own, and return its pid."""
    _remove_leftovers(job.folder)
    with (job.folder / "log.txt").open("ab") as log:
        child = Popen(
            command(job),
            cwd=CODE,
            env=environment(threads),
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _children[child.pid] = child
    lower_priority(child.pid)
    return child.pid


def is_running(job: Job) -> bool:
    """Whether a process trains in the folder of a job, whoever started it and even if its pid is unknown."""
    return is_locked(job.folder) or find(job) is not None


def find(job: Job) -> psutil.Process | None:
    """The process of a job, whoever started it; None if it has ended."""
    child = _child(job)
    with contextlib.suppress(psutil.Error):
        if child is not None:  # it may look like a zombie while its threads end; it has an exit code only then
            return psutil.Process(job.pid) if child.poll() is None else None
        if job.pid is not None and _names(psutil.Process(job.pid).cmdline(), job.folder):
            return psutil.Process(job.pid)
    unknown = job.pid is None and job.state in ("running", "stopping")
    return _search(job) if unknown or is_locked(job.folder) else None


def _search(job: Job) -> psutil.Process | None:
    """The process of a job without a pid: the process that started it was killed before it wrote the pid."""
    config = str(job.folder / "config.json")
    for process in psutil.process_iter(["cmdline", "status"]):
        if config in (process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE:
            return process
    return None


def _names(command: list[str], folder: Path) -> bool:
    return any(part == str(folder) or part.startswith(f"{folder}{os.sep}") for part in command)


def _child(job: Job) -> Popen | None:
    return None if job.pid is None else _children.get(job.pid)


def exit_code(job: Job) -> int | None:
    """Exit code of the process of a job, −n after signal n; None if this process did not start it or it still runs."""
    child = _child(job)
    if child is None or child.poll() is None:
        return None
    return child.returncode


def forget_child(pid: int | None) -> None:
    """Drop a child process whose end is recorded."""
    _children.pop(pid, None)


def send(job: Job, hard: bool = False) -> None:
    """Send the process group of a job a termination signal, or kill it; no effect if it has ended."""
    process = find(job)
    if process is None:
        return
    with contextlib.suppress(psutil.Error, OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL if hard else signal.SIGTERM)  # it leads a process group of its own
        elif hard:
            process.kill()
        else:
            process.terminate()


def end_now(job: Job, seconds: float = 10.0) -> None:
    """Kill a job and wait until it has ended."""
    process = find(job)
    send(job, hard=True)
    if process is not None:
        with contextlib.suppress(psutil.Error, TimeoutExpired):
            (_children.get(process.pid) or process).wait(seconds)


def shorten_log(job: Job) -> None:
    """Cut a long log to its end. The process appends to the file, so it may run meanwhile."""
    path = job.folder / "log.txt"
    with contextlib.suppress(OSError):
        if path.stat().st_size > _LOG_BYTES:
            with path.open("r+b") as file:
                file.seek(-_LOG_BYTES // 4, os.SEEK_END)
                rest = file.read()
                file.seek(0)
                file.truncate()
                file.write(b"[...]\n" + rest[rest.find(b"\n") + 1 :])


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left: temporary files, and an event line without its end."""
    for place in (folder, folder / "epochs"):
        for path in place.glob(".*"):
            if path.is_file():
                path.unlink(missing_ok=True)
    events = folder / "events.jsonl"
    if events.is_file():
        with events.open("r+b") as file:
            if file.seek(0, os.SEEK_END) and (file.seek(-1, os.SEEK_END), file.read())[1] != b"\n":
                file.write(b"\n")
