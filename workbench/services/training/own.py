"""Visitors' own datasets, from a zip file or the camera: small, stored on this computer, deleted with one call.

Nothing of the images stays but gray faces of 48 pixels, under numbers, never under names; a training run on them
belongs to its set, is neither promoted nor exported, and is deleted with it (`forget`).
"""

from __future__ import annotations

import io
import secrets
import shutil
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from models.datasets import DataError, FaceSet
from models.datasets.archives import is_hidden, zip_name
from models.datasets.class_names import ClassMap, class_of, in_order
from models.datasets.readers.folder import listed, meanings
from models.images import SUFFIXES, TITLES
from models.text import PLAIN_WORDS, counted

from ... import faces
from ...jobs import runner, store
from ...jobs.import_checks import unzipping
from ...jobs.limits import LIMITS, check_own_set
from ...jobs.store import JobError
from . import epochs

_SIDE = 48  # pixels
_NAMED = 4  # classes in a title
_UNPACKED = 12 * LIMITS.own_bytes  # bytes, of all images of a zip file together
_LARGEST = (1600, 1600)  # pixels, while a face is looked for
_DAMAGED = "This is not a zip that can be read, or a damaged one. Pack it again."
_HOW = "Zip a folder with one folder of images for each class, such as happy and sad."

Labeled = tuple[str, np.ndarray]
"""A class and a gray face, uint8 (48, 48)."""

_Entry = tuple[PurePosixPath, zipfile.ZipInfo]


@dataclass(frozen=True)
class OwnSet:
    """A visitor's own dataset.

    Attributes:
        id: made by us; the name of its folder.
        made: seconds since 1970.
        counts: images of each class.
    """

    id: str
    made: float
    counts: dict[str, int]

    @property
    def title(self) -> str:
        """Its label: when it was made, to the second, and its classes with their numbers of faces."""
        classes = [f"{name[:20]} {n}" for name, n in self.counts.items()]
        if (more := len(classes) - _NAMED) > 0:
            classes[_NAMED:] = [counted(more, "more class", "more classes")]
        return f"own images of {datetime.fromtimestamp(self.made):%d %b %H:%M:%S} ({', '.join(classes)})"


def own_sets() -> tuple[OwnSet, ...]:
    """The sets that there are, the newest first."""
    found = [_read(folder) for folder in store.entries(store.OWN) if folder.is_dir()]
    return tuple(sorted((s for s in found if s is not None), key=lambda s: -s.made))


def own_set(id_: str) -> OwnSet:
    """A set by its id; raises JobError where there is none."""
    found = next((s for s in own_sets() if s.id == id_), None)
    if found is None:
        raise JobError("This dataset was deleted: make it again, or choose another one.")
    return found


def file_of(id_: str) -> Path:
    """The file that a training run reads; raises JobError where there is no such set."""
    return (store.OWN / own_set(id_).id / "faces.npz").resolve()


def _read(folder: Path) -> OwnSet | None:
    path = folder / "faces.npz"
    try:
        found = FaceSet.load(path)
    except DataError:
        return None
    counts = Counter(found.classes[label] for label in found.labels)
    return OwnSet(folder.name, path.stat().st_mtime, {name: counts[name] for name in found.classes})


def make(pictures: Sequence[Labeled], seed: int = 0) -> OwnSet:
    """Write a set: of each class two thirds to train, a sixth to choose by, a sixth to test, one at least of each.

    Raises:
        JobError: too few or too many images or classes; DiskFullError: no room.
    """
    counts = Counter(name for name, _ in pictures)
    check_own_set(counts)
    if strange := [name for name in counts if not PLAIN_WORDS.fullmatch(name)]:
        raise JobError(f"“{strange[0][:60]}” cannot be a label: use letters, digits and spaces, at most 60.")
    classes = in_order(counts)
    labels = np.array([classes.index(name) for name, _ in pictures])
    splits, rng = np.full(len(labels), "Training", dtype="<U12"), np.random.default_rng(seed)
    for label in range(len(classes)):
        mine = rng.permutation(np.flatnonzero(labels == label))
        n = max(1, len(mine) // 6)
        splits[mine[:n]], splits[mine[n : 2 * n]] = "PublicTest", "PrivateTest"
    names = np.array([f"own_{i}" for i in range(len(labels))])
    made = FaceSet(np.stack([face for _, face in pictures]), labels, names, splits, classes)
    id_ = secrets.token_hex(4)
    folder = store.OWN / id_
    folder.mkdir(parents=True, mode=0o700)
    made.save(folder / "faces.npz", source="own pictures", private=True)
    return own_set(id_)


def forget(id_: str) -> int:
    """Delete a set with its jobs and their checkpoints; how many jobs there were. JobError where there is none."""
    folder = store.OWN / own_set(id_).id
    jobs = runner.forget(id_)
    shutil.rmtree(folder)
    epochs.forget_images()
    return jobs


# ---- images


def face_of(data: bytes) -> np.ndarray:
    """The largest face in an image file, gray, uint8 (48, 48); all of an image that is a cropped face.

    Raises:
        PictureError: it is no image, or shows no face.
    """
    picture = faces.decode(data)
    picture.thumbnail(_LARGEST)
    boxes = faces.detect_or_whole(picture)
    if not boxes:
        raise faces.PictureError("No face was detected in this image. Move closer, face the camera, and add light.")
    return faces.crop(picture, boxes[0]).gray(_SIDE)


def read_zip(
    data: bytes,
    progress: Callable[[int, int], None] = lambda i, n: None,
    mapping: Mapping[str, str] | None = None,
) -> tuple[list[Labeled], list[str]]:
    """The faces in a zip of class folders: emotions, or where fewer than two folders are, any names.

    Args:
        data: the file.
        progress: called with (images read, images in all).
        mapping: the class of each folder, "" to leave it out; None: as the names say.

    Returns:
        Faces with their classes, and a sentence for each kind of file that was left out.

    Raises:
        JobError: it is not such a zip; the sentence says what to do.
    """
    with _opened(data) as (file, entries):

        def content(entry: zipfile.ZipInfo) -> bytes:
            with unzipping(_DAMAGED), file.open(entry) as stream:
                return stream.read(faces.MAX_BYTES + 1)  # the header may state a wrong size

        images = [(path, partial(content, entry)) for path, entry in entries if path.suffix.lower() in SUFFIXES]
        folders = Counter(path.parent.name for path, _ in images)
        classes = meanings(folders, ClassMap()) if mapping is None else {k: v for k, v in mapping.items() if v}
        if not classes:
            raise JobError(f"The folders of this zip mean no class: {listed(folders)[:300]}. {_HOW}")
        labels = [classes.get(path.parent.name, "") for path, _ in images]
        return _faces(images, labels, len(entries), progress)


def folders_of(paths: Iterable[PurePosixPath]) -> dict[str, int]:
    """Images in each folder; "" for those in none."""
    return dict(Counter(path.parent.name for path in paths))


def folders_in_zip(data: bytes) -> dict[str, int]:
    """Images in each folder of a zip; JobError as for `read_zip`."""
    with _opened(data) as (_, entries):
        return folders_of(path for path, _ in entries if path.suffix.lower() in SUFFIXES)


def guessed(folders: Iterable[str]) -> dict[str, str]:
    """The class that each folder means by its name, as `read_zip` takes it; "" for one that means none."""
    folders = list(folders)
    return dict.fromkeys(folders, "") | meanings(folders, ClassMap())


def label_in(path: PurePosixPath) -> str:
    """The emotion that a file is named after, such as happy_03.jpg or the folder happy; "" for none."""
    return class_of(path.stem) or class_of(path.parent.name) or ""


def read_files(
    files: Sequence[tuple[PurePosixPath, Callable[[], bytes]]],
    labels: Sequence[str],
    progress: Callable[[int, int], None] = lambda i, n: None,
) -> tuple[list[Labeled], list[str]]:
    """The faces in single image files, as `read_zip` returns them.

    Args:
        files: path and content of each.
        labels: the class of each; "" leaves it out.
        progress: called with (images read, images in all).

    Raises:
        JobError: there are too many files, or none has a label.
    """
    if len(files) > LIMITS.own_images:
        raise JobError(f"These are {len(files)} files: use at most {LIMITS.own_images} images.")
    if not any(labels):
        raise JobError("No image has a label: choose one for each, or leave images out.")
    return _faces(files, labels, len(files), progress)


@contextmanager
def _opened(data: bytes) -> Iterator[tuple[zipfile.ZipFile, list[_Entry]]]:
    """A zip file and its files, after a check that it is suitable."""
    if len(data) > LIMITS.own_bytes:
        raise JobError(f"This zip file is larger than {LIMITS.own_bytes >> 20} MB: use fewer or smaller images.")
    with unzipping(_DAMAGED):
        file = zipfile.ZipFile(io.BytesIO(data))
    with file:
        entries = [(zip_name(entry), entry) for entry in file.infolist()]
        entries = [(path, entry) for path, entry in entries if path.parts and not is_hidden(path) and _is_file(entry)]
        _check(entries)
        yield file, entries


def _is_file(entry: zipfile.ZipInfo) -> bool:
    return not entry.filename.endswith(("/", "\\"))  # PowerShell 5.1 ends a folder with a backslash


def _check(entries: list[_Entry]) -> None:
    """Raise JobError for an unsuitable zip file before anything of it is unpacked."""
    if len(entries) > LIMITS.own_images:
        raise JobError(f"This zip file contains {len(entries)} files: use at most {LIMITS.own_images} images.")
    if not any(path.suffix.lower() in SUFFIXES for path, _ in entries):
        raise JobError(f"This zip file contains no image: {TITLES}. {_HOW}")
    for path, entry in entries:
        if path.is_absolute() or ".." in path.parts or ":" in str(path):
            raise JobError(f"This zip holds a path that climbs out of it. {_HOW}")
        if stat.S_ISLNK(entry.external_attr >> 16) or entry.flag_bits & 1:
            raise JobError(f"This zip file contains a link or a file with a password. {_HOW}")
    if sum(entry.file_size for _, entry in entries) > _UNPACKED:
        raise JobError(f"Unpacked, this zip file is larger than {_UNPACKED >> 20} MB: use fewer images.")


def _faces(
    images: Sequence[tuple[PurePosixPath, Callable[[], bytes]]],
    labels: Sequence[str],
    files: int,
    progress: Callable[[int, int], None],
) -> tuple[list[Labeled], list[str]]:
    """The faces of the images that have a label, and what was left out of so many files."""
    found, left_out = [], Counter({"is no image": files - len(images)})
    for i, ((path, content), class_) in enumerate(zip(images, labels, strict=True)):
        if not class_:
            left_out[_no_label(path)] += 1
            continue
        try:
            found.append((class_, face_of(content())))
        except faces.PictureError as error:
            left_out["shows no face" if "No face" in str(error) else "cannot be read"] += 1
        progress(i + 1, len(images))
    return found, [f"{n} of {files} files left out: each {why}." for why, n in left_out.items() if n]


def _no_label(path: PurePosixPath) -> str:
    folder = path.parent.name
    return f"is in the folder “{folder[:40]}”, which means no class" if folder else "has no label"
