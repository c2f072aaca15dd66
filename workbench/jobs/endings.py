"""How a job ended: from what the training told last, else from the exit code, else from what it printed."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import psutil

from . import store
from .store import Job, JobError

_LAST_WORDS = ("finished", "paused", "interrupted", "failed")
_NO_MEMORY = re.compile(
    r"OutOfMemoryError|MemoryError|DefaultCPUAllocator|(out of|not enough|allocate|no) memory", re.IGNORECASE
)
_CAPACITY = re.compile(r"total capacity of ([\d.]+) ([KMGT])iB")
_INTERRUPTED = 130


def ended(job: Job, code: int | None) -> Job:
    """The job as it is now that its process is gone.

    Args:
        job: "running" or "stopping".
        code: of its exit, −n by signal n; None where nobody here was told.
    """
    told = [e for e in store.events(job) if e.get("event") in _LAST_WORDS and e["time"] >= (job.started or 0) - 0.01]
    last, event = (told[-1]["event"], told[-1]) if told else (None, {})
    job = replace(job, ended=time.time(), pid=None, born=None)
    if last == "finished" or (code == 0 and last != "paused"):
        return replace(job, state="done")
    if last == "paused":
        message = f"The minutes are used up; {_reached(job)} Resume gives as many again."
        return replace(job, state="done", paused=True, message=message)
    if last == "interrupted" or code == _INTERRUPTED or job.asked is not None:
        return replace(job, state="cancelled", message=f"Stopped; {_reached(job)}")
    if last == "failed" or code is not None:
        return replace(job, state="failed", message=_why(job, code, str(event.get("message", ""))))
    return replace(job, state="lost", message=f"Its process ended without a word; {_reached(job)}")


def _reached(job: Job) -> str:
    """What there is of a job that ended early."""
    epochs = len(store.history(job))
    if epochs == 0:
        return "no epoch was whole by then." if not job.has_checkpoint else "no epoch was whole, its weights are kept."
    return f"{epochs} of {job.epochs} epochs are whole, and the best of them is kept."


def _why(job: Job, code: int | None, told: str) -> str:
    """One sentence about a failure, and the batch that fits where memory was too small."""
    tail = store.log_tail(job)
    if code == -9 or _NO_MEMORY.search(told) or _NO_MEMORY.search("\n".join(tail.splitlines()[-5:])):
        ended = "The system ended it, most likely because" if code == -9 else "It ended because"
        return f"{ended} the memory was too small. {_smaller(job, told + tail)}"
    if words := told or tail.rpartition("\n")[2]:
        return words[:400]
    return f"It ended {f'by signal {-code}' if (code or 0) < 0 else f'with code {code}'} and said nothing."


def _smaller(job: Job, text: str) -> str:
    """Which batch to try: the largest power of two, at most half of what failed, that fits by an estimate."""
    from models.training.memory import fitting_batch  # takes torch

    try:
        config = job.config
    except JobError:
        return "Choose a smaller batch."
    found = _CAPACITY.search(text)  # torch's own words for a GPU
    if found is None and "CUDA" in text:
        return f"Try a batch of {max(2, config.batch_size // 2)}."
    room = _bytes(*found.groups()) if found else psutil.virtual_memory().available
    asked = f"A batch of {config.batch_size} did not fit"
    try:
        fits = fitting_batch(config, room)
    except (RuntimeError, ValueError, TypeError, NotImplementedError):
        return f"{asked}; try {max(2, config.batch_size // 2)}."
    if fits == 0:
        return f"{asked}, and by an estimate not even 2 would: end other programmes, or take a smaller network."
    return f"{asked}; by an estimate {fits} would."


def _bytes(number: str, unit: str) -> float:
    return float(number) * 2 ** (10 * (1 + "KMGT".index(unit)))
