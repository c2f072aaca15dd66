"""One form for every set of faces: gray images, labels, names and splits, in memory and as one `.npz` file."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..files import UNPACKING_ERRORS, write_bytes
from ..paths import DATA
from ..text import PLAIN_WORDS

EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""The order of the classes everywhere in the project: that of FER2013's folders."""

CLASSES = (*EMOTIONS, "contempt")
"""Every class that a set may have; one without some of them keeps the order of the others."""

_ARRAYS = ("images", "labels", "names", "splits")
_OPTIONAL = ("subjects", "targets", "boxes")
_NOT_IMPORTED = (
    "Import it first: ferscope data import SOURCE, where SOURCE is the archive, the folder or the CSV; or draw a set "
    f"of faces, ferscope data draw, and give that: --data {DATA / 'drawn.npz'}"
)


class DataError(ValueError):
    """A set of faces that cannot be used; the message says what is wrong and what to do."""


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Face images with their ground-truth labels.

    Attributes:
        images: gray images, uint8 (N, H, W).
        labels: index into `classes`, int64 (N,).
        names: name of each image in its source, e.g. "PrivateTest_123", str (N,).
        splits: name of the part that it belongs to, e.g. "Training", str (N,).
        classes: names of the classes in order.
        subjects: who is shown, e.g. "S005", str (N,); empty texts where the set does not say.
        targets: share of each class in the votes of several annotators, float32 (N, K); None where there is one
            label.
        boxes: where each face is in its photograph, in pixels: left, top, width, height, and angle in degrees, float32
            (N, 5); rows of zeros for images that were not cropped. None where none was.
        notes: sentences on what a reader had to leave out or could not know; not kept in the file.
    """

    images: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    splits: np.ndarray
    classes: tuple[str, ...] = EMOTIONS
    subjects: np.ndarray = None  # ty: ignore[invalid-assignment]  # replaced in __post_init__
    targets: np.ndarray | None = None
    boxes: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.subjects is None:
            object.__setattr__(self, "subjects", np.full(len(self.labels), ""))

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, chosen: np.ndarray) -> FaceSet:
        """The faces that an index or a mask (N,) chooses, in its order; each keeps its id."""
        arrays = {name: getattr(self, name)[chosen] for name in (*_ARRAYS, "subjects")}
        optional = {name: None if (value := getattr(self, name)) is None else value[chosen] for name in _OPTIONAL[1:]}
        part = FaceSet(**arrays, classes=self.classes, **optional)
        part.__dict__.update({name: getattr(self, name)[chosen] for name in ("pixel_hashes", "ids")})
        return part

    def part(self, split: str) -> FaceSet:
        """The faces of one split; raises DataError where there is none."""
        chosen = self.splits == split
        if not chosen.any():
            raise DataError(f'split="{split}" holds no image; there are: {", ".join(sorted(set(self.splits)))}')
        return self.subset(chosen)

    def counts(self) -> dict[str, list[int]]:
        """Images of each class, in the order of `classes`, for each split in the order of appearance."""
        return _counts(self.labels, self.splits, self.classes)

    @property
    def class_counts(self) -> list[int]:
        """Images of each class, in the order of `classes`."""
        return np.bincount(self.labels, minlength=len(self.classes)).tolist()

    def pixel_statistics(self) -> tuple[float, float]:
        """Mean and standard deviation of all pixels, scaled to 0..1."""
        histogram = np.bincount(self.images.reshape(-1), minlength=256)
        values = np.arange(256) / 255
        mean = (histogram * values).sum() / histogram.sum()
        variance = (histogram * (values - mean) ** 2).sum() / histogram.sum()
        return float(mean), float(variance**0.5)

    @cached_property
    def pixel_hashes(self) -> np.ndarray:
        """Sixteen hex digits for each image, the same for the same pixels, str (N,)."""
        return np.array([hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in self.images])

    @cached_property
    def ids(self) -> np.ndarray:
        """Ids that are the same in every layout of the dataset: split, pixel hash and occurrence. File names and row
        numbers of the CSV differ; pixels do not. Copies are counted in the order of their labels, which is the same in
        every layout."""
        hashes = self.pixel_hashes
        ids = np.empty(len(self), dtype=object)
        seen: Counter[str] = Counter()
        for i in np.argsort(self.labels, kind="stable"):
            key = f"{self.splits[i]}-{hashes[i]}"
            ids[i] = f"{key}-{seen[key]}"
            seen[key] += 1
        return ids.astype(str)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with any image, label, share or split, not with layout or order."""
        lines = [f"{i} {self.classes[label]}" for i, label in zip(self.ids, self.labels, strict=True)]
        if self.targets is not None:
            lines = [f"{line} {row.tobytes().hex()}" for line, row in zip(lines, self.targets, strict=True)]
        lines.sort()
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def save(self, path: Path, source: str = "", private: bool = False) -> None:
        """Write the set as one compressed `.npz`, in one step; `source` is kept with it, see `source_of`.

        `private`: nobody but its owner may read the file.
        """
        buffer = io.BytesIO()
        texts = {name: getattr(self, name).astype(str) for name in ("names", "splits", "subjects")}
        optional = {name: getattr(self, name) for name in _OPTIONAL[1:] if getattr(self, name) is not None}
        np.savez_compressed(
            buffer,
            images=self.images,
            labels=self.labels.astype(np.int64),
            classes=np.array(self.classes),
            source=np.array(source),
            **texts,
            **{name: values.astype(np.float32) for name, values in optional.items()},
        )
        write_bytes(path, buffer.getvalue(), private)

    @classmethod
    def load(cls, path: str | Path) -> FaceSet:
        """Read what `save` wrote; raises DataError for a file that is not there or is not such a set."""
        path = Path(path)
        if path.is_dir():
            raise DataError(f"{path} is a folder. Import it first: ferscope data import {path}")
        if not path.is_file():
            raise DataError(f"{path} is not there. {_NOT_IMPORTED}")
        try:
            with np.load(path, allow_pickle=False) as file:
                parts = {key: file[key] for key in (*_ARRAYS, *_OPTIONAL) if key in _ARRAYS or key in file}
                classes = tuple(str(name) for name in file["classes"])
        except (TypeError, KeyError, *UNPACKING_ERRORS) as error:
            raise DataError(f"{path} is not an imported set of faces. {_NOT_IMPORTED}") from error
        faces = cls(**parts, classes=classes)
        if not all(PLAIN_WORDS.fullmatch(name) for name in classes):
            raise DataError(f"{path} has classes whose names are more than plain words: import the set again.")
        if not faces._is_whole():
            raise DataError(f"{path} is not an imported set of faces: its arrays do not fit together. {_NOT_IMPORTED}")
        return faces

    def _is_whole(self) -> bool:
        """Whether the arrays have the types and the lengths that the attributes promise."""
        if self.images.dtype != np.uint8 or self.images.ndim != 3 or self.labels.dtype.kind not in "iu":
            return False
        n, k = len(self.images), len(self.classes)
        same_length = {getattr(self, a).shape for a in (*_ARRAYS[1:], "subjects")} == {(n,)}
        if self.targets is not None and self.targets.shape != (n, k):
            return False
        if self.boxes is not None and self.boxes.shape != (n, 5):
            return False
        return same_length and bool(((self.labels >= 0) & (self.labels < k)).all())


def _counts(labels: np.ndarray, splits: np.ndarray, classes: tuple[str, ...]) -> dict[str, list[int]]:
    known = dict.fromkeys(splits.tolist())
    return {split: np.bincount(labels[splits == split], minlength=len(classes)).tolist() for split in known}


def stored_counts(path: Path) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """Classes and `FaceSet.counts` of an imported set, without its images, which take most of the time to read."""
    with np.load(path, allow_pickle=False) as file:
        classes = tuple(str(name) for name in file["classes"])
        return classes, _counts(file["labels"], file["splits"], classes)


def source_of(path: Path) -> str:
    """The `source` given to `FaceSet.save`; empty if there is no such file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return str(file["source"])
    except (KeyError, *UNPACKING_ERRORS):
        return ""
