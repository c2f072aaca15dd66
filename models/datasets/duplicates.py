"""Duplicates and near-duplicates of images.

Duplicates have the same pixels and are found by a hash of these. Near-duplicates (cropped, brightened, recompressed)
are found by a perceptual hash: 63 bits that tell which low-frequency components of the discrete cosine transform are
larger than their median (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions"). Two images
are near-duplicates if few bits differ and their gray values are correlated.
"""

from __future__ import annotations

import numpy as np
import torch

from ..preprocessing import resized
from .faceset import FaceSet

NEAR = 8
"""Largest number of different bits, of 63, between the hashes of near-duplicates. With both limits, the pairs of
FER2013 that we inspected were versions of one photograph: cropped, brightened or watermarked differently."""

CORRELATION = 0.9
"""Smallest correlation of the gray values of near-duplicates."""


def perceptual_hashes(images: np.ndarray) -> np.ndarray:
    """63 bits for each gray image, uint8 (N, H, W) → uint64 (N,). The hash of a constant image is 0."""
    from scipy.fft import dctn  # here: it takes a quarter of a second

    hashes = np.zeros(len(images), dtype=np.uint64)
    for start in range(0, len(images), 4096):
        some = images[start : start + 4096].astype(np.float32)
        components = dctn(some, axes=(1, 2), norm="ortho")[:, :8, :8].reshape(len(some), 64)  # (n, 64), low frequencies
        bits = components[:, 1:] > np.median(components[:, 1:], axis=1, keepdims=True)  # the first is the mean
        bits[np.ptp(some, axis=(1, 2)) == 0] = False
        weights = np.uint64(1) << np.arange(63, dtype=np.uint64)
        hashes[start : start + 4096] = (bits * weights).sum(1, dtype=np.uint64)
    return hashes


def near_pairs(images: np.ndarray, near: int = NEAR, correlation: float = CORRELATION) -> np.ndarray:
    """Pairs of near-duplicates; pairs with the same pixels are left out.

    Args:
        images: gray images, uint8 (N, H, W).
        near: bits of 63 in which their hashes may differ.
        correlation: smallest correlation of their gray values, −1..1.

    Returns:
        int64 (P, 2), the smaller index first. A constant image has no near-duplicates.
    """
    hashes = perceptual_hashes(images)
    found = [np.zeros((0, 2), dtype=np.int64)]
    for start in range(0, len(images), _BLOCK):  # each block with itself and all that come later
        found.append(start + _candidates(hashes[start : start + _BLOCK], hashes[start:], 0, near))
    pairs = np.concatenate(found)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    pairs = pairs[_alike(images, images, pairs, correlation)]
    return pairs[(images[pairs[:, 0]] != images[pairs[:, 1]]).any((1, 2))]


def near_duplicates_of(faces: FaceSet, of: FaceSet, near: int = NEAR, correlation: float = CORRELATION) -> np.ndarray:
    """Whether each image is a duplicate or near-duplicate of one in another dataset.

    Args:
        faces: the N images that are judged.
        of: the other dataset; if its images have another size, the larger images are resized to the smaller size.
        near: bits of 63 in which the hashes of near-duplicates may differ.
        correlation: smallest correlation of the gray values of near-duplicates, −1..1.

    Returns:
        bool (N,). A constant image has no near-duplicates, but may have duplicates.
    """
    side = min(faces.images.shape[1], of.images.shape[1])
    images, others = _with_side(faces.images, side), _with_side(of.images, side)
    mine, theirs = perceptual_hashes(images), perceptual_hashes(others)
    hit = duplicates_of(faces, of)
    for start in range(0, len(of), _BLOCK):
        pairs = _candidates(mine, theirs[start : start + _BLOCK], start, near)
        good = _alike(images, others, pairs, correlation)
        hit[pairs[good, 0]] = True
    return hit


def duplicates_of(faces: FaceSet, of: FaceSet) -> np.ndarray:
    """Whether each image has the same pixels as one in another dataset, bool (N,)."""
    return np.isin(faces.pixel_hashes, of.pixel_hashes)


_BLOCK = 512


def _with_side(images: np.ndarray, side: int) -> np.ndarray:
    """uint8 (N, H, W) → (N, side, side); unchanged if they have this size."""
    if images.shape[1:] == (side, side):
        return images
    return resized(torch.from_numpy(images)[:, None], side)[:, 0].numpy()


def _candidates(all_: np.ndarray, block: np.ndarray, start: int, near: int) -> np.ndarray:
    """Pairs (index into all_, start + index into block) whose hashes differ in at most `near` bits, int64 (P, 2)."""
    differ = np.bitwise_count(all_[:, None] ^ block[None])  # (N, block), uint8
    i, j = np.nonzero(differ <= near)
    keep = (all_[i] != 0) & (block[j] != 0)
    return np.stack([i[keep], j[keep] + start], 1)


def _alike(first: np.ndarray, second: np.ndarray, pairs: np.ndarray, correlation: float) -> np.ndarray:
    """Which pairs have correlated gray values, bool (P,)."""
    result = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), 4096):
        some = pairs[start : start + 4096]
        a, b = (
            images[some[:, k]].reshape(len(some), -1).astype(np.float32) for k, images in enumerate((first, second))
        )
        a, b = (v - v.mean(1, keepdims=True) for v in (a, b))
        found = (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-6)
        result[start : start + 4096] = found >= correlation
    return result
