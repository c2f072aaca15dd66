"""The table of the symbols of a lesson's equations."""

from __future__ import annotations

from workbench.services.lessons import Symbol

_GAP = "\N{NO-BREAK SPACE}"


def symbol_table(symbols: tuple[Symbol, ...]) -> str:
    """The symbols with their meaning, shape and range, as a Markdown table."""
    rows = ["| symbol | meaning: (shape) range |", "|---|---|"]
    for s in symbols:
        shape = f"({f'{_GAP}×{_GAP}'.join(map(str, s.shape))}) " if s.shape else ""
        values = _number(s.low) if s.low == s.high else f"{_number(s.low)}{_GAP}…{_GAP}{_number(s.high)}"
        rows.append(f"| ${s.name}$ | {s.meaning}: **{shape}{values}** |")
    return "\n".join(rows)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}".replace("-", "−", 1)
