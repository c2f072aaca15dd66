"""How long each network would train: seconds of a step by its recipe, and the minutes that follow for FER2013.

    python benchmarks/training_steps.py [--device cpu|cuda] [--networks NAME ...] [--steps 4] [--patience 60]
    python benchmarks/training_steps.py --compare [--threads 1] [--steps 6]

Each network runs a miniature of its recipe (the zoo's, or else the one in its `ModelSpec`): one short epoch for each
size or phase, batch, size and frozen stages as in the real one, on noise, in the engine itself. The first step is not
counted, unless it alone took longer than `--patience` seconds: slow networks are measured with few steps. A batch that
does not fit into the memory is halved until it does. To the steps come the forward passes over both test parts, once an
epoch. Run it on a computer that does nothing else. Writes benchmarks/results/training_steps_<device>.json (a file of
their own for processors with bfloat16 matrix units, which are quicker), from which `ferscope refresh` tells what is not
trained.

With `--compare`: what `models/training/processor.py` and fused optimizers are worth on this processor. Three networks
take the steps of `scratch` in bfloat16 and in float32, without them and with them, three times in turn, each time in a
process of its own. Prints the medians and their ratio (goal: 1.3); writes benchmarks/results/step_speed_cpu.json.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro

from models import get_spec, list_models
from models.datasets import EMOTIONS, FaceSet
from models.datasets.fer2013 import COUNTS
from models.datasets.splits import split
from models.preprocessing import normalize, to_unit
from models.training import setup as start
from models.training.config import TrainConfig
from models.training.errors import TrainingError
from models.training.recipes import from_recipe
from models.training.setup import checked
from models.training.trainer import Trainer
from models.zoo import read_list

ROOT = Path(__file__).resolve().parents[1]
TRAINING, TESTED = (sum(sum(COUNTS[part]) for part in parts) for parts in (["Training"], ["PublicTest", "PrivateTest"]))


class Enough(Exception):  # noqa: N818  (not an error)
    """The patience is used up."""


def config_of(network: str) -> TrainConfig:
    """How the zoo trains a network, or else the recipe of its `ModelSpec`."""
    ours = [run for run in read_list() if run.network == network and not run.start_from]
    return ours[0].config() if ours else from_recipe(get_spec(network).recipe, model=network)


def shares(config: TrainConfig) -> list[int]:
    """Epochs of each part of a training run: its phases, or its sizes."""
    phases = getattr(config, "phases", ())
    if phases:
        return [phase.epochs for phase in phases]
    n, epochs = len(config.growing_sizes) + 1, config.epochs
    return np.bincount([(epoch - 1) * n // epochs for epoch in range(1, epochs + 1)], minlength=n).tolist()


def miniature(config: TrainConfig, folder: Path, device: str, n: int) -> TrainConfig:
    """The same training run with one epoch for each part, from random weights, on the official split."""
    values = config.model_dump() | {"out": folder, "device": device, "split": "official", "epochs": n}
    phases = getattr(config, "phases", ())
    if phases:
        values["phases"] = [phase.model_dump() | {"epochs": 1} for phase in phases]
    if "pretrained" in values:
        values["pretrained"] = False
    return TrainConfig(**values)


def noise(training: int) -> FaceSet:
    """Pictures of noise in the parts of the official split."""
    parts = np.array(["Training"] * training + ["PublicTest"] * 7 + ["PrivateTest"] * 7)
    images = np.random.default_rng(0).integers(0, 256, (len(parts), 48, 48), dtype=np.uint8)
    names = np.array([f"{part}_{i}" for i, part in enumerate(parts)])
    return FaceSet(images, np.arange(len(parts)) % len(EMOTIONS), names, parts)


def begun(config: TrainConfig, training: int) -> Trainer:
    """A trainer before its first epoch, with a training set of noise."""
    parts = split(noise(training), "official")
    return Trainer(checked(config, parts.training), parts)


def step_seconds(trainer: Trainer, epoch: int, patience: float) -> list[float]:
    """Seconds of the steps of one short epoch, without the first where there are others."""
    ticks = [time.perf_counter()]

    def on_step(*_) -> None:
        if trainer.fabric.device.type == "cuda":
            torch.cuda.synchronize()
        ticks.append(time.perf_counter())
        if ticks[-1] - ticks[0] > patience:
            raise Enough

    try:
        trainer.run_epoch(epoch, on_step)
    except Enough:
        trainer.optimizer.zero_grad(set_to_none=True)
    taken = [b - a for a, b in itertools.pairwise(ticks)]
    return taken[1:] or taken


@torch.no_grad()
def forward_seconds(trainer: Trainer) -> float:
    """Seconds for one picture when it is measured, of 64 together."""
    data = trainer.data
    images = torch.randint(0, 256, (64, 48, 48), dtype=torch.uint8, device=data.device)
    x = normalize(to_unit(images, data.size), data.mean, data.std).contiguous(memory_format=torch.channels_last)
    trainer.model.eval()
    taken = []
    for _ in range(2):
        start = time.perf_counter()
        trainer.model(x)
        if data.device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return min(taken) / len(images)


def measure(network: str, device: str, steps: int, patience: float) -> dict:
    """Time one network by its recipe."""
    config = config_of(network)
    epochs = shares(config)
    with tempfile.TemporaryDirectory() as folder:
        small, trainer = miniature(config, Path(folder) / "run", device, len(epochs)), None
        while trainer is None:
            try:
                trainer = begun(small, (steps + 1) * small.batch_size)
            except TrainingError:  # the memory is too small for the recipe's batch
                small = small.model_copy(update={"batch_size": small.batch_size // 2})
        taken = [step_seconds(trainer, i + 1, patience) for i in range(len(epochs))]
        forward = forward_seconds(trainer)
    seconds = [statistics.median(some) for some in taken]
    in_all = sum(
        n * (TRAINING // small.batch_size * s + TESTED * forward) for n, s in zip(epochs, seconds, strict=True)
    )
    return {
        "recipe": config.recipe,
        "overrides": config.overrides,
        "batch_size": small.batch_size,
        "input_size": trainer.data.size,
        "precision": trainer.card.precision,
        "epochs": epochs,
        "step_seconds": [round(s, 4) for s in seconds],
        "steps_timed": [len(some) for some in taken],
        "forward_seconds": round(forward, 6),
        "minutes": round(in_all / 60, 1),
    }


def named(device: str, threads: int) -> tuple[str, str]:
    """What a device is called, and its file."""
    if device == "cuda":
        return torch.cuda.get_device_name(), "training_steps_cuda.json"
    if torch.cpu.get_capabilities().get("amx_bf16"):
        return f"CPU with bfloat16 matrix units (AMX), threads: {threads}", "training_steps_cpu_amx.json"
    return f"CPU, threads: {threads}", "training_steps_cpu.json"


# ---- before and after

COMPARED = (("resnet18", 96), ("efficientnet_lite0", 96), ("multibranch_dsc_cbam", 48))
BATCH, ROUNDS, GOAL = 64, 3, 1.3


def step_alone(network: str, size: int, precision: str, quick: bool, steps: int) -> float:
    """Seconds of a step of `scratch` at one size, with everything that makes it quicker or with none of it."""
    if not quick:
        start.quicken, start.keep_freed_memory = (lambda network: network), (lambda: False)
    with tempfile.TemporaryDirectory() as folder:
        values = {"model": network, "input_size": size, "batch_size": BATCH, "precision": precision, "device": "cpu"}
        config = from_recipe("scratch", **values, epochs=1, out=Path(folder) / "run", threads=torch.get_num_threads())
        trainer = begun(config, (steps + 2) * BATCH)
        if not quick:
            for group in trainer.optimizer.param_groups:
                group["fused"] = False
        return statistics.median(step_seconds(trainer, 1, patience=300)[1:])


def compare(threads: int, steps: int) -> None:
    """Print and write the medians of both ways, and how many times quicker the second is."""
    rows = []
    for (network, size), precision in itertools.product(COMPARED, ("bf16-mixed", "32-true")):
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for _, quick in itertools.product(range(ROUNDS), (False, True)):
            call = [sys.executable, __file__, "--threads", str(threads), "--steps", str(steps), "--alone"]
            call += [network, str(size), precision, "quick" if quick else "plain"]
            environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
            told = subprocess.run(call, capture_output=True, text=True, check=True, env=environment).stdout
            seconds[quick].append(float(told.splitlines()[-1]))
        before, after = (statistics.median(some) for some in seconds.values())
        ratio = round(before / after, 2)
        print(
            f"{network:<22}{size} px  {precision:<11}{before:.3f} s, {after:.3f} s: {ratio} × (goal {GOAL})", flush=True
        )
        rows.append({"network": network, "input_size": size, "precision": precision})
        rows[-1] |= {"before": round(before, 4), "after": round(after, 4), "ratio": ratio}
    file = ROOT / "benchmarks" / "results" / "step_speed_cpu.json"
    file.write_text(json.dumps({"threads": threads, "batch_size": BATCH, "steps": rows}, indent=2) + "\n")


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    compare: bool = False
    alone: tuple[str, str, str, str] | None = None
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    networks: tuple[str, ...] = tuple(name for name in list_models() if name != "ensemble")
    steps: int = 4
    threads: int = 2
    patience: float = 60


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(options.threads)
    if options.alone:
        network, size, precision, way = options.alone
        print(step_alone(network, int(size), precision, way == "quick", options.steps))
        return
    if options.compare:
        compare(options.threads, options.steps)
        return
    device, file_name = named(options.device, options.threads)
    file = ROOT / "benchmarks" / "results" / file_name
    file.parent.mkdir(exist_ok=True)
    earlier = json.loads(file.read_text())["networks"] if file.is_file() else {}
    results = {name: row for name, row in earlier.items() if name in list_models()}
    print(device)
    for name in options.networks:
        row = results[name] = measure(name, options.device, options.steps, options.patience)
        told = ", ".join(f"{s:.2f}" for s in row["step_seconds"])
        print(
            f"{name:<26} {row['recipe']:<8} batch {row['batch_size']:<4} {told} s a step: {row['minutes']:,.0f} minutes"
        )
        file.write_text(json.dumps({"device": device, "networks": dict(sorted(results.items()))}, indent=2) + "\n")


if __name__ == "__main__":
    main()
