"""AffectNet (Mollahosseini, Hasani and Mahoor 2017), the eight emotions: 0 neutral … 7 contempt.

Three layouts, all with `train` and `val` (or names such as `train_set`), of which `val` is the one to test with:

* folders of the numbers 0 to 7;
* `images/<id>.jpg` and `annotations/<id>_exp.npy`, one code each;
* the tables `training.csv` and `validation.csv` beside the photographs, with the face's box and the code.

Codes 8 to 10 mean none, uncertain and no face; they are left out. The dataset may not be redistributed: ask its
authors for it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np

from ..archives import Source
from ..class_names import NUMBERINGS, ClassMap
from ..faceset import CLASSES, DataError
from . import tables
from .folder import part_of_path
from .rows import Index, Reader, Row, distinct

_PATH, _BOX = "subdirectory_filepath", ("face_x", "face_y", "face_width", "face_height")
_NOT_AN_EMOTION = "codes 8 to 10: none, uncertain, no face"


def recognizes(source: Source) -> bool:
    """Whether there are the annotations, a table of the authors, or the folders with images are those of 0 to 7."""
    folders = {path.parent.name for path in source.images}
    numbered = folders == {str(code) for code in NUMBERINGS["affectnet"]}
    return numbered or bool(source.images and (_annotations(source) or _tables(source)))


def index(source: Source, classes: ClassMap) -> Index:
    """Rows of all images with the code of an emotion; raises DataError for an annotation that is none."""
    classes, found = classes.numbered("affectnet"), Index([])
    numbers = ", ".join(f"{code} = {name}" for code, name in NUMBERINGS["affectnet"].items())
    found.notes.append(f"The numbers are taken for those of AffectNet: {numbers}. Others: --classes '0=...,1=...'.")
    rows, labeled = [], set()
    for path, part, code, box in _labels(source):
        labeled.add(path)
        if label := classes.class_of(code):
            rows.append(Row(label, "", path, part, box=box))
        else:
            found.left_out[_NOT_AN_EMOTION].append(str(path))
    found.left_out["without an annotation"] += [str(path) for path in source.images if path not in labeled]
    found.rows += distinct(rows)
    return found


_Label = tuple[PurePosixPath, str, str, tuple[float, float, float, float] | None]  # path, part, code, box


def _labels(source: Source) -> Iterator[_Label]:
    if _annotations(source):
        return _of_annotations(source)
    return _of_tables(source) if _tables(source) else ((p, part_of_path(p), p.parent.name, None) for p in source.images)


def _annotations(source: Source) -> list[PurePosixPath]:
    return [path for path in source.tables if path.name.endswith("_exp.npy")]


def _of_annotations(source: Source) -> Iterator[_Label]:
    there = {(path.parent.parent, path.stem): path for path in source.images}
    for path, content in source.read(_annotations(source)):
        image = there.get((path.parent.parent, path.name.removesuffix("_exp.npy")))
        if image is not None:
            yield image, part_of_path(path), _code(path, content), None


def _code(path: PurePosixPath, content: bytes) -> str:
    try:
        return str(np.load(io.BytesIO(content), allow_pickle=False).item())
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} holds no code of an emotion ({error}): unpack AffectNet again.") from error


def _tables(source: Source) -> list[PurePosixPath]:
    tables_ = [path for path in source.tables if path.suffix.lower() == ".csv"]
    return [path for path in tables_ if {_PATH, "expression"} <= set(tables.header(source.table(path)))]


def _of_tables(source: Source) -> Iterator[_Label]:
    there = {path.parts[-2:]: path for path in source.images}  # <folder>/<file>
    for table in _tables(source):
        part = part_of_path(PurePosixPath(table.stem.lower().replace("validation", "val"), "x"))
        for i, line in enumerate(tables.lines(source.table(table))):
            image = there.get(PurePosixPath(line[_PATH].replace("\\", "/")).parts[-2:])
            if image is not None:
                yield image, part, line["expression"], _box(line, f"Row {i} of {table}")


def _box(line: tables.Line, where: str) -> tuple[float, float, float, float] | None:
    if not all(line.get(column) for column in _BOX):
        return None
    try:
        left, top, width, height = (float(line[column]) for column in _BOX)
    except ValueError as error:
        raise DataError(f"{where}: {', '.join(_BOX)} are not numbers ({error}).") from error
    return (left, top, width, height) if min(width, height) >= 1 else None


READER = Reader(
    "affectnet",
    "AffectNet",
    "It has folders 0 to 7, images and annotations/<id>_exp.npy, or training.csv and validation.csv.",
    recognizes,
    index,
    classes=CLASSES,
)
