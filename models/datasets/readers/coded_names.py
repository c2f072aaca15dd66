"""Datasets whose file names state the subject and the class: JAFFE and KDEF."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..archives import Source
from ..class_names import ClassMap
from ..faceset import EMOTIONS
from .rows import Index, Reader, Row


def reader_of(
    name: str, title: str, example: str, pattern: re.Pattern[str], codes: Mapping[str, str], side: int | None
) -> Reader:
    """The reader of a dataset whose file names match a pattern.

    Args:
        name: name of the dataset's file after the import.
        title: title of the dataset.
        example: one of its file names.
        pattern: regular expression for a file name without its ending, with the groups `subject` and `code`.
        codes: class by code, in capital letters.
        side: side of the imported images in pixels; None: by their size.
    """

    def recognizes(source: Source) -> bool:
        """Whether half of the images have such names."""
        named = sum(bool(pattern.fullmatch(path.stem)) for path in source.images)
        return bool(source.images) and 2 * named >= len(source.images)

    def index(source: Source, classes: ClassMap) -> Index:
        """Rows of every image with such a name, in the order of their names."""
        found = Index([])
        for path in sorted(source.images, key=lambda path: path.stem.upper()):
            if match := pattern.fullmatch(path.stem):
                label, subject = codes[match["code"].upper()], match["subject"].upper()
                found.rows.append(Row(label, path.stem.upper(), path, subject=subject))
            else:
                found.left_out[f"names not of {title}"].append(str(path))
        return found

    return Reader(name, title, f"It has names such as {example}.", recognizes, index, classes=EMOTIONS, side=side)
