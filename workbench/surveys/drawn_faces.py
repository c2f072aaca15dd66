"""Accuracy of a checkpoint on drawn faces, stored as `drawn_faces.json` beside it: a shift of domain for everybody.

Drawn faces are the only images of known expression that come with the project, so that `ferscope refresh` measures
this without a dataset. A network that was trained on photographs never saw one.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from pathlib import Path

import torch

from models.checkpoints import CheckpointError, load_checkpoint, writable_folder
from models.datasets import DataError, FaceSet
from models.datasets.synthetic.sets import drawn_set
from models.files import write_json
from models.metrics import measure, predict

from .files import DrawnFacesFile, read_current
from .sample import SurveySample, weights_digest

FILE = "drawn_faces.json"
COUNT, SIZE, SEED = 50, 48, 7
"""Number of faces of each class, their side in pixels, and the seed of the set."""


@lru_cache(maxsize=1)
def drawn_faces() -> FaceSet:
    """The faces: COUNT of each of FER2013's seven classes, each of another person."""
    faces = drawn_set(COUNT, SIZE, SEED, test_share=0).faces
    return faces.subset(faces.splits == "Training")


def read_drawn_faces(name_or_path: str | Path) -> DrawnFacesFile:
    """Read the result stored beside a checkpoint's weights.

    Raises:
        CheckpointError: there is none, the file is damaged, or it belongs to other weights or faces.
    """
    again = "Measure it: ferscope refresh --only drawn-faces"
    return read_current(name_or_path, FILE, DrawnFacesFile, again)


def survey_drawn_faces(name: str | Path, device: str = "cpu") -> DrawnFacesFile:
    """Measure a checkpoint on drawn faces, single view, and store the result, unless it is stored already.

    Raises:
        CheckpointError: there is no such checkpoint.
        DataError: the network has other classes than FER2013's.
    """
    faces = drawn_faces()
    weights = weights_digest(name)
    sample = SurveySample("drawn faces", len(faces), len(faces), SEED, weights, faces.fingerprint)
    try:
        known = read_drawn_faces(name)
        if known.sample == sample:
            return known
    except CheckpointError:
        pass
    model, card = load_checkpoint(name, device)
    if card.classes != faces.classes:
        raise DataError(f"{name} has other classes than the drawn faces: {', '.join(card.classes)}")
    found = measure(predict(model, card, faces.images), torch.from_numpy(faces.labels), faces.classes)
    recall = {emotion: found["per_class"][emotion]["recall"] for emotion in faces.classes}
    written = {**dataclasses.asdict(sample), "accuracy": found["accuracy"], "interval": found["accuracy_interval"]}
    write_json(writable_folder(name) / FILE, {**written, "recall": recall})
    return read_drawn_faces(name)
