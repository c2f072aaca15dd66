"""CK+ (Lucey et al. 2010, "The extended Cohn-Kanade dataset"): faces moving from rest to an acted expression.

It goes round as folders `<emotion>/S###_###_########.png` of 48×48 pixels: subject, sequence, frame. Of each sequence
the
last three frames are taken, where the expression is strongest, as papers D and E do: 981 images, nearly the same
three by three. That is why a split must not tear a subject apart (`subject-out`). Seven classes: contempt, and no
neutral.

The set may not be passed on: ask its authors for it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

import numpy as np

from .archives import Entry, gray, left_out
from .faceset import CLASSES, DataError, FaceSet
from .folder import class_of

CKPLUS_CLASSES = tuple(name for name in CLASSES if name != "neutral")
SIDE = 48
LAST_FRAMES = 3

_NAME = re.compile(r"(S\d{3})_(\d{3})_(\d{8})", re.IGNORECASE)


def recognises(path: PurePosixPath) -> bool:
    """Whether a file of a source looks like a part of CK+."""
    return _NAME.fullmatch(path.stem) is not None


def from_entries(files: Iterable[Entry]) -> FaceSet:
    """Read the last three frames of each sequence, brought to 48×48.

    Raises:
        DataError: there is no such image, or one frame stands in two folders.
    """
    sequences: dict[tuple[str, str], list[tuple[str, str, np.ndarray, str]]] = defaultdict(list)
    unreadable, unmatched = [], []
    for path, content in files:
        match = _NAME.fullmatch(path.stem)
        emotion = class_of(path.parent.name)
        if path.suffix.lower() == ".csv":
            continue
        if match is None or emotion not in CKPLUS_CLASSES:
            unmatched.append(str(path))
            continue
        image = gray(content, SIDE)
        if image is None:
            unreadable.append(str(path))
            continue
        subject, sequence, frame = match[1].upper(), match[2], match[3]
        sequences[subject, sequence].append((frame, emotion, image, path.stem.upper()))
    again = [name for name, n in Counter(row[3] for rows in sequences.values() for row in rows).items() if n > 1]
    if again:
        raise DataError(f"{len(again)} frames stand in two places, such as {min(again)}. Keep one file of each.")
    rows = [
        (subject, *frame)
        for (subject, _), frames in sorted(sequences.items())
        for frame in sorted(frames, key=lambda row: row[0])[-LAST_FRAMES:]
    ]
    if not rows:
        raise DataError("No image of CK+ was found. It has <emotion>/S###_###_########.png.")
    subjects, _, emotions, images, names = zip(*rows, strict=True)
    return FaceSet(
        np.stack(images),
        np.array([CKPLUS_CLASSES.index(emotion) for emotion in emotions]),
        np.array(names),
        np.full(len(rows), "all"),
        CKPLUS_CLASSES,
        np.array(subjects),
        notes=left_out(unreadable, "not readable as images")
        + left_out(unmatched, "name or folder not of CK+, where neutral is no class"),
    )
