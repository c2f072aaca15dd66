"""Agreement of FER+'s annotators with FER2013's labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models.annotator_agreement import majorities
from models.checkpoints import read_predictions
from models.datasets import EMOTIONS, ferplus
from models.metrics import Interval, share

from ..dataset.contents import FER2013, has_images
from ..dataset.imported import open_set
from ..networks import DEFAULT_NETWORK


@dataclass(frozen=True)
class AnnotatorAgreement:
    """Votes of FER+'s ten annotators for the images with one label of FER2013; shares with Wilson intervals.

    Attributes:
        class_: the label.
        n_images: number of images with votes.
        agree: more than half of the annotators vote for the label.
        other: more than half agree on something else.
        split: no class has more than half.
        most_other: what they most often agree on instead; "" where they never do.
    """

    class_: str
    n_images: int
    agree: Interval
    other: Interval
    split: Interval
    most_other: str


def annotator_agreement() -> tuple[tuple[AnnotatorAgreement, ...], str]:
    """Agreement of FER+'s annotators with FER2013's labels by class, and the images that it is measured on.

    Of the whole set where it is imported (of nothing where its names are not FER2013's), else of the two test sets,
    whose labels lie beside the default checkpoint.
    """
    if has_images(FER2013):
        return _annotator_agreement(open_set(FER2013).fingerprint), "all parts"
    return _annotator_agreement(""), "PublicTest and PrivateTest"


@lru_cache(maxsize=2)
def _annotator_agreement(fingerprint: str) -> tuple[AnnotatorAgreement, ...]:
    """The agreement on the imported set with this fingerprint, or on the two test sets where there is none."""
    if not fingerprint:
        parts = [read_predictions(DEFAULT_NETWORK, part) for part in ("PublicTest", "PrivateTest")]
        names, labels = (np.concatenate([getattr(p, a) for p in parts]) for a in ("names", "labels"))
        classes = EMOTIONS
    else:
        faces = open_set(FER2013)
        names, labels, classes = faces.names, faces.labels, faces.classes
    counts = ferplus.votes(names)
    known = counts.sum(1) > 0
    if not known.any():  # a dataset of other images with this name
        return ()
    majority, labels = majorities(counts[known]), labels[known]
    found = []
    for i, name in enumerate(classes):
        mine = majority[labels == i]
        others, n = np.unique(mine[(mine != name) & (mine != "")], return_counts=True)
        most = str(others[n.argmax()]) if len(others) else ""
        agree, split_ = mine == name, mine == ""
        found.append(AnnotatorAgreement(name, len(mine), share(agree), share(~agree & ~split_), share(split_), most))
    return tuple(found)
