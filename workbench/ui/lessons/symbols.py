"""The table of the symbols of a lesson's equations."""

from __future__ import annotations

from models.text import thousands
from workbench.services.lessons import Symbol

_GAP = "\N{NO-BREAK SPACE}"


def symbol_table(symbols: tuple[Symbol, ...]) -> str:
    """The symbols with their meaning, shape and range, as a Markdown table."""
    rows = ["| symbol | meaning: (shape) range |", "|---|---|"]
    for s in symbols:
        shape = f"({f'{_GAP}×{_GAP}'.join(map(thousands, s.shape))}) " if s.shape else ""
        values = _number(s.low) if s.low == s.high else f"{_number(s.low)}{_GAP}…{_GAP}{_number(s.high)}"
        rows.append(f"| ${s.name}$ | {s.meaning}: **{shape}{values}** |")
    return "\n".join(rows)


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return thousands(round(value)).replace("-", "−")
    return "≈ 0" if 0 < abs(value) < 1e-4 else f"{value:.3g}".replace("-", "−")
