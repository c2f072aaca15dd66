"""Does a job survive being killed at any moment? A tiny network on drawn faces is killed until it is done.

    python benchmarks/job_kills.py [--kills 100]

First a job that nothing disturbs. Then the same job: each process of it gets SIGKILL (for the whole group, without any
warning) at a random moment: every tenth while it still starts, the others within the next three epochs, of which
writing files is a good part. After each kill `advance` has to notice it, everything in the folder has to be whole
(state, checkpoint, the weights of each epoch, history), and `resume` has to go on. A kill is survived if all of this
holds. Where a job is done before the kills are used up, another begins. In the end its curve and its weights are
compared with those of the job that nothing disturbed.

Writes benchmarks/results/job_kills.json.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch

from models.checkpoints import load_checkpoint
from models.datasets.synthetic import drawn_set
from models.training import state
from models.training.config import TrainConfig
from workbench.jobs import processes, runner, store
from workbench.jobs.store import Job

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 600.0  # seconds for one process to begin, on a busy machine
EPOCHS_ALIVE = 3.0


@dataclass
class Account:
    """What became of the kills: how many in which moment, and every sentence about what was not whole."""

    moments: Counter[str] = field(default_factory=Counter)
    damages: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    lives: int = 0
    jobs: int = 0


def tiny(data: Path, epochs: int) -> TrainConfig:
    """A training whose epochs take a fraction of a second."""
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


def wait(id_: str, reached) -> Job:
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
        "state": lambda: state.load_facts(job.folder) and safetensors.torch.load_file(job.folder / state.FILE),
        "checkpoint": lambda: load_checkpoint(job.folder),
        "history": lambda: [row["validation_accuracy"] for row in store.history(job)],
        "epochs": lambda: [safetensors.torch.load_file(path) for path in (job.folder / "epochs").glob("*.safetensors")],
    }
    if not job.has_state:
        del looks["state"]
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
    for name in ("model.safetensors", state.FILE):
        a, b = (safetensors.torch.load_file(job.folder / name) for job in (one, other))
        if a.keys() != b.keys() or not all(torch.equal(a[key], b[key]) for key in a):
            found.append(f"{name} differs")
    cards = [json.loads((job.folder / "card.json").read_text()) for job in (one, other)]
    if any(cards[0][key] != cards[1][key] for key in ("epochs", "best_epoch")):
        found.append("the cards differ")
    return found


def kill_once(job: Job, epoch: float, start: float, early: bool, rng: random.Random, account: Account) -> Job:
    """End the process of a job hard at a random moment, look at what is left, and let it go on."""
    if early:
        time.sleep(rng.uniform(0, start))
        moment = "while it starts"
    else:
        job = wait(job.id, begun)
        time.sleep(rng.uniform(0, EPOCHS_ALIVE * epoch))
        moment = "while it trains"
    job = store.read(job.id)
    if not job.alive:
        return job
    half = any(path.name.startswith(".") for path in job.folder.rglob(".*"))
    processes.send(job, hard=True)
    job = wait(job.id, lambda job: not job.alive)
    if job.state == "done":  # it was quicker
        return job
    half |= any(job.folder.rglob(".*"))
    account.moments["while it writes" if half else moment] += 1
    account.states[job.state] += 1
    wrong = damages(job)
    job = runner.resume(job.id)
    if not job.alive:
        wrong.append(f"it does not go on: {job.message}")
    account.damages += [f"kill {sum(account.moments.values())}: {sentence}" for sentence in wrong]
    return job


def suffer(config: TrainConfig, kills: int, rng: random.Random) -> tuple[Account, float]:
    """Kill a job so many times; what became of it, and the seconds of an epoch."""
    began = time.monotonic()
    whole = wait(runner.submit(config, "undisturbed").id, begun)
    start = time.monotonic() - began
    whole = wait(whole.id, lambda job: not job.alive)
    if whole.state != "done":
        raise SystemExit(f"The undisturbed job did not end: {whole.message}")
    epoch = (whole.ended - whole.started - start) / config.epochs
    account = Account()
    while account.moments.total() < kills:
        job = runner.submit(config, "killed")
        account.jobs += 1
        while job.alive and account.moments.total() < kills:
            account.lives += 1
            job = kill_once(job, max(epoch, 0.01), start, account.lives % 10 == 0, rng, account)
            if account.moments.total() % 10 == 0:
                print(f"{account.moments.total()} kills, {len(store.history(job))} epochs", flush=True)
        job = wait(job.id, lambda job: not job.alive)
        account.damages += [f"at the end: {s}" for s in (same(whole, job) if job.state == "done" else [job.message])]
    return account, epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store.ROOT, store.OWN = Path(folder) / "jobs", Path(folder) / "own"
        drawn_set(8, size=24).faces.save(Path(folder) / "drawn.npz")
        began = time.monotonic()
        config = tiny(Path(folder) / "drawn.npz", epochs=2 * options.kills)
        account, epoch = suffer(config, options.kills, random.Random(options.seed))
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
        "seconds_per_epoch": round(epoch, 3),
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
