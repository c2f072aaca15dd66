"""Number formats."""

from __future__ import annotations

from models import text

UP_TO = "\N{WORD JOINER}–\N{WORD JOINER}"
"""Between the ends of an interval, which stay on one line."""


def interval(values: tuple[float, float, float], signed: bool = False) -> str:
    """Value, lower and upper end in percent with one decimal: 69.0 (67.5–70.5), or +0.3 (−0.9 to +1.5)."""
    value, low, high = (text.signed(100 * v, 1) if signed else f"{100 * v:.1f}" for v in values)
    return f"{value} ({low}{' to ' if signed else UP_TO}{high})"


def memory(count: int) -> str:
    """Bytes in powers of 1024: 49 KiB, 600.25 GiB."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.4g}\N{NO-BREAK SPACE}{unit}"
        count /= 1024
    return f"{count:.5g}\N{NO-BREAK SPACE}GiB"
