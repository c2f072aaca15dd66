"""Three lessons on evaluation, from a network's stored predictions on FER2013; no images are needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.calibration import Reliability, reliability
from models.checkpoints import CheckpointError, Predictions, read_card, read_predictions
from models.datasets import EMOTIONS
from models.datasets.audit import leaked
from models.datasets.fer2013 import COUNTS
from models.datasets.sampling import CLASS_WEIGHTS, class_weights, inverse_weights
from models.datasets.splits import OHEIX_TRAINING
from models.metrics import Interval, share

from ...faces import Face
from ..metrics.leaderboard import cards
from ..prediction import Prediction, predict
from .common import Symbol, symbol

PART = "PrivateTest"
"""The test set of FER2013 that these lessons use."""


def with_predictions(network: str) -> bool:
    """Whether a network was trained on FER2013's official split and has stored predictions on PrivateTest."""
    try:
        card, stored = read_card(network), read_predictions(network, PART)
    except CheckpointError:
        return False
    complete = torch.bincount(stored.labels, minlength=len(EMOTIONS)).tolist() == COUNTS[PART]
    return card.split == "official" and card.classes == EMOTIONS and bool(card.temperature) and complete


def _right(stored: Predictions) -> np.ndarray:
    return (stored.logits.argmax(-1) == stored.labels).numpy()


@dataclass(frozen=True, eq=False)
class Imbalance:
    """Effect of class imbalance on a network's scores on PrivateTest.

    Attributes:
        classes: names of the classes.
        counts: Training images of each class, (K,).
        loss_shares: weighting of the loss → share of all weight that each class gets, (K,), summing to 1.
        rarest: index of the class with the fewest Training images.
        recalls: recall of each class: value and 95 % interval.
        accuracy: share of correct predictions with its interval.
        balanced: mean of the recalls.
        without_rarest: accuracy if the network never predicted the rarest class.
        symbols: symbols of the equations.
    """

    classes: tuple[str, ...]
    counts: Tensor
    loss_shares: dict[str, Tensor]
    rarest: int
    recalls: tuple[Interval, ...]
    accuracy: Interval
    balanced: float
    without_rarest: float
    symbols: tuple[Symbol, ...]


def imbalance(network: str) -> Imbalance:
    """Per-class recall and accuracy of a network; see `with_predictions`."""
    stored, counts = read_predictions(network, PART), torch.tensor(COUNTS["Training"], dtype=torch.float64)
    right, rarest = _right(stored), int(counts.argmin())
    recalls = tuple(share(right[(stored.labels == k).numpy()]) for k in range(len(EMOTIONS)))
    values = torch.tensor([recall[0] for recall in recalls])
    without_rarest_class = stored.logits.clone()
    without_rarest_class[:, rarest] = -torch.inf
    weights = {name: torch.tensor(class_weights(name, counts.tolist(), EMOTIONS)) for name in CLASS_WEIGHTS}
    return Imbalance(
        EMOTIONS,
        counts,
        {name: w * counts / (w * counts).sum() for name, w in weights.items()},
        rarest,
        recalls,
        share(right),
        float(values.mean()),
        float((without_rarest_class.argmax(-1) == stored.labels).double().mean()),
        (
            symbol("n_c", "training images of class c", counts),
            symbol("N", "all training images", counts.sum()),
            symbol("K", "number of classes", float(len(counts))),
            symbol(
                "w_c", "weights that give each class its equal share", torch.tensor(inverse_weights(COUNTS["Training"]))
            ),
            symbol("R_c", "recall of class c on PrivateTest", values),
            symbol(r"\frac{1}{K}\sum_c R_c", "balanced accuracy", values.mean()),
        ),
    )


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration of a network on PrivateTest.

    Attributes:
        prediction: prediction for the chosen face.
        low, high: a range of confidence, a tenth wide: between 40 and 90 %, the one with the most predictions.
        count: predictions with a confidence in it, before the temperature.
        right: share of these that are correct, with its interval.
        confidence: mean confidence of these.
        before, after: reliability of all predictions, without and with the temperature.
        temperature: fitted on PublicTest.
        symbols: symbols of the equation.
    """

    prediction: Prediction
    low: float
    high: float
    count: int
    right: Interval
    confidence: float
    before: Reliability
    after: Reliability
    temperature: float
    symbols: tuple[Symbol, ...]


def calibration(face: Face, network: str) -> Calibration:
    """Accuracy against confidence, before and after temperature scaling; see `with_predictions`."""
    stored, T = read_predictions(network, PART), read_card(network).temperature or 1.0
    sure = stored.logits.softmax(-1).amax(-1)  # (N,)
    tenths = [(i / 10, (i + 1) / 10) for i in range(4, 9)]
    low, high = max(tenths, key=lambda tenth: int(((sure >= tenth[0]) & (sure < tenth[1])).sum()))
    inside = (sure >= low) & (sure < high)
    before, after = (reliability(stored.logits / t, stored.labels, bins=10) for t in (1.0, T))
    return Calibration(
        predict(face, network),
        low,
        high,
        int(inside.sum()),
        share(_right(stored)[inside.numpy()]),
        float(sure[inside].mean()),
        before,
        after,
        T,
        (
            symbol("z", "logits on PrivateTest", stored.logits),
            symbol("T", "temperature, fitted on PublicTest", T),
            symbol("p", "confidence (largest probability) at T = 1", sure),
            symbol("p_T", "confidence at temperature T", (stored.logits / T).softmax(-1).amax(-1)),
            symbol(r"\mathrm{ECE}", "calibration error at T = 1", before.ece),
            symbol(r"\mathrm{ECE}_T", "calibration error at temperature T", after.ece),
        ),
    )


@dataclass(frozen=True, eq=False)
class Leakage:
    """Effect of leaked test images on the accuracy on PrivateTest.

    Attributes:
        n_images: number of images in PrivateTest.
        exact: number of these that are exact duplicates of Training images.
        near: the same with near-duplicates.
        all_: accuracy on all images, with its interval, single view.
        on_leaked, without: accuracy on those counted by `near`, and on the others.
        resplit: share of the whole set that paper E's training set takes. Drawn from the whole set, it takes about
            this share of any test set.
        measured: accuracy of one network, trained alike on the official split and on paper E's, on PrivateTest; None
            where not both are there.
        symbols: symbols of the equation.
    """

    n_images: int
    exact: int
    near: int
    all_: Interval
    on_leaked: Interval
    without: Interval
    resplit: float
    measured: tuple[float, float] | None
    symbols: tuple[Symbol, ...]

    @property
    def gain(self) -> float:
        """How much the leaked images raise the accuracy, −1..1."""
        return self.all_[0] - self.without[0]


def _on_both_splits() -> tuple[float, float] | None:
    """Accuracy of the first network that was trained with the same recipe on the official split and on paper E's."""
    found: dict[str, dict[str, float]] = {}
    for card in cards().values():
        if PART in card.metrics:
            alike = repr((card.network, card.recipe, card.seed, card.epochs, card.overrides, card.ancestors))
            found.setdefault(alike, {})[card.split] = card.metrics[PART]["plain"]["accuracy"]
    both = (by_split for by_split in found.values() if {"official", "kaggle-oheix"} <= by_split.keys())
    return next(((by_split["official"], by_split["kaggle-oheix"]) for by_split in both), None)


def leakage(network: str) -> Leakage:
    """Accuracy with, without and on leaked test images; see `with_predictions`."""
    stored = read_predictions(network, PART)
    right, ids = _right(stored), stored.ids
    inside = np.isin(ids, list(leaked(PART)))
    on_leaked, without = share(right[inside]), share(right[~inside])
    return Leakage(
        len(right),
        int(np.isin(ids, list(leaked(PART, near=False))).sum()),
        int(inside.sum()),
        share(right),
        on_leaked,
        without,
        sum(OHEIX_TRAINING.values()) / sum(map(sum, COUNTS.values())),
        _on_both_splits(),
        (
            symbol("n", "images of PrivateTest", float(len(right))),
            symbol("n_l", "leaked images among them", float(inside.sum())),
            symbol("a_l", "accuracy on them", on_leaked[0]),
            symbol("a_o", "accuracy on the others", without[0]),
            symbol("a", "accuracy on all", float(right.mean())),
        ),
    )
