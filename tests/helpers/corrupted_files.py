"""Files damaged in six hundred ways, the same ones each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

TIMES = 600


def refusals(whole: bytes, read: Callable[[bytes], Any], refusal: type[Exception]) -> int:
    """How often `read` refuses with `refusal` what has four other bytes somewhere; any other error comes through."""
    rng, refused = np.random.default_rng(0), 0
    for _ in range(TIMES):
        at = int(rng.integers(len(whole) - 4))
        try:
            read(whole[:at] + rng.bytes(4) + whole[at + 4 :])
        except refusal:
            refused += 1
    return refused
