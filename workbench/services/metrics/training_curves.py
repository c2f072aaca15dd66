"""The training curves of a checkpoint, epoch by epoch, read from the file beside the weights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from models import get_spec
from models.checkpoints import CheckpointError, checkpoint_folder, read_card
from models.lineage import starts
from models.training.history import FILE, EpochRow, read_history


@dataclass(frozen=True, eq=False)
class History:
    """The training curves of a checkpoint.

    Attributes:
        epochs: 1, 2, …, over all training runs that led to these weights, (E,).
        columns: columns of the files by name, such as "train_accuracy" (on augmented images), "validation_accuracy",
            "train_loss", each (E,); NaN where a file has no such number.
        joins: epochs after which another training run took over the weights.
        best: the epoch whose weights were kept.
    """

    epochs: Tensor
    columns: dict[str, Tensor]
    joins: tuple[int, ...]
    best: int


def history(name: str) -> History:
    """The curves of a training run, after those of the checkpoints that it started from, as far as they are here.

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


def _rows(name: str) -> list[EpochRow]:
    path, card = checkpoint_folder(name) / FILE, read_card(name)
    again = "Get it again: `git checkout checkpoints`"
    if not get_spec(card.network).composite:  # a vote has nothing to train
        again += f", or train: `ferscope train --model {card.network}`"
    try:
        rows = read_history(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{name} has no history of its training. {again}") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"The history of {name} cannot be read: {path} is damaged ({error}). {again}") from error
    if len(rows) < max(1, card.best_epoch):
        raise CheckpointError(f"The history of {name} ends before epoch {max(1, card.best_epoch)}. {again}")
    return rows


def _columns(rows: list[EpochRow]) -> dict[str, Tensor]:
    found: list[dict[str, Any]] = [{**row} for row in rows]
    return {key: torch.tensor([float(row[key]) for row in found]) for key in EpochRow.__annotations__}
