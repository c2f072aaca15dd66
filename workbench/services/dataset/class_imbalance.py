"""What the papers do about small, imbalanced datasets: class weights and data augmentation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.datasets.synthetic.faces import draw_face

from .contents import FER2013, Contents


@dataclass(frozen=True)
class Weighting:
    """Weights of the classes in the loss.

    Attributes:
        name: what `ferscope train --class-weights` calls it; "paper-b" is the table that paper B prints.
        weights: weight of each class.
        loss: share of the loss that each class gets where all images are equally hard: weight × images, of 1.
        note: where it comes from.
    """

    name: str
    weights: tuple[float, ...]
    loss: tuple[float, ...]
    note: str


_PAPER_B_TOTAL = 28_000
_WEIGHT_NOTES = {
    "none": "every image has the same weight",
    "inverse": "N / (K·n), N images, K classes, n of this class: each class gets the same share",
    "paper-b": "paper B's table: 28 000 / (7·n), n the images of the class in the whole dataset; the same idea "
    "as inverse",
    "paper-c": "paper C's vector as printed; the paper does not state the order of classes, so ours is taken",
    "heavy": "also mentioned in paper B: disgust × 15, fear × 8",
}


def weightings(found: Contents) -> tuple[Weighting, ...]:
    """The weights that the papers gave the classes, on the training set of a dataset; only those for its classes."""
    from models.datasets.sampling import class_weights, inverse_weights  # here: it loads kornia

    result = []
    for name, note in _WEIGHT_NOTES.items():
        if name == "paper-b" and found.name != FER2013:
            continue
        try:
            if name == "paper-b":
                whole = [sum(column) for column in zip(*found.counts.values(), strict=True)]
                weights = inverse_weights(whole, _PAPER_B_TOTAL)
            else:
                weights = class_weights(name, found.training, found.classes)
        except ValueError:  # made for other classes, or a class has no image
            continue
        products = [w * n for w, n in zip(weights, found.training, strict=True)]
        result.append(Weighting(name, weights, tuple(p / sum(products) for p in products), note))
    return tuple(result)


@dataclass(frozen=True)
class Augmenting:
    """A random augmentation of training images.

    Attributes:
        name: what `ferscope train --augmentation` calls it.
        paper: letter of the paper; "" for ours.
        steps: what is done, in order.
        no_effect: what the paper lists and what changes nothing on gray images.
        note: what is the paper's, what is ours, and what to think of it.
    """

    name: str
    paper: str
    steps: tuple[str, ...]
    no_effect: tuple[str, ...]
    note: str


def augmentations() -> tuple[Augmenting, ...]:
    """All augmentations by paper, then ours."""
    from models.datasets.augment import AUGMENTATIONS

    known = sorted((a for a in AUGMENTATIONS.values() if a.steps), key=lambda a: (a.paper is None, a.name))
    return tuple(Augmenting(a.name, a.paper or "", a.steps, a.no_effect, a.note) for a in known)


def changed(picture: np.ndarray, name: str, versions: int = 8, seed: int = 0) -> np.ndarray:
    """A strip of the image, uint8 (H, W), and augmented versions of it, uint8 (H + 4, (1 + versions)·(W + 2) + 2)."""
    from models.datasets.augment import preview

    return preview(picture[None], name, versions, seed)


def drawn_face(emotion: str, size: int = 96) -> np.ndarray:
    """A drawn face of the default person, uint8 (size, size)."""
    return draw_face(emotion, size)
