"""How a job ended: by the last event of the training run, else by the exit code, else by the end of its log."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from . import store
from .store import Job, JobError

_FINAL_EVENTS = ("finished", "paused", "interrupted", "failed")
_NO_MEMORY = re.compile(
    r"OutOfMemoryError|MemoryError|DefaultCPUAllocator|(out of|not enough|allocate) memory", re.IGNORECASE
)
_INTERRUPTED = 130


def ended(job: Job, code: int | None) -> Job:
    """The job with its final state, after its process has ended.

    Args:
        job: a job in the state "running" or "stopping".
        code: exit code, −n after signal n; None if this process did not start the job.
    """
    final = [event for event in store.events(job)[job.past_events :] if event["event"] in _FINAL_EVENTS]
    last, event = (final[-1]["event"], final[-1]) if final else (None, {})
    job = replace(job, ended=time.time(), pid=None)
    if last == "finished" and code and job.stop_requested is None:  # evaluation failed after a complete training run
        return replace(job, state="done", message=f"Not evaluated. {_why(job, code, '')}")
    if last == "finished" or (code == 0 and last != "paused"):
        return replace(job, state="done")
    if last == "paused":
        message = f"Time limit reached; {_reached(job)} Resume continues for the same time."
        return replace(job, state="done", paused=True, message=message)
    if last == "interrupted" or code == _INTERRUPTED or job.stop_requested is not None:
        return replace(job, state="cancelled", message=f"Stopped; {_reached(job)}")
    if last == "failed" or code is not None:
        return replace(job, state="failed", message=_why(job, code, str(event.get("message", ""))))
    return replace(job, state="lost", message=f"The process ended without an exit status; {_reached(job)}")


def _reached(job: Job) -> str:
    """What is left of a job that ended early, as part of a sentence."""
    epochs = len(store.history(job))
    if epochs == 0:
        return "no epoch was completed" + (", but its weights are kept." if job.has_checkpoint else ".")
    return f"{epochs} of {job.epochs} epochs are complete; the weights of the best one are kept."


def _why(job: Job, code: int | None, message: str) -> str:
    """One sentence on the cause of a failure: the message of the run, lack of memory, or the end of the log."""
    tail = store.log_tail(job)
    if message:
        return message[:400]
    if code == -9 or _NO_MEMORY.search("\n".join(tail.splitlines()[-5:])):
        how = "The system killed the process, most likely for lack of memory" if code == -9 else "Out of memory"
        return f"{how}{_half(job)}."
    if words := tail.rpartition("\n")[2]:
        return words[:400]
    return f"The process ended {f'by signal {-code}' if (code or 0) < 0 else f'with code {code}'} without a message."


def _half(job: Job) -> str:
    """A smaller batch size to try."""
    try:
        batch = job.config.batch_size
    except JobError:
        return ""
    return f" with a batch size of {batch}: try {max(2, batch // 2)}"
