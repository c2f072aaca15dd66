"""The images in a cell of a confusion matrix, and the annotators' votes for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.annotator_agreement import VERDICTS, majorities, verdict
from models.datasets import DataError, ferplus

from ..dataset.imported import find_face, imported_sets, open_set
from .evaluation import Answers, Pictures, stored_answers

RIGHT_VERDICTS = {
    "raters say so too": "more than half of the annotators vote for the label, which is predicted too",
    "raters say something else": "more than half of the annotators vote for another class than label and prediction",
    "raters disagree": "no class has more than half of the votes",
}
"""Verdicts on a correct prediction."""
NO_VOTES = "no votes known"


@dataclass(frozen=True)
class Mistake:
    """An image in a cell.

    Attributes:
        id: as in `FaceSet.ids`.
        name: of its file.
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
        return ", ".join(f"{n} {answer}" for answer, n in self.votes) or NO_VOTES


@dataclass(frozen=True, eq=False)
class Cell:
    """The images with one label and one predicted class.

    Attributes:
        label, answer: names of the two classes; the same one on the diagonal.
        pictures: the most confident predictions first.
        verdicts: what each can be → what that means, in the order in which they are shown.
    """

    label: str
    answer: str
    pictures: tuple[Mistake, ...]
    verdicts: dict[str, str]

    @property
    def counts(self) -> dict[str, int]:
        """Images of each verdict, those without one left out."""
        found = Counter(picture.verdict for picture in self.pictures)
        return {name: found[name] for name in (*self.verdicts, NO_VOTES) if found[name]}

    def of(self, verdict: str) -> tuple[Mistake, ...]:
        """The images with one verdict."""
        return tuple(picture for picture in self.pictures if picture.verdict == verdict)


def cell(name: str, label: str, answer: str, part: str = "PrivateTest", pictures: Pictures = "all") -> Cell:
    """The images in one cell of a checkpoint's confusion matrix, with the votes of FER+'s annotators.

    Args:
        name: of the checkpoint.
        label: the class that FER2013 says.
        answer: the class that the network says.
        part: of the set.
        pictures: which of them count.

    Raises:
        ValueError: the network has no such class; CheckpointError: as for `stored_answers`.
    """
    given = stored_answers(name, part, pictures)
    classes = given.card.classes
    for asked in (label, answer):
        if asked not in classes:
            raise ValueError(f'"{asked}" is not one of the classes of {name}: {", ".join(classes)}')
    told = given.logits.argmax(-1)
    chosen = ((given.labels == classes.index(label)) & (told == classes.index(answer))).nonzero()[:, 0]
    confidence = given.calibrated[chosen].softmax(-1).amax(-1)
    order = confidence.argsort(descending=True, stable=True)
    return Cell(
        label,
        answer,
        _beside_raters(given, chosen[order].numpy(), confidence[order].tolist(), label == answer, answer),
        RIGHT_VERDICTS if label == answer else VERDICTS,
    )


def _beside_raters(
    given: Answers, chosen: np.ndarray, confidence: list[float], right: bool, answer: str
) -> tuple[Mistake, ...]:
    counts = ferplus.votes(given.names[chosen])  # (n, 10)
    kinds = dict(zip(VERDICTS, ("raters say something else", "raters say so too", "raters disagree"), strict=True))
    found = []
    for i, votes, majority, sure in zip(chosen, counts, majorities(counts), confidence, strict=True):
        kind = verdict(str(majority), answer)
        ranked = sorted(zip(ferplus.COLUMNS, votes.tolist(), strict=True), key=lambda pair: -pair[1])
        found.append(
            Mistake(
                id=str(given.ids[i]),
                name=str(given.names[i]),
                confidence=sure,
                votes=tuple((answer, n) for answer, n in ranked if n),
                verdict=NO_VOTES if not votes.any() else kinds[kind] if right else kind,
            )
        )
    return tuple(found)


def thumbnails(pictures: Sequence[Mistake]) -> tuple[str, dict[str, np.ndarray]]:
    """The images themselves, to be shown and not stored, if a dataset with them is imported.

    Returns:
        Name of the set, "" where none holds them, and uint8 (H, W) by id.
    """
    for name in sorted(imported_sets(), key=lambda name: name != "fer2013"):
        try:
            images = open_set(name).images
            return name, {picture.id: images[find_face(name, picture.id)] for picture in pictures}
        except DataError:  # damaged, or another set
            continue
    return "", {}
