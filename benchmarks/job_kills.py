"""Does a job survive being killed at any moment? A tiny network on drawn faces is killed until it is done.

    OMP_NUM_THREADS=1 python benchmarks/job_kills.py [--kills 100] [--commands]

First a job that nothing disturbs. Then the same job: each process of it gets SIGKILL (for the whole group, without any
warning) at a random moment within the next four epochs, of which writing files is a good part; every tenth while it
still starts. Only these are started as the app starts them: importing torch a hundred times would take most of the
time, so the others are forked from this process (--commands: all as the app does). After each kill `advance` has to
notice it, everything in the folder has to be whole (state, checkpoint, the weights of each epoch, history), and
`resume` has to go on. A kill is survived if all of this holds. Where a job is done before the kills are used up,
another begins. At its end, curve and weights are compared with those of the job that nothing disturbed.

Writes benchmarks/results/job_kills.json.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
import tyro

import models.train
from models.checkpoints import load_checkpoint
from models.datasets.synthetic.sets import drawn_set
from models.training import resume
from models.training.config import TrainConfig
from models.training.history import FILE as HISTORY
from models.training.history import read_history
from workbench.jobs import processes, runner, store
from workbench.jobs.store import Job

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 600.0  # seconds for one process to begin, on a busy machine
EPOCHS_ALIVE = 4.0


class Forked:
    """`python -m models.train` in a process that has torch already: a `subprocess.Popen`, as far as jobs need one."""

    def __init__(self, command: list[str], stdout, start_new_session: bool, **_) -> None:
        self.returncode = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # other threads wait; one computes
            self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.setsid()
                os.dup2(stdout.fileno(), 1)
                os.dup2(stdout.fileno(), 2)
                sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
                models.train.main(command[3:])
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
                print(end.code, file=sys.stderr)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)

    def poll(self) -> int | None:
        """The exit code, once it has ended."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float) -> int | None:
        """The exit code; what takes longer is left alone."""
        end = time.monotonic() + timeout
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        return self.returncode


@dataclass
class Account:
    """What became of the kills: how many in which moment, and every sentence about what was not whole."""

    moments: Counter[str] = field(default_factory=Counter)
    damages: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    lives: int = 0
    jobs: int = 0


def tiny(data: Path, epochs: int) -> TrainConfig:
    """A training run whose epochs take a fraction of a second."""
    return TrainConfig(
        model="vanilla_cnn",
        overrides={"width": 4},
        data=data,
        epochs=epochs,
        batch_size=16,
        input_size=16,
        augmentation="quick",
        learning_rate=0.05,
        device="cpu",
        precision="32-true",
        threads=1,
        keep_epochs=True,
    )


def wait(id_: str, reached: Callable[[Job], bool]) -> Job:
    """Advance until a job satisfies a condition."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        runner.advance()
        if reached(job := store.read(id_)):
            return job
        time.sleep(0.01)
    raise SystemExit(f"{job}\n{store.log_tail(job)}")


def begun(job: Job) -> bool:
    """Whether its present process trains."""
    words = (e for e in store.events(job) if e["event"] in ("started", "resumed"))
    return not job.alive or (job.state == "running" and sum(e["time"] >= job.started for e in words) > 0)


def damages(job: Job) -> list[str]:
    """What is not whole in the folder of a job that was killed."""
    found = []
    looks = {
        "state": lambda: resume.load_facts(job.folder) and safetensors.torch.load_file(job.folder / resume.FILE),
        "checkpoint": lambda: load_checkpoint(job.folder),
        "history": lambda: read_history(job.folder / HISTORY),
        "epochs": lambda: [safetensors.torch.load_file(path) for path in (job.folder / "epochs").glob("*.safetensors")],
    }
    if not (job.folder / resume.FILE).is_file():
        del looks["state"]
    if not (job.folder / HISTORY).is_file():
        del looks["history"]
    if not job.has_checkpoint:
        del looks["checkpoint"]
    for name, look in looks.items():
        try:
            look()
        except Exception as error:
            found.append(f"{name}: {type(error).__name__}: {error}"[:300])
    return found


def curve(job: Job) -> list[dict[str, float]]:
    """The history without what a clock says."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in store.history(job)]


def same(one: Job, other: Job) -> list[str]:
    """Where two jobs that should be equal are not."""
    found = [] if curve(one) == curve(other) else ["the curves differ"]
    for name in ("model.safetensors", resume.FILE):
        a, b = (safetensors.torch.load_file(job.folder / name) for job in (one, other))
        if a.keys() != b.keys() or not all(torch.equal(a[key], b[key]) for key in a):
            found.append(f"{name} differs")
    cards = [json.loads((job.folder / "card.json").read_text()) for job in (one, other)]
    if any(cards[0][key] != cards[1][key] for key in ("epochs", "best_epoch")):
        found.append("the cards differ")
    return found


@dataclass
class Ordeal:
    """One training run, killed again and again.

    Attributes:
        forked: whether processes are forked from this one, but for those that are killed while they start.
    """

    config: TrainConfig
    kills: int
    rng: random.Random
    forked: bool = True
    account: Account = field(default_factory=Account)
    start: float = 0.0
    epoch: float = 0.0

    def suffer(self) -> Account:
        """What became of so many kills."""
        whole = self.undisturbed()
        while self.done < self.kills:
            with self.starting(forked=self.forked):
                job = runner.submit(self.config, "killed")
            self.account.jobs += 1
            while job.alive and self.done < self.kills:
                job = self.kill(job)
            with self.starting(forked=self.forked):
                job = wait(job.id, lambda job: not job.alive)
            wrong = same(whole, job) if job.state == "done" else [job.message]
            self.account.damages += [f"job {self.account.jobs}, at its end: {sentence}" for sentence in wrong]
        return self.account

    @property
    def done(self) -> int:
        """Kills so far."""
        return self.account.moments.total()

    def undisturbed(self) -> Job:
        """The job that nothing disturbs; takes the time of a start and of an epoch."""
        began = time.monotonic()
        with self.starting(forked=False):
            job = wait(runner.submit(self.config, "undisturbed").id, begun)
        self.start = time.monotonic() - began
        job = wait(job.id, lambda job: not job.alive)
        if job.state != "done":
            raise SystemExit(f"The undisturbed job did not end: {job.message}")
        self.epoch = sum(row["seconds"] for row in store.history(job)) / self.config.epochs + 0.01
        return job

    def kill(self, job: Job) -> Job:
        """End the process of a job hard at a random moment, look at what is left, and let it go on."""
        early = self.account.lives % 10 == 9
        self.account.lives += 1
        if not early:
            job = wait(job.id, begun)
        time.sleep(self.rng.uniform(0, self.start if early else EPOCHS_ALIVE * self.epoch))
        processes.send(store.read(job.id), hard=True)
        job = wait(job.id, lambda job: not job.alive)
        if job.state == "done":  # it was quicker
            return job
        half = any(path.name.startswith(".") for path in job.folder.rglob(".*"))
        self.account.moments["while it starts" if early else "while it writes" if half else "while it trains"] += 1
        self.account.states[job.state] += 1
        wrong = damages(job)
        with self.starting(forked=self.forked and self.account.lives % 10 != 9):
            job = runner.resume(job.id)
        if not job.alive:
            wrong.append(f"it does not go on: {job.message}")
        self.account.damages += [f"kill {self.done}: {sentence}" for sentence in wrong]
        if self.done % 10 == 0:
            print(f"{self.done} kills, {len(store.history(job))} epochs", flush=True)
        return job

    @contextmanager
    def starting(self, forked: bool) -> Iterator[None]:
        """Inside, processes begin in this way."""
        usual, processes.Popen = processes.Popen, Forked if forked else subprocess.Popen
        try:
            yield
        finally:
            processes.Popen = usual


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    kills: int = 100
    commands: bool = False
    """Start every process as the app does"""
    seed: int = 0


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    with tempfile.TemporaryDirectory() as folder:
        store.ROOT, store.OWN = Path(folder) / "jobs", Path(folder) / "own"
        drawn_set(8, size=24).faces.save(Path(folder) / "drawn.npz")
        began = time.monotonic()
        config = tiny(Path(folder) / "drawn.npz", epochs=2 * options.kills)
        ordeal = Ordeal(config, options.kills, random.Random(options.seed), not options.commands)
        account = ordeal.suffer()
        seconds = time.monotonic() - began
    hurt = len({sentence.split(":")[0] for sentence in account.damages})
    result = {
        "kills": account.moments.total(),
        "survived": account.moments.total() - hurt,
        "moments": dict(account.moments),
        "states": dict(account.states),
        "damages": account.damages,
        "jobs": account.jobs,
        "epochs": config.epochs,
        "seconds_per_epoch": round(ordeal.epoch, 3),
        "seconds": round(seconds),
    }
    print(f"{result['kills']} kills ({', '.join(f'{n} {name}' for name, n in account.moments.items())})")
    print(f"{result['survived']} survived; {account.jobs} job(s), curve and weights compared with an undisturbed one")
    print("\n".join(account.damages))
    out = ROOT / "benchmarks" / "results" / "job_kills.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{seconds:.0f} s; every kill survived: {'met' if not account.damages else 'missed'}")


if __name__ == "__main__":
    main()
