"""Limits on guesses of a password or token: by address, and by all addresses together."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

FREE = 5  # attempts of an address before it has to wait
LOCK_SECONDS = 60.0  # the first wait, doubled by each further wrong attempt
LONGEST_LOCK = 900.0
FORGOTTEN_AFTER = 3600.0  # seconds without an attempt
BURST, PER_SECOND = 30.0, 0.5  # wrong attempts of all addresses together: at once, and from then on
ADDRESSES = 4096  # that are remembered


@dataclass
class _Record:
    wrong: int = 0
    last: float = 0.0

    @property
    def locked_until(self) -> float:
        """When the address may try again."""
        if self.wrong < FREE:
            return 0.0
        return self.last + min(LONGEST_LOCK, LOCK_SECONDS * 2.0 ** min(self.wrong - FREE, 16))


class Attempts:
    """Which attempts are checked at all; safe to use from several threads.

    An attempt counts as wrong when it begins, so that attempts at the same time are counted too; `succeeded` takes it
    back. An attempt during a lock is not checked and does not make the lock longer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._left, self._at = BURST, time.monotonic()

    def begin(self, address: str, exempt_from_all: bool = False) -> float:
        """Count an attempt.

        Args:
            address: the client, as `connections.network` names it.
            exempt_from_all: not bound by the limit of all addresses together, as the computer itself.

        Returns:
            Seconds to wait before the attempt may be checked; 0.0: check it now.
        """
        with self._lock:
            now = time.monotonic()
            record = self._records.pop(address, _Record())
            if now - record.last > FORGOTTEN_AFTER:
                record = _Record()
            self._records[address] = record
            while len(self._records) > ADDRESSES:
                self._records.popitem(last=False)
            if record.locked_until > now:
                return record.locked_until - now
            self._left = min(BURST, self._left + (now - self._at) * PER_SECOND)
            self._at = now
            if self._left < 1 and not exempt_from_all:
                return (1 - self._left) / PER_SECOND
            self._left = max(0.0, self._left - 1)
            record.wrong, record.last = record.wrong + 1, now
            return 0.0

    def succeeded(self, address: str) -> None:
        """Forget the attempts of an address whose last one was right."""
        with self._lock:
            self._records.pop(address, None)
            self._left = min(BURST, self._left + 1)


def refusal(seconds: float) -> str:
    """The sentence for somebody who has to wait."""
    whole = max(1, round(seconds))
    wait = f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{whole} second{'s' * (whole > 1)}"
    return f"Too many wrong attempts: wait {wait}, then try again."
