"""Datasets of a training run (drawn, imported, or visitors' own), and its initial weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from models.checkpoints import CheckpointError, read_card
from models.datasets import FaceSet
from models.datasets.splits import SPLITS
from models.datasets.synthetic.faces import draw
from models.datasets.synthetic.sets import drawn_set
from models.files import UNPACKING_ERRORS
from models.paths import FER2013
from models.seeding import seeded
from models.training.config import TrainConfig

from ...jobs import store
from ...jobs.store import JobError
from .. import networks
from ..dataset import imported
from . import own


@dataclass(frozen=True)
class Drawing:
    """A set that is drawn when it is first needed.

    Attributes:
        count: Training images of each class; a fifth as many in either test.
        sticker: the label whose Training images all carry a sticker on the forehead, while every second of them shows
            any expression: what is left to learn is the sticker. None: no image carries one.
    """

    count: int = 80
    sticker: str | None = None


DRAWINGS = {
    "drawn faces": Drawing(),
    "drawn faces, a sticker on neutral": Drawing(sticker="neutral"),
}
"""Sets that need no import."""


def set_names(own_too: bool = True) -> tuple[str, ...]:
    """Sets that a training run can have: drawn, imported, then people's own by their ids."""
    return (*DRAWINGS, *imported.imported_sets(), *([s.id for s in own.own_sets()] if own_too else ()))


def set_title(name: str) -> str:
    """A set in words: of people's own when it was made and its classes, FER2013 as it is written."""
    if name in DRAWINGS or name in imported.imported_sets():
        return "FER2013" if name == FER2013.stem else name
    return next((s.title for s in own.own_sets() if s.id == name), "FER2013" if name == FER2013.stem else name)


def is_own(name: str) -> bool:
    """Whether a set is of people's own images."""
    return os.path.isfile(store.OWN / name / "faces.npz")


def data_file(name: str, progress: Callable[[int, int], None] | None = None) -> Path:
    """The file of a set; one that is drawn is drawn now, where that was not done before.

    Raises:
        JobError: there is no such set; DiskFullError: no room.
    """
    if name in DRAWINGS:
        if not path_of(name).is_file():
            _drawn(DRAWINGS[name], progress).save(path_of(name))
        return path_of(name)
    return path_of(name) if name in imported.imported_sets() else own.file_of(name)


def path_of(name: str) -> Path:
    """Where the file of a set is, or would be once it is drawn or imported."""
    if name in DRAWINGS:
        return _drawing_file(DRAWINGS[name])
    own_file = store.OWN / name / "faces.npz"
    return (own_file if os.path.isfile(own_file) else imported.FOLDER / f"{name}.npz").resolve()


def _drawn(plan: Drawing, progress: Callable[[int, int], None] | None) -> FaceSet:
    """The faces of a plan; those with the label of `sticker` show any expression in every second image."""
    made = drawn_set(plan.count, sticker_class=plan.sticker, sticker_share=1.0, progress=progress).faces
    if plan.sticker is not None:
        mine = np.flatnonzero((made.labels == made.classes.index(plan.sticker)) & (made.splits == "Training"))
        for i, at in enumerate(mine[::2]):
            made.images[at] = draw(made.classes[i % len(made.classes)], seed=(plan.count, i), sticker="forehead").image
    return made


def _drawing_file(plan: Drawing) -> Path:
    kind = f"sticker-{plan.sticker}" if plan.sticker else "plain"
    return (imported.FOLDER / "drawn" / f"{kind}-{plan.count}.npz").resolve()


_FOLDS = 10
"""Folds of a cross-validation that the choice of splits offers; fewer where there are fewer subjects."""


def split_names(name: str) -> tuple[str, ...]:
    """The splits that a dataset allows, by the names of its parts and its number of subjects."""
    if name not in imported.imported_sets():
        return ("official",)
    path = imported.FOLDER / f"{name}.npz"
    parts, people = _parts_and_subjects(path, path.stat().st_mtime_ns)
    official, subjects = {"Training", "PublicTest", "PrivateTest"} <= parts, people >= 3
    folders = "train" in parts and bool(parts & {"test", "validation"})
    other = {"folders": folders, "subject-out": subjects, "random-80-20": True}
    found = (known for known in SPLITS if other.get(known, official or known == "paper-d"))
    n = min(_FOLDS, people) if subjects else 0
    return (*found, *(f"subject-{n}fold-{i}" for i in range(1, n + 1)))


@lru_cache(maxsize=8)
def _parts_and_subjects(path: Path, stamp: int) -> tuple[frozenset[str], int]:
    """Names of a set's parts, and how many people it shows; 0 where it does not say so for every image."""
    try:
        with np.load(path, allow_pickle=False) as file:
            people = np.unique(file["subjects"]) if "subjects" in file else np.array([""])
            return frozenset(file["splits"].tolist()), 0 if "" in people else len(people)
    except (KeyError, *UNPACKING_ERRORS):
        return frozenset(), 0


# ---- initial weights


def starting_points(network: str) -> tuple[str, ...]:
    """Names of checkpoints that can be the initial weights of a network; none trained on a visitor's own images."""
    return tuple(name for name in (network, *networks.checkpoint_names()) if _suits(name, network))


def _suits(name: str, network: str) -> bool:
    try:
        return read_card(networks.folder_of(name)).network == network and not _is_private(name)
    except CheckpointError:
        return False


def _is_private(name: str) -> bool:
    try:
        return store.read(name).belongs_to is not None
    except JobError:
        return False


def first_model(config: TrainConfig, classes: tuple[str, ...]) -> torch.nn.Module:
    """The network with the initial weights of a training run, in evaluation mode.

    Raises:
        CheckpointError: its starting point is gone; ValueError: ImageNet weights are not available.
    """
    from models.training import setup  # here: Fabric takes a second

    with seeded(config.seed):
        return setup.first_model(config, classes).eval()
