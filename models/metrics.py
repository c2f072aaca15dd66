"""Evaluation of a trained network: predictions on a dataset, and the metrics that the papers report."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor, nn

from .checkpoints import Card
from .preprocessing import mean_log_probability, views

CALIBRATION_BINS = 15

Interval = tuple[float, float, float]
"""A value with the lower and upper end of its 95 % interval."""


@torch.inference_mode()
def predict(
    model: nn.Module,
    card: Card,
    images: np.ndarray,
    tta: str = "plain",
    batch_size: int = 64,
    progress: Callable[[int], None] = lambda done: None,
) -> Tensor:
    """Run inference on a dataset.

    Args:
        model: a network in evaluation mode.
        card: card of the network, with the preprocessing of the images.
        images: gray images, uint8 (N, H, W).
        tta: "plain", "flip" or "ten-crop"; see `preprocessing.views`.
        batch_size: images in one forward pass.
        progress: called with the number of images done after each batch.

    Returns:
        (N, K) on the CPU: logits for "plain", the log of the mean probability otherwise. Softmax makes probabilities of
        either.
    """
    device = next(model.parameters()).device
    outputs = []
    # Without TF32, which rounds the factors of a convolution to 10 bits on a GPU, results differ less from a CPU's.
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=False, allow_tf32=False):
        for start in range(0, len(images), batch_size):
            x = card.prepare(torch.from_numpy(images[start : start + batch_size]).to(device))  # (B, 1, S, S)
            outputs.append(mean_log_probability([model(view).float() for view in views(x, tta)]).cpu())
            progress(min(start + batch_size, len(images)))
    return torch.cat(outputs)


def predict_watched(
    progress: Progress, what: str, model: nn.Module, card: Card, images: np.ndarray, tta: str = "plain"
) -> Tensor:
    """Run inference as `predict` does, with a bar called `what` in a display of progress."""
    task = progress.add_task(what, total=len(images))
    return predict(model, card, images, tta, progress=lambda n: progress.update(task, completed=n))


def measure(logits: Tensor, labels: Tensor, classes: tuple[str, ...]) -> dict[str, Any]:
    """Compute the metrics of a classifier, as plain numbers for JSON.

    Args:
        logits: (N, K), or log probabilities.
        labels: index of the true class, (N,).
        classes: K names.

    Returns:
        accuracy (share of correct predictions, higher is better) with its 95 % interval (Wilson);
        balanced_accuracy (mean recall of the classes that occur, higher) and macro_f1 (mean of their F1, higher);
        kappa (Cohen; -1 to 1, 0 is chance, higher; None where labels and predictions are all of one class, which leaves
        nothing to agree on beyond chance); log_loss (mean negative log probability, nats, lower);
        calibration_error (expected gap between probability and accuracy over 15 bins, 0 to 1, lower);
        per_class: precision, recall, f1, support of each; confusion: number of images by true class (row) and predicted
            class (column).
    """
    from torchmetrics.functional import classification as tm  # here: torchmetrics takes half a second

    k = len(classes)
    probabilities = logits.softmax(-1)
    accuracy, low, high = share((logits.argmax(-1) == labels).numpy())
    by_class: dict[str, Any] = {"average": "none", "num_classes": k}
    columns = {
        "precision": tm.multiclass_precision(probabilities, labels, **by_class),
        "recall": tm.multiclass_recall(probabilities, labels, **by_class),
        "f1": tm.multiclass_f1_score(probabilities, labels, **by_class),
        "support": torch.bincount(labels, minlength=k),
    }
    kappa = tm.multiclass_cohen_kappa(probabilities, labels, num_classes=k).item()
    present = columns["support"] > 0  # a class that does not occur has no recall
    return {
        "accuracy": accuracy,
        "accuracy_interval": [low, high],
        "balanced_accuracy": columns["recall"][present].mean().item(),
        "macro_f1": columns["f1"][present].mean().item(),
        "kappa": kappa if math.isfinite(kappa) else None,
        "log_loss": torch.nn.functional.cross_entropy(logits, labels).item(),
        "calibration_error": tm.multiclass_calibration_error(
            probabilities, labels, num_classes=k, n_bins=CALIBRATION_BINS, norm="l1"
        ).item(),
        "per_class": {
            name: {key: column[i].item() for key, column in columns.items()} for i, name in enumerate(classes)
        },
        "confusion": tm.multiclass_confusion_matrix(probabilities, labels, num_classes=k).tolist(),
    }


def accuracy_of(measures: Mapping[str, Any]) -> Interval:
    """Accuracy with its 95 % interval among the measures of a card, `Card.metrics[part][tta]`."""
    low, high = measures["accuracy_interval"]
    return measures["accuracy"], low, high


def share(right: np.ndarray) -> Interval:
    """Share of true values, bool (N,), with its 95 % interval (Wilson); NaN where there are none."""
    from scipy.stats import binomtest  # here: scipy.stats takes half a second

    if len(right) == 0:
        return math.nan, math.nan, math.nan
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(0.95, method="wilson")
    return float(right.mean()), float(interval.low), float(interval.high)


def mean_share(values: Sequence[float]) -> Interval:
    """Mean of several shares in 0..1, with its 95 % interval by Student's t (n − 1 degrees of freedom), cut to 0..1.

    Raises:
        ValueError: fewer than two values have no spread.
    """
    from scipy.stats import t as student_t  # here: scipy.stats takes half a second

    n = len(values)
    if n < 2:
        raise ValueError(f"{n} values have no interval: give two or more.")
    mean = float(np.mean(values))
    half = float(student_t.ppf(0.975, n - 1) * np.std(values, ddof=1) / n**0.5)
    return mean, max(0.0, mean - half), min(1.0, mean + half)


def percent(interval: Interval) -> str:
    """A share with its interval in words: 69.0 % (67.5–70.5)."""
    value, low, high = (100 * v for v in interval)
    return f"{value:.1f} % ({low:.1f}–{high:.1f})"


def paired_difference(first: Tensor, second: Tensor, labels: Tensor, draws: int = 2000) -> dict[str, Interval]:
    """Difference between two networks on the same images, with 95 % intervals.

    Images are resampled with replacement (Efron's percentile bootstrap), both predictions of an image together,
    because networks tend to fail on the same ones; the classes keep their sizes. The intervals say what other images
    might have shown, not what another random seed would have: for that, train with more seeds.

    Args:
        first, second: logits (N, K).
        labels: index of the true class, (N,).
        draws: number of bootstrap samples.

    Returns:
        For "accuracy" and "balanced_accuracy": difference, lower and upper end, each in -1..1.
    """
    gain = (first.argmax(-1) == labels).float() - (second.argmax(-1) == labels).float()  # (N,)  -1, 0 or 1
    sizes = torch.bincount(labels)
    weights = {  # of each image in the measure, (N,)
        "accuracy": torch.full_like(gain, 1 / len(gain)),
        "balanced_accuracy": 1 / (sizes[labels] * (sizes > 0).sum()),
    }
    times = bootstrap(labels, draws)
    return {name: percentile_interval(float(gain @ w), times @ (gain * w)) for name, w in weights.items()}


def bootstrap(labels: Tensor, draws: int) -> Tensor:
    """How often each image is drawn when each class is resampled with replacement, keeping its size (Efron 1979).

    Args:
        labels: index of the true class, (N,).
        draws: number of bootstrap samples.

    Returns:
        (draws, N), each row with the sum N; equal arguments give equal draws.
    """
    generator = torch.Generator().manual_seed(0)
    times = torch.zeros(draws, len(labels))
    for k in labels.unique():
        mine = (labels == k).nonzero()[:, 0]
        chosen = torch.randint(len(mine), (draws, len(mine)), generator=generator)
        times[:, mine] = torch.zeros(chosen.shape).scatter_add_(1, chosen, torch.ones(chosen.shape))
    return times


def percentile_interval(value: float, sample: Tensor) -> Interval:
    """A value with the 2.5th and the 97.5th percentile of what it was in each draw, `sample` (draws,)."""
    low, high = sample.double().quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return value, low, high
