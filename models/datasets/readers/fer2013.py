"""FER2013, and tables of pixels that are made like its CSV.

Two layouts, packed or unpacked:

* folders `train/<emotion>/Training_<id>.jpg` and `test/<emotion>/{PublicTest,PrivateTest}_<id>.jpg`, where the file
  names carry the official split;
* the challenge's table `fer2013.csv` with the columns `emotion`, `pixels`, `Usage` in any order and any dialect of CSV.
  Usage may be missing, labels may be words, and code 7 is contempt, as in `ckextended.csv`.
"""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np

from ..archives import Source
from ..class_names import ClassMap
from ..faceset import CLASSES, EMOTIONS, DataError
from ..fer2013 import SHARED_NAMES, SIDE, SPLITS
from . import tables
from .rows import Index, Reader, Row

_COLUMNS = {"emotion", "pixels"}
_PART_OF = {split.lower(): split for split in SPLITS}
_NO_SIGNS = str.maketrans("[],;", "    ")


def recognizes(source: Source) -> bool:
    """Whether there is a table of pixels, or half of the images are named after the official split."""
    named = sum(_split(path) in SPLITS for path in source.images)
    return (bool(named) and 2 * named >= len(source.images)) or bool(_tables(source))


def index(source: Source, classes: ClassMap) -> Index:
    """Rows of all images with their official split, in the order of split and name.

    Raises:
        DataError: names without the official split; a row of the table that cannot be read.
    """
    classes = classes.numbered("fer2013")
    found = _tables(source)
    if not source.images and len(source.tables) == 1:  # a single file: what its columns lack is said
        found = list(source.tables)
    if found:
        return _of_table(source.table(found[0]), classes)
    rows, no_split = [], []
    for path in source.images:
        emotion = classes.class_of(path.parent.name)
        if emotion not in EMOTIONS:
            continue
        if _split(path) in SPLITS:
            rows.append(Row(emotion, path.stem, path, _split(path)))
        else:
            no_split.append(str(path))
    if no_split:
        raise DataError(
            f'The official split cannot be known: {len(no_split)} names such as "{no_split[0]}" do not begin with '
            f"{', '.join(SPLITS[:2])} or {SPLITS[2]}. Use the archive whose names do, or the challenge's fer2013.csv."
        )
    return Index(sorted(rows, key=lambda row: (SPLITS.index(row.part), row.name, EMOTIONS.index(row.label))))


def _split(path: PurePosixPath) -> str:
    return path.stem.split("_")[0]


def _tables(source: Source) -> list[PurePosixPath]:
    """The tables of pixels, the challenge's own first."""
    found = [path for path in source.tables if is_pixel_table(source, path)]
    return sorted(found, key=lambda path: (path.name.lower() != "fer2013.csv", path))


def is_pixel_table(source: Source, path: PurePosixPath) -> bool:
    """Whether a table has the columns of FER2013's."""
    return path.suffix.lower() in (".csv", ".tsv", ".gz") and set(tables.header(source.table(path))) >= _COLUMNS


def _of_table(content: bytes, classes: ClassMap) -> Index:
    columns = set(tables.header(content))
    if missing := sorted(_COLUMNS - columns):
        raise DataError(f"The CSV has no column {', '.join(missing)}; FER2013's are emotion, pixels, Usage.")
    rows = [_row(i, line, classes, "usage" in columns) for i, line in enumerate(tables.lines(content))]
    if not rows:
        raise DataError("The CSV has a head and no rows.")
    found = Index(sorted(rows, key=lambda row: (*SPLITS, "all").index(row.part)))
    if "usage" not in columns:
        found.notes.append("The CSV has no column Usage: its images are one part, to be divided by a split such as ")
        found.notes[-1] += "random-80-20."
    return found


def _row(i: int, line: tables.Line, classes: ClassMap, has_usage: bool) -> Row:
    part = _PART_OF.get(line["usage"].strip().lower()) if has_usage else "all"
    if part is None:
        raise DataError(f'Row {i} of the CSV: Usage is "{line["usage"]}", not one of {", ".join(SPLITS)}.')
    label = classes.class_of(line["emotion"])
    if label is None:
        known = f"a code from 0 to {max(classes.numbers)} or the name of a class: {', '.join(CLASSES)}"
        raise DataError(f'Row {i} of the CSV: emotion is "{line["emotion"]}", not {known}.')
    try:
        pixels = np.array(line["pixels"].translate(_NO_SIGNS).split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise DataError(f"Row {i} of the CSV: {error}.") from error
    if pixels.size != SIDE * SIDE:
        raise DataError(f"Row {i} of the CSV has {pixels.size} pixels instead of {SIDE * SIDE}.")
    if not 0 <= pixels.min() <= pixels.max() < 256:
        raise DataError(f"Row {i} of the CSV: {pixels.min()} to {pixels.max()} is not within 0 to 255.")
    return Row(label, f"row_{i}", part=part, pixels=pixels.astype(np.uint8).reshape(SIDE, SIDE))


READER = Reader(
    "fer2013",
    "FER2013",
    "FER2013 has train/<emotion>/Training_<id>.jpg and test/<emotion>/PublicTest_<id>.jpg, or a fer2013.csv.",
    recognizes,
    index,
    classes=EMOTIONS,
    side=SIDE,
    exact=True,
    shared_names=frozenset(SHARED_NAMES),
)
