"""Evaluators that count FER2013: images, splits, class weights."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from models.datasets.faceset import EMOTIONS, FaceSet
from models.datasets.fer2013 import COUNTS
from models.datasets.sampling import class_weights, inverse_weights
from models.datasets.splits import SPLITS
from models.text import percentage, thousands

from .definitions import Claim, Paper
from .evaluators import Ours, evaluator, exact


def _counts(parts: tuple[str, ...] | list[str] = tuple(COUNTS)) -> np.ndarray:
    return np.sum([COUNTS[part] for part in parts], axis=0)


@evaluator
def _pictures(claim: Claim, paper: Paper) -> Ours:
    counts = _counts(claim.given.get("parts", tuple(COUNTS)))
    n = counts[EMOTIONS.index(claim.given["class"])] if "class" in claim.given else counts.sum()
    return exact(claim, int(n), "`models/datasets/fer2013.py`; `ferscope data import` checks them")


@evaluator
def _class_share(claim: Claim, paper: Paper) -> Ours:
    counts = _counts()
    return exact(claim, counts[EMOTIONS.index(claim.given["class"])] / counts.sum(), "from the counts")


@evaluator
def _smallest_class(claim: Claim, paper: Paper) -> Ours:
    counts = _counts(["Training"])
    i = int(counts.argmin())
    text = f"{EMOTIONS[i]}, {counts[i]} of {thousands(int(counts.sum()))} training images"
    return Ours("exact", text, "from the counts", holds=EMOTIONS[i] == claim.given["class"])


@evaluator
def _weight(claim: Claim, paper: Paper) -> Ours:
    n = claim.given.get("count") or int(_counts()[EMOTIONS.index(claim.given["class"])])
    value = inverse_weights([n] * len(EMOTIONS), claim.given["total"])[0]
    return exact(claim, value, f"{thousands(claim.given['total'])} / (7 × {thousands(n)})")


@evaluator
def _loss_share(claim: Claim, paper: Paper) -> Ours:
    counts = _counts(["Training"])
    weighed = counts * np.array(class_weights(claim.given["weights"], counts.tolist(), EMOTIONS))
    i = EMOTIONS.index(claim.given["class"])
    before, after = counts[i] / counts.sum(), weighed[i] / weighed.sum()
    two = (percentage(value, 0) for value in (after, before))
    text = "{} gets {} of the loss, with {} of the images".format(EMOTIONS[i], *two)
    way = (
        f"weight times number of images of {EMOTIONS[i]}, the largest class, in the order of the folders and of the CSV"
    )
    return Ours("exact", text, way, holds=bool(after < before))


@lru_cache(maxsize=8)
def divided(split: str) -> dict[str, np.ndarray]:
    """Indices of each set of a split of FER2013, from the counts alone; duplicates are not considered."""
    labels = np.concatenate([np.repeat(np.arange(len(EMOTIONS)), counts) for counts in COUNTS.values()])
    parts = np.concatenate([np.full(sum(counts), part) for part, counts in COUNTS.items()])
    blank = FaceSet(np.zeros((len(labels), 1, 1), dtype=np.uint8), labels, parts, parts)
    return SPLITS[split].divide(blank, np.random.default_rng(0))


@evaluator
def _split_part(claim: Claim, paper: Paper) -> Ours:
    split = claim.given["split"]
    return exact(claim, len(divided(split)[claim.given["part"]]), f"`ferscope data splits`, split `{split}`")


@evaluator
def _split_share(claim: Claim, paper: Paper) -> Ours:
    parts = divided(claim.given["split"])
    value = len(parts[claim.given["part"]]) / int(_counts().sum())
    return exact(claim, value, f"`ferscope data splits`, split `{claim.given['split']}`")


@evaluator
def _trained_on(claim: Claim, paper: Paper) -> Ours:
    parts = divided(claim.given["split"])
    inside = int(np.isin(parts["test"], parts["training"]).sum())
    text = f"{thousands(inside)} of the {thousands(len(parts['test']))} test images are in the training set"
    way = f"split `{claim.given['split']}`, drawn with the paper's counts; exact duplicates not counted"
    return Ours("exact", text, way, holds=inside == 0)


@evaluator
def _other_draw(claim: Claim, paper: Paper) -> Ours:
    n = int(_counts(["Training"])[EMOTIONS.index(claim.given["class"])])
    differs = ("drawn from the whole dataset, not from the challenge's training set",)
    return Ours("measured", thousands(n), "`models/datasets/fer2013.py`", n, (n, n), differs=differs)
