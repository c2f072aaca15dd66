"""The datasets that were imported here, and single faces of them by id."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

from models.datasets import DataError, FaceSet
from models.paths import DATA

from ...faces import Face

FOLDER = DATA
"""Where `ferscope data import` writes them; tests replace it."""

NOT_IMPORTED = (
    "No dataset is imported here. Import FER2013 on the page Dataset, or any in a terminal: ferscope data import SOURCE"
)


@dataclass(frozen=True, eq=False)
class SetFace:
    """One face of an imported set.

    Attributes:
        face: its image, as large as in the set.
        set: name of the set.
        id: id as in `FaceSet.ids`: part, pixel hash and occurrence.
        part: the part of the set that it belongs to, e.g. "PrivateTest".
        label: its ground-truth label.
        position: its place in the set, from 0.
        count: faces in the set.
    """

    face: Face
    set: str
    id: str
    part: str
    label: str
    position: int
    count: int


def imported_sets() -> tuple[str, ...]:
    """Names of the sets that are imported, in alphabetical order; only their files are looked for."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.npz")))


def open_set(name: str) -> FaceSet:
    """A set by name, read once for all visitors, and again when its file changes; the last two stay open.

    Raises:
        DataError: it is not imported, or its file is no dataset; the message says what to do.
    """
    if name not in imported_sets():
        there = ", ".join(imported_sets())
        raise DataError(f'The set "{name}" is not imported here; there are: {there}.' if there else NOT_IMPORTED)
    path = FOLDER / f"{name}.npz"
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(path: Path, stamp: int) -> FaceSet:
    faces = FaceSet.load(path)
    if not len(faces):
        raise DataError(f"{path} has no images. Import the dataset again: ferscope data import SOURCE")
    return faces


def set_face(name: str, position: int) -> SetFace:
    """The face at an index of a dataset, from 0; indices wrap around. Raises DataError."""
    faces = open_set(name)
    i = position % len(faces)
    picture = Image.fromarray(faces.images[i]).convert("RGB")
    label, part = faces.classes[faces.labels[i]], str(faces.splits[i])
    return SetFace(Face(picture), name, str(faces.ids[i]), part, label, i, len(faces))


def find_face(name: str, id_: str) -> int:
    """The index in a dataset of the face with this id, from 0; DataError if there is none."""
    places = _places(open_set(name))
    if id_ not in places:
        raise DataError(f'"{id_}" is not a face of {name}. An id looks like this: {next(iter(places))}')
    return places[id_]


@lru_cache(maxsize=2)
def _places(faces: FaceSet) -> dict[str, int]:
    return {str(id_): i for i, id_ in enumerate(faces.ids)}
