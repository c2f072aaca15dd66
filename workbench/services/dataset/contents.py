"""Contents and problems of a dataset.

Datasets are imported. Two names are always available: "fer2013", whose counts and list of leaked test images ship with
the project, and "drawn", a few drawn faces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from models.checkpoints import read_card
from models.datasets import EMOTIONS, FaceSet, fer2013
from models.datasets.audit import Audit, audit, leaked, sentences
from models.datasets.synthetic.sets import drawn_set

from ..networks import DEFAULT_NETWORK
from .imported import imported_sets, open_set

FER2013, DRAWN = "fer2013", "drawn"
_DRAWN_A_CLASS = 10
_BINS = 64  # of gray values


def set_names() -> tuple[str, ...]:
    """Names of the sets that something can be said of: FER2013, the drawn faces, then the other imported ones."""
    return tuple(dict.fromkeys((FER2013, DRAWN, *imported_sets())))


def has_images(name: str) -> bool:
    """Whether the images of a dataset are available."""
    return name == DRAWN or name in imported_sets()


def images_of(name: str) -> FaceSet:
    """The images of a dataset by name, drawn now for "drawn" without a file; raises DataError as `open_set`."""
    return _drawn() if name == DRAWN and name not in imported_sets() else open_set(name)


@lru_cache(maxsize=1)
def _drawn() -> FaceSet:
    return drawn_set(_DRAWN_A_CLASS).faces


# ---- what is in a set


@dataclass(frozen=True, eq=False)
class Contents:
    """Number of images of each class in a dataset, and their brightness.

    Attributes:
        name: name of the set.
        classes: names, in order.
        counts: images of each class, for each part.
        gray: share of each part's pixels in 64 bins of gray values, 0 black to 255 white; empty without images.
        brightness: mean and standard deviation of each part's gray values, 0..255; of FER2013 without images that
            of Training, as a card has it.
    """

    name: str
    classes: tuple[str, ...]
    counts: dict[str, list[int]]
    gray: dict[str, Tensor]
    brightness: dict[str, tuple[float, float]]

    @property
    def counted(self) -> str:
        """The part that networks are trained on; the largest one, where none says so by its name."""
        named = [part for part in ("Training", "train") if part in self.counts]
        return named[0] if named else max(self.counts, key=lambda part: sum(self.counts[part]))

    @property
    def training(self) -> list[int]:
        """Images of each class in that part."""
        return self.counts[self.counted]


def contents(name: str) -> Contents:
    """Classes and gray values of each part of a set; of FER2013 the counts also where it is not imported.

    Raises:
        DataError: it is damaged, or another set that is not imported.
    """
    if name == FER2013 and not has_images(name):
        return _shipped()
    return _contents(name, images_of(name).fingerprint)


def _shipped() -> Contents:
    """What is known of FER2013 without its images: the counts, and the training pixel statistics of a card."""
    counts = {part: list(found) for part, found in fer2013.COUNTS.items()}
    card = read_card(DEFAULT_NETWORK)
    gray = isinstance(card.mean, float) and isinstance(card.std, float)
    brightness = {"Training": (255 * card.mean, 255 * card.std)} if gray and card.split == "official" else {}
    return Contents(FER2013, EMOTIONS, counts, {}, brightness)


@lru_cache(maxsize=4)
def _contents(name: str, fingerprint: str) -> Contents:
    """Counted again when the set changes (`fingerprint`)."""
    faces, gray, brightness = images_of(name), {}, {}
    for part in faces.counts():
        mine = faces.images[faces.splits == part]
        histogram = torch.from_numpy(np.bincount(mine.reshape(-1), minlength=256)).double()  # (256,)
        values, total = torch.arange(256.0).double(), histogram.sum()
        mean = float(values @ histogram / total)
        gray[part] = histogram.view(_BINS, -1).sum(1) / total
        brightness[part] = (mean, float((((values - mean) ** 2) @ histogram / total).sqrt()))
    return Contents(name, faces.classes, faces.counts(), gray, brightness)


def samples(name: str, class_: str, count: int = 12, seed: int = 0) -> np.ndarray:
    """Random images of one class, to be shown and not stored: uint8 (n, H, W), n up to `count`.

    Raises:
        DataError: the set is not imported; ValueError: it has no such class.
    """
    faces = images_of(name)
    if class_ not in faces.classes:
        raise ValueError(f'"{class_}" is not one of {", ".join(faces.classes)}')
    mine = np.flatnonzero(faces.labels == faces.classes.index(class_))
    chosen = np.random.default_rng(seed).permutation(mine)[:count]
    return faces.images[chosen]


# ---- what is wrong with it


def examine(name: str, progress: Callable[[str], None] = lambda step: None) -> Audit:
    """Duplicates, leaks between parts and in every split, conflicting labels: seconds for FER2013, then cached.

    Args:
        name: name of the set.
        progress: called with the name of each step before it begins.

    Raises:
        DataError: the set is not imported.
    """
    faces = images_of(name)
    with _examining:
        if faces.fingerprint not in _examined:
            _examined[faces.fingerprint] = audit(faces, progress=progress)
        return _examined[faces.fingerprint]


_examining = Lock()
_examined: dict[str, Audit] = {}


def findings(found: Audit) -> list[str]:
    """What was found in a set, a sentence each, the worst first."""
    return sentences(found)


def is_examined(name: str) -> bool:
    """Whether `examine` returns at once."""
    return has_images(name) and images_of(name).fingerprint in _examined


@dataclass(frozen=True)
class KnownLeak:
    """Test images of FER2013's official split that are also in its training set, from the list that ships.

    Attributes:
        part: name of the part of the set.
        n_images: number of images in it.
        exact: number of these with the same pixels as a training image.
        near: number of these that are exact or near-duplicates of a training image.
    """

    part: str
    n_images: int
    exact: int
    near: int


def known_leaks() -> tuple[KnownLeak, ...]:
    """The leaks of FER2013's official split; needs no images."""
    return tuple(
        KnownLeak(part, sum(fer2013.COUNTS[part]), len(leaked(part, near=False)), len(leaked(part, near=True)))
        for part in ("PublicTest", "PrivateTest")
    )
