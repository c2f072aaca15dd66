"""How a training went, epoch by epoch, read from the file beside the weights."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from models import get_spec
from models.checkpoints import CheckpointError, checkpoint_folder, read_card
from models.lineage import starts


@dataclass(frozen=True, eq=False)
class History:
    """How a training went.

    Attributes:
        epochs: 1, 2, …, over all trainings that led to these weights, (E,).
        columns: of the files, such as "train_accuracy" (on augmented pictures), "validation_accuracy", "train_loss",
            each (E,); NaN where a file has no such number.
        joins: epochs after which another training took over the weights.
        best: the epoch whose weights were kept.
    """

    epochs: Tensor
    columns: dict[str, Tensor]
    joins: tuple[int, ...]
    best: int


def history(name: str) -> History:
    """The curves of a training, behind those of the checkpoints that it began with, as far as they are here.

    Raises:
        CheckpointError: the history is missing or cannot be read; the message says how to get it.
    """
    card = read_card(name)
    parts = [_rows(name)]
    for start in starts(card):
        try:
            parts.insert(0, _rows(start)[: read_card(start).best_epoch])
        except CheckpointError:
            break
    ends = [0, *accumulate(len(rows) for rows in parts)]
    rows = [row for part in parts for row in part]
    return History(torch.arange(1, ends[-1] + 1), _columns(rows), tuple(ends[1:-1]), ends[-2] + card.best_epoch)


def _rows(name: str) -> list[dict[str, float]]:
    path = checkpoint_folder(name) / "history.csv"
    again = "Get it again: `git checkout checkpoints`"
    if get_spec(network := read_card(name).network).stages:  # a vote has nothing to train
        again += f", or train: `ferscope train --model {network}`"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    except FileNotFoundError as error:
        raise CheckpointError(f"{name} has no history of its training. {again}") from error
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise CheckpointError(f"The history of {name} cannot be read: {path} is damaged. {again}") from error
    if not rows or "epoch" not in rows[0]:
        raise CheckpointError(f"The history of {name} holds no epoch. {again}")
    return rows


def _columns(rows: list[dict[str, float]]) -> dict[str, Tensor]:
    names = dict.fromkeys(key for row in rows for key in row)
    return {key: torch.tensor([row.get(key, float("nan")) for row in rows]) for key in names}
