"""Running jobs: a fast stand-in for the training run, and waiting for states."""

from __future__ import annotations

import time
from collections.abc import Callable

from workbench.jobs import runner, store
from workbench.jobs.store import Job

# What the process of a job may do, by the job's title. It writes events as the training run does.
ACTS = {
    "works on": "",
    "ends well": "tell('finished'); sys.exit(0)",
    "is not measured": "tell('finished'); sys.exit('No set of this name.')",
    "uses its minutes": "tell('paused', epoch=1); sys.exit(0)",
    "fails": "tell('failed', epoch=0, message='The loss is no longer a number.'); sys.exit(1)",
    "fails unseen": "print('\\x1b[31mNo set of this name.\\x1b[0m', file=sys.stderr); sys.exit(1)",
    "no memory": "sys.exit('DefaultCPUAllocator: can not allocate memory')",
    "is killed": "os.kill(os.getpid(), 9)",
    "is deaf": "signal.signal(signal.SIGTERM, signal.SIG_IGN); tell('deaf')",
    "talks": "print('word\\n' * 300_000, flush=True); tell('talked')",
}
SCRIPT = """
import json, os, signal, sys, time
folder = sys.argv[1]
def tell(event, **values):
    with open(folder + '/events.jsonl', 'a') as file:
        file.write(json.dumps({'event': event, 'time': time.time(), **values}) + '\\n')
def stop(*_):
    tell('interrupted', epoch=0)
    sys.exit(130)
signal.signal(signal.SIGTERM, stop)
tell('started', epoch=0)
ACT
while True:
    time.sleep(0.05)
"""


def until(id_: str, reached: Callable[[Job], bool], seconds: float = 60) -> Job:
    """Advance until a job satisfies a condition."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        runner.advance()
        if reached(job := store.read(id_)):
            return job
        time.sleep(0.02)
    raise AssertionError(f"{store.read(id_)}\n{store.log_tail(store.read(id_))}")


def ended(id_: str, seconds: float = 60) -> Job:
    """Advance until a job has ended."""
    return until(id_, lambda job: not job.alive, seconds)


def begun(id_: str) -> Job:
    """Advance until the process of a job has told that it began."""
    return until(id_, lambda job: bool(store.events(job)))
