"""Splits by name: which pictures a network is trained on, chosen by, and tested with."""

from __future__ import annotations

from dataclasses import dataclass

from .faceset import DataError, FaceSet


@dataclass(frozen=True)
class Parts:
    """The three parts of a set. Training fits weights, validation chooses among epochs, test is reported once."""

    training: FaceSet
    validation: FaceSet
    test: FaceSet


def official(faces: FaceSet) -> Parts:
    """The challenge's own split: Training, PublicTest for validation, PrivateTest for the test."""
    return Parts(faces.part("Training"), faces.part("PublicTest"), faces.part("PrivateTest"))


SPLITS = {"official": official}


def split(faces: FaceSet, name: str) -> Parts:
    """Divide a set by the split of that name; an unknown name raises DataError."""
    if name not in SPLITS:
        raise DataError(f'split="{name}" is not known; there are: {", ".join(SPLITS)}')
    return SPLITS[name](faces)
