"""Evaluation of stored predictions: measures with intervals, per-class recall.

All of it comes from `card.json` and `predictions.npz` beside the weights, which needs no dataset. Predictions are those
of a single view of each image, without averaging over its mirror image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models import Card
from models.calibration import brier, reliability
from models.cards import Measures
from models.checkpoints import (
    CheckpointError,
    broken_checkpoints,
    checkpoint_folder,
    checkpoint_folders,
    read_card,
    read_predictions,
)
from models.datasets import EMOTIONS
from models.datasets.audit import leaked
from models.datasets.fer2013 import COUNTS
from models.metrics import Interval, bootstrap, measure, percentile_interval, share

from ..networks import DEFAULT_NETWORK

Part = Literal["PrivateTest", "PublicTest"]
Subset = Literal["all", "without duplicates", "without near-duplicates"]
"""The images of a test set that count: all, or without exact or near-duplicates of training images."""

TEST_PARTS: tuple[str, ...] = get_args(Part)
IMAGE_SUBSETS: tuple[str, ...] = get_args(Subset)
_DRAWS = 1000  # of the bootstrap
_DASH = "\N{WORD JOINER}–\N{WORD JOINER}"  # the two ends of an interval stay on one line


@dataclass(frozen=True)
class Measure:
    """A measure that can label itself.

    Attributes:
        key: key in `Scores.values`.
        title: name of the measure.
        higher_is_better: whether higher is better.
        shares: whether it is read in per cent.
        meaning: what it is, with its range, and where it comes from.
    """

    key: str
    title: str
    higher_is_better: bool
    shares: bool
    meaning: str

    @property
    def label(self) -> str:
        """Its title with the arrow of the better direction."""
        return f"{self.title} {'↑' if self.higher_is_better else '↓'}"


MEASURES = (
    Measure("accuracy", "accuracy", True, True, "share of images predicted as labeled, 0 to 100 %"),
    Measure("balanced_accuracy", "balanced accuracy", True, True, "mean recall of the classes, 0 to 100 %"),
    Measure(
        "macro_f1", "macro F1", True, True, "mean of 2·precision·recall/(precision + recall) over classes, to 100 %"
    ),
    Measure("kappa", "Cohen's kappa", True, False, "agreement beyond chance, −1 to 1, 0 is chance (Cohen 1960)"),
    Measure("log_loss", "log loss", False, False, "mean of −ln of the label's probability, 0 up; ln 7 = 1.95 is even"),
    Measure("log_loss_calibrated", "log loss, calibrated", False, False, "the same after division by the temperature"),
    Measure("brier", "Brier score", False, False, "mean squared distance to the truth, 0 to 2 (Brier 1950)"),
    Measure("brier_calibrated", "Brier score, calibrated", False, False, "the same after division by the temperature"),
    Measure("ece", "calibration error", False, True, "gap between confidence and accuracy over 15 bins, 0 to 100 %"),
    Measure("ece_calibrated", "calibration error, calibrated", False, True, "the same after the temperature"),
)
"""What the table shows, in its order."""


@dataclass(frozen=True, eq=False)
class StoredPredictions:
    """Stored predictions of a network for the images that count.

    Attributes:
        name: name of the checkpoint.
        card: card of the checkpoint.
        logits: single view, (N, K).
        labels: index of the class that FER2013 labels each with, (N,).
        names, ids: names and ids of the images, str (N,).
    """

    name: str
    card: Card
    logits: Tensor
    labels: Tensor
    names: np.ndarray
    ids: np.ndarray

    @property
    def calibrated(self) -> Tensor:
        """Logits divided by the card's temperature, (N, K); as they are where none was fitted."""
        return self.logits / (self.card.temperature or 1.0)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Scores:
    """Measures of a network on the images that count.

    Attributes:
        name: name of the checkpoint.
        card: card of the checkpoint.
        n_images: number of images.
        values: value of each key of `MEASURES`, with its 95 % interval; NaN for the ends of calibration errors, see
            `chance`; keys that end with "_calibrated" are left out where no temperature was fitted.
        recall: share of the images of each class that are predicted correctly, with its interval (Wilson).
        support: images of each class.
        confusion: images by label (row) and prediction (column), (K, K).
        chance: calibration error that a perfectly calibrated network with these confidences shows on as many images,
            lower and upper end of 95 %.
    """

    name: str
    card: Card
    n_images: int
    values: dict[str, Interval]
    recall: dict[str, Interval]
    support: dict[str, int]
    confusion: Tensor
    chance: tuple[float, float]

    @property
    def spread(self) -> float:
        """Distance between the best and the worst recall, 0 to 1; lower is more even."""
        return max(self.recall.values())[0] - min(self.recall.values())[0]

    def text(self, wanted: Measure) -> str:
        """A measure in words, as 69.0 % (67.5–70.5) or 0.842 (0.818–0.867)."""
        if wanted.key not in self.values:
            return "not fitted"
        factor, digits, unit = (100, 1, "\N{NO-BREAK SPACE}%") if wanted.shares else (1, 3, "")
        value, low, high = (f"{factor * v:.{digits}f}" for v in self.values[wanted.key])
        text = "not defined" if value == "nan" else f"{value}{unit}"
        return text if low == "nan" else f"{text} ({low}{_DASH}{high})"


def checkpoints() -> tuple[str, ...]:
    """Names of all checkpoints with a sound card, also those whose weights did not ship: the networks' own first."""
    names = checkpoint_folders().keys() - broken_checkpoints().keys()
    return tuple(sorted(names, key=lambda name: (name != DEFAULT_NETWORK, name != read_card(name).network, name)))


def is_of_fer2013(card: Card) -> bool:
    """Whether a network was measured on FER2013's PrivateTest; drawn sets and others call their parts so too."""
    rows = card.metrics.get("PrivateTest", {}).get("plain", {}).get("per_class", {})
    return sum(row["support"] for row in rows.values()) == sum(COUNTS["PrivateTest"])


def majority_share(measured: Measures) -> float:
    """Accuracy of always predicting the largest class of a test set, 0..1; NaN where the classes were not counted."""
    supports = [row["support"] for row in measured.get("per_class", {}).values()]
    return max(supports) / sum(supports) if sum(supports) else float("nan")


def stored_predictions(name: str, part: str = "PrivateTest", subset: Subset = "all") -> StoredPredictions:
    """The stored predictions of a checkpoint for the images that count.

    Raises:
        CheckpointError: card or predictions are missing or damaged, or there are none for this test set; the message
            says how to get them.
    """
    folder = checkpoint_folder(name)
    card = read_card(name)  # first: without a card the other files say nothing
    if not (folder / "predictions.npz").is_file():
        if card.classes != EMOTIONS:
            raise CheckpointError(
                f"{name} has other classes than FER2013, so it has no predictions for it. Measure it on a dataset with "
                f"its classes: `ferscope evaluate {name} --data SET.npz`"
            )
        raise CheckpointError(f"{name} has no stored predictions. Import FER2013 and run `ferscope evaluate {name}`")
    stamp = tuple((folder / file).stat().st_mtime_ns for file in ("card.json", "predictions.npz"))
    return _stored_predictions(name, part, subset, stamp)


@lru_cache(maxsize=64)
def _stored_predictions(name: str, part: str, subset: Subset, stamp: tuple[int, ...]) -> StoredPredictions:
    """The result of `stored_predictions`; read again when a file changes (`stamp`)."""
    card, found = read_card(name), read_predictions(name, part)
    k = len(card.classes)
    again = f"Evaluate it again, with its dataset imported: `ferscope evaluate {name}`"
    if len(found.labels) == 0:
        known = ", ".join(card.metrics) or "no test set"
        raise CheckpointError(f"{name} was evaluated on {known}, not on {part}: its split is {card.split}.")
    if found.logits.shape != (len(found.labels), k) or not 0 <= int(found.labels.min()) <= int(found.labels.max()) < k:
        raise CheckpointError(f"The stored predictions of {name} are not for its {k} classes. {again}")
    if not bool(found.logits.isfinite().all()):
        raise CheckpointError(f"The stored predictions of {name} contain NaN or infinite values. {again}")
    keep = ~np.isin(found.ids, list(_left_out(part, subset)))
    mask = torch.from_numpy(keep)
    return StoredPredictions(name, card, found.logits[mask], found.labels[mask], found.names[keep], found.ids[keep])


def _left_out(part: str, subset: Subset) -> frozenset[str]:
    return frozenset() if subset == "all" else leaked(part, near=subset == "without near-duplicates")


def scores(name: str, part: str = "PrivateTest", subset: Subset = "all") -> Scores:
    """All measures of a checkpoint with their 95 % intervals; errors as for `stored_predictions`.

    Shares of images have Wilson's interval; the others that of the percentile bootstrap (Efron 1979), in which each
    class keeps its size. A calibration error has none: images drawn again make it larger, so that the percentiles
    miss it; see `Scores.chance` instead.
    """
    return _scores(stored_predictions(name, part, subset))


@lru_cache(maxsize=64)
def _scores(given: StoredPredictions) -> Scores:
    card, k = given.card, len(given.card.classes)
    found = measure(given.logits, given.labels, card.classes)
    ways = {"": given.logits} | ({"_calibrated": given.calibrated} if card.temperature else {})
    predicted = given.logits.argmax(-1)
    drawn = bootstrap(given.labels, _DRAWS)  # (draws, N)
    values = {"accuracy": (found["accuracy"], *found["accuracy_interval"])}
    again = drawn @ F.one_hot(given.labels * k + predicted, k * k).float()
    for key, sample in _of_confusions(again.view(-1, k, k)).items():
        values[key] = percentile_interval(float("nan" if found[key] is None else found[key]), sample)
    for suffix, logits in ways.items():
        loss = F.cross_entropy(logits, given.labels, reduction="none")  # (N,)
        square = (logits.softmax(-1) - F.one_hot(given.labels, k)).square().sum(-1)
        means = drawn @ torch.stack([loss, square], 1) / len(given)  # (draws, 2)
        values[f"log_loss{suffix}"] = percentile_interval(float(loss.mean()), means[:, 0])
        values[f"brier{suffix}"] = percentile_interval(brier(logits, given.labels), means[:, 1])
        values[f"ece{suffix}"] = (reliability(logits, given.labels).ece, float("nan"), float("nan"))
    right = (predicted == given.labels).numpy()
    mine = {name: given.labels.numpy() == i for i, name in enumerate(card.classes)}
    return Scores(
        name=given.name,
        card=card,
        n_images=len(given),
        values=values,
        recall={name: share(right[chosen]) for name, chosen in mine.items()},
        support={name: int(chosen.sum()) for name, chosen in mine.items()},
        confusion=torch.tensor(found["confusion"]),
        chance=_chance(given.calibrated),
    )


def _of_confusions(c: Tensor) -> dict[str, Tensor]:
    """Balanced accuracy, macro F1 and kappa of many confusions (D, K, K), each (D,)."""
    right, labels, predicted = c.diagonal(dim1=1, dim2=2), c.sum(2), c.sum(1)  # (D, K)
    n = labels.sum(1)
    agreed, chance = right.sum(1) / n, (labels * predicted).sum(1) / n**2
    return {
        "balanced_accuracy": (right / labels).nanmean(1),  # a class that does not occur has no recall
        "macro_f1": torch.where(labels > 0, 2 * right / (labels + predicted), torch.nan).nanmean(1),
        "kappa": (agreed - chance) / (1 - chance),
    }


def _chance(logits: Tensor, bins: int = 15) -> tuple[float, float]:
    """95 % interval of the calibration error of a perfectly calibrated network (Bröcker, Smith 2007)."""
    confidence = logits.softmax(-1).amax(-1)  # (N,)
    at = (confidence * bins).long().clamp(max=bins - 1)
    right = torch.rand(_DRAWS, len(confidence), generator=torch.Generator().manual_seed(0)) < confidence
    gaps = torch.zeros(_DRAWS, bins).index_add_(1, at, right.float() - confidence)  # (draws, bins)
    return percentile_interval(0.0, gaps.abs().sum(1) / len(confidence))[1:]
