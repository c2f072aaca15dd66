"""A network beside its annotators: is an image hard for both, and is an error the network's or the label's?

FER2013 has one label for each image, FER+ the votes of ten annotators (`datasets/ferplus.py`). Both together show
whether the network is uncertain where people disagree, and separate errors that most annotators would not have made
from those on images about which annotators disagree as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .datasets import ferplus
from .metrics import Interval, percent, share

VERDICTS = {
    "network wrong": "more than half of the annotators agree on another class than the network",
    "annotators agree with the network": "more than half of the annotators agree with the network, but not the label",
    "annotators disagree": "no class has more than half of the votes",
}
"""Kinds of errors: predictions that differ from FER2013's label."""

CORRECT_VERDICTS = {
    "annotators agree": "more than half of the annotators vote for the label, which is predicted too",
    "annotators vote for another class": "more than half of the annotators agree on another class than the label",
    "annotators disagree": VERDICTS["annotators disagree"],
}
"""Kinds of correct predictions, which equal the label."""


@dataclass(frozen=True, eq=False)
class Disagreement:
    """Predictions of a network for N images beside the annotators' votes.

    Attributes:
        names: names of the images whose votes are known, (N,).
        annotators: entropy of the ten votes in nats, 0 (all agree) to ln 10, (N,).
        network: entropy of the calibrated probabilities in nats, 0 (sure) to ln K, (N,).
        correlation: Spearman's rank correlation of the two, −1..1, with its interval.
        accuracy_label: share of images that get FER2013's label (higher is better).
        accuracy_majority: share that get the annotators' majority, of the `majorities` images that have one among the
            network's classes (higher is better).
        label_is_majority: share of those images whose FER2013 label is the majority: the accuracy of
            the labels themselves.
        verdicts: name of each misclassified image → a key of VERDICTS.
    """

    names: np.ndarray
    annotators: np.ndarray
    network: np.ndarray
    correlation: Interval
    accuracy_label: Interval
    accuracy_majority: Interval
    label_is_majority: Interval
    majorities: int
    verdicts: dict[str, str]

    @property
    def errors(self) -> dict[str, int]:
        """Number of errors of each kind, in the order of VERDICTS."""
        counts = Counter(self.verdicts.values())
        return {verdict: counts[verdict] for verdict in VERDICTS}

    def sentences(self) -> list[str]:
        """The comparison in words."""
        value, low, high = self.correlation
        kinds = ", ".join(f"{n} {verdict}" for verdict, n in self.errors.items())
        return [
            f"Entropy of the annotators and of the network: rank correlation {value:.2f} ({low:.2f}–{high:.2f}).",
            f"Agrees with FER2013's label in {percent(self.accuracy_label)} of {len(self.names)} images.",
            f"Agrees with the annotators' majority in {percent(self.accuracy_majority)} of the {self.majorities} "
            f"images that have one among its classes; FER2013's label does so in {percent(self.label_is_majority)}.",
            f"Of {len(self.verdicts)} errors: {kinds}.",
        ]


def compare_with_annotators(
    logits: Tensor,
    labels: Tensor,
    names: Sequence[str] | np.ndarray,
    classes: Sequence[str],
    temperature: float | None = None,
) -> Disagreement:
    """Compare a network's predictions with FER+'s annotators.

    Args:
        logits: (N, K), of images of FER2013.
        labels: index of FER2013's label, (N,).
        names: names of the images, as in `predictions.npz`; those without votes are left out.
        classes: names of the K classes.
        temperature: what logits are divided by; None: nothing.

    Raises:
        ValueError: none of the images has votes.
    """
    counts = ferplus.votes(names)
    known = counts.sum(1) > 0
    if not known.any():
        raise ValueError("None of these images has votes in FER+: they are for FER2013, with its own file names.")
    counts, names = counts[known], np.asarray(names)[known]
    logits, labels = logits[torch.from_numpy(known)], labels.numpy()[known]
    log_p = (logits / (temperature or 1.0)).log_softmax(-1)
    network = -(log_p.exp() * log_p).sum(-1).numpy()
    annotators = ferplus.entropy(counts)
    predicted = np.array(classes)[logits.argmax(-1).numpy()]
    truth = np.array(classes)[labels]
    majority = majorities(counts)
    told = np.isin(majority, classes)
    errors = np.flatnonzero(predicted != truth)
    return Disagreement(
        names=names,
        annotators=annotators,
        network=network,
        correlation=_rank_correlation(annotators, network),
        accuracy_label=share(predicted == truth),
        accuracy_majority=share(predicted[told] == majority[told]),
        label_is_majority=share(truth[told] == majority[told]),
        majorities=int(told.sum()),
        verdicts={str(names[i]): verdict(str(majority[i]), str(predicted[i])) for i in errors},
    )


def majorities(counts: np.ndarray) -> np.ndarray:
    """The class with more than half of an image's votes (N, 10), one of ferplus.COLUMNS; "" for none, str (N,)."""
    top = counts.argmax(1)
    names = np.array(ferplus.COLUMNS)[top]
    return np.where(2 * counts[np.arange(len(counts)), top] > counts.sum(1), names, "")


def verdict(majority: str, predicted: str, correct: bool = False) -> str:
    """Classify a prediction by the annotators' majority ("" for none).

    Returns:
        A key of VERDICTS for an error, of CORRECT_VERDICTS for a correct prediction.
    """
    if not majority:
        return "annotators disagree"
    if correct:
        return "annotators agree" if majority == predicted else "annotators vote for another class"
    return "annotators agree with the network" if majority == predicted else "network wrong"


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> Interval:
    from scipy.stats import pearsonr, rankdata  # here: scipy.stats takes half a second

    found = pearsonr(rankdata(a), rankdata(b))
    low, high = found.confidence_interval(0.95)
    return float(found.statistic), float(low), float(high)
