"""Any folder of class folders: `<class>/<image>` or `<part>/<class>/<image>`.

Classes are matched by what people call them: happy, happiness, HA and joy are one class. Parts are matched alike:
train, training; val, valid, validation; test, testing. Every image is cut to a square and brought to one side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

import numpy as np

from ..images import SUFFIXES
from ..text import counted
from .archives import Entry, gray, left_out
from .faceset import CLASSES, DataError, FaceSet

SYNONYMS = {
    "angry": ("angry", "anger", "an", "ang", "rage"),
    "disgust": ("disgust", "disgusted", "di", "dis"),
    "fear": ("fear", "fearful", "afraid", "scared", "fe", "fea"),
    "happy": ("happy", "happiness", "ha", "hap", "joy", "joyful", "smile"),
    "neutral": ("neutral", "neutrality", "ne", "neu", "calm", "normal"),
    "sad": ("sad", "sadness", "sa", "unhappy"),
    "surprise": ("surprise", "surprised", "su", "sur"),
    "contempt": ("contempt", "contemptuous", "co", "con"),
}
"""What a folder of each class may be called, in small letters, with or without a number before it."""

PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""What a folder of each part may be called."""

SIDE = 48

_CLASS_OF = {word: name for name, words in SYNONYMS.items() for word in words}
_PART_OF = {word: name for name, words in PARTS.items() for word in words}


def class_of(folder: str) -> str | None:
    """The class that a folder's name means; None for one that means none."""
    return _CLASS_OF.get(folder.lower().strip("0123456789_-. "))


def from_entries(files: Iterable[Entry], side: int = SIDE) -> FaceSet:
    """Read every image in a folder named after a class.

    Args:
        files: path inside the source, content.
        side: in pixels, of the images of the set.

    Returns:
        Classes that have images, in the project's order; splits "train", "validation", "test" where the folders say
        so, "all" where they do not; names are paths. Notes list folders that mean no class, and files left out.

    Raises:
        DataError: there is no image in a folder of a class, or a class has none that can be read.
    """
    rows, unreadable, unmatched = [], [], Counter()
    for path, content in files:
        if path.suffix.lower() not in SUFFIXES:
            continue
        emotion = class_of(path.parent.name)
        if emotion is None:
            unmatched[path.parent.name or "(no folder)"] += 1
            continue
        image = gray(content, side)
        if image is None:
            unreadable.append((str(path), emotion))
        else:
            rows.append((_part(path), str(path.with_suffix("")), emotion, image))
    if not rows:
        known = ", ".join(CLASSES)
        raise DataError(f"No image was found in a folder named after a class ({known}, or a synonym).")
    empty = sorted({emotion for _, emotion in unreadable} - {row[2] for row in rows})
    if empty:
        raise DataError(f'No image of "{empty[0]}" can be read: put some there, or remove the folder.')
    again = [name for name, n in Counter(row[1] for row in rows).items() if n > 1]
    if again:
        names = counted(len(again), "name stands", "names stand")
        raise DataError(f"{names} for two files each, such as {min(again)}. Keep one of each.")
    rows.sort(key=lambda row: row[:2])
    splits, names, emotions, images = zip(*rows, strict=True)
    classes = tuple(name for name in CLASSES if name in set(emotions))
    folders = [f"{name} ({counted(n, 'image')})" for name, n in unmatched.items()]
    return FaceSet(
        np.stack(images),
        np.array([classes.index(emotion) for emotion in emotions]),
        np.array(names),
        np.array(splits),
        classes,
        notes=left_out([name for name, _ in unreadable], "not readable as images")
        + ((f"Folders that mean no class were left out: {', '.join(folders)}",) if folders else ()),
    )


def _part(path: PurePosixPath) -> str:
    for folder in path.parts[:-2]:
        if folder.lower() in _PART_OF:
            return _PART_OF[folder.lower()]
    return "all"
