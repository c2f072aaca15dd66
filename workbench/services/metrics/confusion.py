"""The images in a cell of a confusion matrix, and the annotators' votes for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.annotator_agreement import CORRECT_VERDICTS, VERDICTS, majorities, verdict
from models.datasets import DataError, ferplus

from ..dataset.imported import find_face, imported_sets, open_set
from .evaluation import StoredPredictions, Subset, stored_predictions

NO_VOTES = "no votes known"
AGAINST_LABEL = ("annotators agree with the network", "annotators vote for another class")
"""Verdicts of images whose label more than half of the annotators contradict, on a class that is named."""


@dataclass(frozen=True)
class CellImage:
    """An image in a cell.

    Attributes:
        id: id as in `FaceSet.ids`.
        name: name of its file.
        confidence: calibrated probability of the prediction, 0 to 1.
        votes: the annotators' votes with their number, the most frequent first; empty where they are not known.
        verdict: a key of `Cell.verdicts`.
    """

    id: str
    name: str
    confidence: float
    votes: tuple[tuple[str, int], ...]
    verdict: str

    @property
    def votes_text(self) -> str:
        """The votes in words: 7 happy, 2 neutral, 1 surprise."""
        return ", ".join(f"{n} {class_}" for class_, n in self.votes) or NO_VOTES


@dataclass(frozen=True, eq=False)
class Cell:
    """The images with one label and one predicted class.

    Attributes:
        label, predicted: names of the two classes; the same one on the diagonal.
        images: the most confident predictions first.
        verdicts: what each can be → what that means, in the order in which they are shown.
    """

    label: str
    predicted: str
    images: tuple[CellImage, ...]
    verdicts: dict[str, str]

    @property
    def counts(self) -> dict[str, int]:
        """Images of each verdict, those without one left out."""
        found = Counter(image.verdict for image in self.images)
        return {name: found[name] for name in (*self.verdicts, NO_VOTES) if found[name]}

    def of(self, verdict: str) -> tuple[CellImage, ...]:
        """The images with one verdict."""
        return tuple(image for image in self.images if image.verdict == verdict)


def cell(name: str, label: str, predicted: str, part: str = "PrivateTest", subset: Subset = "all") -> Cell:
    """The images in one cell of a checkpoint's confusion matrix, with the votes of FER+'s annotators.

    Args:
        name: name of the checkpoint.
        label: the class that FER2013 labels them with.
        predicted: the class that the network predicts.
        part: the test set.
        subset: the images of the test set that count.

    Raises:
        ValueError: the network has no such class; CheckpointError: card or predictions are missing or damaged, or there
            are none for this test set.
    """
    given = stored_predictions(name, part, subset)
    classes = given.card.classes
    for class_ in (label, predicted):
        if class_ not in classes:
            raise ValueError(f'"{class_}" is not one of the classes of {name}: {", ".join(classes)}')
    in_cell = (given.labels == classes.index(label)) & (given.logits.argmax(-1) == classes.index(predicted))
    chosen = in_cell.nonzero()[:, 0]
    confidence = given.calibrated[chosen].softmax(-1).amax(-1)
    order = confidence.argsort(descending=True, stable=True)
    return Cell(
        label,
        predicted,
        _with_votes(given, chosen[order].numpy(), confidence[order].tolist(), label == predicted, predicted),
        CORRECT_VERDICTS if label == predicted else VERDICTS,
    )


def _with_votes(
    given: StoredPredictions, chosen: np.ndarray, confidence: list[float], right: bool, predicted: str
) -> tuple[CellImage, ...]:
    counts = ferplus.votes(given.names[chosen])  # (n, 10)
    found = []
    for i, votes, majority, sure in zip(chosen, counts, majorities(counts), confidence, strict=True):
        found.append(
            CellImage(
                id=str(given.ids[i]),
                name=str(given.names[i]),
                confidence=sure,
                votes=ferplus.ranked_votes(votes),
                verdict=verdict(str(majority), predicted, right) if votes.any() else NO_VOTES,
            )
        )
    return tuple(found)


def thumbnails(ids: Sequence[str]) -> tuple[str, dict[str, np.ndarray]]:
    """The images themselves, to be shown and not stored, if a dataset with them is imported.

    Returns:
        Name of the set, "" where none holds them, and uint8 (H, W) by id.
    """
    for name in sorted(imported_sets(), key=lambda name: name != "fer2013"):
        try:
            images = open_set(name).images
            return name, {id_: images[find_face(name, id_)] for id_ in ids}
        except DataError:  # damaged, or another set
            continue
    return "", {}
