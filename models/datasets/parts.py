"""`Parts`: training, validation and test set of one split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .exclusion import Excluded, read_exclusion_list
from .faceset import DataError, FaceSet

Indices = dict[str, np.ndarray]


@dataclass(frozen=True)
class Parts:
    """Training set, validation set (to select the epoch) and test set (reported once).

    Attributes:
        training, validation, test: where a paper has no validation set, validation and test are the same images.
        indices: indices of the images of each set in the whole dataset, ascending.
        names: names of validation and test set in a card.
        complete: fingerprint before training images were left out (`exclusion.py`); empty where none were.
        excluded: the list that left them out, for the card.
    """

    training: FaceSet
    validation: FaceSet
    test: FaceSet
    indices: Mapping[str, np.ndarray]
    names: tuple[str, str] = ("validation", "test")
    complete: str = ""
    excluded: Excluded | None = None

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the three parts together, sixteen hex digits; a card keeps it as `data`."""
        if self.complete:
            return self.complete
        joined = " ".join(part.fingerprint for part in (self.training, self.validation, self.test))
        return hashlib.sha256(joined.encode()).hexdigest()[:16]

    @property
    def chosen_on_test(self) -> bool:
        """Whether the epoch is chosen on images that are reported, as where a paper has no validation set."""
        return bool(np.isin(self.indices["validation"], self.indices["test"]).any())

    def without(self, path: Path) -> Parts:
        """The same without the training images of an exclusion list; the fingerprint stays that of the whole split.

        Raises:
            DataError: the file is no list, or a class would have no training image left.
        """
        found = read_exclusion_list(path)
        kept = ~np.isin(self.training.pixel_hashes, found.hashes)
        training = self.training.subset(kept)
        if empty := [name for name, n in zip(training.classes, training.class_counts, strict=True) if n == 0]:
            raise DataError(f"{path} leaves no training image of {', '.join(empty)}: take some off the list.")
        return replace(
            self,
            training=training,
            indices={**self.indices, "training": self.indices["training"][kept]},
            complete=self.fingerprint,
            excluded=Excluded(path.name, found.fingerprint, len(found.hashes), int((~kept).sum()), found.reason),
        )
