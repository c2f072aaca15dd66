"""Numbers with their words."""

from __future__ import annotations


def counted(n: int, one: str, many: str = "") -> str:
    """1 picture, 8 pictures; `many` where it is more than `one` with an s: 1 copy is, 2 copies are."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def signed(value: float, decimals: int) -> str:
    """+0.30 or −0.90, with a minus sign that is as wide as the plus."""
    return f"{value:+.{decimals}f}".replace("-", "−")
