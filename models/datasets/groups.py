"""Groups of images by a column of metadata that the user gives, such as age or lighting; nothing is inferred."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .faceset import DataError
from .readers import tables
from .readers.table import COLUMNS

IMAGE_COLUMNS = ("id", "hash", *COLUMNS["path"])
"""What the column that names the images may be called, the likeliest first."""

MOST_GROUPS = 50
"""Largest number of groups; a column with more has values that are to be put into groups first, such as ages."""

MOST_BYTES = 20 * 2**20
"""Largest size of a table."""

_MOST_ROWS = 500_000


@dataclass(frozen=True, eq=False)
class Groups:
    """The group of each image.

    Attributes:
        column: where the groups come from.
        values: group of each image, str (N,); empty where the table says nothing.
        unmatched: rows of the table that name none of the images.
        ambiguous: rows that name several images, or an image that has another group already; they are left out.
    """

    column: str
    values: np.ndarray
    unmatched: int
    ambiguous: int


def columns_of(content: bytes) -> tuple[str, ...]:
    """The columns of a table, in small letters; DataError where there are fewer than two."""
    if len(content) > MOST_BYTES:
        raise DataError(f"The table is larger than {MOST_BYTES >> 20} MB: keep the columns of images and groups only.")
    columns = tuple(filter(None, tables.header(content)))
    if len(columns) < 2:
        raise DataError("The table needs a first line with the names of its columns: one for images, one for groups.")
    return columns


def image_column(columns: Sequence[str]) -> str:
    """The column that names the images, by its name; DataError where there is none."""
    found = next((name for name in IMAGE_COLUMNS if name in columns), None)
    if found is None:
        raise DataError(
            f"No column of the table ({', '.join(columns)}) names the images: call it id or path, or say which it is."
        )
    return found


def read_groups(content: bytes, column: str, ids: np.ndarray, names: np.ndarray, images: str = "") -> Groups:
    """The group of each image, from a CSV of any separator.

    Args:
        content: content of the CSV file.
        column: name of the column of groups.
        ids, names: ids and names of the images, str (N,), as in `FaceSet`.
        images: the column that names them, by id, pixel hash, name, or a path that ends with the name; by default the
            first of `IMAGE_COLUMNS`.

    Raises:
        DataError: there are no such columns, too many groups, or no row names an image.
    """
    columns, column = columns_of(content), column.strip().lower()
    images = images.strip().lower() or image_column(columns)
    for wanted in (column, images):
        if wanted not in columns:
            raise DataError(f'The table has no column "{wanted}"; there are: {", ".join(columns)}.')
    at, values = _places(ids, names), np.full(len(ids), "", dtype=object)
    unmatched = ambiguous = 0
    for number, line in enumerate(tables.lines(content)):
        if number >= _MOST_ROWS:
            raise DataError(f"The table has more than {_MOST_ROWS} rows.")
        group, places = line.get(column, "").strip()[:60], _found(at, line.get(images, ""))
        if not places:
            unmatched += 1
        elif len({names[i] for i in places}) > 1 or any(values[i] not in ("", group) for i in places):
            ambiguous += 1
        else:
            values[list(places)] = group
    values = values.astype(str)
    _check(column, values, str(names[0]) if len(names) else "")
    return Groups(column, values, unmatched, ambiguous)


def _places(ids: np.ndarray, names: np.ndarray) -> dict[str, set[int]]:
    """Indices of the images by id, pixel hash, name, and name without folder or suffix."""
    at: dict[str, set[int]] = defaultdict(set)
    for i, (id_, name) in enumerate(zip(ids.tolist(), names.tolist(), strict=True)):
        for key in {id_, id_.rsplit("-", 2)[-2:][0], name, _stem(name)}:
            at[key].add(i)
    return at


def _found(at: dict[str, set[int]], named: str) -> set[int]:
    named = named.strip().replace("\\", "/")
    for key in (named, named.rpartition(".")[0], named.rpartition("/")[2], _stem(named)):
        if key and key in at:
            return at[key]
    return set()


def _stem(path: str) -> str:
    """The last part of a path without its suffix."""
    file = path.rpartition("/")[2]
    return file.rpartition(".")[0] or file


def _check(column: str, values: np.ndarray, example: str) -> None:
    known = np.unique(values[values != ""])
    if len(known) == 0:
        raise DataError(f'No row of the table gives one of these images a group: they are named like "{example}".')
    if len(known) > MOST_GROUPS:
        raise DataError(
            f'The column "{column}" has {len(known)} different values, such as {known[0]} and {known[1]}: put them '
            f"into at most {MOST_GROUPS} groups first, such as 20-29."
        )
