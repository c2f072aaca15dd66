"""The process of a job: begun, found again, asked to end, ended.

Whether a job runs is decided by the lock that its process holds on its folder (`models.training.lock`); before it has
taken that, and to send it signals, it is known by its number, which may be another's by now and counts only where the
command line names the folder. A child that ended is a zombie until it is polled, so ours are polled.
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
_LOG_BYTES = 2**20  # past this, only the last quarter of a log is kept

_children: dict[int, Popen] = {}  # begun by this process


def command(job: Job) -> list[str]:
    """What is run for a job; tests replace it."""
    return [sys.executable, "-m", "models.train", "--config", str(job.folder / "config.json")]


def environment(threads: int) -> dict[str, str]:
    """The child's environment: this process's own, with so many processor threads for every library."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return os.environ | dict.fromkeys(names, str(threads)) | {"PYTHONUNBUFFERED": "1"}


def default_threads() -> int:
    """All cores that this process may use but one, which stays for the app."""
    process = psutil.Process()
    cores = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count() or 1
    return max(1, cores - 1)


def step_back(pid: int) -> None:
    """Let a process wait for all others, as far as the system permits.

    Linux may share the processor out among sessions first (man 7 sched, "The autogroup feature"): a process's own
    niceness then counts within its session only, so the whole session of a leader steps back.
    """
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if os.name == "nt" else max(_NICENESS, process.nice()))
    group = Path(f"/proc/{pid}/autogroup")  # not on other systems, or where the feature was left out
    with contextlib.suppress(OSError):
        if group.is_file() and os.getsid(pid) == pid:
            group.write_text(str(_NICENESS))


def begin(job: Job, threads: int) -> int:
    """Start the process of a job in a session of its own; its pid."""
    _tidy(job.folder)
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
    step_back(child.pid)
    return child.pid


def runs(job: Job) -> bool:
    """Whether a process works in the folder of a job, whoever began it, also one that could not be found by number."""
    return is_locked(job.folder) or find(job) is not None


def find(job: Job) -> psutil.Process | None:
    """The process of a job if it still runs; None once it has ended, whoever began it."""
    child = _children.get(job.pid)
    with contextlib.suppress(psutil.Error):
        if child is not None:  # may look like a zombie while its threads still end: only then has it a code
            return psutil.Process(job.pid) if child.poll() is None else None
        if job.pid is not None and _names(psutil.Process(job.pid).cmdline(), job.folder):
            return psutil.Process(job.pid)
    unknown = job.pid is None and job.state in ("running", "stopping")
    return _search(job) if unknown or is_locked(job.folder) else None


def _search(job: Job) -> psutil.Process | None:
    """The process of a job whose number is not known: whoever began it died before it was written down."""
    config = str(job.folder / "config.json")
    for process in psutil.process_iter(["cmdline", "status"]):
        if config in (process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE:
            return process
    return None


def _names(command: list[str], folder: Path) -> bool:
    return any(part == str(folder) or part.startswith(f"{folder}{os.sep}") for part in command)


def exit_code(job: Job) -> int | None:
    """How the process of a job ended, −n by signal n; None where it was not this process's child."""
    child = _children.get(job.pid)
    if child is None or child.poll() is None:
        return None
    return child.returncode


def let_go(pid: int | None) -> None:
    """Forget a child whose ending is written down."""
    _children.pop(pid, None)


def send(job: Job, hard: bool = False) -> None:
    """Ask the whole group of a job to end, or end it; nothing happens where it is gone."""
    process = find(job)
    if process is None:
        return
    with contextlib.suppress(psutil.Error, OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL if hard else signal.SIGTERM)  # leads a group of its own
        elif hard:
            process.kill()
        else:
            process.terminate()


def end_now(job: Job, seconds: float = 10.0) -> None:
    """End a job hard, and wait until it is gone."""
    process = find(job)
    send(job, hard=True)
    if process is not None:
        with contextlib.suppress(psutil.Error, TimeoutExpired):
            (_children.get(process.pid) or process).wait(seconds)


def keep_log_short(job: Job) -> None:
    """Cut the beginning off a log that became long; the process appends, so it goes on behind what is left."""
    path = job.folder / "log.txt"
    with contextlib.suppress(OSError):
        if path.stat().st_size > _LOG_BYTES:
            with path.open("r+b") as file:
                file.seek(-_LOG_BYTES // 4, os.SEEK_END)
                rest = file.read()
                file.seek(0)
                file.truncate()
                file.write(b"[...]\n" + rest[rest.find(b"\n") + 1 :])


def _tidy(folder: Path) -> None:
    """What a process that was killed left half: files that never got their name, and an event without its end."""
    for place in (folder, folder / "epochs"):
        for path in place.glob(".*"):
            if path.is_file():
                path.unlink(missing_ok=True)
    events = folder / "events.jsonl"
    if events.is_file():
        with events.open("r+b") as file:
            if file.seek(0, os.SEEK_END) and (file.seek(-1, os.SEEK_END), file.read())[1] != b"\n":
                file.write(b"\n")
