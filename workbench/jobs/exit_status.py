"""How a job ended: from what the training told last, else from the exit code, else from what it printed."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from . import store
from .store import Job, JobError

_LAST_WORDS = ("finished", "paused", "interrupted", "failed")
_NO_MEMORY = re.compile(
    r"OutOfMemoryError|MemoryError|DefaultCPUAllocator|(out of|not enough|allocate) memory", re.IGNORECASE
)
_INTERRUPTED = 130


def ended(job: Job, code: int | None) -> Job:
    """The job as it is now that its process is gone.

    Args:
        job: "running" or "stopping".
        code: of its exit, −n by signal n; None where nobody here was told.
    """
    told = [event for event in store.events(job)[job.told :] if event["event"] in _LAST_WORDS]
    last, event = (told[-1]["event"], told[-1]) if told else (None, {})
    job = replace(job, ended=time.time(), pid=None)
    if last == "finished" and code and job.asked is None:  # the training is whole, what came after it is not
        return replace(job, state="done", message=f"It is not measured. {_why(job, code, '')}")
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
    """One sentence about a failure; a training that does not fit says itself, before its first step, what would."""
    tail = store.log_tail(job)
    if told:
        return told[:400]
    if code == -9 or _NO_MEMORY.search("\n".join(tail.splitlines()[-5:])):
        ended = "The system ended it, most likely because" if code == -9 else "It ended because"
        return f"{ended} the memory was too small{_half(job)}."
    if words := tail.rpartition("\n")[2]:
        return words[:400]
    return f"It ended {f'by signal {-code}' if (code or 0) < 0 else f'with code {code}'} and said nothing."


def _half(job: Job) -> str:
    """What to try, as no more is known than that this batch did not fit."""
    try:
        batch = job.config.batch_size
    except JobError:
        return ""
    return f" for a batch of {batch}: try {max(2, batch // 2)}"
