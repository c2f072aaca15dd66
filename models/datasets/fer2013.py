"""FER2013 (Goodfellow et al. 2013, "Challenges in representation learning"): 35 887 gray faces of 48×48 pixels.

It goes round in two layouts, and `read` takes both, packed or unpacked:

* folders `train/<emotion>/Training_<id>.jpg` and `test/<emotion>/{PublicTest,PrivateTest}_<id>.jpg`, where the file
  names carry the official split;
* the challenge's table `fer2013.csv` with the columns `emotion`, `pixels`, `Usage` in any order.
"""

from __future__ import annotations

import csv
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from .faceset import EMOTIONS, DataError, FaceSet

SPLITS = ("Training", "PublicTest", "PrivateTest")
"""Training, validation and test of the official split."""

COUNTS = {
    "Training": [3995, 436, 4097, 7215, 4965, 4830, 3171],
    "PublicTest": [467, 56, 496, 895, 607, 653, 415],
    "PrivateTest": [491, 55, 528, 879, 626, 594, 416],
}
"""Pictures of each class, in the order of `EMOTIONS`, that a complete set has."""

CSV_CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The challenge's own order of classes: code 4 is sad, not neutral."""

SIDE = 48
_PICTURES = {".jpg", ".jpeg", ".png"}
_TABLES = {"fer2013.csv", "icml_face_data.csv"}  # the second is Kaggle's other copy
_CSV_ENCODING = "utf-8-sig"  # with or without the mark that spreadsheets put first
_LARGEST_PICTURE = 1 << 20  # bytes; the real ones have about 1 500
_LARGEST_TABLE = 1 << 30  # bytes; the real one has 300 million
# RuntimeError is zipfile's answer to a password or an unknown compression.
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError)

Entry = tuple[str, bytes]  # path inside the source, content


def read(source: str | Path) -> FaceSet:
    """Read FER2013 from an archive (tar, zip), a folder, the challenge's CSV, or an imported `.npz`.

    The order of the result is that of split and name, the same for every layout of files. Raises DataError where the
    source is not there, is not FER2013, or has names without the official split.
    """
    path = Path(source)
    if not path.exists():
        raise DataError(f"{path} is not there. Give the path of the FER2013 archive, its folder or fer2013.csv.")
    if path.is_file() and path.suffix.lower() == ".npz":
        return FaceSet.load(path)
    if path.is_file() and path.suffix.lower() == ".csv":
        with path.open(encoding=_CSV_ENCODING, newline="") as file:
            return _from_csv(file)
    return _from_entries(_entries(path))


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


def _entries(path: Path) -> Iterator[Entry]:
    """The pictures and tables of a folder or an archive; archives are read in memory, nothing is unpacked."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and _wanted(file.name, file.stat().st_size):
                yield file.relative_to(path).as_posix(), file.read_bytes()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from ((i.filename, archive.read(i)) for i in archive.infolist() if _wanted(i.filename, i.file_size))
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and _wanted(member.name, member.size):
                    yield member.name, archive.extractfile(member).read()
    else:
        raise DataError(f"{path} is not an archive, a folder, a CSV or an imported .npz. {_expected()}")


def _wanted(name: str, size: int) -> bool:
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if path.name.startswith("."):  # what macOS puts beside each file of an archive
        return False
    return (suffix in _PICTURES and size <= _LARGEST_PICTURE) or (suffix == ".csv" and size <= _LARGEST_TABLE)


def _expected() -> str:
    return "FER2013 has train/<emotion>/Training_<id>.jpg and test/<emotion>/PublicTest_<id>.jpg, or a fer2013.csv."


def _from_entries(entries: Iterable[Entry]) -> FaceSet:
    rows, no_split, unreadable = [], [], []
    try:
        for name, content in entries:
            path = PurePosixPath(name)
            if path.suffix.lower() == ".csv":
                if path.name.lower() in _TABLES:
                    return _from_csv(io.TextIOWrapper(io.BytesIO(content), encoding=_CSV_ENCODING, newline=""))
                continue
            split, emotion = path.stem.split("_")[0], path.parent.name.lower()
            if emotion not in EMOTIONS:
                continue
            if split not in SPLITS:
                no_split.append(name)
                continue
            image = _decode(content)
            if image is None:
                unreadable.append(name)
            else:
                rows.append((SPLITS.index(split), path.stem, image, EMOTIONS.index(emotion)))
    except _DAMAGED as error:
        raise DataError(f"The archive breaks off or is damaged ({error}). Download it again.") from error
    if unreadable:
        raise DataError(f"{len(unreadable)} files are not {SIDE}×{SIDE} pictures, the first: {unreadable[0]}")
    if no_split:
        raise DataError(
            f'The official split cannot be known: {len(no_split)} names such as "{no_split[0]}" do not begin with '
            f"{', '.join(SPLITS[:2])} or {SPLITS[2]}. Use the archive whose names do, or the challenge's fer2013.csv."
        )
    if not rows:
        raise DataError(f"No picture of FER2013 was found. {_expected()}")
    rows.sort(key=lambda row: row[:2])
    splits, names, images, labels = zip(*rows, strict=True)
    return FaceSet(np.stack(images), np.array(labels), np.array(names), np.array(SPLITS)[list(splits)])


def _decode(content: bytes) -> np.ndarray | None:
    """A gray picture, uint8 (48, 48); None for anything else."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return np.asarray(picture.convert("L")) if picture.size == (SIDE, SIDE) else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


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
