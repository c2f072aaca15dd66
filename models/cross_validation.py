"""Cross-validation by subjects: one training run for each fold, and a summary of all folds.

    ferscope train --model resnet18 --recipe short --data data/ckplus.npz --split subject-10fold
    ferscope train --model resnet18 --recipe short --data data/jaffe.npz --split subject-loso

Each fold is a run in a folder of its own, `fold-01`, `fold-02` …, with card, history, weights and predictions of its
best epoch, selected on the fold's validation set; beside them `summary.json`. In every fold the subjects of training,
validation and test set are disjoint, and every image of the dataset is in the test set of one fold.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from .checkpoints import read_card, read_predictions
from .datasets import FaceSet
from .datasets.splits import Parts, split
from .datasets.subjects import fold_names
from .devices import device_of
from .evaluate import evaluate
from .files import write_json
from .metrics import Interval, mean_share, measure, percent
from .training import resume
from .training.config import TrainConfig, read_config, write_config
from .training.engine import train
from .training.errors import TrainingError
from .training.events import read_events
from .training.interrupt import stop_on_signals
from .training.lock import locked

SUMMARY = "summary.json"
MEASURES = ("accuracy", "balanced_accuracy", "macro_f1")


@dataclass(frozen=True)
class Fold:
    """One fold, measured on its test set in a single view of each image.

    Attributes:
        name: name of its folder, such as "fold-03".
        split: name of the split, such as "subject-10fold-3".
        subjects: subjects of the test set.
        training, validation, test: number of images.
        best_epoch: selected on the validation set.
        accuracy, balanced_accuracy, macro_f1: metrics on the test set; the last two over the classes that occur in it.
        accuracy_interval: lower and upper end of 95 % (Wilson, over images).
        caveat: caveat of its card, if its initial weights have seen validation or test images.
    """

    name: str
    split: str
    subjects: tuple[str, ...]
    training: int
    validation: int
    test: int
    best_epoch: int
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    accuracy_interval: tuple[float, float]
    caveat: str


@dataclass(frozen=True)
class CrossValidation:
    """All folds.

    Attributes:
        network, recipe, split, seed: how every fold was trained; `split` stands for all of them ("subject-10fold").
        data: fingerprint of the dataset.
        classes: names of the classes.
        folds: each of them.
        mean: mean of accuracy, balanced accuracy and macro F1, each fold counting once, with the 95 % interval by
            Student's t over folds. Folds share most of their training images, so it tends to be too narrow (Bengio and
            Grandvalet 2004, JMLR 5).
        pooled: `metrics.measure` of the test images of all folds together; its Wilson interval assumes
            independent images, which those of one subject are not.
    """

    network: str
    recipe: str
    split: str
    seed: int
    data: str
    classes: tuple[str, ...]
    folds: tuple[Fold, ...]
    mean: dict[str, Interval]
    pooled: dict[str, Any]


def cross_validate(config: TrainConfig, report: Callable[[str], None] = print) -> CrossValidation | None:
    """Train and evaluate every fold; finished folds are skipped.

    Args:
        config: configuration of the training runs; `split` is `subject-10fold`, of any number of folds, or
            `subject-loso`, `out` the folder of all folds, `minutes` the time for all of them.
        report: called with a sentence before and after each fold.

    Returns:
        The summary, which is written too; None if the time limit was reached before the last fold was finished.

    Raises:
        Interrupted: after Ctrl-C; `resume` continues after the last complete epoch.
        TrainingError, DataError, ValueError, DiskFullError: a fold failed; the message says why and what to do.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError("A cross-validation trains in one process: start it without torchrun or fabric run.")
    with stop_on_signals():
        faces = FaceSet.load(config.data)
        folds = _all_folds(config, faces, report)
        if folds is None:
            return None
        found = _summary(config, faces, folds)
        write_json(config.folder / SUMMARY, dataclasses.asdict(found))
    return found


def _all_folds(config: TrainConfig, faces: FaceSet, report: Callable[[str], None]) -> list[Fold] | None:
    """Train and measure what is not finished; None where the minutes end before."""
    splits = {name: split(faces, name) for name in fold_names(faces, config.split)}  # what cannot be is said now
    with locked(config.folder):
        _open(config)
        return _folds(config, faces, splits, report)


def _folds(
    config: TrainConfig, faces: FaceSet, splits: dict[str, Parts], report: Callable[[str], None]
) -> list[Fold] | None:
    end = time.monotonic() + 60 * config.minutes if config.minutes else None
    folds = []
    for number, (name, parts) in enumerate(splits.items(), 1):
        folder = config.folder / f"fold-{number:0{len(str(len(splits)))}}"
        if not _is_finished(folder, parts):
            left = (end - time.monotonic()) / 60 if end else None
            report(f"{folder.name} of {len(splits)}: {len(parts.test)} test images of {_people(parts)}.")
            mine = {"split": name, "out": folder, "resume": True, "evaluate": False, "minutes": left}
            if (left is not None and left <= 0) or not _train(config.model_copy(update=mine), faces):
                report(f"The time is used up; {number - 1} of {len(splits)} folds are finished.")
                return None
        folds.append(_measured(folder, name, parts))
        report(f"{folder.name}: accuracy {percent((folds[-1].accuracy, *folds[-1].accuracy_interval))}.")
    return folds


def _open(config: TrainConfig) -> None:
    """Begin the folder of all folds, or see that it holds this very cross-validation."""
    file, folder = config.folder / "config.json", config.folder
    if not file.is_file():
        write_config(folder, config)
        return
    if not config.resume:
        raise TrainingError(f"{folder} already holds a run. Add --resume to continue it, or choose --out.")
    before = TrainConfig().curve() | read_config(folder).curve()
    differ = [f"{key} was {before[key]}, is {now}" for key, now in config.curve().items() if before[key] != now]
    if differ:
        raise TrainingError(
            f"The run in {folder} cannot be continued: {'; '.join(differ)}. Give what it had, or choose another --out."
        )


def _is_finished(folder: Path, parts: Parts) -> bool:
    """Whether a fold was trained and measured: then what `resume` would need is gone (see `_train`)."""
    if (folder / resume.FILE).is_file() or not (folder / "predictions.npz").is_file():
        return False
    if read_card(folder).data != parts.fingerprint:
        raise TrainingError(
            f"{folder} was trained with other images, labels or subjects than the dataset holds now. Give that dataset "
            "by --data, or choose another --out."
        )
    return True


def _train(config: TrainConfig, faces: FaceSet) -> bool:
    """Train and measure one fold; False where the minutes ended it before."""
    train(config)
    events = read_events(config.folder / "events.jsonl")
    if not events or events[-1]["event"] != "finished":
        return False
    evaluate(config.folder, faces, ("plain",), device_of(config.device))
    (config.folder / resume.FILE).unlink()  # several times the size of the weights, in every fold
    return True


def _people(parts: Parts, most: int = 4) -> str:
    names = np.unique(parts.test.subjects).tolist()
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"subject{'s' * (len(names) > 1)} {', '.join(names[:most])}{more}"


def _measured(folder: Path, name: str, parts: Parts) -> Fold:
    card = read_card(folder)
    found = card.metrics[parts.names[1]]["plain"]
    low, high = found["accuracy_interval"]
    return Fold(
        folder.name,
        name,
        tuple(np.unique(parts.test.subjects).tolist()),
        *(len(part) for part in (parts.training, parts.validation, parts.test)),
        card.best_epoch,
        *(found[key] for key in MEASURES),
        (low, high),
        card.caveat,
    )


def _summary(config: TrainConfig, faces: FaceSet, folds: list[Fold]) -> CrossValidation:
    stored = [read_predictions(config.folder / fold.name, "test") for fold in folds]
    logits, labels = torch.cat([p.logits for p in stored]), torch.cat([p.labels for p in stored])
    return CrossValidation(
        config.model,
        config.recipe,
        config.split,
        config.seed,
        faces.fingerprint,
        faces.classes,
        tuple(folds),
        {key: mean_share([getattr(fold, key) for fold in folds]) for key in MEASURES},
        measure(logits, labels, faces.classes),
    )


def report(found: CrossValidation, console: Console) -> None:
    """Print a line for each fold, the mean over folds, and the figures of all test images together."""
    head = ("fold", "subjects", "training", "validation", "test", "best epoch", *map(_words, MEASURES))
    table = Table(*head, title=f"{found.network} · {found.split}")
    for fold in found.folds:
        people = ", ".join(fold.subjects[:3]) + f" +{len(fold.subjects) - 3}" * (len(fold.subjects) > 3)
        sizes = map(str, (fold.training, fold.validation, fold.test, fold.best_epoch))
        accuracy = percent((fold.accuracy, *fold.accuracy_interval))
        others = (f"{100 * value:.1f} %" for value in (fold.balanced_accuracy, fold.macro_f1))
        table.add_row(fold.name, people, *sizes, accuracy, *others)
    console.print(table)
    caveats = (f"{fold.name}: {fold.caveat}" for fold in found.folds if fold.caveat)
    for sentence in (*sentences(found), *caveats):
        console.print(sentence, soft_wrap=True)


def sentences(found: CrossValidation) -> tuple[str, str]:
    """Mean over folds, and all test images together; each with what its interval means."""
    mean = ", ".join(f"{_words(key)} {percent(found.mean[key])}" for key in MEASURES)
    pooled = found.pooled
    accuracy = percent((pooled["accuracy"], *pooled["accuracy_interval"]))
    others = ", ".join(f"{_words(key)} {100 * pooled[key]:.1f} %" for key in MEASURES[1:])
    return (
        f"Mean over {len(found.folds)} folds: {mean}; 95 % intervals by Student's t over folds, which share training "
        "images, so they tend to be too narrow.",
        f"All {sum(fold.test for fold in found.folds)} test images together: accuracy {accuracy}, {others}; the 95 % "
        "interval is Wilson's over images, which are alike where they show one person, so it tends to be too narrow.",
    )


def _words(measure: str) -> str:
    return measure.replace("_", " ").replace("f1", "F1")
