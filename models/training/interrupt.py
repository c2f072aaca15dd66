"""Being asked to stop, politely: Ctrl-C, or the signal that a job's runner sends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupted(Exception):  # noqa: N818  (not an error: the user asked for it)
    """Ctrl-C, or a polite request to end; what was reached is kept."""


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Inside, Ctrl-C and a request to end raise `Interrupted`; outside, signals do what they did before.

    Only the first one does: a second Ctrl-C, or the same request from torchrun as well, must not disturb the writing of
    what was reached.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        for again in before:
            signal.signal(again, signal.SIG_IGN)
        raise Interrupted

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
