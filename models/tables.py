"""Rows of a CSV, for programs that compute what begins like a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import Any, TextIO

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def write_rows(file: TextIO, rows: Iterable[Iterable[Any]]) -> None:
    """Write rows; text that a spreadsheet would interpret as a formula gets an apostrophe before it, numbers stay
    numbers."""
    csv.writer(file, lineterminator="\n").writerows(map(as_text, row) for row in rows)


def as_text(cell: Any) -> Any:
    """A cell that no spreadsheet computes: texts such as "=1+1" with an apostrophe before them, all else as it is."""
    if isinstance(cell, str) and cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
