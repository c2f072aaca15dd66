"""The error of the web demo's export."""

from __future__ import annotations


class WebDemoError(ValueError):
    """A network or a folder of which no web demo can be made; the message says what prevents it and what to do."""
