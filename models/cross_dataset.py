"""Checkpoints on another dataset than their own, over the classes that both have. Nothing is written.

ferscope evaluate residual_cnn --data data/ckplus.npz
ferscope evaluate all --data data/ckplus.npz      every network that has weights, one row each
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .checkpoints import Card, Predictions, list_checkpoints, load_checkpoint, read_card
from .datasets import DataError, FaceSet
from .datasets.splits import split
from .metrics import measure, percent, predict_watched
from .preprocessing import TTA
from .registry import list_models


@dataclass(frozen=True)
class Elsewhere:
    """Evaluation of a checkpoint on another dataset than its own.

    Attributes:
        classes: shared by network and dataset, in the network's order.
        left_out: number of images of other classes.
        metrics: part of the dataset → mode of test-time augmentation → result of `metrics.measure`.
        predictions: part of the dataset → predictions in the first mode of test-time augmentation, over the shared
            classes.
    """

    classes: tuple[str, ...]
    left_out: int
    metrics: dict[str, dict[str, dict]]
    predictions: dict[str, Predictions]


def evaluate_elsewhere(name: str | Path, faces: FaceSet, tta: tuple[str, ...] = TTA, device: str = "cpu") -> Elsewhere:
    """Evaluate a checkpoint on another dataset, over the shared classes: the network chooses among these only.

    Nothing is written. Arguments as for `evaluate.evaluate`.

    Raises:
        DataError: fewer than two classes are shared.
    """
    model, card = load_checkpoint(name, device)
    shared = tuple(c for c in card.classes if c in faces.classes)
    if len(shared) < 2:
        raise DataError(
            f"{name} and the dataset share {len(shared)} of {', '.join(card.classes)}: at least two are needed."
        )
    own, theirs = ([classes.index(c) for c in shared] for classes in (card.classes, faces.classes))
    kept = faces.subset(np.isin(faces.labels, theirs))
    labels = np.array([theirs.index(label) for label in kept.labels])
    metrics: dict[str, dict[str, dict]] = {}
    stored: dict[str, Predictions] = {}
    with Progress() as progress:
        for part in dict.fromkeys(kept.splits.tolist()):
            mine = kept.splits == part
            some, truth = kept.subset(mine), torch.from_numpy(labels[mine])
            for way in tta:
                logits = predict_watched(progress, f"{part} {way}", model, card, some.images, way)[:, own]
                metrics.setdefault(part, {})[way] = measure(logits, truth, shared)
                stored.setdefault(part, Predictions(logits, truth, some.names, some.ids))
    return Elsewhere(shared, len(faces) - len(kept), metrics, stored)


def report_all(faces: FaceSet, title: str, device: str, console: Console) -> None:
    """Print the accuracy of every network that has weights on another dataset: all its images, single view.

    Networks that were trained on this dataset are left out, and named.

    Raises:
        DataError: all of them were.
    """
    names = [name for name in list_checkpoints() if name in list_models()]
    own = [name for name in names if is_own(faces, read_card(name))]
    if len(own) == len(names):
        raise DataError("All networks were trained on this dataset. Their results: ferscope evaluate NAME --stored")
    together = replace(faces, splits=np.full(len(faces), "all"))
    rows = []
    for name in (name for name in names if name not in own):
        found = evaluate_elsewhere(name, together, ("plain",), device)
        rows.append((name, found, found.metrics["all"]["plain"]))
    head = ("network", "images", "shared classes", "accuracy (95 % interval)", "balanced accuracy", "macro F1")
    table = Table(*head, title=title)
    for name, found, m in sorted(rows, key=lambda row: -row[2]["accuracy"]):
        accuracy = percent((m["accuracy"], *m["accuracy_interval"]))
        measures = (f"{m[key]:.3f}" for key in ("balanced_accuracy", "macro_f1"))
        table.add_row(name, str(len(faces) - found.left_out), str(len(found.classes)), accuracy, *measures)
    console.print(table)
    if own:
        console.print(f"Left out, because they were trained on this dataset: {', '.join(own)}", soft_wrap=True)
    console.print("Single view, over the shared classes. Nothing was written.")


def is_own(faces: FaceSet, card: Card) -> bool:
    """Whether the dataset, divided by the card's split, is the one that the network was trained and validated on."""
    try:
        return faces.classes == card.classes and split(faces, card.split).fingerprint == card.data
    except DataError:
        return False
