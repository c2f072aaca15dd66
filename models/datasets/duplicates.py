"""Copies of images: the same pixels, or nearly the same.

The same pixels are found by their hash. Nearly the same (cut, brightened, compressed again) are found by a perceptual
hash: 63 bits that say which low-frequency components of an image are stronger than their median (the discrete cosine
transform, as in Zauner 2010, "Implementation and benchmarking of perceptual image hash functions"). Two images are
near copies where few bits differ and their gray values go up and down together.
"""

from __future__ import annotations

import numpy as np

from .faceset import FaceSet

NEAR = 8
"""Bits of 63 in which the hashes of two near copies may differ. With both limits, pairs of FER2013 that we inspected
were one photograph each, cut, brightened or marked differently."""

LIKENESS = 0.9
"""Least correlation of the gray values of two near copies."""


def perceptual_hashes(images: np.ndarray) -> np.ndarray:
    """63 bits for each gray image, uint8 (N, H, W) → uint64 (N,). A constant image has no waves: its hash is 0."""
    from scipy.fft import dctn  # here: it takes a quarter of a second

    hashes = np.zeros(len(images), dtype=np.uint64)
    for start in range(0, len(images), 4096):
        some = images[start : start + 4096].astype(np.float32)
        waves = dctn(some, axes=(1, 2), norm="ortho")[:, :8, :8].reshape(len(some), 64)  # (n, 64), slow ones
        bits = waves[:, 1:] > np.median(waves[:, 1:], axis=1, keepdims=True)  # the first is the brightness
        bits[np.ptp(some, axis=(1, 2)) == 0] = False
        weights = np.uint64(1) << np.arange(63, dtype=np.uint64)
        hashes[start : start + 4096] = (bits * weights).sum(1, dtype=np.uint64)
    return hashes


def near_pairs(images: np.ndarray, near: int = NEAR, likeness: float = LIKENESS) -> np.ndarray:
    """Pairs of different images that are nearly the same; those with the same pixels are left out.

    Args:
        images: gray images, uint8 (N, H, W).
        near: bits of 63 in which their hashes may differ.
        likeness: least correlation of their gray values, −1..1.

    Returns:
        int64 (P, 2), the smaller index first. Constant images are near to nothing.
    """
    hashes = perceptual_hashes(images)
    found = [np.zeros((0, 2), dtype=np.int64)]
    for start in range(0, len(images), _BLOCK):  # each block with itself and all that come later
        found.append(start + _candidates(hashes[start : start + _BLOCK], hashes[start:], 0, near))
    pairs = np.concatenate(found)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    return pairs[_alike(images, images, pairs, likeness)]


def near_copies(faces: FaceSet, of: FaceSet, near: int = NEAR, likeness: float = LIKENESS) -> np.ndarray:
    """Which images are, pixel by pixel or nearly, one of another set, bool (N,)."""
    mine, theirs = perceptual_hashes(faces.images), perceptual_hashes(of.images)
    hit = copies_of(faces, of)
    for start in range(0, len(of), _BLOCK):
        pairs = _candidates(mine, theirs[start : start + _BLOCK], start, near)
        good = _alike(faces.images, of.images, pairs, likeness)
        hit[pairs[good, 0]] = True
    return hit


def copies_of(faces: FaceSet, of: FaceSet) -> np.ndarray:
    """Which images have the same pixels as one of another set, bool (N,)."""
    return np.isin(faces.pixel_hashes, of.pixel_hashes)


_BLOCK = 512


def _candidates(all_: np.ndarray, block: np.ndarray, start: int, near: int) -> np.ndarray:
    """Pairs (index into all_, start + index into block) whose hashes differ in at most `near` bits, int64 (P, 2)."""
    differ = np.bitwise_count(all_[:, None] ^ block[None])  # (N, block), uint8
    i, j = np.nonzero(differ <= near)
    keep = (all_[i] != 0) & (block[j] != 0)
    return np.stack([i[keep], j[keep] + start], 1)


def _alike(first: np.ndarray, second: np.ndarray, pairs: np.ndarray, likeness: float) -> np.ndarray:
    """Which pairs have gray values that go together and are not the same, bool (P,)."""
    result = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), 4096):
        some = pairs[start : start + 4096]
        a, b = (
            images[some[:, k]].reshape(len(some), -1).astype(np.float32) for k, images in enumerate((first, second))
        )
        same = (a == b).all(1)
        a, b = (v - v.mean(1, keepdims=True) for v in (a, b))
        correlation = (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-6)
        result[start : start + 4096] = ~same & (correlation >= likeness)
    return result
