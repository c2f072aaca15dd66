"""The colors of the app's two themes: legible, and none of them an emotion's."""

from __future__ import annotations

import re
import tomllib
from itertools import combinations, product
from pathlib import Path

import pytest

CONFIG = tomllib.loads((Path(__file__).resolve().parents[1] / ".streamlit" / "config.toml").read_text("utf-8"))
THEMES = CONFIG["theme"]["light"], CONFIG["theme"]["dark"]


def channels(color: str) -> list[float]:
    """`#RRGGBB` → red, green, blue in 0..1."""
    assert re.fullmatch("#[0-9A-Fa-f]{6}", color)
    return [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(color: str) -> float:
    """Relative luminance of WCAG 2.2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(color)]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    """Contrast ratio of WCAG 2.2: 1 (equal) to 21 (black on white)."""
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def test_the_contrast_is_measured_as_wcag_does():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)


def captions(theme: dict[str, str], ground: str) -> str:
    """The color of captions: Streamlit draws them in the text's color at 60 %."""
    mixed = [0.6 * t + 0.4 * g for t, g in zip(channels(theme["textColor"]), channels(ground), strict=True)]
    return "#" + "".join(f"{round(255 * c):02X}" for c in mixed)


def test_text_accent_and_captions_are_legible_on_both_backgrounds():
    faint = {}
    for theme, name in product(THEMES, ("backgroundColor", "secondaryBackgroundColor")):
        ground = theme[name]
        inks = {ink: theme[ink] for ink in ("textColor", "linkColor", "primaryColor")}
        for ink, color in (inks | {"captions": captions(theme, ground)}).items():
            if (found := contrast(color, ground)) < 4.5:
                faint[f"{ink} {color} on {name} {ground}"] = round(found, 2)
    assert faint == {}


def test_one_theme_is_light_and_the_other_dark():
    light, dark = (luminance(theme["backgroundColor"]) for theme in THEMES)
    assert light > 0.9
    assert dark < 0.02


def test_the_accent_is_no_color_of_an_emotion():
    import numpy as np
    from skimage.color import deltaE_ciede2000, rgb2lab

    from workbench.ui.charts import EMOTION_COLORS

    def difference(a: str, b: str) -> float:
        return float(deltaE_ciede2000(*(rgb2lab(np.array(channels(color))) for color in (a, b))))

    # The ruler: the nearest two of the emotions themselves.
    nearest = min(difference(a, b) for a, b in combinations(EMOTION_COLORS.values(), 2))
    for theme in THEMES:
        for emotion, color in EMOTION_COLORS.items():
            assert difference(theme["primaryColor"], color) > max(20, nearest), emotion
