"""Splits of a dataset by name, such as those of the five papers, or from a file of ids (`ferscope data splits`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..files import write_json
from . import subjects
from .duplicates import duplicates_of, near_duplicates_of
from .faceset import EMOTIONS, DataError, FaceSet
from .parts import Indices, Parts

OHEIX_TRAINING = dict(zip(EMOTIONS, (3993, 436, 4103, 7164, 4982, 4938, 3205), strict=True))
"""Training images of each class in Kaggle's copy "jonathanoheix", from paper E."""

PAPER_D_TEST = {35_887: 7180, 213: 55, 981: 246}
"""Test images in paper D, by the size of the set: FER2013, JAFFE, CK+."""


@dataclass(frozen=True)
class Split:
    """How a dataset is divided.

    Attributes:
        name: what `split` takes.
        paper: letter of the paper that uses it, or "".
        note: where its counts come from, and its effect on results.
        divide: (faces, generator) → indices of training, validation and test.
        names: names of validation and test set in a card.
    """

    name: str
    paper: str
    note: str
    divide: Callable[[FaceSet, np.random.Generator], Indices]
    names: tuple[str, str] = ("validation", "test")


SPLITS: dict[str, Split] = {}


def _register(name: str, paper: str = "", names: tuple[str, str] = ("validation", "test")) -> Callable:
    def decorate(divide: Callable) -> Callable:
        SPLITS[name] = Split(name, paper, " ".join((divide.__doc__ or "").split()), divide, names)
        return divide

    return decorate


def find(name: str) -> Split | None:
    """The split of a name: one of SPLITS, or a fold of a cross-validation (`subjects.py`); None where there is none."""
    if subjects.is_fold(name):
        return Split(name, "", subjects.note(name), partial(subjects.divide, name))
    return SPLITS.get(name)


def named_splits() -> tuple[Split, ...]:
    """Every named split, and the first fold of either kind of cross-validation."""
    return (*SPLITS.values(), *filter(None, map(find, subjects.EXAMPLES)))


def split(faces: FaceSet, name: str, seed: int = 0) -> Parts:
    """Divide a dataset.

    Args:
        faces: the dataset.
        name: one of SPLITS, one fold (`subject-10fold-3`), or the path of a file that `write_split` made.
        seed: random seed, for splits that draw images at random.

    Raises:
        DataError: unknown name, the dataset lacks what the split needs, or a set or training class would be empty.
    """
    if named := find(name):
        found, names = named.divide(faces, np.random.default_rng(seed)), named.names
    elif name.endswith(".json"):
        found, names = _from_file(faces, Path(name))
    elif subjects.is_cross_validation(name):
        raise DataError(
            f'split="{name}" stands for all folds: choose one, such as {name}-1, or train all of them, one after '
            f"another: ferscope train --split {name}"
        )
    else:
        known = ", ".join(s.name for s in named_splits())
        raise DataError(f'split="{name}" is not known; there are: {known}, or a file that ends with .json')
    for part, chosen in found.items():
        if len(chosen) == 0:
            raise DataError(f'split="{name}" leaves the {part} set without images. Choose another split.')
    if found["validation"] is found["test"]:
        names = (names[1], names[1])
    found = {part: np.sort(chosen) for part, chosen in found.items()}
    training, validation, test = (faces.subset(found[part]) for part in ("training", "validation", "test"))
    parts = Parts(training, validation, test, found, names)
    counts = np.bincount(parts.training.labels, minlength=len(faces.classes))
    missing = [name for name, n in zip(faces.classes, counts, strict=True) if n == 0]
    if missing:
        raise DataError(f'split="{name}" leaves no training image of {", ".join(missing)}.')
    return parts


def available(faces: FaceSet) -> dict[str, Parts]:
    """Every split that is possible for this dataset."""
    found = {}
    for known in named_splits():
        try:
            found[known.name] = split(faces, known.name)
        except DataError:
            continue
    return found


def write_split(path: Path, parts: Parts, faces: FaceSet, name: str, seed: int = 0) -> None:
    """Write a split as lists of ids, which do not depend on the layout of the source; `split` takes the file.

    Args:
        path: the JSON file to write; an existing one is replaced.
        parts: the split, as `split` returns it.
        faces: the whole dataset, to which the indices of `parts` refer.
        name: name of the split, stored in the file.
        seed: random seed of the split, stored in the file.

    Raises:
        DiskFullError: the disk is full; an existing file is not changed.
    """
    ids = {part: faces.ids[chosen].tolist() for part, chosen in parts.indices.items()}
    write_json(path, {"split": name, "seed": seed, "data": faces.fingerprint, "names": parts.names, **ids})


def _from_file(faces: FaceSet, path: Path) -> tuple[Indices, tuple[str, str]]:
    try:
        lists = json.loads(path.read_text(encoding="utf-8"))
        wanted = {part: [str(i) for i in lists[part]] for part in ("training", "validation", "test")}
        first, second = lists.get("names", ("validation", "test"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a split: write one with ferscope data splits NAME --out FILE.") from error
    at = {id_: i for i, id_ in enumerate(faces.ids.tolist())}
    missing = [id_ for ids in wanted.values() for id_ in ids if id_ not in at]
    if missing:
        raise DataError(f"{path}: {len(missing)} of its images are not in this dataset, such as {missing[0]}.")
    return {part: np.array([at[id_] for id_ in ids], dtype=int) for part, ids in wanted.items()}, (first, second)


# ---- FER2013


def _own_part(faces: FaceSet, name: str) -> np.ndarray:
    found = np.flatnonzero(faces.splits == name)
    if len(found) == 0:
        own = ", ".join(sorted(set(faces.splits.tolist())))
        raise DataError(f"This dataset has no part {name}; its parts are: {own}. List its splits: ferscope data splits")
    return found


@_register("official", names=("PublicTest", "PrivateTest"))
def _official(faces: FaceSet, rng: np.random.Generator) -> Indices:
    """The challenge's own split, 28 709/3 589/3 589: Training to train, PublicTest to validate, PrivateTest to test."""
    names = {"training": "Training", "validation": "PublicTest", "test": "PrivateTest"}
    return {part: _own_part(faces, name) for part, name in names.items()}


@_register("kaggle-msambare", names=("test", "test"))
def _kaggle_msambare(faces: FaceSet, rng: np.random.Generator) -> Indices:
    """Kaggle's copy "msambare", 28 709/7 178: both official test sets are one, so the epoch is selected on the images
    that are reported."""
    test = np.concatenate([_own_part(faces, "PublicTest"), _own_part(faces, "PrivateTest")])
    return {"training": _own_part(faces, "Training"), "validation": test, "test": test}


@_register("kaggle-oheix", paper="E", names=("validation", "PrivateTest"))
def _kaggle_oheix(faces: FaceSet, rng: np.random.Generator) -> Indices:
    """Paper E, 28 821/7 066 over the whole set (Kaggle's copy "jonathanoheix"), tested on the official PrivateTest, of
    which four in five images are then in the training set. Which images Kaggle's copy drew is not recorded: ours is a
    seeded draw with its counts of each class."""
    test, training = _own_part(faces, "PrivateTest"), []
    for label, name in enumerate(faces.classes):
        mine = np.flatnonzero(faces.labels == label)
        if len(mine) < OHEIX_TRAINING.get(name, len(mine) + 1):
            raise DataError('split="kaggle-oheix" is for the complete FER2013 with its own seven classes.')
        training.append(rng.permutation(mine)[: OHEIX_TRAINING[name]])
    training = np.concatenate(training)
    return {"training": training, "validation": _others(faces, training), "test": test}


@_register("random-80-20", paper="C", names=("test", "test"))
def _random_80_20(faces: FaceSet, rng: np.random.Generator) -> Indices:
    """Paper C, four fifths of the whole set drawn at random: duplicates of an image are on both sides, and the epoch is
    chosen on the fifth that is reported."""
    order = rng.permutation(len(faces))
    test = order[: round(0.2 * len(faces))]
    return {"training": order[len(test) :], "validation": test, "test": test}


@_register("paper-b", paper="B")
def _paper_b(faces: FaceSet, rng: np.random.Generator) -> Indices:
    """Paper B, 22 967/5 742/7 178: Training divided once more, a fifth of each class is the validation set; both
    official test parts are the test set."""
    own = _own_part(faces, "Training")
    validation = own[draw_of_each_class(faces.labels[own], len(own) - int(0.8 * len(own)), rng)]
    test = np.concatenate([_own_part(faces, "PublicTest"), _own_part(faces, "PrivateTest")])
    return {"training": np.setdiff1d(own, validation), "validation": validation, "test": test}


@_register("clean", names=("PublicTest", "PrivateTest"))
def _clean(faces: FaceSet, rng: np.random.Generator) -> Indices:
    """The official split less Training images that repeat a test image (pixel by pixel or nearly), are constant, or
    have a copy in Training with another label; the test sets stay as they are."""
    parts = _official(faces, rng)
    training = faces.subset(parts["training"])
    test = faces.subset(np.concatenate([parts["validation"], parts["test"]]))
    flat = training.images.reshape(len(training), -1)
    bad = duplicates_of(training, test) | near_duplicates_of(training, test) | (flat.min(1) == flat.max(1))
    bad |= _conflicting(training)
    return parts | {"training": parts["training"][~bad]}


def _conflicting(faces: FaceSet) -> np.ndarray:
    """Images that have a pixel-identical copy with another label, bool (N,)."""
    pixels = faces.pixel_hashes
    both = np.unique(np.stack([pixels, faces.labels.astype(str)], 1), axis=0)[:, 0]
    names, n = np.unique(both, return_counts=True)
    return np.isin(pixels, names[n > 1])


# ---- any set


@_register("paper-d", paper="D", names=("test", "test"))
def _paper_d(faces: FaceSet, rng: np.random.Generator) -> Indices:
    """Paper D, FER2013 28 707/7 180, JAFFE 158/55, CK+ 735/246: no validation set, the best epoch on the test set is
    reported. JAFFE and CK+ are divided by frame, so that the same person, in CK+ nearly the same image, is on both
    sides. FER2013's numbers are two off the official 28 709/7 178: ours moves two seeded images of Training."""
    if len(faces) not in PAPER_D_TEST:
        raise DataError(
            f"This set has {len(faces)} images; paper-d is for FER2013 (35 887), JAFFE (213) and CK+ (981)."
        )
    n = PAPER_D_TEST[len(faces)]
    if "PublicTest" in faces.splits:
        test = np.flatnonzero(faces.splits != "Training")
        moved = rng.choice(np.flatnonzero(faces.splits == "Training"), max(n - len(test), 0), replace=False)
        test = np.concatenate([test, moved])
    else:
        test = draw_of_each_class(faces.labels, n, rng)
    return {"training": _others(faces, test), "validation": test, "test": test}


_register("subject-out")(subjects.one_draw)


@_register("folders")
def _folders(faces: FaceSet, rng: np.random.Generator) -> Indices:
    """The parts that the dataset's own folders name: train, validation, test. Without a validation folder a tenth of
    train is drawn for validation; without a test folder the validation images are the test set, so that the epoch is
    chosen on the images that are reported."""
    training, own = _own_part(faces, "train"), set(faces.splits.tolist())
    if "test" not in own:
        validation = _own_part(faces, "validation")
        return {"training": training, "validation": validation, "test": validation}
    test = _own_part(faces, "test")
    if "validation" in own:
        return {"training": training, "validation": _own_part(faces, "validation"), "test": test}
    validation = training[draw_of_each_class(faces.labels[training], max(1, round(len(training) / 10)), rng)]
    return {"training": np.setdiff1d(training, validation), "validation": validation, "test": test}


def _others(faces: FaceSet, chosen: np.ndarray) -> np.ndarray:
    return np.setdiff1d(np.arange(len(faces)), chosen)


def draw_of_each_class(labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of n images, of each class its share; what rounding leaves over goes to the largest remainders."""
    sizes = np.bincount(labels)
    exact = sizes * (n / len(labels))
    take = np.floor(exact).astype(int)
    take[np.argsort(take - exact, kind="stable")[: n - take.sum()]] += 1
    return np.concatenate([rng.permutation(np.flatnonzero(labels == k))[:t] for k, t in enumerate(take)])
