"""FER2013 (Goodfellow et al. 2013, "Challenges in representation learning"): 35 887 gray faces of 48×48 pixels.

What is known of a complete set, and which images its official split trains on. `readers/fer2013.py` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .faceset import EMOTIONS, FaceSet

SPLITS = ("Training", "PublicTest", "PrivateTest")
"""Training, validation and test of the official split."""

COUNTS = {
    "Training": [3995, 436, 4097, 7215, 4965, 4830, 3171],
    "PublicTest": [467, 56, 496, 895, 607, 653, 415],
    "PrivateTest": [491, 55, 528, 879, 626, 594, 416],
}
"""Images of each class, in the order of `EMOTIONS`, that a complete set has."""

SIDE = 48
SHARED_NAMES = {"Training_52789098", "Training_8475486"}
"""Names that two different images of the original set have, in two classes."""


def check_counts(faces: FaceSet) -> list[str]:
    """What differs from a complete FER2013, a sentence for each split; empty when nothing does."""
    if faces.classes != EMOTIONS:
        return [f"the classes are {', '.join(faces.classes)} instead of {', '.join(EMOTIONS)}"]
    found = faces.counts()
    differences = [f'the split "{split}" is not one of FER2013\'s' for split in found if split not in COUNTS]
    for split, expected in COUNTS.items():
        have = found.get(split, [0] * len(EMOTIONS))
        wrong = [f"{name} {h} instead of {e}" for name, h, e in zip(EMOTIONS, have, expected, strict=True) if h != e]
        if wrong:
            differences.append(f"{split}: {', '.join(wrong)}")
    return differences


# ---- which images the official split trains on and chooses by, shipped


@dataclass(frozen=True, eq=False)
class OfficialHashes:
    """Pixel hashes of the official split, so that what a network has seen is known without the images.

    Attributes:
        data: the fingerprint of the split, as a card keeps it.
        trained, chosen: pixel hashes of Training and PublicTest as in `FaceSet.pixel_hashes`, str, each once.
    """

    data: str
    trained: np.ndarray
    chosen: np.ndarray


@cache
def official_hashes() -> OfficialHashes:
    """The hashes that ship (`fer2013_hashes.npz`)."""
    with np.load(Path(__file__).with_name("fer2013_hashes.npz")) as file:
        arrays = [np.array([f"{value:016x}" for value in file[part]]) for part in ("training", "validation")]
        return OfficialHashes(str(file["data"]), *arrays)
