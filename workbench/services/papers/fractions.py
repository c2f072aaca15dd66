"""Shares of whole images: which k of n a printed figure can be, and how many images a table was measured on."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models.datasets.faceset import EMOTIONS
from models.datasets.fer2013 import COUNTS
from models.metrics import Interval, share
from models.text import percentage

from .definitions import Table, figure, number

_LARGEST = 100  # images of a class in the small sets
TEST_PARTS = ("PublicTest", "PrivateTest")


def agrees(value: float, printed: str, within: float = 0.0) -> bool:
    """Whether a value, in the unit of the print, is what is printed: rounded, or cut off after as many digits.

    Args:
        value: what was computed.
        printed: the figure as in the paper; "<5%" is a bound.
        within: share by which it may differ, where the paper says "about".
    """
    claimed = number(printed)
    if claimed is None:
        return False
    if printed.startswith("<"):
        return value < claimed
    unit = 10.0 ** -_places(printed)
    rounded = abs(value - claimed) <= unit / 2 + 1e-9
    cut = abs(math.trunc(value / unit + math.copysign(1e-9, value)) * unit - claimed) < 1e-9
    return rounded or cut or abs(value - claimed) <= within * abs(claimed)


def _places(printed: str) -> int:
    found = re.search(r"\.(\d+)", printed)
    return len(found[1]) if found else 0


def shares(printed: str, n: int) -> list[int]:
    """Every k for which k of n images is the printed percentage."""
    middle, reach = figure(printed) * n / 100, 1 + int(10.0 ** -_places(printed) * n / 100)
    near = range(max(0, int(middle) - reach), min(n, int(middle) + reach + 1) + 1)
    return [k for k in near if agrees(100 * k / n, printed)]


def nearest(printed: str, n: int) -> int:
    """The k whose share of n images is nearest to the printed percentage."""
    return round(figure(printed) * n / 100)


def test_pictures(class_: str) -> int:
    """Images of a class in both official test sets of FER2013."""
    return sum(COUNTS[part][EMOTIONS.index(class_)] for part in TEST_PARTS)


@lru_cache(maxsize=16)
def pictures(table: Table) -> tuple[int, ...]:
    """Test images of each class of a table.

    FER2013: both official test sets. Of other sets they follow from the fractions: the smallest number of which most
    printed figures of the class are a share. A class that is always at 100 % fits any number: it gets what is left.
    """
    if table.set == "FER2013":
        return tuple(test_pictures(class_) for class_ in table.classes)
    found = [_smallest(column) for column in _columns(table)]
    rest = table.test - sum(found)
    return tuple(n + rest if class_ in free(table) else n for class_, n in zip(table.classes, found, strict=True))


def free(table: Table) -> tuple[str, ...]:
    """Classes whose number of images is undetermined, because all their figures are 100 %."""
    return tuple(c for c, column in zip(table.classes, _columns(table), strict=True) if set(column) == {"100"})


def least(table: Table) -> int:
    """Smallest number of test images that the figures of a table allow."""
    return sum(_smallest(column) for column in _columns(table))


def _columns(table: Table) -> list[tuple[str, ...]]:
    return [tuple(row.values[i] for row in table.rows if row.values[i]) for i in range(len(table.classes))]


@lru_cache(maxsize=32)
def _smallest(column: tuple[str, ...]) -> int:
    fits = [sum(bool(shares(printed, n)) for printed in column) for n in range(1, _LARGEST + 1)]
    return fits.index(max(fits)) + 1


@dataclass(frozen=True)
class Counted:
    """A row of a table in images.

    Attributes:
        right, of: correctly predicted images of each class, and images of the class; for a figure that is no share,
            or is missing, the nearest that there is.
        odd: class, figure, and the nearest share in words, for each class whose figure is no share.
        accuracy: right of all images, plain, with its 95 % interval (Wilson).
    """

    right: tuple[int, ...]
    of: tuple[int, ...]
    odd: tuple[tuple[str, str, str], ...]
    accuracy: Interval


@lru_cache(maxsize=64)
def counted(table: Table, row_id: str) -> Counted:
    """Number of images of each class behind a row's figures; a missing figure follows from the printed average."""
    row, sizes = table.row(row_id), pictures(table)
    right, odd = [], []
    for class_, printed, n in zip(table.classes, row.values, sizes, strict=True):
        if not printed:
            known = sum(figure(value) for value in row.values if value)
            right.append(round((figure(row.average) * len(sizes) - known) * n / 100))
            continue
        k = nearest(printed, n)
        right.append(k)
        if not shares(printed, n):
            odd.append((class_, printed, f"{k}/{n} = {percentage(k / n, 2)}"))
    all_ = np.arange(sum(sizes)) < sum(right)
    return Counted(tuple(right), sizes, tuple(odd), share(all_))


def mean_of_row(table: Table, row_id: str) -> float:
    """Mean of a row's figures in per cent, each taken as the share that it is where it is one."""
    row, found = table.row(row_id), counted(table, row_id)
    odd = {class_ for class_, _, _ in found.odd}
    values = [
        figure(printed) if class_ in odd else 100 * k / n
        for class_, printed, k, n in zip(table.classes, row.values, found.right, found.of, strict=True)
    ]
    return sum(values) / len(values)
