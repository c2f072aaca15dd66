"""FER+ (Barsoum et al. 2016) as its own script makes it, with the votes of ten annotators for each image.

Two layouts:

* folders `FER2013Train`, `FER2013Valid`, `FER2013Test` with `fer0000000.png`, and in each a `label.csv` without a
  header: file, box, then the votes;
* FER2013's CSV beside `fer2013new.csv`, whose columns are Usage, Image name, then the votes.

The class is that with more than half of the votes, as in the paper's "majority". Without `label.csv` the votes that
come with the project are taken, by the number in the name.
"""

from __future__ import annotations

import csv
from pathlib import PurePosixPath

import numpy as np

from ..archives import Source
from ..class_names import ClassMap
from ..faceset import CLASSES, DataError
from ..fer2013 import SIDE, SPLITS
from ..ferplus import COLUMNS, targets, votes
from . import fer2013, tables
from .rows import Index, Reader, Row

NEW_LABELS = "fer2013new.csv"

_FOLDERS = dict(zip(("fer2013train", "fer2013valid", "fer2013test"), SPLITS, strict=True))


def recognizes(source: Source) -> bool:
    """Whether there is one of FER+'s folders, or its table of votes without images or beside FER2013's CSV."""
    folders = any(path.parent.name.lower() in _FOLDERS for path in source.images)
    return folders or (bool(source.named(NEW_LABELS)) and not source.images)


def index(source: Source, classes: ClassMap) -> Index:
    """Rows of all images for one of whose emotions more than half of the annotators voted.

    Raises:
        DataError: there are votes and no images; a line of a table that is no line of votes.
    """
    rows = _rows_of_folders(source) if source.images else _rows_of_tables(source, classes)
    shares, kept = targets(np.array([votes for _, votes in rows]).reshape(-1, len(COLUMNS)))
    found = Index([])
    for (row, counts), share, keep in zip(rows, shares, kept, strict=True):
        if keep:
            label = CLASSES[int(share.argmax())]
            found.rows.append(Row(label, row.name, row.path, row.part, pixels=row.pixels))
        else:
            why = "no emotion has more than half of the votes" if any(counts) else "without votes"
            found.left_out[why].append(str(row.path or row.name))
    return found


def _rows_of_folders(source: Source) -> list[tuple[Row, list[int]]]:
    known = {line[0]: line[1] for path in source.named("label.csv") for line in _labels(source, path)}
    rows = []
    for path in sorted(source.images, key=lambda path: path.stem):
        part = _FOLDERS.get(path.parent.name.lower())
        if part:
            shipped = [int(n) for n in votes([path.stem])[0]]
            rows.append((Row("", path.stem, path, part), known.get(path.parent / path.name, shipped)))
    return sorted(rows, key=lambda row: SPLITS.index(row[0].part))


def _labels(source: Source, path: PurePosixPath) -> list[tuple[PurePosixPath, list[int]]]:
    """File and votes of each line of a `label.csv`."""
    found = []
    for i, line in enumerate(csv.reader(source.table(path).decode(errors="replace").splitlines())):
        if line:
            found.append((path.parent / line[0].strip(), _votes(line[-len(COLUMNS) :], f"Line {i + 1} of {path}")))
    return found


def _rows_of_tables(source: Source, classes: ClassMap) -> list[tuple[Row, list[int]]]:
    pixels = [path for path in source.tables if fer2013.is_pixel_table(source, path)]
    if not pixels:
        raise DataError(
            f"{NEW_LABELS} holds the votes of FER+ and no images. Put it beside fer2013.csv and import that folder, or "
            "take the votes that come with the project: ferscope data import fer2013.csv --labels ferplus-majority"
        )
    (labels,) = source.named(NEW_LABELS)[:1]
    lines = list(tables.lines(source.table(labels)))
    counts = [_votes(list(line.values())[2:], f"Row {i} of {labels}") for i, line in enumerate(lines)]
    rows = fer2013.index(Source(source.path, (), (pixels[0],), kept=source.kept), classes).rows
    if len(rows) != len(counts):
        raise DataError(f"{labels} has {len(counts)} rows and {pixels[0]} {len(rows)}: they must be those of one set.")
    return [(row, counts[int(row.name.removeprefix("row_"))]) for row in rows]


def _votes(fields: list[str], where: str) -> list[int]:
    try:
        found = [int(field) for field in fields]
    except ValueError:
        found = []
    if len(found) != len(COLUMNS) or min(found) < 0:
        raise DataError(f"{where} does not end with {len(COLUMNS)} votes: {', '.join(COLUMNS)}.")
    return found


READER = Reader(
    "ferplus",
    "FER+",
    "It has FER2013Train, FER2013Valid and FER2013Test, each with label.csv, or fer2013new.csv beside fer2013.csv.",
    recognizes,
    index,
    classes=CLASSES,
    side=SIDE,
)
