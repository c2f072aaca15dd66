"""Numbers with their words, and what counts as plain words."""

from __future__ import annotations

import re

PLAIN_WORDS = re.compile(r"\w[\w '()-]{0,59}")
"""What a class may be called: no address that a page would make a link of, no formula that a table would compute."""


def thousands(n: int) -> str:
    """A number with a thin space, which does not break, between thousands: 28 709."""
    return f"{n:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def counted(n: int, one: str, many: str = "") -> str:
    """1 image, 8 images; `many` where it is more than `one` with an s: 1 copy is, 2 copies are."""
    return f"{thousands(n)} {one if n == 1 else many or one + 's'}"


def percentage(share: float, decimals: int = 1) -> str:
    """A share of 1 in percent, as 69.0 % or −1.3 %, with a space that does not break."""
    return f"{100 * share:.{decimals}f}\N{NO-BREAK SPACE}%".replace("-", "\N{MINUS SIGN}")


def signed(value: float, decimals: int) -> str:
    """+0.30 or −0.90, with a minus sign that is as wide as the plus."""
    return f"{value:+.{decimals}f}".replace("-", "−")
