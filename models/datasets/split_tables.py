"""Tables of `ferscope data splits`: all splits of a dataset, one of them by class, the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from .faceset import FaceSet
from .splits import Parts, available, find, named_splits

_PARTS = ("training", "validation", "test")


def notes() -> Table:
    """Every named split and what it is; needs no dataset."""
    table = Table("split", "what it is", box=SIMPLE_HEAD, show_edge=False)
    for found in named_splits():
        table.add_row(found.name, found.note)
    return table


def sizes(faces: FaceSet) -> Table:
    """Images in each part of every split that a dataset can be divided by."""
    table = Table("split", *_PARTS, "what it is", box=SIMPLE_HEAD, show_edge=False)
    for name, parts in available(faces).items():
        sizes_, known = (str(len(getattr(parts, part))) for part in _PARTS), find(name)
        table.add_row(name, *sizes_, known.note if known else "")
    return table


def by_class(parts: Parts) -> Table:
    """Images of each class (columns) in each part (rows), and how many subjects, where the dataset names them."""
    return _by_class((part, getattr(parts, part)) for part in _PARTS)


def by_fold(folds: Iterable[Parts]) -> Table:
    """Images of each class (columns) in the test set of each fold (rows)."""
    return _by_class((f"fold {i}", parts.test) for i, parts in enumerate(folds, 1))


def _by_class(rows: Iterable[tuple[str, FaceSet]]) -> Table:
    rows = list(rows)
    classes, has_subjects = rows[0][1].classes, "" not in rows[0][1].subjects
    head = ("", *classes, "all", *["subjects"] * has_subjects)
    table = Table(*head, box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for what, faces in rows:
        counts = np.bincount(faces.labels, minlength=len(classes)).tolist()
        people = [len(np.unique(faces.subjects))] if has_subjects else []
        table.add_row(what, *map(str, (*counts, len(faces), *people)))
    return table
