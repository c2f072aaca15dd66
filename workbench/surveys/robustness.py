"""`ferscope robustness NAME`: accuracy on the test set under perturbations; stored beside the weights.

    ferscope robustness residual_cnn                                 1 000 images, stratified by class
    ferscope robustness residual_cnn --limit None                    all images of the test set: 3.6 times as long
    ferscope robustness residual_cnn --corruptions rotation blur     two of twelve curves

Images are perturbed at their stored size and then preprocessed as in training, so that all networks get the same
images. Each curve is written to `robustness.json` as soon as it is measured: a stopped run continues with the missing
ones, and a repeated run returns at once. Other weights, images or seeds are measured anew.

With 1 000 instead of 3 589 images, a 95 % interval widens from ±1.6 to at most ±3.1 percentage points. The sample is
seeded, so that all networks with the same split are measured on the same images.
"""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from torch import Tensor, nn

from models.checkpoints import Card, CheckpointError, checkpoint_folder, load_checkpoint, writable_folder
from models.console import run_command
from models.datasets import FaceSet
from models.devices import device_of
from models.files import write_json
from models.metrics import percent
from models.paths import FER2013
from models.preprocessing import resized

from ..analysis.corruptions import CORRUPTIONS, Corruption
from ..analysis.robustness import Curve, Predict, accuracy_curve, count_correct
from .files import RobustnessFile, read_current, read_file
from .sample import SurveySample, draw_sample

FILE = "robustness.json"
LIMIT = 1000
"""Default number of images."""


@dataclass(frozen=True, eq=False)
class Robustness:
    """Accuracy curves (single view) by the name of the corruption, and the sample that they were measured on."""

    sample: SurveySample
    curves: dict[str, Curve]


def read_robustness(name_or_path: str | Path) -> Robustness:
    """Read the curves stored beside a checkpoint's weights; of a stopped run those that were measured.

    Raises:
        CheckpointError: there are none, the file is damaged, or they belong to other weights.
    """
    again = f"Measure it: ferscope robustness {name_or_path}"
    return _robustness(read_current(name_or_path, FILE, RobustnessFile, again))


def survey(
    name: str | Path,
    faces: FaceSet,
    part: str | None = None,
    corruptions: tuple[str, ...] = (),
    limit: int | None = LIMIT,
    seed: int = 0,
    force: bool = False,
    out: Path | None = None,
    device: str = "cpu",
    progress: Callable[[str, int, int], None] = lambda corruption, done, total: None,
) -> Robustness:
    """Measure the missing curves, and write each as soon as it is measured.

    Args:
        name: a checkpoint's name, or the path of its folder.
        faces: the dataset; the card's split divides it.
        part: name of the validation or test set of that split; None: the test set.
        corruptions: keys of CORRUPTIONS; none: all.
        limit: number of images, a seeded sample stratified by class; None: all.
        seed: random seed of that sample and of random corruptions.
        force: measure existing curves again, and replace curves measured on more images.
        out: the file; None: `robustness.json` beside the weights.
        device: where the network runs.
        progress: called with the corruption's name, and the forward passes done and in total for its curve.

    Returns:
        The curves of `corruptions`, in their order.

    Raises:
        CheckpointError: there is no such checkpoint.
        DataError: the dataset has other classes, or lacks that set.
        ValueError: unknown corruption, `limit` below 1, or curves measured on more images would be replaced.
    """
    wanted = _named(corruptions)
    folder = checkpoint_folder(name)
    sample, chosen = draw_sample(folder, faces, part or "test", limit, seed)
    path = out or folder / FILE
    curves = {} if force else _stored(path, sample)
    missing = [corruption for corruption in wanted if not _is_known(corruption, curves)]
    if missing:
        predict = _logits(*load_checkpoint(name, device))
        images, labels = torch.from_numpy(chosen.images)[:, None].float() / 255, torch.from_numpy(chosen.labels)
        unperturbed = count_correct(predict, images, labels, missing[0], missing[0].neutral)
    for corruption in missing:
        total = len(chosen) * len(corruption.values)
        report = _Report(progress, corruption.name, total)
        curves[corruption.name] = accuracy_curve(predict, images, labels, corruption, report, seed, unperturbed)
        _write(out or writable_folder(folder) / FILE, Robustness(sample, curves))
    return Robustness(sample, {corruption.name: curves[corruption.name] for corruption in wanted})


@dataclass(frozen=True)
class _Report:
    """Reports the progress of one curve under its name."""

    progress: Callable[[str, int, int], None]
    name: str
    total: int

    def __call__(self, done: int) -> None:
        self.progress(self.name, done, self.total)


def _named(names: tuple[str, ...]) -> list[Corruption]:
    for name in names:
        if name not in CORRUPTIONS:
            near = difflib.get_close_matches(name, CORRUPTIONS, n=1, cutoff=0)[0]
            raise ValueError(
                f'corruptions: there is no "{name}"; did you mean "{near}"? Choose from {", ".join(CORRUPTIONS)}.'
            )
    return [CORRUPTIONS[name] for name in dict.fromkeys(names or CORRUPTIONS)]


def _logits(model: nn.Module, card: Card) -> Predict:
    device = next(model.parameters()).device

    def logits(pixels: Tensor) -> Tensor:
        return model(card.normalized(resized(pixels.to(device), card.input_size))).float()

    return logits


# ---- the file


def _stored(path: Path, sample: SurveySample) -> dict[str, Curve]:
    """The curves in the file if they were measured on the same sample; none of a damaged or older file."""
    try:
        found = _robustness(read_file(path, RobustnessFile, "Measure it again."))
    except (FileNotFoundError, CheckpointError):
        return {}
    if found.sample == sample:
        return dict(found.curves)
    if found.sample.weights == sample.weights and found.sample.pictures > sample.pictures:
        raise ValueError(
            f"{path} has curves measured on {found.sample.pictures} images of {found.sample.part}. Add --force to "
            f"replace them by curves on {sample.pictures} images, or write these to another file with --out FILE."
        )
    return {}


def _is_known(corruption: Corruption, curves: dict[str, Curve]) -> bool:
    """Whether there is a curve with the current values of the corruption."""
    curve = curves.get(corruption.name)
    return curve is not None and curve.values.tolist() == list(corruption.values)


def _write(path: Path, found: Robustness) -> None:
    columns = ("values", "accuracy", "interval")
    curves = {name: {key: getattr(curve, key).tolist() for key in columns} for name, curve in found.curves.items()}
    write_json(path, {**dataclasses.asdict(found.sample), "curves": curves})


def _robustness(found: RobustnessFile) -> Robustness:
    return Robustness(found.sample, {name: curve.curve(found.pictures) for name, curve in found.curves.items()})


# ---- the command


def _table(corruption: Corruption, curve: Curve) -> Table:
    table = Table(f"{corruption.title}: {corruption.unit}", "accuracy (95 % interval)")
    for value, accuracy, interval in zip(curve.values, curve.accuracy, curve.interval, strict=True):
        mark = "  unperturbed" if float(value) == corruption.neutral else ""
        table.add_row(f"{value:g}{mark}", percent((float(accuracy), *interval.tolist())))
    return table


def _command(
    name: Annotated[str, tyro.conf.Positional],
    /,
    data: Path = FER2013,
    part: str | None = None,
    corruptions: tuple[str, ...] = (),
    limit: int | None = LIMIT,
    seed: int = 0,
    force: bool = False,
    out: Path | None = None,
    device: str = "auto",
) -> None:
    """Measure accuracy under rotation, translation, scaling, blur, noise, brightness, contrast, JPEG compression,
    reduced resolution, occlusion and removed frequency bands.

    Args:
        name: a checkpoint's name, or the path of its folder.
        data: the imported dataset (`ferscope data import`).
        part: PublicTest or PrivateTest; by default the test set of the split that the network was trained on.
        corruptions: names of the corruptions to measure; by default all.
        limit: number of images, a sample stratified by class; None: all.
        seed: random seed of that sample, of noise and of the position of the occlusion.
        force: measure existing curves again, and replace curves measured on more images.
        out: the file; by default robustness.json beside the weights.
        device: cpu, cuda, mps, or auto for the best one available.
    """
    console, device = Console(width=None if sys.stdout.isatty() else 120), device_of(device)
    columns = (TextColumn("{task.description:<11}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, int] = {}

        def progress(corruption: str, done: int, total: int) -> None:
            if corruption not in tasks:
                tasks[corruption] = bars.add_task(corruption, total=total)
            bars.update(tasks[corruption], completed=done)

        found = survey(name, FaceSet.load(data), part, corruptions, limit, seed, force, out, device, progress)
    for corruption, curve in found.curves.items():
        console.print(_table(CORRUPTIONS[corruption], curve))
    where = out or checkpoint_folder(name) / FILE
    console.print(f"{found.sample.text}, single view; written to {where}", soft_wrap=True)


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope robustness ...`."""
    stopped = "Stopped. Run the same command again to measure the missing curves."
    run_command(_command, "ferscope robustness", argv, stopped)


if __name__ == "__main__":
    main()
