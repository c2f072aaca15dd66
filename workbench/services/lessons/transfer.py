"""The lesson on transfer learning: ImageNet weights frozen, all layers trained, and random weights.

The three are trained alike on drawn faces by `benchmarks/transfer_learning.py`, whose results ship; FER2013's come from
the cards of `checkpoints/`, where such a run is among them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.cards import IMAGENET as ANCESTOR
from models.checkpoints import checkpoint_folder, read_card
from models.lineage import ancestors
from models.metrics import Interval, share
from models.paths import SHIPPED
from models.training.history import FILE as HISTORY
from models.training.history import read_history

from ..metrics.evaluation import majority_share
from ..metrics.leaderboard import cards
from ..training.presets import IMAGENET, NOTHING, Plan
from .common import Symbol, symbol
from .judgements import PART

RESULTS = SHIPPED / "benchmarks" / "results" / "transfer_learning.json"
"""What `benchmarks/transfer_learning.py` measured."""

VARIANTS = {"scratch": "random weights", "frozen": "ImageNet, frozen", "transfer": "ImageNet, all layers"}
"""Recipe → what trains from what, in a few words."""


@dataclass(frozen=True, eq=False)
class Variant:
    """One training run of the lesson.

    Attributes:
        recipe: a key of `VARIANTS`.
        trainable: number of parameters that are trained.
        validation: accuracy on the validation set after each epoch, (E,).
        test: accuracy on the test set, with its interval.
        on_fer2013: accuracy on PrivateTest after the same recipe on FER2013, with its interval; None where not run.
    """

    recipe: str
    trainable: int
    validation: Tensor
    test: Interval
    on_fer2013: Interval | None

    @property
    def title(self) -> str:
        """Trainable layers and initial weights, in a few words."""
        return VARIANTS[self.recipe]


@dataclass(frozen=True, eq=False)
class Transfer:
    """A network trained from random weights, with its ImageNet weights frozen, and with all layers.

    Attributes:
        network: name of the network.
        images: number of training and of test images, drawn faces.
        device: device on which it was measured.
        variants: variants by recipe.
        epochs: epochs of the training on FER2013 from ImageNet weights, (E,), as far as it was run.
        curves: "training" and "validation" → its accuracy after each epoch, (E,).
        majority: share of FER2013's largest class in its validation set.
        symbols: symbols of the equations.
    """

    network: str
    images: tuple[int, int]
    device: str
    variants: dict[str, Variant]
    epochs: Tensor
    curves: dict[str, Tensor]
    majority: float
    symbols: tuple[Symbol, ...]


def transfer_learning() -> Transfer:
    """The three training runs of the lesson.

    Raises:
        ValueError: the results are damaged or not there.
    """
    return _read(RESULTS.stat().st_mtime_ns if RESULTS.is_file() else 0)


@lru_cache(maxsize=2)
def _read(stamp: int) -> Transfer:
    """`transfer_learning`, cached until the results change (`stamp`)."""
    try:
        found = json.loads(RESULTS.read_text("utf-8"))
        variants = {run["recipe"]: _variant(found["network"], run) for run in found["runs"]}
        images = (int(found["training_images"]), int(found["test_images"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{RESULTS.name} cannot be read ({error}). Get it again: git checkout benchmarks/results"
        ) from error
    epochs, curves, majority = _on_fer2013(found["network"])
    frozen, all_ = variants["frozen"], variants["transfer"]
    return Transfer(
        network=found["network"],
        images=images,
        device=found["device"],
        variants=variants,
        epochs=epochs,
        curves=curves,
        majority=majority,
        symbols=(
            symbol(r"\theta", "parameters of the backbone", float(all_.trainable - frozen.trainable)),
            symbol("W", "parameters of the head", float(frozen.trainable)),
            symbol("N", "training images", float(images[0])),
            symbol("a_t", "validation accuracy by epoch, frozen", frozen.validation),
            symbol("a_t'", "validation accuracy by epoch, all layers", all_.validation),
        ),
    )


def _variant(network: str, run: dict[str, Any]) -> Variant:
    right, total = run["test_right"], run["test_images"]
    return Variant(
        recipe=run["recipe"],
        trainable=int(run["trainable"]),
        validation=torch.tensor(run["validation_accuracy"]),
        test=share(np.arange(total) < right),
        on_fer2013=_accuracy(network, run["recipe"]),
    )


def best_without_imagenet() -> tuple[str, Interval] | None:
    """The network with the highest test accuracy on FER2013's official split of those without ImageNet weights.

    Its name and accuracy, with the interval; None where no card has one.
    """
    alone = (
        name
        for name, card in cards().items()
        if name == card.network and card.split == "official" and ANCESTOR not in ancestors(card)
    )
    known = {name: read_card(name).metrics[PART]["plain"] for name in alone if PART in read_card(name).metrics}
    best = max(known, key=lambda name: known[name]["accuracy"], default=None)
    if best is None:
        return None
    low, high = known[best]["accuracy_interval"]
    return best, (known[best]["accuracy"], low, high)


def _checkpoint(network: str, recipe: str) -> str | None:
    """The first checkpoint of a network that was trained with a recipe on FER2013's official split."""
    alike = (name for name, card in cards().items() if (card.network, card.recipe) == (network, recipe))
    return next((name for name in alike if PART in read_card(name).metrics), None)


def _accuracy(network: str, recipe: str) -> Interval | None:
    name = _checkpoint(network, recipe)
    if name is None:
        return None
    plain = read_card(name).metrics[PART]["plain"]
    low, high = plain["accuracy_interval"]
    return plain["accuracy"], low, high


def _on_fer2013(network: str) -> tuple[Tensor, dict[str, Tensor], float]:
    """Epochs, curves and majority class of a network trained on FER2013 from ImageNet weights; empty if not run."""
    name = _checkpoint(network, "transfer")
    if name is None:
        return torch.zeros(0), {}, 0.0
    rows = read_history(checkpoint_folder(name) / HISTORY)
    curves = {
        "training": torch.tensor([row["train_accuracy"] for row in rows]),
        "validation": torch.tensor([row["validation_accuracy"] for row in rows]),
    }
    measures = next(iter(read_card(name).metrics.values()))["plain"]
    return torch.tensor([row["epoch"] for row in rows]), curves, majority_share(measures)


def plan(recipe: str, network: str) -> Plan:
    """The settings that train a variant on this computer, for the page Train."""
    start = NOTHING if recipe == "scratch" else IMAGENET
    return Plan(VARIANTS[recipe].capitalize(), recipe, start=start, values={"model": network})
