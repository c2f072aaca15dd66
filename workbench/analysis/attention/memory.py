"""What paper D says of memory: the Kronecker product beside the outer product of singular values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MemoryAccount:
    """Bytes of float32 that comparing two maps of one channel takes, in three readings of paper D's section 3.

    Attributes:
        side, batch: the maps are side × side, `batch` of them.
        kronecker_image: the Kronecker product of eq. 4 for one image, (side²)² numbers.
        kronecker_batch: the same for each image of the batch.
        kronecker_over_batch: taken over the batch as well, (batch · side²)² numbers. This is the paper's 600.25.
        outer_image: the outer product of the singular values instead (eq. 8), side² numbers.
        outer_batch: the same for each image of the batch.
    """

    side: int
    batch: int
    kronecker_image: int
    kronecker_batch: int
    kronecker_over_batch: int
    outer_image: int
    outer_batch: int


def memory_account(side: int = 112, batch: int = 32) -> MemoryAccount:
    """What the two products cost; raises ValueError where `side` or `batch` is below 1."""
    if side < 1 or batch < 1:
        raise ValueError(f"side={side}, batch={batch}: both must be at least 1")
    positions = side**2
    return MemoryAccount(
        side=side,
        batch=batch,
        kronecker_image=4 * positions**2,
        kronecker_batch=4 * positions**2 * batch,
        kronecker_over_batch=4 * (positions * batch) ** 2,
        outer_image=4 * positions,
        outer_batch=4 * positions * batch,
    )
