"""Tables of labels as people save them: CSV of any separator and encoding, with or without quotes, and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import PurePosixPath

from ..faceset import DataError

_SEPARATORS = ",;\t|"

Line = dict[str, str]
"""One row of a table: column, in small letters and without blanks around it, → text."""


def header(content: bytes) -> list[str]:
    """The columns of a CSV, in small letters, without blanks around them."""
    first = _decoded(content[:4096]).partition("\n")[0]
    return [name.strip().lower() for name in next(csv.reader([first], delimiter=_separator(first)), [])]


def lines(content: bytes) -> Iterator[Line]:
    """The rows of a CSV under its header; raises DataError where it is damaged or no CSV."""
    text = _decoded(content)
    csv.field_size_limit(1 << 20)
    try:
        table = csv.reader(
            io.StringIO(text, newline=""), delimiter=_separator(text[:4096].partition("\n")[0]), skipinitialspace=True
        )
        columns = [name.strip().lower() for name in next(table, [])]
        for fields in table:
            if fields:  # blank lines are none
                yield dict(zip(columns, [*fields, *[""] * (len(columns) - len(fields))], strict=False))
    except csv.Error as error:
        raise DataError(f"The CSV is damaged or is not a CSV ({error}). Download it again.") from error


def is_parquet(path: PurePosixPath) -> bool:
    """Whether a table is Parquet, by its name."""
    return path.suffix.lower() == ".parquet"


def _separator(first: str) -> str:
    """The separator that stands most often in the first line; a comma where none does."""
    return max(_SEPARATORS, key=first.count)


def _decoded(content: bytes) -> str:
    """Text with or without the mark that spreadsheets put first; what is not UTF-8 is read as Windows writes it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
