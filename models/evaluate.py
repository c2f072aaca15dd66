"""`ferscope evaluate`, or `python -m models.evaluate`: measure a checkpoint.

    ferscope evaluate residual_cnn                             on validation and test set of its split
    ferscope evaluate residual_cnn --data data/ckplus.npz      on another dataset, over the shared classes
    ferscope evaluate all --data data/ckplus.npz               the same for every network that has weights
    ferscope evaluate residual_cnn --stored                    what is stored beside the weights; needs no images

The first writes the metrics of the shipped weights (half precision) into `card.json`, the single-view logits of
validation and test set into `predictions.npz`, and the temperature fitted on the validation set. The others write
nothing.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .annotator_agreement import compare_with_annotators
from .calibration import fit_temperature
from .checkpoints import (
    Card,
    Predictions,
    load_checkpoint,
    read_card,
    read_predictions,
    writable_folder,
    write_card,
    write_predictions,
)
from .console import run_command
from .cross_dataset import evaluate_elsewhere, is_own, report_all
from .datasets import DataError, FaceSet
from .datasets.audit import leaked
from .datasets.ferplus import has_votes
from .datasets.splits import split
from .devices import device_of
from .metrics import accuracy_of, measure, percent, predict_watched, share
from .paths import FER2013
from .preprocessing import TTA
from .subgroups import SMALLEST, GroupTable
from .training.config import TrainConfig
from .training.events import first_process

TEST_PARTS = ("PublicTest", "PrivateTest")
_HEADLINE = ("accuracy", "balanced_accuracy", "macro_f1", "kappa", "log_loss", "calibration_error")


def evaluate(name: str | Path, faces: FaceSet, tta: tuple[str, ...] = TTA, device: str = "cpu") -> Card:
    """Measure a checkpoint on validation and test set of the split that it was trained on; write it beside the
    weights.

    Args:
        name: a checkpoint's name, or the path of its folder.
        faces: the dataset; the card's split divides it.
        tta: modes of test-time augmentation; the card's metrics for other modes are kept.
        device: where the network runs.

    Returns:
        The card with `metrics[part][tta]`, for the official split those of PublicTest and PrivateTest, and the
        temperature.

    Raises:
        DataError: the dataset has other classes or images, or lacks the split; see `cross_dataset.evaluate_elsewhere`.
    """
    model, card = load_checkpoint(name, device)
    if faces.classes != card.classes:
        raise DataError(f"The classes of the dataset ({', '.join(faces.classes)}) are not those of {name}.")
    parts = split(faces, card.split)
    if parts.fingerprint != card.data:
        raise DataError(f"The dataset does not have the images, labels and parts that {name} was trained with.")
    validation, test = parts.names
    measured, plain = {validation: parts.validation, test: parts.test}, {}
    metrics: dict[str, dict[str, Any]] = {part: {**card.metrics.get(part, {})} for part in measured}
    with Progress() as progress:
        for part, some in measured.items():
            for way in dict.fromkeys(("plain", *tta)):
                logits = predict_watched(progress, f"{part} {way}", model, card, some.images, way)
                metrics[part][way] = measure(logits, torch.from_numpy(some.labels), card.classes)
                if way == "plain":
                    plain[part] = Predictions(logits, torch.from_numpy(some.labels), some.names, some.ids)
    temperature = fit_temperature(plain[validation].logits, plain[validation].labels)
    card = dataclasses.replace(card, metrics=metrics, temperature=temperature)
    folder = writable_folder(name)
    write_predictions(folder, plain)
    write_card(folder, card)
    return card


def evaluate_run(config: TrainConfig) -> None:
    """Evaluate the checkpoint of a training run, single view; of several processes only the first one does."""
    if first_process() and (config.folder / "card.json").is_file():
        print("Evaluating the best epoch on validation and test set.", flush=True)
        card = evaluate(config.folder, FaceSet.load(config.data), ("plain",), device_of(config.device))
        for part, ways in card.metrics.items():
            found = ways["plain"]
            print(f"{part}, single view: {percent(accuracy_of(found))}", flush=True)
        for sentence in filter(None, (card.caveat, card.excluded and card.excluded.sentence)):
            print(sentence, flush=True)


def report(title: str, classes: tuple[str, ...], metrics: Mapping[str, Mapping[Any, Any]], console: Console) -> None:
    """Print metrics: a line for each part and way, then per-class metrics and confusion matrix of the last part."""
    table = Table("", *(key.replace("_", " ") for key in _HEADLINE), title=title)
    for part, ways in metrics.items():
        for way, m in ways.items():
            low, high = m["accuracy_interval"]
            accuracy = f"{m['accuracy']:.2%} ({low:.2%}–{high:.2%})"
            table.add_row(f"{part} {way}", accuracy, *(_figure(m[key]) for key in _HEADLINE[1:]))
    console.print(table)
    part, ways = list(metrics.items())[-1]
    way, last = next(iter(ways.items()))
    head = ("precision", "recall", "f1", "support", *(f"→ {name}" for name in classes))
    by_class = Table(f"{part} {way}", *head)
    for name, row in zip(classes, last["confusion"], strict=True):
        m = last["per_class"][name]
        by_class.add_row(
            name, *(f"{m[k]:.3f}" for k in ("precision", "recall", "f1")), str(m["support"]), *map(str, row)
        )
    console.print(by_class)


def _figure(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"


def report_stored(name: str | Path, console: Console) -> None:
    """Print what is stored with the weights: metrics, also without leaked images, and errors by annotators' votes.

    Leaks and votes are known for FER2013's official test sets only.
    """
    card = read_card(name)
    if not card.metrics:
        raise DataError(f"{name} has not been evaluated yet: ferscope evaluate {name}")
    report(f"{card.network} · split {card.split}", card.classes, card.metrics, console)
    for sentence in filter(None, (card.caveat, card.excluded and card.excluded.sentence)):
        console.print(sentence, soft_wrap=True)
    if card.temperature:
        console.print(f"Temperature, fitted on the validation set: {card.temperature:.3f}")
    for part in card.metrics:
        if part in TEST_PARTS:
            stored = read_predictions(name, part)
            _report_leaks(part, stored, console)
            if part == "PrivateTest" and has_votes(stored.names):
                found = compare_with_annotators(
                    stored.logits, stored.labels, stored.names, card.classes, card.temperature
                )
                console.print(f"{part} beside the annotators of FER+, plain, {len(found.names)} images with votes:")
                for line in found.sentences():
                    console.print(f"  {line}", soft_wrap=True)


def _report_leaks(part: str, stored: Predictions, console: Console) -> None:
    right = (stored.logits.argmax(-1) == stored.labels).numpy()
    console.print(f"{part}, plain: {percent(share(right))} of {len(right)} images")
    for near, what in ((False, "duplicates of training images"), (True, "duplicates and near-duplicates")):
        inside = np.isin(stored.ids, list(leaked(part, near)))
        if not inside.any():  # another set, such as drawn faces
            return
        without, within = percent(share(right[~inside])), percent(share(right[inside]))
        console.print(f"  without the {inside.sum()} {what}: {without}; on them: {within}", soft_wrap=True)


def _command(
    name: Annotated[str, tyro.conf.Positional],
    /,
    data: Path = FER2013,
    tta: Literal["all", "plain", "flip", "ten-crop"] = "all",
    device: str = "auto",
    stored: bool = False,
    groups: Path | None = None,
    group_column: str = "",
    image_column: str = "",
    smallest_group: int = SMALLEST,
) -> None:
    """Measure a checkpoint.

    Args:
        name: a checkpoint's name, or the path of its folder; "all": every network that has weights, single view, on
            another dataset than theirs.
        data: the imported dataset (`ferscope data import`). On another dataset than the network's own, the shared
            classes are evaluated, and nothing is written.
        tta: test-time augmentation, the average over views; on its own dataset the plain view is always evaluated.
        device: cpu, cuda, mps, or auto for the best one available.
        stored: evaluate nothing; print what is stored beside the weights, also without leaked images and beside FER+.
        groups: a CSV of metadata that you have of the images, to report the test set for each group.
        group_column: its column of groups, such as age.
        image_column: its column of images (id, pixel hash, name or path); by default the one called id, path, image …
        smallest_group: groups with fewer images are hidden.
    """
    console = Console(width=None if sys.stdout.isatty() else 200)
    table = GroupTable.read(groups, group_column, image_column, smallest_group) if groups else None
    if name == "all":
        where = device_of(device)
        return report_all(FaceSet.load(data), f"Networks on {data.name}", where, console)
    ways, card = TTA if tta == "all" else (tta,), read_card(name)
    where = device_of(device)  # before the dataset, which takes longer to read
    faces = None if stored else FaceSet.load(data)
    if faces is None or is_own(faces, card):
        if faces is not None:
            evaluate(name, faces, ways, where)
        report_stored(name, console)
        if table:
            table.report(*_of_test_set(name), console)
        return
    found = evaluate_elsewhere(name, faces, ways, where)
    report(f"{card.network} on {data.name}", found.classes, found.metrics, console)
    console.print(
        f"This is not its own dataset: {len(found.classes)} classes are shared, {found.left_out} images of "
        "other classes were left out. Nothing was written.",
        soft_wrap=True,
    )
    if table:
        for part, predictions in found.predictions.items():
            table.report(predictions, found.classes, part, console)


def _of_test_set(name: str | Path) -> tuple[Predictions, tuple[str, ...], str]:
    """The stored predictions for the test set, which is the last part of a card, its classes and its name."""
    card = read_card(name)
    part = list(card.metrics)[-1]
    return read_predictions(name, part), card.classes, part


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope evaluate ...`."""
    stopped = "Stopped before the end: what was stored before is unchanged."
    run_command(_command, "ferscope evaluate", argv, stopped)


if __name__ == "__main__":
    main()
