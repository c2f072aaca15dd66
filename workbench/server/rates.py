"""A rate limit: the token bucket."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass
class Bucket:
    """A token bucket: `burst` requests at once, then `rate` a second.

    Attributes:
        rate: tokens added per second.
        burst: maximum number of tokens.
    """

    rate: float
    burst: float
    _tokens: float | None = None
    _at: float = 0.0

    def take(self, amount: float = 1) -> bool:
        """Take tokens; False, without taking any, if there are too few."""
        now = time.monotonic()
        kept = self.burst if self._tokens is None else self._tokens + (now - self._at) * self.rate
        self._at, self._tokens = now, min(self.burst, kept)
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True
