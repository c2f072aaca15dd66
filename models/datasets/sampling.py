"""Three methods against class imbalance: weights in the loss, balanced sampling, stronger augmentation of rare classes.

FER2013 has 7 215 training images of happy and 436 of disgust, so that a network that never predicts disgust loses
little. All three change how a network is trained and none of the metrics. They have the same effect: together they
overshoot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .augment import augmentation
from .faceset import EMOTIONS

CLASS_WEIGHTS = ("none", "inverse", "paper-c", "heavy")
"""Names of the weights of the classes in the training loss."""

PAPER_C = dict(zip(EMOTIONS, (0.1, 0.3, 0.3, 1.0, 0.3, 0.3, 0.1), strict=True))
"""Paper C's vector as printed, in our order of the classes; see `class_weights`."""

HEAVY = dict.fromkeys(EMOTIONS, 1.0) | {"disgust": 15.0, "fear": 8.0}
"""Paper B's "heavy weighting"; see `class_weights`."""


def class_weights(name: str, counts: Sequence[int], classes: Sequence[str]) -> tuple[float, ...]:
    """Weight of each class in the cross-entropy, (K,). Training scales the weights to a mean of 1 over the images, so
    only their ratios matter.

    none: 1 for each.

    inverse: N / (K·n_c), see `inverse_weights`; each class then has the same share of the loss.

    paper-c: [0.1, 0.3, 0.3, 1.0, 0.3, 0.3, 0.1] as printed there against the imbalance, without the order of the
    classes; ours is the project's. In that order, as in the order of FER2013's CSV, the weight 1.0 falls on happy, the
    largest class: with a quarter of the images it gets more than half of the loss, and disgust, with 1.5 % of the
    images, 1.1 % of it. The imbalance grows.

    heavy: disgust ×15, fear ×8 (paper B). Fear is not rare: with 14 % of the images it gets half of the loss.

    Args:
        name: one of `CLASS_WEIGHTS`.
        counts: training images of each class, in the order of `classes`.
        classes: names of the classes.

    Raises:
        ValueError: the name is not known; the weights belong to FER2013's classes and `classes` are others; or a class
            without images would get an infinite weight.
    """
    if name == "none":
        return (1.0,) * len(classes)
    if name == "inverse":
        return inverse_weights(counts)
    if name not in CLASS_WEIGHTS:
        raise ValueError(f'class_weights="{name}" is not known; there are: {", ".join(CLASS_WEIGHTS)}')
    table = PAPER_C if name == "paper-c" else HEAVY
    if set(classes) != set(table):
        raise ValueError(
            f'class_weights="{name}" is made for {", ".join(table)}, but the classes of this set are '
            f"{', '.join(classes)}. Take inverse, which suits any set."
        )
    return tuple(table[c] for c in classes)


def inverse_weights(counts: Sequence[int], total: int | None = None) -> tuple[float, ...]:
    """N / (K·n_c): a class half as frequent weighs twice as much.

    Paper B prints this table with the counts of the whole set and N = 28 000, and all but one digit of it follows:
    surprise is 1.00, where the slide has 0.99. In training N cancels out, since only ratios matter.

    Args:
        counts: images of each of the K classes.
        total: N; by default the sum of the counts, so that the weights average 1 over the images.

    Raises:
        ValueError: a class has no image.
    """
    if min(counts) < 1:
        raise ValueError(f'class_weights="inverse" needs images of every class; there are {list(counts)}. Take none.')
    total = sum(counts) if total is None else total
    return tuple(total / (len(counts) * count) for count in counts)


def balanced_order(labels: Tensor, n: int | None = None, generator: torch.Generator | None = None) -> Tensor:
    """Order of an epoch in which each class that occurs comes equally often, or once more where n does not divide.

    Of a large class, other images in each epoch; of a small class, each as often as any other, but for one round.

    Args:
        labels: class of each image, on the CPU, (N,).
        n: length of the epoch, at least 1; by default N.
        generator: where the draws come from; by default torch's global one.

    Returns:
        Indices into `labels`, shuffled, (n,).
    """
    n = len(labels) if n is None else n
    present = labels.unique().tolist()
    share, rest = divmod(n, len(present))
    once_more = torch.randperm(len(present), generator=generator)[:rest].tolist()
    chosen = []
    for i, label in enumerate(present):
        members = (labels == label).nonzero().flatten()
        wanted = share + (i in once_more)
        rounds = wanted // len(members) + 1
        drawn = torch.cat([members[torch.randperm(len(members), generator=generator)] for _ in range(rounds)])
        chosen.append(drawn[:wanted])
    return torch.cat(chosen)[torch.randperm(n, generator=generator)]


def rarity(counts: Sequence[int]) -> tuple[float, ...]:
    """1 − n_c / max n for each class, in 0..1: 0 for the most frequent class, near 1 for a rare one."""
    return tuple(1 - count / max(counts) for count in counts)


def class_aware(base: str, rare: str | None, counts: Sequence[int]) -> Callable[[Tensor, Tensor], Tensor]:
    """Augmentation that sees the labels: images of rare classes are more often changed by the stronger one.

    Paper B names class-aware augmentation without saying how. Ours: each image draws whether it gets `rare` in place
    of `base`, with the probability `rarity` of its class. In FER2013: happy 0 %, disgust 94 %, the others 31 to 56 %.

    Args:
        base: name of the augmentation of frequent classes.
        rare: name of the augmentation of rare classes; None: all get `base`, and nothing else is drawn.
        counts: training images of each class.

    Returns:
        A function of pixels in 0..1 (B, 1, H, W) and labels (B,) → pixels; draws from torch's global generator.

    Raises:
        ValueError: a name is not known.
    """
    change = augmentation(base)
    if rare is None:
        return lambda x, labels: change(x)
    change_rare, chance = augmentation(rare), torch.tensor(rarity(counts))  # (K,)

    def changed(x: Tensor, labels: Tensor) -> Tensor:
        drawn = torch.rand(len(x)).to(x.device)  # on the CPU, as kornia's: the same on every device
        chosen = drawn < chance.to(x.device)[labels]  # (B,)
        return torch.where(chosen[:, None, None, None], change_rare(x), change(x))

    return changed
