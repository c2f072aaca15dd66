"""The error of `ferscope export`."""

from __future__ import annotations


class ExportError(ValueError):
    """A network that cannot be exported; the message says what prevents it and what to do."""
