"""JAFFE (Lyons et al. 1998, "The Japanese female facial expression database"): 213 acted expressions of ten women.

It goes round as `XX.EEn.nnn.tiff`, 256×256 pixels: subject, expression (AN DI FE HA NE SA SU) and its number, running
number; e.g. KA.AN1.39. The images stay as they are, hair and all.

The set may not be passed on: ask its authors for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

import numpy as np

from ..text import counted
from .archives import Entry, gray, left_out
from .faceset import EMOTIONS, DataError, FaceSet

CODES = dict(zip(("AN", "DI", "FE", "HA", "NE", "SA", "SU"), EMOTIONS, strict=True))
SIDE = 256

_NAME = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)\d\.\d+", re.IGNORECASE)


def recognises(path: PurePosixPath) -> bool:
    """Whether a file of a source looks like a part of JAFFE."""
    return _NAME.fullmatch(path.stem) is not None


def from_entries(files: Iterable[Entry]) -> FaceSet:
    """Read every image whose name is one of JAFFE's, brought to 256×256.

    Raises:
        DataError: there is no such image, or a name stands for two files.
    """
    rows, unreadable, unmatched = [], [], []
    for path, content in files:
        match = _NAME.fullmatch(path.stem)
        if match is None:
            unmatched.append(str(path))
            continue
        image = gray(content, SIDE)
        if image is None:
            unreadable.append(str(path))
        else:
            rows.append((path.stem.upper(), match[1].upper(), EMOTIONS.index(CODES[match[2].upper()]), image))
    if not rows:
        raise DataError("No image of JAFFE was found. It has names such as KA.AN1.39.tiff.")
    again = [name for name, n in Counter(row[0] for row in rows).items() if n > 1]
    if again:
        names = counted(len(again), "name stands", "names stand")
        raise DataError(f"{names} for two files each, such as {min(again)}. Keep one of each.")
    names, subjects, labels, images = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    return FaceSet(
        np.stack(images),
        np.array(labels),
        np.array(names),
        np.full(len(rows), "all"),
        subjects=np.array(subjects),
        notes=left_out(unreadable, "not readable as images") + left_out(unmatched, "names not of JAFFE"),
    )
