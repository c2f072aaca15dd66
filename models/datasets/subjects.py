"""Subject-independent splits: no person is in two of training, validation and test set (CK+, JAFFE).

Divided by frame, as in paper D, the same person is on both sides, in CK+ with nearly the same image, so that a network
can score by recognizing people. Divided by subject, the test measures expressions of people that it has not seen.

One draw (`subject-out`), or one fold of a cross-validation, in which every image is tested once: `subject-10fold-3` is
the third of ten folds, `subject-loso-3` leaves out the third subject (LOSO). Without the last number the name stands
for all folds, which `ferscope train` trains one after another.
"""

from __future__ import annotations

import re
import warnings

import numpy as np

from .faceset import DataError, FaceSet

EXAMPLES = ("subject-10fold-1", "subject-loso-1")
"""One fold of either kind of cross-validation, for lists of splits."""

_NAME = re.compile(r"(subject-(?:([1-9]\d*)fold|loso))(?:-(0|[1-9]\d*))?")
_VALIDATION = 8  # the validation set is one of so many folds of the subjects that are not in the test set


def is_fold(name: str) -> bool:
    """Whether a name is that of one fold, such as `subject-10fold-3`."""
    return bool((match := _NAME.fullmatch(name)) and match[3])


def is_cross_validation(name: str) -> bool:
    """Whether a name means all folds, such as `subject-10fold` or `subject-loso`."""
    return bool((match := _NAME.fullmatch(name)) and not match[3])


def _parts(name: str) -> tuple[str, str | None, str | None]:
    """`subject-10fold-3` → ("subject-10fold", "10", "3"); None where a number is missing."""
    if (match := _NAME.fullmatch(name)) is None:
        raise DataError(f'split="{name}" is not a cross-validation: write it as subject-10fold or subject-loso')
    return match[1], match[2], match[3]


def fold_names(faces: FaceSet, name: str) -> tuple[str, ...]:
    """The splits of a cross-validation: `subject-10fold` → `subject-10fold-1` … `subject-10fold-10`.

    Raises:
        DataError: the dataset does not say who is shown, or has fewer subjects than folds.
    """
    people, (_, folds, _) = subjects_of(faces, name), _parts(name)
    n = int(folds) if folds else len(people)
    if not 2 <= n <= len(people):
        raise DataError(
            f'split="{name}": this dataset has {len(people)} subjects, so it can be divided into 2 to {len(people)} '
            f"folds; choose such a number, or subject-loso, which leaves out one subject at a time."
        )
    return tuple(f"{name}-{i}" for i in range(1, n + 1))


def subjects_of(faces: FaceSet, name: str) -> np.ndarray:
    """Who is shown, each once, in alphabetical order.

    Raises:
        DataError: the dataset does not say so for every image, or there are fewer than three subjects.
    """
    people = np.unique(faces.subjects)
    if len(people) < 3 or "" in people:
        raise DataError(
            f'split="{name}" needs a dataset that says who is shown, with three subjects or more, such as CK+ or JAFFE '
            "(ferscope data import). Choose another split: ferscope data splits --data SET"
        )
    return people


def note(name: str) -> str:
    """What one fold is and what it does to a result."""
    scheme, folds, number = _parts(name)
    if folds:
        first = (
            f"Fold {number} of {folds} of a cross-validation (any number of folds): subjects are divided so that folds "
            "are alike in images and classes (scikit-learn's StratifiedGroupKFold); this one is the test set."
        )
    else:
        first = f"Leave one subject out (LOSO): subject {number} in alphabetical order is the test set."
    return (
        f"{first} About an eighth of the others is the validation set. Nobody is in two parts, whereas paper D divides "
        "CK+ and JAFFE by frame, so that its figures are another protocol's. All folds: ferscope train --split "
        f"{scheme}"
    )


def one_draw(faces: FaceSet, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """No person is in two parts: about a quarter of the subjects to test on, an eighth to validate. For CK+ and JAFFE;
    a network's accuracy on people that it has not seen."""
    order = rng.permutation(subjects_of(faces, "subject-out"))
    test, validation = max(1, round(len(order) / 4)), max(1, round(len(order) / 8))
    chosen = {
        "test": order[:test],
        "validation": order[test : test + validation],
        "training": order[test + validation :],
    }
    return {part: np.flatnonzero(np.isin(faces.subjects, who)) for part, who in chosen.items()}


def divide(name: str, faces: FaceSet, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Indices of training, validation and test set of one fold.

    The same generator state gives the same folds, so that the test sets of all folds are the whole dataset, each image
    once.

    Raises:
        DataError: the dataset does not say who is shown, or has fewer subjects than folds; there is no such fold, or
            all subjects that show a class are needed elsewhere.
    """
    scheme, _, _ = _parts(name)
    names = fold_names(faces, scheme)
    if name not in names:
        raise DataError(f'split="{name}": there is no such fold; this dataset has {names[0]} to {names[-1]}.')
    everyone, (seed, seed_of_validation) = np.arange(len(faces)), rng.integers(2**31, size=2).tolist()
    if scheme == "subject-loso":
        test = np.flatnonzero(faces.subjects == subjects_of(faces, name)[names.index(name)])
    else:
        test = _folds(name, faces, everyone, len(names), seed)[names.index(name)]
    rest = np.setdiff1d(everyone, test)
    validation = _validation(name, faces, rest, seed_of_validation)
    return {"training": np.setdiff1d(rest, validation), "validation": validation, "test": test}


def _validation(name: str, faces: FaceSet, rest: np.ndarray, seed: int) -> np.ndarray:
    """About an eighth of the images, by subjects; one that leaves each class in training, where there is such a one."""
    labels, people = faces.labels[rest], np.unique(faces.subjects[rest])
    if len(people) < 2:
        raise DataError(f'split="{name}" leaves {people[0]} alone for training and validation: choose more folds.')
    n = max(2, min(_VALIDATION, len(people), np.bincount(labels).max()))
    folds = _folds(name, faces, rest, n, seed)
    keep_all = [fold for fold in folds if set(faces.labels[np.setdiff1d(rest, fold)]) == set(labels)]
    chosen = min(keep_all or folds, key=lambda fold: abs(len(fold) - len(rest) / n))
    _must_have_all_classes(name, faces, np.setdiff1d(rest, chosen))
    return chosen


def _must_have_all_classes(name: str, faces: FaceSet, training: np.ndarray) -> None:
    missing = [faces.classes[k] for k in np.setdiff1d(faces.labels, faces.labels[training])]
    if missing:
        raise DataError(
            f'split="{name}" leaves no image of {", ".join(missing)} for training: all subjects who show it are in the '
            "validation or test set. Choose another number of folds, or a dataset in which more people show it."
        )


def _folds(name: str, faces: FaceSet, among: np.ndarray, n: int, seed: int) -> list[np.ndarray]:
    """n folds of some images of a dataset, by subjects, alike in images and classes; indices of each."""
    from sklearn.model_selection import StratifiedGroupKFold  # here: it takes a second, and few splits need it

    folds = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # a class may be missing from a fold's test set
        try:
            found = [among[test] for _, test in folds.split(among, faces.labels[among], faces.subjects[among])]
        except ValueError as error:
            raise DataError(f'split="{name}": {n} folds need {n} images of a class at least: choose fewer.') from error
    if any(len(fold) == 0 for fold in found):
        raise DataError(f'split="{name}" leaves a fold without an image: choose fewer folds.')
    return found
