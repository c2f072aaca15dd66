"""`ferscope zoo`, or `python -m models.zoo --budget 25m`: train the list in `zoo.toml`, one network after another.

Takes the next unfinished run, trains until it is done or the budget ends, measures what is done and puts it into
checkpoints/. Called again, it continues where it stopped. With `--budget 0m` it only prints what is done and left.
"""

from __future__ import annotations

import difflib
import re
import shutil
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Column, Table

from .cards import IMAGENET
from .checkpoints import EXPERIMENTS, ROOT, CheckpointError, broken_checkpoints, checkpoint_folder, read_card
from .datasets import FaceSet
from .devices import device_of
from .evaluate import evaluate
from .files import DiskFullError, write_bytes
from .paths import FER2013, RUNS
from .training import resume
from .training.config import TrainConfig
from .training.recipes import from_recipe

LIST = Path(__file__).with_name("zoo.toml")


@dataclass(frozen=True)
class ZooRun:
    """One line of the list."""

    network: str
    recipe: str
    split: str
    seed: int
    ships: bool
    weights: bool = False
    start_from: str = ""
    teacher: str = ""
    overrides: dict[str, Any] = field(default_factory=dict, hash=False)
    settings: dict[str, Any] = field(default_factory=dict, hash=False)
    """Fields of `TrainConfig` with values in place of the recipe's."""

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        options, settings = ("".join(f"-{k}.{v}" for k, v in some.items()) for some in (self.overrides, self.settings))
        return f"{self.network}{options}-{self.recipe}{settings}-{self.split}-s{self.seed}"

    @property
    def shelf(self) -> Path:
        """Where the finished run is put."""
        return ROOT / self.network if self.ships else ROOT / EXPERIMENTS / self.name

    def config(self, **values) -> TrainConfig:
        """What `models.train` is called with."""
        start = checkpoint_folder(self.start_from) if self.start_from else None
        teacher = checkpoint_folder(self.teacher) if self.teacher else None
        mine = {"model": self.network, "overrides": self.overrides, "split": self.split, "seed": self.seed}
        mine |= self.settings
        return from_recipe(self.recipe, **mine, start_from=start, teacher=teacher, out=RUNS / self.name, **values)

    def folders(self) -> tuple[Path, Path]:
        """Where its checkpoint may be: under its own name or, where it ships, under that of the network."""
        return checkpoint_folder(self.name), checkpoint_folder(self.network)

    def is_done(self) -> bool:
        """Whether there is a measured checkpoint of this very run."""
        return any(map(self.made, self.folders()))

    def made(self, folder: Path) -> bool:
        """Whether a folder holds a measured checkpoint of this very run."""
        try:
            card = read_card(folder)
        except CheckpointError:
            return False
        made_by = (card.network, card.recipe, card.split, card.seed, card.overrides)
        same = made_by == (self.network, self.recipe, self.split, self.seed, self.overrides)
        start = "" if card.start is None or card.start.name == IMAGENET else card.start.name
        settings = all(getattr(card, name, value) == value for name, value in self.settings.items())
        return same and start == self.start_from and settings and bool(card.metrics)

    def epochs_done(self) -> int:
        """Complete epochs of the unfinished run."""
        if not (RUNS / self.name / resume.FILE).is_file():
            return 0
        return len(resume.load_facts(RUNS / self.name)["history"])

    def so_far(self) -> str:
        """How many of its epochs are complete, or that this cannot be read."""
        try:
            return f"{self.epochs_done()} of {self.config().epochs} epochs"
        except (ValueError, KeyError, TypeError):
            return "its state is damaged"


def read_list(path: Path = LIST) -> list[ZooRun]:
    """The runs of the list, in order."""
    return [ZooRun(**run) for run in tomllib.loads(path.read_text(encoding="utf-8"))["run"]]


def _chosen(runs: list[ZooRun], names: tuple[str, ...]) -> list[ZooRun]:
    """The runs of these names, in the order of the list; all of them where none is named."""
    for name in names:
        if name not in (known := [run.name for run in runs]):
            (near,) = difflib.get_close_matches(name, known, n=1, cutoff=0)
            raise ValueError(f'only="{name}" is not in models/zoo.toml; the nearest is {near}')
    return [run for run in runs if not names or run.name in names]


def minutes(budget: str) -> float:
    """ "25m", "1.5h" or "90s" as minutes; anything else raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget)
    if not match:
        raise ValueError(f'budget="{budget}" is not a time; write it as 25m, 1.5h or 90s')
    return float(match[1]) * {"s": 1 / 60, "m": 1, "h": 60}[match[2]]


def finish(run: ZooRun, faces: FaceSet, device: str = "cpu") -> None:
    """Measure a trained run and move it to its folder: card, history, predictions, and the weights it is to keep.

    The run of the list whose weights it replaces keeps its card, history and predictions in its own folder.
    """
    folder = RUNS / run.name
    evaluate(folder, faces, device=device)
    for other in read_list():
        if run.ships and not run.made(run.shelf) and not other.ships and other.made(run.shelf):
            _put(run.shelf, other.shelf, weights=other.weights)
    _put(folder, run.shelf, weights=run.ships or run.weights)
    shutil.rmtree(folder)


def _put(folder: Path, shelf: Path, weights: bool) -> None:
    """Copy what a measured checkpoint is made of; the card comes last: it says that the rest is there."""
    for name in ("history.csv", "predictions.npz", *(["model.safetensors"] if weights else []), "card.json"):
        write_bytes(shelf / name, (folder / name).read_bytes())


def print_list(runs: list[ZooRun], console: Console) -> None:
    """What is done, with its accuracy, what is left, and what is damaged."""
    table, broken = Table(Column("run", overflow="fold"), "state", "accuracy, flip averaging"), broken_checkpoints()
    for run in runs:
        if run.is_done():
            metrics = read_card(next(filter(run.made, run.folders()))).metrics
            figures = [f"{part} {ways['flip']['accuracy']:.2%}" for part, ways in metrics.items() if "flip" in ways]
            table.add_row(run.name, "done", ", ".join(figures))
        else:
            table.add_row(run.name, "broken" if run.shelf.name in broken else run.so_far(), "")
    console.print(table)
    for why in broken.values():
        console.print(why, soft_wrap=True)


def train_list(budget: str = "25m", data: Path = FER2013, device: str = "auto", only: tuple[str, ...] = ()) -> None:
    """Train the list, models/zoo.toml, in order until the budget ends; with 0m it shows what is done.

    Args:
        budget: time for this call, as 25m, 1.5h or 90s.
        data: the imported set (`ferscope data import`).
        device: cpu, cuda, mps, or auto for what is there.
        only: names of the runs to train, as the table shows them; without any, the whole list.
    """
    from .training.engine import train

    end = time.monotonic() + 60 * minutes(budget)
    runs, console = _chosen(read_list(), only), Console()
    faces = FaceSet.load(data) if minutes(budget) > 0 else None
    for run in runs:
        left = (end - time.monotonic()) / 60
        if run.is_done() or left <= 0 or faces is None:
            continue
        config = run.config(data=data, device=device, resume=True, minutes=left)
        console.print(f"{run.name}: {run.epochs_done()} of {config.epochs} epochs so far, {left:.0f} minutes left")
        if run.epochs_done() < config.epochs:
            train(config)
        if run.epochs_done() == config.epochs:
            finish(run, faces, device_of(device))
    print_list(runs, console)


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope zoo ...`; ends with status 1 and one sentence where it cannot, 130 after Ctrl-C."""
    from .training.errors import Interrupted, TrainingError

    try:
        tyro.cli(train_list, prog="ferscope zoo", args=argv)
    except Interrupted:
        print("Stopped. Call it again to continue from the last complete epoch.")
        sys.exit(130)
    except (TrainingError, DiskFullError, ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
