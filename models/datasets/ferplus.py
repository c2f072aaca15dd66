"""FER+ (Barsoum et al. 2016): ten annotators for each image of FER2013, ten classes to vote for.

The labels of FER2013 came from a web search. For FER+ ten people looked at every image again, so the votes show not
only the majority but also the agreement: in nearly a quarter of the images no class has more than five votes.

`votes` finds the votes of a set's images, `targets` makes of them what a network can be trained with, in the three
ways of the paper, and `relabeled` is FER2013 with these labels: eight classes, with contempt.

The votes are FER+'s public file (MIT license, `ferplus_labels/LICENSE`), in the order of the challenge's CSV. Files
have other names: `ferplus_labels/rows.csv` says which row each of them is, found by comparing pixels; where duplicates
of one image left a choice, it takes one. Differences from the paper are in `targets`.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from .faceset import CLASSES, DataError, FaceSet

COLUMNS = (
    *("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt"),
    *("unknown", "not a face"),
)
"""The ten classes in the order of FER+'s file."""

Mode = Literal["majority", "probability", "multi-label"]

_ROW = re.compile(r"(?:row_|fer)(\d{1,7})")
_ORDER = np.array([COLUMNS.index(name) for name in CLASSES])  # FER+'s columns in the project's order


@cache
def _table() -> tuple[np.ndarray, dict[str, int]]:
    """Votes of every row, int64 (35887, 10), and the row of every file name that has one."""
    folder = Path(__file__).with_name("ferplus_labels")
    with (folder / "votes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    with (folder / "rows.csv").open(encoding="utf-8", newline="") as file:
        row_of = {row["name"].removesuffix(".jpg"): int(row["row"]) for row in csv.DictReader(file)}
    return np.array([row[2:] for row in rows], dtype=np.int64), row_of


def votes(names: Sequence[str] | np.ndarray) -> np.ndarray:
    """Annotator votes for images of FER2013, by name.

    Args:
        names: names of the images as in a `FaceSet` or in `predictions.npz`: "PrivateTest_123" of the files, "row_123"
            of the CSV, "fer0000123" of FER+'s own files.

    Returns:
        int64 (N, 10), columns as in COLUMNS; rows of zeros for images whose votes are not known, also where two
        images share the name.
    """
    table, row_of = _table()
    shared = {name for name, n in Counter(map(str, names)).items() if n > 1}
    found = np.zeros((len(names), len(COLUMNS)), dtype=np.int64)
    for i, name in enumerate(map(str, names)):
        numbered = _ROW.fullmatch(name)
        row = int(numbered[1]) if numbered else row_of.get(name, -1)
        if 0 <= row < len(table) and name not in shared:
            found[i] = table[row]
    return found


def has_votes(names: Sequence[str] | np.ndarray) -> bool:
    """Whether the votes of any of these images are known."""
    return bool(votes(names).any())


def ranked_votes(counts: np.ndarray) -> tuple[tuple[str, int], ...]:
    """The votes for one image (10,) with their number, the most frequent first; classes without votes left out."""
    ranked = sorted(zip(COLUMNS, counts.tolist(), strict=True), key=lambda pair: -pair[1])
    return tuple((class_, n) for class_, n in ranked if n)


def in_words(counts: np.ndarray) -> str:
    """The votes for one image (10,) in words: 7 happy, 2 neutral; empty where there are none."""
    return ", ".join(f"{n} {class_}" for class_, n in ranked_votes(counts))


def entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy of the annotator votes in nats, (N,): 0 if all agree, ln 10 if no two agree.

    Images without votes give NaN.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p = counts / counts.sum(1, keepdims=True)
        return -(p * np.where(p > 0, np.log(p), 0)).sum(1)


def targets(counts: np.ndarray, mode: Mode = "majority") -> tuple[np.ndarray, np.ndarray]:
    """Training targets from the annotator votes, by one of the paper's three schemes.

    A single vote for a class counts as a mistake and is removed first, as in the paper. Then

    * "majority": the emotion with more than half of the votes;
    * "probability": the share of each emotion;
    * "multi-label": every emotion with at least 30 % of the votes, all equally.

    Differences from the paper: its multi-label loss takes the best of the accepted labels; ours is the mean over them,
    an ordinary cross-entropy with shares. Its probabilities are cut after three emotions; ours are not.

    Args:
        counts: votes (N, 10), columns as in COLUMNS.
        mode: one of the three.

    Returns:
        float32 (N, 8), each kept row summing to 1, in the order of CLASSES; and which rows are kept, bool (N,). Left
        out are images without votes, those for which "unknown" or "not a face" has the most votes, and those without
        an emotion of the kind that `mode` asks for.
    """
    if mode not in ("majority", "probability", "multi-label"):
        raise ValueError(f'mode="{mode}": choose "majority", "probability" or "multi-label"')
    counts = np.where(counts > 1, counts, 0)
    total = counts.sum(1)
    emotions = counts[:, _ORDER].astype(np.float32)  # (N, 8)
    kept = (total > 0) & (emotions.max(1) >= counts[:, 8:].max(1))
    if mode == "majority":
        emotions *= emotions > total[:, None] / 2
    elif mode == "multi-label":
        emotions = (emotions >= 0.3 * np.maximum(total, 1)[:, None]).astype(np.float32)
    kept &= emotions.sum(1) > 0
    emotions[~kept] = 0
    return emotions / np.maximum(emotions.sum(1, keepdims=True), 1e-9), kept


def relabeled(faces: FaceSet, mode: Mode = "majority") -> FaceSet:
    """FER2013 with the labels of FER+: eight classes; images that `targets` does not keep are left out.

    The label is the class with the largest share; with "probability" and "multi-label" the set has `targets` too.

    Raises:
        DataError: none of the images has votes, because the set is not FER2013.
    """
    shares, kept = targets(votes(faces.names), mode)
    if not kept.any():
        raise DataError("No image of this set has votes in FER+: they are for FER2013, with its own file names.")
    some = faces.subset(kept)
    shares = shares[kept]
    return FaceSet(
        some.images,
        shares.argmax(1),
        some.names,
        some.splits,
        CLASSES,
        targets=None if mode == "majority" else shares,
        notes=(*faces.notes, f"{len(faces) - len(some)} of {len(faces)} images were left out: no {mode} of annotators"),
    )
