"""The fixed sample of a dataset on which surveys of a checkpoint are measured, and the digest of its weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.checkpoints import checkpoint_folder, read_card
from models.datasets import DataError, FaceSet
from models.datasets.splits import draw_of_each_class, split
from models.text import thousands


@dataclass(frozen=True)
class SurveySample:
    """The images and weights of a survey; results of two surveys are comparable if all fields are equal.

    Attributes:
        part: name of the validation or test set.
        pictures: number of images: all, or a seeded sample stratified by class.
        of: number of images of the set.
        seed: random seed of the sample, and of random perturbations.
        weights: SHA-256 of `model.safetensors`.
        data: fingerprint of the images.
    """

    part: str
    pictures: int
    of: int
    seed: int
    weights: str
    data: str

    @property
    def text(self) -> str:
        """The images in words."""
        if self.pictures == self.of:
            return f"{thousands(self.pictures)} images of {self.part}"
        some = f"{thousands(self.pictures)} of the {thousands(self.of)} images of {self.part}"
        return f"{some} (stratified by class, seed {self.seed})"


def draw_sample(
    name: str | Path, faces: FaceSet, part: str, limit: int | None, seed: int
) -> tuple[SurveySample, FaceSet]:
    """Draw the sample of a checkpoint: images that it was not trained on.

    Args:
        name: a checkpoint's name, or the path of its folder; the split of its card divides the dataset.
        faces: the dataset.
        part: "validation", "test", or their names in that split, such as "PrivateTest".
        limit: number of images, a seeded sample stratified by class; None: all.
        seed: random seed of that sample.

    Raises:
        CheckpointError: there is no such checkpoint.
        DataError: the dataset has other classes, or lacks that set.
        ValueError: a `limit` below 1.
    """
    found, everything = _part(name, faces, part)
    chosen = _drawn(everything, limit, seed)
    return SurveySample(found, len(chosen), len(everything), seed, weights_digest(name), chosen.fingerprint), chosen


def weights_digest(name: str | Path) -> str:
    """SHA-256 of a checkpoint's weights; of an ensemble also of the weights of its members.

    Raises:
        CheckpointError: there is no card.
        FileNotFoundError: there are no weights.
    """
    folder = checkpoint_folder(name)
    folders = [folder, *map(checkpoint_folder, read_card(folder).overrides.get("members", ()))]
    found = hashlib.sha256()
    for each in folders:
        found.update((each / "model.safetensors").read_bytes())
    return found.hexdigest()


def _part(name: str | Path, faces: FaceSet, part: str) -> tuple[str, FaceSet]:
    card = read_card(name)
    if faces.classes != card.classes:
        raise DataError(
            f"The dataset has the classes {', '.join(faces.classes)}, the network {', '.join(card.classes)}."
        )
    parts = split(faces, card.split)
    by_name = dict(zip(parts.names, (parts.validation, parts.test), strict=True))
    part = {"validation": parts.names[0], "test": parts.names[1]}.get(part, part)
    if part not in by_name:
        raise DataError(f'The split {card.split} has no test set "{part}": choose {" or ".join(by_name)}')
    return part, by_name[part]


def _drawn(pictures: FaceSet, limit: int | None, seed: int) -> FaceSet:
    if limit is not None and limit < 1:
        raise ValueError(f"limit={limit}: give a number of images of at least 1")
    if limit is None or limit >= len(pictures):
        return pictures
    return pictures.subset(np.sort(draw_of_each_class(pictures.labels, limit, np.random.default_rng(seed))))
