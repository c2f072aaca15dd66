"""Calibration of a network's probabilities from stored logits: reliability, Brier score, risk–coverage, temperature.

Reliability: of all predictions with a confidence of 80 %, are four in five correct? The Brier score measures the
distance of the probabilities from the labels. The risk–coverage curve shows whether the most confident predictions are
the correct ones: the first two change with the temperature, the last hardly does.

Temperature scaling (Guo et al. 2017, "On calibration of modern neural networks", section 4.2): divide all logits by one
number T before the softmax. T > 1 lowers the confidence, T < 1 raises it; the predicted class, and so the accuracy,
stays the same. T is fitted by the log loss on the validation set. To evaluate it, pass `logits / T` to the functions
below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .metrics import CALIBRATION_BINS

_LOWEST, _HIGHEST = 0.05, 20.0


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Fit the temperature, within 0.05 to 20, that minimizes the log loss.

    Args:
        logits: logits of a validation set, not the training set, (N, K).
        labels: index of the true class, (N,).
    """

    from scipy.optimize import minimize_scalar  # here: it takes a quarter of a second

    def log_loss(log_t: float) -> float:
        return F.cross_entropy(logits.double() / math.exp(log_t), labels).item()

    bounds = (math.log(_LOWEST), math.log(_HIGHEST))
    return math.exp(minimize_scalar(log_loss, bounds=bounds, method="bounded").x)


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predictions by confidence, the probability of the predicted class, in bins of equal width.

    Attributes:
        edges: borders of the bins, 0 to 1, (bins + 1,). A confidence on a border belongs to the bin above it, 1 to the
            last bin.
        confidence: mean confidence in each bin, (bins,); NaN where a bin is empty.
        accuracy: accuracy in each bin, (bins,); NaN where a bin is empty. Below the confidence: the network is
            overconfident.
        count: predictions in each bin, (bins,).
        ece: expected calibration error, Σ count/N · |accuracy − confidence|, 0 to 1, lower is better.
    """

    edges: Tensor
    confidence: Tensor
    accuracy: Tensor
    count: Tensor
    ece: float


def reliability(logits: Tensor, labels: Tensor, bins: int = CALIBRATION_BINS) -> Reliability:
    """Compute the reliability diagram and calibration error (Guo et al. 2017, section 2; Naeini et al. 2015).

    The error tends to increase with the number of bins, because few predictions in a bin make its accuracy noisy, and
    ignores the probabilities of all other classes; read it beside
    `brier`.

    Args:
        logits: (N, K), or log probabilities.
        labels: index of the true class, (N,).
        bins: number of bins, at least 1.

    Raises:
        ValueError: shapes that do not fit, no images, NaN or infinite logits, or `bins` below 1.
    """
    from torchmetrics.functional.classification import (
        multiclass_calibration_error,  # here: torchmetrics takes half a second
    )

    _check(logits, labels)
    if bins < 1:
        raise ValueError(f"bins={bins}: give a whole number from 1 up")
    probabilities = logits.softmax(-1).float()
    confidences, predicted = probabilities.max(-1)
    edges = torch.linspace(0, 1, bins + 1)
    at = (torch.bucketize(confidences, edges, right=True) - 1).clamp(max=bins - 1)  # (N,)
    count = torch.bincount(at, minlength=bins)
    confidence = torch.bincount(at, confidences.double(), minlength=bins) / count  # (bins,)  0/0 = NaN
    accuracy = torch.bincount(at, (predicted == labels).double(), minlength=bins) / count
    ece = multiclass_calibration_error(probabilities, labels, num_classes=logits.shape[1], n_bins=bins, norm="l1")
    return Reliability(edges, confidence, accuracy, count, ece.item())


def brier(logits: Tensor, labels: Tensor) -> float:
    """Compute the multiclass Brier score (Brier 1950): mean of Σ_k (p_k − y_k)², y_k = 1 for the true class, else 0.

    0 (confident and correct) to 2 (confident and wrong), lower is better; equal probabilities for K classes score 1 −
    1/K. Arguments and errors as for `reliability`.
    """
    from sklearn.metrics import brier_score_loss  # here: scikit-learn takes a second

    _check(logits, labels)
    probabilities, classes = logits.double().softmax(-1).numpy(), range(logits.shape[1])
    return float(brier_score_loss(labels.numpy(), probabilities, labels=classes, scale_by_half=False))


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Error rate of a network that abstains where it is least confident (selective prediction).

    Attributes:
        coverage: share of images with a prediction, the most confident first: 1/N, 2/N, …, 1, (N,).
        risk: error rate among these, 0 to 1, lower is better, (N,); the last one is the error rate on all images.
        area: mean risk over all coverages (AURC), 0 to 1, lower is better. A random order gives about the
            error rate on all images.
    """

    coverage: Tensor
    risk: Tensor
    area: float


def risk_coverage(logits: Tensor, labels: Tensor, confidence: Tensor | None = None) -> RiskCoverage:
    """Compute the risk–coverage curve (El-Yaniv and Wiener 2010; its area: Geifman, Uziel and El-Yaniv 2019).

    Images of equal confidence share their errors evenly, so that their order does not matter.

    Args:
        logits: (N, K), or log probabilities.
        labels: index of the true class, (N,).
        confidence: another confidence score, (N,), higher is more confident, such as negative entropy. None: the
            probability of the predicted class.

    Raises:
        ValueError: shapes that do not fit, no images, NaN or infinite logits, or a `confidence` of another shape or
            with NaN.
    """
    _check(logits, labels)
    if confidence is None:
        confidence = logits.double().softmax(-1).amax(-1)
    if confidence.shape != labels.shape or confidence.isnan().any():
        raise ValueError(
            f"confidence has shape {tuple(confidence.shape)}: give {len(labels)} numbers, none of them NaN"
        )
    wrong = (logits.argmax(-1) != labels).double()
    _, group, size = torch.unique(-confidence, return_inverse=True, return_counts=True)  # most confident first
    shared = torch.bincount(group, wrong) / size  # mean error of each group
    coverage = torch.arange(1, len(labels) + 1, dtype=torch.float64)
    risk = shared.repeat_interleave(size).cumsum(0) / coverage  # (N,)
    return RiskCoverage(coverage / len(labels), risk, risk.mean().item())


def _check(logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or len(labels) == 0:
        raise ValueError(
            f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} do not fit: give (N, K) and (N,), N ≥ 1"
        )
    if not bool(torch.isfinite(logits).all()):
        raise ValueError("logits contain NaN or infinite values. Drop these images or check the weights first.")
