"""FER2013 (Goodfellow et al. 2013, "Challenges in representation learning"): 35 887 gray faces of 48×48 pixels.

It goes round in two layouts, and `read` takes both, packed or unpacked:

* folders `train/<emotion>/Training_<id>.jpg` and `test/<emotion>/{PublicTest,PrivateTest}_<id>.jpg`, where the file
  names carry the official split;
* the challenge's table `fer2013.csv` with the columns `emotion`, `pixels`, `Usage` in any order.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np

from ..files import write_bytes
from ..text import counted
from .archives import Entry, entries, gray, left_out
from .faceset import EMOTIONS, DataError, FaceSet

SPLITS = ("Training", "PublicTest", "PrivateTest")
"""Training, validation and test of the official split."""

COUNTS = {
    "Training": [3995, 436, 4097, 7215, 4965, 4830, 3171],
    "PublicTest": [467, 56, 496, 895, 607, 653, 415],
    "PrivateTest": [491, 55, 528, 879, 626, 594, 416],
}
"""Images of each class, in the order of `EMOTIONS`, that a complete set has."""

CSV_CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The challenge's own order of classes: code 4 is sad, not neutral."""

SIDE = 48
SHARED_NAMES = {"Training_52789098", "Training_8475486"}
"""Names that two different images of the original set have, in two classes."""

_TABLES = {"fer2013.csv", "icml_face_data.csv"}  # the second is Kaggle's other copy
_CSV_ENCODING = "utf-8-sig"  # with or without the mark that spreadsheets put first


def read(source: str | Path, progress: Callable[[int], None] = lambda done: None) -> FaceSet:
    """Read FER2013 from an archive (tar, zip), a folder, the challenge's CSV, or an imported `.npz`.

    The order of the result is that of split and name, the same for every layout of files. Files that are not images
    of 48×48 pixels are left out and listed in `notes`.

    Args:
        source: path of one of these.
        progress: called with the number of files read so far.

    Raises:
        DataError: the source is not there, is not FER2013, has names without the official split, or a name twice.
    """
    path = Path(source)
    if path.is_file() and path.suffix.lower() == ".npz":
        return FaceSet.load(path)
    if path.is_file() and path.suffix.lower() == ".csv":
        with path.open(encoding=_CSV_ENCODING, newline="") as file:
            return _from_csv(file)
    return from_entries(entries(path, progress))


def recognises(path: PurePosixPath) -> bool:
    """Whether a file of a source looks like a part of FER2013."""
    return path.name.lower() in _TABLES or path.stem.split("_")[0] in SPLITS


def check_counts(faces: FaceSet) -> list[str]:
    """What differs from a complete FER2013, a sentence for each split; empty when nothing does."""
    if faces.classes != EMOTIONS:
        return [f"the classes are {', '.join(faces.classes)} instead of {', '.join(EMOTIONS)}"]
    found = faces.counts()
    differences = [f'the split "{split}" is not one of FER2013\'s' for split in found if split not in COUNTS]
    for split, expected in COUNTS.items():
        have = found.get(split, [0] * len(EMOTIONS))
        wrong = [f"{name} {h} instead of {e}" for name, h, e in zip(EMOTIONS, have, expected, strict=True) if h != e]
        if wrong:
            differences.append(f"{split}: {', '.join(wrong)}")
    return differences


def from_entries(files: Iterable[Entry]) -> FaceSet:
    """As `read`, from the files of a folder or an archive."""
    rows, no_split, unreadable = [], [], []
    for path, content in files:
        if path.suffix.lower() == ".csv":
            if path.name.lower() in _TABLES:
                return _from_csv(io.TextIOWrapper(io.BytesIO(content), encoding=_CSV_ENCODING, newline=""))
            continue
        split, emotion = path.stem.split("_")[0], path.parent.name.lower()
        if emotion not in EMOTIONS:
            continue
        if split not in SPLITS:
            no_split.append(str(path))
            continue
        image = gray(content)
        if image is None or image.shape != (SIDE, SIDE):
            unreadable.append(str(path))
        else:
            rows.append((SPLITS.index(split), path.stem, image, EMOTIONS.index(emotion)))
    if no_split:
        raise DataError(
            f'The official split cannot be known: {len(no_split)} names such as "{no_split[0]}" do not begin with '
            f"{', '.join(SPLITS[:2])} or {SPLITS[2]}. Use the archive whose names do, or the challenge's fer2013.csv."
        )
    if not rows:
        raise DataError(f"No image of FER2013 was found. {_EXPECTED}")
    again = {name for name, n in Counter(row[1] for row in rows).items() if n > 1} - SHARED_NAMES
    if again:
        raise DataError(
            f"{counted(len(again), 'name stands', 'names stand')} for two files each, such as {min(again)}. Unpack "
            "the archive again into an empty folder."
        )
    rows.sort(key=lambda row: (row[0], row[1], row[3]))
    splits, names, images, labels = zip(*rows, strict=True)
    return FaceSet(
        np.stack(images),
        np.array(labels),
        np.array(names),
        np.array(SPLITS)[list(splits)],
        notes=left_out(unreadable, f"not {SIDE}×{SIDE} images"),
    )


_EXPECTED = "FER2013 has train/<emotion>/Training_<id>.jpg and test/<emotion>/PublicTest_<id>.jpg, or a fer2013.csv."


def _from_csv(file: Iterable[str]) -> FaceSet:
    csv.field_size_limit(1 << 20)
    table = csv.DictReader(file, skipinitialspace=True)
    try:
        columns = {(name or "").strip().lower(): name for name in table.fieldnames or ()}
        missing = {"emotion", "pixels", "usage"} - set(columns)
        if missing:
            raise DataError(
                f"The CSV has no column {', '.join(sorted(missing))}; FER2013's are emotion, pixels, Usage."
            )
        rows = [_csv_row(i, row, columns) for i, row in enumerate(table)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"The CSV is damaged or is not a CSV ({error}). Download it again.") from error
    if not rows:
        raise DataError("The CSV has a head and no rows.")
    rows.sort(key=lambda row: SPLITS.index(row[0]))
    splits, names, images, labels = zip(*rows, strict=True)
    return FaceSet(np.stack(images), np.array(labels), np.array(names), np.array(splits))


def _csv_row(i: int, row: dict[str, str], columns: dict[str, str]) -> tuple[str, str, np.ndarray, int]:
    split = (row[columns["usage"]] or "").strip()
    if split not in SPLITS:
        raise DataError(f'Row {i} of the CSV: Usage is "{split}", not one of {", ".join(SPLITS)}.')
    try:
        code = _whole_numbers(row[columns["emotion"]], below=len(CSV_CODES))[0]
        pixels = _whole_numbers(row[columns["pixels"]], below=256)
    except (ValueError, OverflowError) as error:
        raise DataError(f"Row {i} of the CSV: {error}.") from error
    if pixels.size != SIDE * SIDE:
        raise DataError(f"Row {i} of the CSV has {pixels.size} pixels instead of {SIDE * SIDE}.")
    return split, f"row_{i}", pixels.astype(np.uint8).reshape(SIDE, SIDE), EMOTIONS.index(CSV_CODES[code])


def _whole_numbers(text: str | None, below: int) -> np.ndarray:
    values = np.array((text or "").split(), dtype=np.int64)
    if not values.size:
        raise ValueError("a field is empty")
    if not 0 <= values.min() <= values.max() < below:
        raise ValueError(f"{values.min()} to {values.max()} is not within 0 to {below - 1}")
    return values


# ---- which images the official split trains on and chooses by, shipped


@dataclass(frozen=True, eq=False)
class OfficialHashes:
    """Pixel hashes of the official split, so that what a network has seen is known without the images.

    Attributes:
        data: the fingerprint of the split, as a card keeps it.
        trained, chosen: as `FaceSet.pixel_hashes`, of Training and PublicTest, str, each once.
    """

    data: str
    trained: np.ndarray
    chosen: np.ndarray


@cache
def official_hashes() -> OfficialHashes:
    """The hashes that ship (`fer2013_hashes.npz`)."""
    with np.load(Path(__file__).with_name("fer2013_hashes.npz")) as file:
        arrays = [np.array([f"{value:016x}" for value in file[part]]) for part in ("training", "validation")]
        return OfficialHashes(str(file["data"]), *arrays)


def write_official_hashes(path: Path, training: FaceSet, validation: FaceSet, data: str) -> None:
    """Write `fer2013_hashes.npz`, from the sets of the official split and the fingerprint of that."""
    sets = {"training": training, "validation": validation}
    hashes = {
        name: np.unique(np.array([int(hash_, 16) for hash_ in faces.pixel_hashes], dtype=np.uint64))
        for name, faces in sets.items()
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, data=np.array(data), **hashes)
    write_bytes(path, buffer.getvalue())
