"""A log with a limited number of characters per minute, so that it cannot fill the disk."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TextIO

from .rates import Bucket

BYTES_A_MINUTE = 128 * 1024


class LimitedStream:
    """A text stream that passes on a bounded number of characters a minute, and says how many lines it left out.

    Args:
        stream: where the text goes; everything but writing is left to it.
        a_minute: characters.
    """

    def __init__(self, stream: TextIO, a_minute: int = BYTES_A_MINUTE):
        self._stream = stream
        self._budget = Bucket(rate=a_minute / 60, burst=a_minute)
        self._left_out = 0
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        """Write the text, or count its lines where the minute's characters are used up."""
        with self._lock:
            if not self._budget.take(len(text)):
                self._left_out += text.count("\n")
            elif self._left_out and self._budget.take(100):  # not after each line of a flood
                self._stream.write(f"[{self._left_out} lines of the log were left out]\n{text}")
                self._left_out = 0
            else:
                self._stream.write(text)
        return len(text)

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


def limit_log(a_minute: int = BYTES_A_MINUTE) -> None:
    """Bound what this process prints to its standard error from now on: tracebacks, and loggers that write there."""
    before, sys.stderr = sys.stderr, LimitedStream(sys.stderr, a_minute)
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for handler in {h for logger in loggers for h in getattr(logger, "handlers", ())}:
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(sys.stderr)
