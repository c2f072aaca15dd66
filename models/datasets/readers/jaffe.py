"""JAFFE (Lyons et al. 1998, "The Japanese female facial expression database"): 213 acted expressions of ten women.

It is distributed as `XX.EEn.nnn.tiff`, 256×256 pixels: subject, expression (AN DI FE HA NE SA SU) and its number,
running number; e.g. KA.AN1.39. The images stay as they are, hair and all.

The set may not be passed on: ask its authors for it.
"""

from __future__ import annotations

import re

from ..archives import Source
from ..class_names import ClassMap
from ..faceset import EMOTIONS
from .rows import Index, Reader, Row

CODES = dict(zip(("AN", "DI", "FE", "HA", "NE", "SA", "SU"), EMOTIONS, strict=True))

_NAME = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)\d\.\d+", re.IGNORECASE)


def recognizes(source: Source) -> bool:
    """Whether half of the images have names of JAFFE."""
    return bool(source.images) and 2 * sum(bool(_NAME.fullmatch(p.stem)) for p in source.images) >= len(source.images)


def index(source: Source, classes: ClassMap) -> Index:
    """Rows of every image whose name is one of JAFFE's, in the order of their names."""
    found = Index([])
    for path in sorted(source.images, key=lambda path: path.stem.upper()):
        if match := _NAME.fullmatch(path.stem):
            subject, code = match[1].upper(), match[2].upper()
            found.rows.append(Row(CODES[code], path.stem.upper(), path, subject=subject))
        else:
            found.left_out["names not of JAFFE"].append(str(path))
    return found


READER = Reader(
    "jaffe",
    "JAFFE",
    "It has names such as KA.AN1.39.tiff.",
    recognizes,
    index,
    classes=EMOTIONS,
    side=256,
)
