"""A dictionary in memory with limits on its size, for all owners together and for each."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Limits:
    """What a `BoundedStore` may hold.

    Attributes:
        total: size of all entries together.
        share: size of the entries of one owner.
        seconds: lifetime of an entry, used or not.
    """

    total: float
    share: float
    seconds: float = float("inf")


@dataclass
class _Entry(Generic[Value]):
    value: Value
    owner: Hashable
    size: float
    at: float


class BoundedStore(Generic[Value]):
    """Values by key, each with an owner and a size; over a limit, the least recently used entries are removed.

    Over an owner's share, entries of that owner are removed; over the total, entries of the owner with the most. A
    client that fills the store thus removes its own entries, not those of others. Safe to use from several threads.

    Args:
        limits: sizes and time.
        dropped: called with the key and the value of an entry that a limit removed, while no lock is held.
    """

    def __init__(self, limits: Limits, dropped: Callable[[str, Value], None] | None = None):
        self.limits = limits
        self._dropped = dropped
        self._entries: OrderedDict[str, _Entry[Value]] = OrderedDict()  # the one used longest ago first
        self._held: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> float:
        """Size of all entries together."""
        return sum(self._held.values())

    def put(self, key: str, value: Value, owner: Hashable, size: float = 1, share: float | None = None) -> bool:
        """Add or replace an entry; False, without storing it, if it alone exceeds a share.

        `share` replaces that of the limits, for an owner that represents many visitors.
        """
        share = self.limits.share if share is None else share
        with self._lock:
            self._take(key)
            if size > min(share, self.limits.total):
                return False
            self._entries[key] = _Entry(value, owner, size, time.monotonic())
            self._held[owner] = self._held.get(owner, 0) + size
            gone = self._over(owner, share)
        self._notify(gone)
        return True

    def get(self, key: str) -> Value | None:
        """The value, marked as most recently used; None if there is none."""
        self.sweep()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry.value

    def owner(self, key: str) -> Hashable | None:
        """The owner of an entry; None if there is none."""
        entry = self._entries.get(key)
        return entry.owner if entry else None

    def pop(self, key: str) -> Value | None:
        """Remove an entry and return its value; None where there is none."""
        with self._lock:
            entry = self._take(key)
        return entry.value if entry else None

    def sweep(self) -> None:
        """Remove what is older than `limits.seconds`."""
        oldest = time.monotonic() - self.limits.seconds
        with self._lock:
            gone = [(key, self._take(key)) for key in [k for k, entry in self._entries.items() if entry.at < oldest]]
        self._notify(gone)

    def _take(self, key: str) -> _Entry[Value] | None:
        entry = self._entries.pop(key, None)
        if entry:
            self._held[entry.owner] -= entry.size
            if self._held[entry.owner] <= 0:
                del self._held[entry.owner]
        return entry

    def _over(self, owner: Hashable, share: float) -> list[tuple[str, _Entry[Value]]]:
        """Remove entries until every limit holds."""
        gone = []
        while self._held.get(owner, 0) > share:
            gone.append(self._take_oldest(owner))
        while sum(self._held.values()) > self.limits.total:
            most = max(self._held.values())
            gone.append(self._take_oldest(next(e.owner for e in self._entries.values() if self._held[e.owner] == most)))
        return gone

    def _take_oldest(self, owner: Hashable) -> tuple[str, _Entry[Value]]:
        key = next(key for key, entry in self._entries.items() if entry.owner == owner)
        return key, self._take(key)

    def _notify(self, gone: list[tuple[str, _Entry[Value]]]) -> None:
        if self._dropped:
            for key, entry in gone:
                self._dropped(key, entry.value)
