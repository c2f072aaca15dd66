"""From the rows that a reader finds to a `FaceSet`: decode images, crop faces, count what is left out by reason."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image

from ...text import counted
from ..archives import Source, decoded, left_out, square
from ..class_names import ClassMap, in_order
from ..faceset import DataError, FaceSet

CROP = 128
"""Largest side in pixels of an image that counts as a crop of a face already: datasets give out crops of 48 to 112."""

SIDES = (48, 96)
"""Sides in pixels of the images of a set: the larger where at least half of the faces are that large."""

Box = tuple[float, float, float, float, float]
"""Left, top, width, height in pixels, and the angle in degrees."""


class FoundFace(NamedTuple):
    """The largest face of a photograph: the square around it, where that was, and how many faces there are."""

    image: Image.Image
    box: Box
    faces: int


FindFace = Callable[[Image.Image], FoundFace | None]
"""Finds the face in an upright RGB image; None where there is none."""


@dataclass(frozen=True, eq=False)
class Row:
    """One labeled image of a source, before it is decoded.

    Attributes:
        label: its class.
        name: name of the image in the set.
        path: path of its file inside the source; None where it has none.
        part: name of the part of the set that it belongs to.
        subject: who is shown.
        box: left, top, width, height of the face where the set says so, in pixels.
        pixels: gray, uint8 (H, W), where a table holds them; `content`, an encoded image, likewise.
    """

    label: str
    name: str
    path: PurePosixPath | None = None
    part: str = "all"
    subject: str = ""
    box: tuple[float, float, float, float] | None = None
    pixels: np.ndarray | None = None
    content: bytes | None = None


@dataclass
class Index:
    """What a reader finds, collected file by file: rows in the order of the set, files left out by reason, notes."""

    rows: list[Row]
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Reader:
    """One family of datasets.

    Attributes:
        kind: name of the family.
        layout: how its files lie, for messages and the documentation.
        recognizes: whether a source is one.
        index: its rows, from the source and the user's mapping of classes.
        title: title of the dataset, e.g. "CK+".
        named: whether the imported file is called by the kind, not by its folder.
        classes: those that a set has whether or not they occur.
        side: side of the images in pixels; None: by their size, see `SIDES`.
        exact: whether images of another size are left out, not resized.
        unique: whether two different files of one name are an error, except for `shared_names`.
    """

    kind: str
    title: str
    layout: str
    recognizes: Callable[[Source], bool]
    index: Callable[[Source, ClassMap], Index]
    named: bool = True
    classes: tuple[str, ...] = ()
    side: int | None = None
    exact: bool = False
    unique: bool = True
    shared_names: frozenset[str] = frozenset()


def assemble(
    source: Source,
    reader: Reader,
    index: Index,
    find_face: FindFace | None = None,
    side: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> FaceSet:
    """Decode the images of an index.

    Args:
        source, reader, index: where the images are, and what is known of them.
        find_face: called for images larger than `CROP` that have no box; None: the square in the middle is taken.
        side: side of the images in pixels; None: the reader's.
        progress: called with the number of files read so far.

    Raises:
        DataError: no image can be read, a class has none that can, or two different files have one name.
    """
    decoder = _Decoder(reader, find_face, index.left_out, side or reader.side)
    of_path: dict[PurePosixPath, list[int]] = defaultdict(list)
    for i, row in enumerate(index.rows):
        if row.path is None:
            decoder.take(i, row, row.content)
        else:
            of_path[row.path].append(i)
    for n, (path, content) in enumerate(source.read(of_path), 1):
        progress(n)
        for i in of_path[path]:
            decoder.take(i, index.rows[i], content)
    index.left_out["not an image or a table"] += map(str, source.others)
    return decoder.faces(index)


class _Decoder:
    """Decodes rows one after another and keeps each face at most at the larger of `SIDES`, or at the reader's side."""

    def __init__(
        self, reader: Reader, find_face: FindFace | None, left_out_: dict[str, list[str]], side: int | None
    ) -> None:
        self.reader, self.find_face, self.left_out, self.side = reader, find_face, left_out_, side
        self.images: dict[int, tuple[Image.Image, Box]] = {}
        self.seen: set[tuple] = set()
        self.unreadable: dict[str, list[str]] = defaultdict(list)  # by class
        self.counts: Counter[str] = Counter()

    def take(self, i: int, row: Row, content: bytes | None) -> None:
        """Decode the image of a row, or count why it is left out."""
        if row.pixels is not None:
            self.images[i] = Image.fromarray(row.pixels), _WHOLE
            return
        content = content or b""
        if row.path is not None:
            key = (row.label, row.part, row.path.name, row.box, hashlib.sha256(content).digest())
            if key in self.seen:
                self.left_out["a second copy of the same file in another folder"].append(str(row.path))
                return
            self.seen.add(key)
        image = decoded(content)
        exact = self.reader.side if self.reader.exact else None
        if image is None or (exact and image.size != (exact, exact)):
            self.unreadable[row.label].append(str(row.path or row.name))
        else:
            face, box = self._face(image, row)
            self.images[i] = _reduced(face, self.side), box

    def _face(self, image: Image.Image, row: Row) -> tuple[Image.Image, Box]:
        if row.box is not None:
            return _cut(image, row.box), (*row.box, 0.0)
        if self.reader.side or self.find_face is None or max(image.size) <= CROP:
            return image, _WHOLE
        self.counts["photographs"] += 1
        found = self.find_face(image)
        if found is None:
            self.counts["faceless"] += 1
            return image, _WHOLE
        self.counts["several"] += found.faces > 1
        return found.image, found.box

    def faces(self, index: Index) -> FaceSet:
        """The set of all rows that were decoded, in the order of the index."""
        rows = [row for i, row in enumerate(index.rows) if i in self.images]
        self._check(rows)
        sizes = [min(self.images[i][0].size) for i in sorted(self.images)]
        side = self.side or SIDES[int(np.median(sizes) >= SIDES[1])]
        classes = in_order((*self.reader.classes, *(row.label for row in rows)))
        boxes = np.array([self.images[i][1] for i in sorted(self.images)], dtype=np.float32)
        names, parts, subjects = (np.array([getattr(row, a) for row in rows]) for a in ("name", "part", "subject"))
        return FaceSet(
            np.stack([np.asarray(square(self.images[i][0], side)) for i in sorted(self.images)]),
            np.array([classes.index(row.label) for row in rows]),
            names,
            parts,
            classes,
            subjects,
            boxes=boxes if boxes.any() else None,
            notes=(*index.notes, *self._notes()),
        )

    def _check(self, rows: list[Row]) -> None:
        if not rows:
            raise DataError(
                " ".join([f"No image of {self.reader.title} was found. {self.reader.layout}", *self._notes()])
            )
        empty = sorted(set(self.unreadable) - {row.label for row in rows})
        if empty and not self.reader.unique:
            raise DataError(f'No image of "{empty[0]}" can be read: put some there, or remove the folder.')
        again = {name for name, n in Counter(row.name for row in rows).items() if n > 1} - self.reader.shared_names
        if again and self.reader.unique:
            raise DataError(
                f"{counted(len(again), 'name stands', 'names stand')} for two different files each, such as "
                f"{min(again)}. Keep one of each."
            )

    def _notes(self) -> list[str]:
        why = f"not {self.reader.side}×{self.reader.side} images" if self.reader.exact else "not readable as images"
        reasons = {why: [name for names in self.unreadable.values() for name in names], **self.left_out}
        notes = [note for why, names in reasons.items() for note in left_out(names, why)]
        if n := self.counts["photographs"]:
            none, several = self.counts["faceless"], self.counts["several"]
            note = f"Faces were detected in {n - none} of {counted(n, 'photograph')}."
            note += f" {several} had several faces: the largest was taken." if several else ""
            notes.append(note + (f" {none} had none: the square in the middle was taken." if none else ""))
        return notes


_WHOLE: Box = (0.0, 0.0, 0.0, 0.0, 0.0)


def _reduced(image: Image.Image, side: int | None) -> Image.Image:
    """Gray and square, at most as large as it will be needed, so that a set of photographs fits into memory."""
    return square(image, min(side or SIDES[1], *image.size))


def _cut(image: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
    """The square around a box as wide as its longer side, within the image."""
    left, top, width, height = box
    half = max(1.0, width, height) / 2
    x, y = left + width / 2, top + height / 2
    corners = max(0, x - half), max(0, y - half)
    ends = min(image.width, x + half), min(image.height, y + half)
    cut = image.crop((round(corners[0]), round(corners[1]), round(ends[0]), round(ends[1])))
    return cut if min(cut.size) >= 1 else image


def distinct(rows: Iterable[Row]) -> list[Row]:
    """Rows sorted by part and name; the name is the path without its suffix, and with it where two share that."""
    rows = list(rows)
    stems = Counter(str(row.path.with_suffix("")) for row in rows if row.path)
    named = [
        replace(row, name=str(row.path.with_suffix("")) if stems[str(row.path.with_suffix(""))] == 1 else str(row.path))
        for row in rows
        if row.path
    ]
    return sorted(named, key=lambda row: (row.part, row.name))
