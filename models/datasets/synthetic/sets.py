"""Datasets of drawn faces, with the masks of their evidence, and if wanted with a shortcut planted in them."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from ...files import write_bytes
from ..faceset import EMOTIONS, FaceSet
from .faces import EXPRESSIONS, check, expression_of, render_variation, vary


@dataclass(frozen=True, eq=False)
class DrawnSet:
    """Drawn faces as a set to train with, and what is known about each of them.

    Attributes:
        faces: the images; their splits "Training", "PublicTest" and "PrivateTest" make the split "official" work.
        evidence: evidence of each face as in `DrawnFace`, times 255: uint8 (N, size, size).
        stickers: masks of the stickers, uint8 (N, size, size), 0 where an image has none; None for a set without.
    """

    faces: FaceSet
    evidence: np.ndarray
    stickers: np.ndarray | None = None


def drawn_set(
    n_per_class: int = 300,
    size: int = 48,
    seed: int = 0,
    classes: tuple[str, ...] = EMOTIONS,
    sticker_class: str | None = None,
    sticker_place: str = "forehead",
    sticker_share: float = 0.95,
    sticker_test_share: float = 0.5,
    test_share: float = 0.2,
    progress: Callable[[int, int], None] | None = None,
) -> DrawnSet:
    """Draw a balanced set in which every image is another person.

    With `sticker_class` a shortcut is planted: in Training nearly all images of that class carry a sticker and no
    other image does; in both tests half of the images carry it at random, whatever their class. A network that
    learned the shortcut is accurate on Training and fails on the test sets. Two sets that differ in nothing but
    `sticker_test_share`, 0 and 1, hold the same test faces without and with the sticker.

    Args:
        n_per_class: Training images of each class.
        size: side of the images in pixels, at least 8.
        seed: decides everything; sets of different seeds share no person.
        classes: keys of `EXPRESSIONS`, in the order of the labels.
        sticker_class: the class whose Training images carry the sticker; None plants none.
        sticker_place: a key of `STICKERS`.
        sticker_share: share of that class's Training images that carry it, 0..1.
        sticker_test_share: share of all test images that carry it, 0..1.
        test_share: images of each class in either test, as a share of `n_per_class`; at least one is drawn.
        progress: called with (images drawn, images in all) after each image.

    Raises:
        ValueError: a value is out of its range, or a name is not known.
    """
    check(size, sticker_place)
    shares = {"sticker_share": sticker_share, "sticker_test_share": sticker_test_share, "test_share": test_share}
    _check_set(n_per_class, seed, classes, sticker_class, shares)
    rng = np.random.default_rng((seed, 1))  # decides who carries the sticker
    tests = max(1, round(test_share * n_per_class))
    sizes = {"Training": n_per_class, "PublicTest": tests, "PrivateTest": tests}
    drawn, labels, names, splits = [], [], [], []
    total = len(classes) * sum(sizes.values())
    for part, (split, count) in enumerate(sizes.items()):
        for i in range(count * len(classes)):
            label = i % len(classes)
            emotion = classes[label]
            share = sticker_test_share if split != "Training" else sticker_share * (emotion == sticker_class)
            sticker = sticker_place if rng.random() < share and sticker_class is not None else None
            made = vary(EXPRESSIONS[emotion], (seed, 0, part, i))
            drawn.append(render_variation(made, size, sticker, emotion, oversampling=4))
            labels.append(label)
            names.append(f"drawn_{split}_{i}")
            splits.append(split)
            if progress:
                progress(len(drawn), total)
    images = np.stack([face.image for face in drawn])
    faces = FaceSet(images, np.array(labels), np.array(names), np.array(splits), tuple(classes))
    evidence = np.stack([_as_bytes(face.evidence) for face in drawn])
    if sticker_class is None:
        return DrawnSet(faces, evidence)
    none = np.zeros((size, size), dtype=np.float32)
    return DrawnSet(faces, evidence, np.stack([_as_bytes(none if f.sticker is None else f.sticker) for f in drawn]))


def _as_bytes(mask: np.ndarray) -> np.ndarray:
    return (255 * mask).round().astype(np.uint8)


def _check_set(
    n_per_class: int, seed: int, classes: tuple[str, ...], sticker_class: str | None, shares: dict[str, float]
) -> None:
    if n_per_class < 1:
        raise ValueError(f"n_per_class={n_per_class}: a set needs at least one image of each class")
    if seed < 0:
        raise ValueError(f"seed={seed}: choose a whole number from 0 up")
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise ValueError(f"classes={classes}: name two classes or more, each once, of {', '.join(EXPRESSIONS)}")
    for emotion in classes:
        expression_of(emotion)
    if sticker_class is not None and sticker_class not in classes:
        raise ValueError(f'sticker_class="{sticker_class}" is not in the set; choose one of {", ".join(classes)}')
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name}={share} is a share: choose a number from 0 to 1")


def save_drawn(
    path: str | Path,
    count: int = 300,
    size: int = 48,
    seed: int = 0,
    sticker: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DrawnSet:
    """Draw a set and write it as one `.npz` that `FaceSet.load` reads, with the masks beside the images.

    Args:
        path: the file; one that is there is replaced.
        count: Training images of each class; a fifth as many come into either test.
        size: side of the images in pixels, at least 8.
        seed: decides everything.
        sticker: the class that gets the shortcut, see `drawn_set`.
        progress: called with (images drawn, images in all) after each image.

    Returns:
        What was written.

    Raises:
        ValueError: a value cannot be used; nothing is written.
        DiskFullError: no room; an earlier file is unharmed.
    """
    if count < 1:
        raise ValueError(f"count={count}: a set needs at least one image of each class")
    drawn = drawn_set(count, size, seed, sticker_class=sticker, progress=progress)
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:  # the faces as `FaceSet` writes them, then the masks behind them
        drawn.faces.save(Path(folder) / "faces.npz")
        buffer.write((Path(folder) / "faces.npz").read_bytes())
    with ZipFile(buffer, "a", ZIP_DEFLATED) as file:
        for name in ("evidence", "stickers"):
            if getattr(drawn, name) is not None:
                file.writestr(f"{name}.npy", _npy(getattr(drawn, name)))
    write_bytes(Path(path), buffer.getvalue())
    return drawn


def _npy(array: np.ndarray) -> bytes:
    """The bytes of a `.npy` file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
