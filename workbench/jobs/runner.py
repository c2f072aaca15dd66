"""Start, stop, resume and remove jobs.

A job is `python -m models.train --config <folder>/config.json` in a process group and session of its own, at low
priority and with one CPU core left to the app. It keeps running when the app ends; the next call of `advance` finds it
by the lock on its folder, or records that it has ended.

In `--lan` mode only the teacher may change jobs: the pages check `ui.classroom` before they call these functions.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace

from models.files import DiskFullError
from models.training.config import TrainConfig

from . import exit_status, limits, processes, requests, store
from .store import Job, JobError

_PATIENCE = 60.0  # seconds a process may take to stop
_watching = threading.Lock()  # never released by the process that watches


def submit(config: TrainConfig, title: str, belongs_to: str | None = None) -> Job:
    """Queue a training run; `advance` (called here too) starts it as soon as its device is free.

    `out` and `resume` are set here, and `threads` and `minutes` if they are missing. If an equal run is queued or
    running already, that job is returned, so that two clicks start one job.

    Args:
        config: what to train. If its data, initial weights or teacher belong to a visitor's own dataset, the job does
            too, whatever `belongs_to` is.
        title: shown to users; "" gives one of network, recipe and dataset.
        belongs_to: id of the own dataset, see `Job`.

    Raises:
        JobError: unknown network, missing data, initial weights of another network, or past a limit.
        DiskFullError: the disk is full; the partial folder is removed.
    """
    config = requests.complete(config)
    owner = requests.owner_of(config, belongs_to)
    title = " ".join("".join(c if c.isprintable() else " " for c in title).split())[:80]
    title = title or f"{config.model}, {config.recipe}, {config.data.stem}"
    with store.locked():
        there = store.jobs()
        for job in there:
            if job.alive and requests.same(job, config):
                return job
        limits.check_room(len(there), sum(job.state == "queued" for job in there))
        id_ = store.new_id(config.model)
        folder = store.ROOT / id_
        config = config.model_copy(update={"out": folder, "resume": True})
        job = Job(id_, folder, title, "queued", config.model, config.epochs, time.time(), belongs_to=owner)
        store.create(job, config)
    advance()
    return store.read(id_)


def stop(id_: str) -> Job:
    """Stop a job; its best checkpoint so far is kept, and `resume` continues it later.

    A queued job is cancelled at once; a running one is "stopping" until its process has ended, which takes a few
    seconds. `advance` kills a process that has not ended within a minute. Stopping a job twice, or one that has ended,
    has no effect.

    Raises:
        JobError: there is no such job.
    """
    with store.locked():
        job = _updated(store.read(id_))
        if job.state == "queued":
            message = "Stopped while queued." if job.runs else "Stopped before it started."
            return store.write(replace(job, state="cancelled", ended=time.time(), message=message))
        if job.state == "broken":
            processes.send(job)
        if job.state == "running":
            message = "Stopping; it saves its state first."
            processes.send(job)  # first: it must stop even if the disk is too full to record it
            job = store.write(replace(job, state="stopping", stop_requested=time.time(), message=message))
        return job


def resume(id_: str) -> Job:
    """Queue a stopped job again: it continues after its last complete epoch, with the same results as without a stop.

    A job that is queued or running is returned unchanged.

    Raises:
        JobError: no such job, nothing left to train (`Job.resumable`), its data are gone, or past a limit.
    """
    with store.locked():
        job = _updated(store.read(id_))
        if job.state in ("queued", "running"):
            return job
        if job.state == "stopping":
            raise JobError(f'"{job.title}" is still stopping: wait a moment, then resume it.')
        if not job.resumable:
            raise JobError(f'"{job.title}" has no epochs left to train: start a new job from its checkpoint.')
        requests.check_sources(job.config)
        limits.check_room(0, sum(other.state == "queued" for other in store.jobs()))
        store.write(replace(job, state="queued", ended=None, stop_requested=None, paused=False, message=""))
    advance()
    return store.read(id_)


def remove(id_: str) -> None:
    """Delete a job that is not running, with all its files.

    Raises:
        JobError: no such job, or it is running.
    """
    with store.locked():
        job = _updated(store.read(id_))
        if processes.is_running(job):
            raise JobError(f'"{job.title}" is running: stop it first, then remove it.')
        store.delete(job)


def forget(belongs_to: str) -> int:
    """Kill and delete all jobs that belong to a visitor's own dataset, with their checkpoints; returns their number.

    The dataset itself is not deleted.

    Raises:
        JobError: a process did not end; call it again.
    """
    with store.locked():
        mine = [job for job in store.jobs() if job.belongs_to == belongs_to or _names_set(job, belongs_to)]
        for job in mine:
            processes.end_now(job)
            if processes.is_running(job):
                raise JobError(f'"{job.title}" did not stop: try again in a moment.')
            store.delete(job)
    return len(mine)


def advance() -> list[Job]:
    """Record which jobs have ended, kill those that did not stop, start the next one; returns all jobs, newest first.

    It is quick and may be called from anywhere at any time: a thread of the app, each refresh, each command. If the
    disk is full or another process holds the lock, nothing changes until the next call.
    """
    if any(job.alive for job in store.jobs()):
        with contextlib.suppress(JobError, DiskFullError), store.locked(1.0):
            there = [_updated(job) for job in store.jobs()]
            _start_next(there)
    return store.jobs()


def watch(seconds: float = 1.0) -> None:
    """Call `advance` regularly in a daemon thread of this process; a second call has no effect."""
    if not _watching.acquire(blocking=False):
        return

    def poll() -> None:
        while True:
            with contextlib.suppress(OSError):  # the disk may be available again later
                advance()
            time.sleep(seconds)

    threading.Thread(target=poll, name="jobs", daemon=True).start()


# ---------------------------------------------------------------------------------------------------------------------
# Called while the lock is held


def _names_set(job: Job, own: str) -> bool:
    """Whether the configuration of a broken job names an own dataset, as far as it can be read."""
    with contextlib.suppress(OSError):
        return job.state == "broken" and str(store.OWN / own).encode() in (job.folder / "config.json").read_bytes()
    return False


def _updated(job: Job) -> Job:
    """The job with its current state: its process found, or its end recorded."""
    if not job.alive and job.state != "broken" and processes.is_running(job):  # started in a terminal
        job = store.write(replace(job, state="running", started=time.time(), ended=None, paused=False, message=""))
    if job.state not in ("running", "stopping"):
        return job
    process = processes.find(job)
    if process is not None and process.pid != job.pid:
        job = store.write(replace(job, pid=process.pid))
    if process is None and not processes.is_running(job):
        pid = job.pid
        job = store.write(exit_status.ended(job, processes.exit_code(job)))
        processes.forget_child(pid)
        return job
    if job.stop_requested is not None and time.time() - job.stop_requested > _PATIENCE:
        processes.send(job, hard=True)
    processes.shorten_log(job)
    return job


def _start_next(there: list[Job]) -> None:
    """Start the oldest queued job of each free device; `there` is sorted newest first."""
    queued = [job for job in reversed(there) if job.state == "queued"]
    busy = {_device(job) for job in there if job.state in ("running", "stopping")} if queued else set()
    busy |= {_device(job) for job in there if job.state == "broken" and processes.is_running(job)} if queued else set()
    short = limits.disk_is_short() if queued else ""
    for job in queued:
        if short and job.message != short:
            store.write(replace(job, message=short))
        if not short and not processes.is_running(job) and (device := _device(job)) not in busy:
            busy.add(device)
            _start(job)


def _start(job: Job) -> None:
    past = len(store.events(job))
    job = replace(job, state="running", started=time.time(), runs=job.runs + 1, past_events=past)
    job = replace(job, message="", stop_requested=None, ended=None)
    store.write(replace(job, pid=None))  # first: after a crash, the process is searched for
    try:
        pid = processes.start(job, job.config.threads or processes.default_threads())
    except (JobError, OSError) as error:
        store.write(replace(job, state="failed", ended=time.time(), message=f"Could not be started: {error}"))
        return
    store.write(replace(job, pid=pid))


def _device(job: Job) -> str:
    """Device of a job: "cpu", "cuda" or "mps"."""
    try:
        device = job.config.device
    except JobError:
        return "cpu"
    if device != "auto":
        return device
    import torch

    return getattr(torch.accelerator.current_accelerator(check_available=True), "type", "cpu")
