"""Metrics for each group of images, where the user gives a column of metadata (Fairlearn's MetricFrame).

Groups with few images are hidden: their figures say little, and could identify a person. A difference between groups
may come from their images, from their labels or from the mix of classes as well as from the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from .checkpoints import Predictions
from .datasets import DataError
from .datasets.groups import MOST_BYTES, Groups, columns_of, image_column, read_groups
from .metrics import Interval, percent, share
from .text import counted

SMALLEST = 20
"""Images of the smallest group that is shown."""

_DRAWS = 999  # permutations


@dataclass(frozen=True)
class Group:
    """One group.

    Attributes:
        name: its value in the table.
        images: number of its images.
        accuracy: share of them predicted as labeled, with its 95 % interval (Wilson; higher is better).
        balanced_accuracy: mean recall of the classes that occur in it, 0 to 1 (higher is better).
        recall: recall of each class that occurs in it, with its interval (Wilson).
        support: images of each of these classes.
    """

    name: str
    images: int
    accuracy: Interval
    balanced_accuracy: float
    recall: Mapping[str, Interval]
    support: Mapping[str, int]


@dataclass(frozen=True)
class Difference:
    """The largest difference of a measure between two groups.

    Attributes:
        measure: "accuracy" or "balanced accuracy".
        difference: best minus worst group, 0 to 1; 0 is even.
        ratio: worst by best group, 0 to 1; 1 is even.
        p_value: probability of a difference as large where groups do not matter: chi-square test for accuracy (by
            permutation where a count that it expects is below 5), permutation test for balanced accuracy.
        test: name of the test.
    """

    measure: str
    difference: float
    ratio: float
    p_value: float
    test: str


@dataclass(frozen=True)
class Subgroups:
    """Metrics for each group.

    Attributes:
        column: where the groups come from.
        classes: names of the classes.
        groups: the largest first, hidden ones left out.
        hidden: number of groups with fewer than `smallest` images, and their images together.
        smallest: images of the smallest group that is shown.
        unknown: images without a group.
        differences: differences of accuracy and balanced accuracy; empty for a single group.
        notes: notes on rows of the table that were left out.
    """

    column: str
    classes: tuple[str, ...]
    groups: tuple[Group, ...]
    hidden: tuple[int, int]
    smallest: int
    unknown: int
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """The result in words, with what is hidden or unknown."""
        lines = [difference_in_words(found) for found in self.differences]
        if self.hidden[0]:
            number, images = self.hidden
            lines.append(
                f"{counted(number, 'group is', 'groups are')} hidden: fewer than {self.smallest} images each, {images} "
                "together."
            )
        if self.unknown:
            lines.append(f"{counted(self.unknown, 'image has', 'images have')} no group and are in none.")
        return [*lines, *self.notes]


def difference_in_words(found: Difference) -> str:
    """A difference between groups as a sentence."""
    p = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.3f}"
    verdict = "significant" if found.p_value < 0.05 else "not significant"
    return (
        f"Largest difference in {found.measure}: {100 * found.difference:.1f} percentage points (ratio "
        f"{found.ratio:.2f}); {found.test}: {p}, {verdict} at 5 %."
    )


def subgroups(
    predicted: np.ndarray, labels: np.ndarray, classes: Sequence[str], groups: Groups, smallest: int = SMALLEST
) -> Subgroups:
    """Compute the metrics of each group.

    Args:
        predicted, labels: index of the predicted and the true class, (N,).
        classes: names of the classes.
        groups: groups of the N images.
        smallest: images of the smallest group that is shown, 2 at least.

    Raises:
        DataError: every group has fewer images than `smallest`.
    """
    if smallest < 2:
        raise DataError(f"smallest={smallest}: a group has two images at least.")
    names, counts = np.unique(groups.values[groups.values != ""], return_counts=True)
    large = names[counts >= smallest]
    if len(large) == 0:
        raise DataError(f"Every group of {groups.column} has fewer than {smallest} images: none is shown.")
    shown = np.isin(groups.values, large)
    y, p, g = labels[shown], predicted[shown], groups.values[shown]
    found = [_group(name, p[g == name], y[g == name], classes) for name in large]
    notes = []
    if groups.unmatched:
        notes.append(f"{counted(groups.unmatched, 'row')} of the table {_name(groups.unmatched)} none of these images.")
    if groups.ambiguous:
        notes.append(f"{counted(groups.ambiguous, 'row')} left out: several images or several groups for one name.")
    return Subgroups(
        groups.column,
        tuple(classes),
        tuple(sorted(found, key=lambda one: (-one.images, one.name))),
        (len(names) - len(large), int(counts[counts < smallest].sum())),
        smallest,
        int((groups.values == "").sum()),
        _differences(p, y, g) if len(large) > 1 else (),
        tuple(notes),
    )


def _name(n: int) -> str:
    return "names" if n == 1 else "name"


def _group(name: str, predicted: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Group:
    right, present = predicted == labels, np.unique(labels).tolist()
    recall = {classes[k]: share(right[labels == k]) for k in present}
    support = {classes[k]: int((labels == k).sum()) for k in present}
    return Group(str(name), len(labels), share(right), _balanced(labels, predicted), recall, support)


def _balanced(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Mean recall of the classes that occur."""
    sizes = np.bincount(labels)
    right = np.bincount(labels, weights=predicted == labels)
    return float((right[sizes > 0] / sizes[sizes > 0]).mean())


def _accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    return float((labels == predicted).mean())


def _differences(predicted: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> tuple[Difference, ...]:
    from fairlearn.metrics import MetricFrame  # here: it takes seconds

    frame = MetricFrame(
        metrics={"accuracy": _accuracy, "balanced accuracy": _balanced},
        y_true=labels,
        y_pred=predicted,
        sensitive_features=groups,
    )
    largest, ratio = frame.difference(), frame.ratio()
    tests = {
        "accuracy": _independence(predicted == labels, groups),
        "balanced accuracy": _permutation(predicted, labels, groups),
    }
    return tuple(
        Difference(name, float(largest[name]), float(np.nan_to_num(ratio[name])), p, test)
        for name, (p, test) in tests.items()
    )


def _independence(right: np.ndarray, groups: np.ndarray) -> tuple[float, str]:
    """Test whether accuracy depends on the group: p and the name of the test."""
    from scipy.stats import PermutationMethod, chi2_contingency
    from scipy.stats.contingency import crosstab, expected_freq

    if right.all() or not right.any():
        return 1.0, "chi-square test"
    table = np.asarray(crosstab(groups, right).count)
    if expected_freq(table).min() >= 5:
        return float(chi2_contingency(table, correction=False).pvalue), "chi-square test"
    method = PermutationMethod(n_resamples=_DRAWS, rng=np.random.default_rng(0))
    return float(chi2_contingency(table, correction=False, method=method).pvalue), "chi-square test by permutation"


def _permutation(predicted: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> tuple[float, str]:
    """How often groups drawn at random, within each class, differ as much in balanced accuracy."""
    rng, names = np.random.default_rng(0), np.unique(groups)

    def spread(of: np.ndarray) -> float:
        values = [_balanced(labels[of == name], predicted[of == name]) for name in names]
        return max(values) - min(values)

    observed, hits, drawn = spread(groups), 0, groups.copy()
    for _ in range(_DRAWS):
        for k in np.unique(labels):
            mine = labels == k
            drawn[mine] = rng.permutation(groups[mine])
        hits += spread(drawn) >= observed - 1e-12
    return (hits + 1) / (_DRAWS + 1), "permutation test within classes"


# ---- on the command line


@dataclass(frozen=True)
class GroupTable:
    """A CSV of metadata, and its columns of groups and of images (empty: found by its name)."""

    content: bytes
    column: str
    images: str
    smallest: int

    @classmethod
    def read(cls, path: Path, column: str, images: str = "", smallest: int = SMALLEST) -> GroupTable:
        """Read and check a table before anything is measured; DataError where it cannot be used."""
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES >> 20} MB: keep the columns of images and groups only.")
        content = path.read_bytes()
        columns = columns_of(content)
        if column.strip().lower() not in columns:
            raise DataError(f"Choose the column of {path} that has the groups by --group-column: {', '.join(columns)}.")
        return cls(content, column, images or image_column(columns), smallest)

    def report(self, stored: Predictions, classes: Sequence[str], part: str, console: Console) -> None:
        """Print the metrics of each group of a part, the recall of each class in it, and the sentences."""
        groups = read_groups(self.content, self.column, stored.ids, stored.names, self.images)
        predicted, labels = stored.logits.argmax(-1).numpy(), stored.labels.numpy()
        found = subgroups(predicted, labels, classes, groups, self.smallest)
        table = Table(found.column, *(one.name for one in found.groups), title=f"{part} by {found.column}")
        table.add_row("images", *(str(one.images) for one in found.groups))
        table.add_row("accuracy", *(percent(one.accuracy) for one in found.groups))
        table.add_row("balanced accuracy", *(f"{100 * one.balanced_accuracy:.1f} %" for one in found.groups))
        for c in classes:
            cells = (
                f"{percent(one.recall[c])} of {one.support[c]}" if c in one.recall else "–" for one in found.groups
            )
            table.add_row(f"recall of {c}", *cells)
        console.print(table)
        for sentence in found.sentences():
            console.print(sentence, soft_wrap=True)
