"""Stop a training run on Ctrl-C (SIGINT) or SIGTERM, and leave a usable checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import Interrupted


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise `Interrupted` on the first SIGINT or SIGTERM inside the block; restore the previous handlers after it.

    Later signals are ignored until the block ends: a second Ctrl-C, or SIGTERM from torchrun after the terminal's
    SIGINT, must not interrupt the writing of the checkpoint. Does nothing outside the main thread.
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
