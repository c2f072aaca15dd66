"""Problems of a dataset: duplicates, leakage between its splits, conflicting labels, blank images.

    ferscope data audit data/fer2013.npz --html audit.html

`audit` counts the test images that are in the training set too, for every split of the dataset. Those of FER2013's
official split ship as ids (`leaked.csv`), so that a score without them needs no images.
"""

from __future__ import annotations

import csv
import html
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..text import counted
from . import duplicates
from .faceset import FaceSet
from .splits import available

NEARLY_CONSTANT = 4
"""Largest range of the gray values, of 255, in an image that counts as blank."""


@dataclass(frozen=True)
class Leak:
    """Test images of one split that are in its training set.

    Attributes:
        split: name of the split.
        training, validation, test: number of images.
        exact: test images with the same pixels as a training image.
        near: test images that are duplicates or near-duplicates of a training image.
        chosen_on_test: whether the epoch is selected on the images that are reported.
    """

    split: str
    training: int
    validation: int
    test: int
    exact: int
    near: int
    chosen_on_test: bool


@dataclass(frozen=True)
class Audit:
    """The problems found in a dataset.

    Attributes:
        images: number of images.
        classes: names of the classes.
        counts: images of each class, for each part.
        intensity: mean and standard deviation of the gray values, 0..255, for each part.
        groups: groups of pixel-identical images; `surplus`, images beyond the first of each group.
        groups_across: such groups in two or more parts; `groups_conflicting`, with two or more labels.
        pairs_across: "of Training are also in PublicTest", … → number of images with the same pixels.
        near: pairs of near-duplicates; `near_across`, in two parts; `near_conflicting`, with two labels.
        constant: names of images with a single gray value; `nearly_constant`, with a range of at most
            `NEARLY_CONSTANT`.
        shared_names: names that several images have.
        leaks: leaks between the sets, for each split of the dataset.
    """

    images: int
    classes: tuple[str, ...]
    counts: dict[str, list[int]]
    intensity: dict[str, tuple[float, float]]
    groups: int
    surplus: int
    groups_across: int
    groups_conflicting: int
    pairs_across: dict[str, int]
    near: int
    near_across: int
    near_conflicting: int
    constant: tuple[str, ...]
    nearly_constant: tuple[str, ...]
    shared_names: tuple[str, ...]
    leaks: tuple[Leak, ...]

    def as_dict(self) -> dict:
        """Plain numbers and texts, ready for JSON."""
        return asdict(self)


def audit(faces: FaceSet, near: int = duplicates.NEAR, progress: Callable[[str], None] = lambda step: None) -> Audit:
    """Find duplicates, leakage, conflicting labels and blank images.

    Args:
        faces: the dataset.
        near: bits of 63 in which the perceptual hashes of near-duplicates may differ; more finds more pairs, and more
            false ones.
        progress: called with the name of each step before it begins.
    """
    if not 0 <= near <= 63:
        raise ValueError(f"near={near}: give a number of bits from 0 to 63")
    progress("duplicates")
    pixels = faces.pixel_hashes
    groups = _groups(pixels)
    parts = list(dict.fromkeys(faces.splits.tolist()))
    across = {}
    for first in parts:
        mine, others = pixels[faces.splits == first], [part for part in parts if part != first]
        for second in others:
            across[f"of {first} are also in {second}"] = np.isin(mine, pixels[faces.splits == second])
        if len(others) > 1:
            across[f"of {first} are also in another part"] = np.isin(mine, pixels[faces.splits != first])
    progress("near-duplicates")
    pairs = duplicates.near_pairs(faces.images, near)
    differ = {name: getattr(faces, name)[pairs[:, 0]] != getattr(faces, name)[pairs[:, 1]] for name in _LABELS}
    progress("splits")
    spread = np.ptp(faces.images.reshape(len(faces), -1), axis=1)
    names = Counter(faces.names.tolist())
    statistics = {part: faces.part(part).pixel_statistics() for part in parts}
    return Audit(
        images=len(faces),
        classes=faces.classes,
        counts=faces.counts(),
        intensity={part: (255 * mean, 255 * std) for part, (mean, std) in statistics.items()},
        groups=len(groups),
        surplus=sum(len(group) - 1 for group in groups),
        groups_across=sum(len(set(faces.splits[group])) > 1 for group in groups),
        groups_conflicting=sum(len(set(faces.labels[group])) > 1 for group in groups),
        pairs_across={what: int(found.sum()) for what, found in across.items()},
        near=len(pairs),
        near_across=int(differ["splits"].sum()),
        near_conflicting=int(differ["labels"].sum()),
        constant=tuple(faces.names[spread == 0].tolist()),
        nearly_constant=tuple(faces.names[(spread > 0) & (spread <= NEARLY_CONSTANT)].tolist()),
        shared_names=tuple(name for name, n in names.items() if n > 1),
        leaks=_leaks(faces, pairs),
    )


_LABELS = ("splits", "labels")


def _groups(pixels: np.ndarray) -> list[np.ndarray]:
    """Indices of images with the same pixels, for each group of two or more."""
    order = np.argsort(pixels, kind="stable")
    ends = np.flatnonzero(pixels[order][1:] != pixels[order][:-1]) + 1
    return [group for group in np.split(order, ends) if len(group) > 1]


def _leaks(faces: FaceSet, pairs: np.ndarray) -> tuple[Leak, ...]:
    """Count the leaks of each split from the known pairs: searching again for each split would take seconds."""
    found = []
    for name, parts in available(faces).items():
        training, test = parts.indices["training"], parts.indices["test"]
        exact = np.isin(faces.pixel_hashes[test], faces.pixel_hashes[training])
        inside, beside = np.zeros((2, len(faces)), dtype=bool)
        inside[training] = True
        for a, b in (pairs.T, pairs.T[::-1]):
            beside[a[inside[b]]] = True
        near = exact | beside[test]
        sizes = len(training), len(parts.validation), len(test)
        found.append(Leak(name, *sizes, int(exact.sum()), int(near.sum()), parts.chosen_on_test))
    return tuple(found)


# ---- leaked images of the official split


@cache
def leaked(part: str = "PrivateTest", near: bool = True) -> frozenset[str]:
    """Ids of FER2013's test images that are in its training set too.

    Args:
        part: "PublicTest" or "PrivateTest".
        near: include near-duplicates, not only images with the same pixels.
    """
    with Path(__file__).with_name("leaked.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return frozenset(r["id"] for r in rows if r["id"].startswith(f"{part}-") and (near or r["how"] == "exact"))


# ---- the report


def sentences(found: Audit) -> list[str]:
    """The problems, one sentence each, the worst first."""
    lines = [
        f"{counted(found.groups, 'group')} of pixel-identical images, {counted(found.surplus, 'surplus image')}.",
        f"{counted(found.groups_across, 'group is', 'groups are')} in several parts, "
        f"{counted(found.groups_conflicting, 'has', 'have')} more than one label.",
        *(
            counted(n, "image " + what.replace(" are ", " is "), "images " + what) + ", with the same pixels."
            for what, n in found.pairs_across.items()
            if n
        ),
        f"{counted(found.near, 'pair')} of near-duplicates; "
        f"{counted(found.near_across, 'is', 'are')} in two parts, "
        f"{counted(found.near_conflicting, 'has', 'have')} two labels.",
    ]
    for names, what in ((found.constant, "blank, with a single gray value"), (found.nearly_constant, "nearly blank")):
        if names:
            lines.append(f"{counted(len(names), 'image is', 'images are')} {what}: {_first(names)}.")
    if found.shared_names:
        names = counted(len(found.shared_names), "name is", "names are")
        lines.append(f"{names} shared by several images: {_first(found.shared_names)}.")
    return lines


def _first(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def as_html(found: Audit, title: str, more: Sequence[str] = ()) -> str:
    """The report as a self-contained HTML page: tables and sentences, and `more` of these, without images."""

    def table(head: list[str], rows: list[list]) -> str:
        cells = [f"<tr>{''.join(f'<th>{html.escape(str(c))}</th>' for c in head)}</tr>"]
        cells += [f"<tr>{''.join(f'<td>{html.escape(str(c))}</td>' for c in row)}</tr>" for row in rows]
        return f"<table>{''.join(cells)}</table>"

    parts = [[part, *counts, sum(counts)] for part, counts in found.counts.items()]
    gray = [[part, f"{mean:.2f}", f"{std:.2f}"] for part, (mean, std) in found.intensity.items()]
    leaks = [
        [*(getattr(k, a) for a in _COLUMNS), f"{k.near / k.test:.1%}", "yes" if k.chosen_on_test else "no"]
        for k in found.leaks
    ]
    style = (
        "body{font:17px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222}"
        "table{border-collapse:collapse;margin:1rem 0}th,td{padding:.25rem .75rem;text-align:right;"
        "border-bottom:1px solid #ccc}th:first-child,td:first-child{text-align:left}"
    )
    body = [
        f"<h1>Audit of {html.escape(title)}</h1>",
        "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in (*sentences(found), *more)) + "</ul>",
        "<h2>Images of each class</h2>" + table(["part", *found.classes, "all"], parts),
        "<h2>Gray values, of 255</h2>" + table(["part", "mean", "standard deviation"], gray),
        "<h2>Test images in the training set, for each split</h2>"
        + table([*LEAK_HEAD, "share", "epoch selected on test"], leaks),
        "<p>Duplicates have the same pixels as a training image; near-duplicates include these.</p>",
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{style}</style><body>{''.join(body)}</body></html>\n"
    )


_COLUMNS = ("split", "training", "validation", "test", "exact", "near")
LEAK_HEAD = [*_COLUMNS[:4], "duplicates", "near-duplicates"]
"""Columns of the table of leaks."""
