"""Paired tests of two networks, and the effect of leaked test images, from stored predictions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models.checkpoints import CheckpointError
from models.datasets.audit import leaked
from models.metrics import Interval, paired_difference, share

from .evaluation import StoredPredictions, Subset, stored_predictions


@dataclass(frozen=True)
class LeakEffect:
    """Accuracy with and without the test images that are in FER2013's training set.

    Attributes:
        kind: "duplicates" or "duplicates and near-duplicates".
        n_images: how many of the part there are.
        without, on: accuracy on the other images, and on these, each with its interval (Wilson).
    """

    kind: str
    n_images: int
    without: Interval
    on: Interval


def leak_effects(name: str, part: str = "PrivateTest") -> tuple[LeakEffect, ...]:
    """Effect of leaked images on the accuracy of a checkpoint; errors as for `stored_predictions`.

    The list of leaks is that of the official split; other splits have other leaks, see the page Dataset.
    """
    given = stored_predictions(name, part)
    right = (given.logits.argmax(-1) == given.labels).numpy()
    found = []
    for kind, near in (("duplicates", False), ("duplicates and near-duplicates", True)):
        inside = np.isin(given.ids, list(leaked(part, near)))
        found.append(LeakEffect(kind, int(inside.sum()), share(right[~inside]), share(right[inside])))
    return tuple(found)


@dataclass(frozen=True)
class Pair:
    """Two networks on the same images.

    Attributes:
        first, second: names of the checkpoints.
        both_right, first_only, second_only, neither: number of images by which network predicts the label.
        p_value: p-value of McNemar's exact test, 0 to 1: how often two equally good networks would differ at least so
            much.
        accuracy, balanced_accuracy: difference, first minus second, with the 95 % interval.
    """

    first: str
    second: str
    both_right: int
    first_only: int
    second_only: int
    neither: int
    p_value: float
    accuracy: Interval
    balanced_accuracy: Interval


def pair(first: str, second: str, part: str = "PrivateTest", subset: Subset = "all") -> Pair:
    """Compare two networks by McNemar's exact test (1947) on the same images.

    Only images that exactly one of them classifies correctly distinguish them. If both were equally good, each
    of them would do so with probability ½: the p-value is that of a binomial test.

    Raises:
        CheckpointError: card or predictions are missing or damaged, there are none for this test set, the networks have
            different classes, or they share no image.
    """
    return _pair(stored_predictions(first, part, subset), stored_predictions(second, part, subset))


@lru_cache(maxsize=128)
def _pair(a: StoredPredictions, b: StoredPredictions) -> Pair:
    from scipy.stats import binomtest  # here: scipy.stats takes half a second

    first, second = a.name, b.name
    if a.card.classes != b.card.classes:
        raise CheckpointError(f"{first} and {second} have different classes and cannot be compared image by image.")
    _, i, j = np.intersect1d(a.ids, b.ids, return_indices=True)
    if len(i) == 0:
        raise CheckpointError(f"{first} and {second} were evaluated on different images and cannot be compared.")
    ours, theirs, labels = a.logits[i], b.logits[j], a.labels[i]
    x, y = (logits.argmax(-1) == labels for logits in (ours, theirs))
    only_x, only_y = int((x & ~y).sum()), int((y & ~x).sum())
    p = binomtest(only_x, only_x + only_y, 0.5).pvalue if only_x + only_y else 1.0
    difference = paired_difference(ours, theirs, labels)
    both, neither = int((x & y).sum()), int((~x & ~y).sum())
    return Pair(first, second, both, only_x, only_y, neither, float(p), *difference.values())


@dataclass(frozen=True, eq=False)
class Disagreement:
    """An image that exactly one of two networks classifies correctly.

    Attributes:
        id: id as in `FaceSet.ids`.
        label: label of the dataset.
        first, second: the predicted classes.
        first_right: whether the first network is the correct one.
    """

    id: str
    label: str
    first: str
    second: str
    first_right: bool


def disagreements(
    first: str, second: str, part: str = "PrivateTest", subset: Subset = "all"
) -> tuple[Disagreement, ...]:
    """The images that exactly one of two networks classifies correctly; errors as for `pair`."""
    a, b = stored_predictions(first, part, subset), stored_predictions(second, part, subset)
    places = {str(id_): j for j, id_ in enumerate(b.ids)}
    classes, found = a.card.classes, []
    ours, theirs = a.logits.argmax(-1), b.logits.argmax(-1)
    for i, id_ in enumerate(map(str, a.ids)):
        j, label = places.get(id_), int(a.labels[i])
        if j is not None and (ours[i] == label) != (theirs[j] == label):
            names = (classes[int(ours[i])], classes[int(theirs[j])])
            found.append(Disagreement(id_, classes[label], *names, bool(ours[i] == label)))
    return tuple(found)
