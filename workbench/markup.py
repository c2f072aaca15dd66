"""Self-contained HTML: images as data URLs, and bars of probabilities with their names."""

from __future__ import annotations

import base64
import html
import io

from PIL import Image

from workbench.services.prediction import Prediction

EMOTION_COLORS = {
    "angry": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happy": "#E69F00",
    "neutral": "#7F7F7F",
    "sad": "#0072B2",
    "surprise": "#56B4E9",
    "contempt": "#6A4C93",
}
"""Safe for the color-blind; always shown together with the word."""


def image(data: bytes, alt: str, kind: str = "png") -> str:
    """An image file embedded in the page."""
    return f'<img alt="{html.escape(alt)}" src="{as_data(data, kind)}">'


def as_data(data: bytes, kind: str = "png") -> str:
    """An image file as a data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def jpeg(picture: Image.Image, quality: int = 85) -> bytes:
    """An image as a JPEG file, for photographs."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def bars(prediction: Prediction) -> str:
    """A row for each class in the fixed order: name, bar in the color of the class, probability."""
    rows = (
        f'<div class="bar"><span>{html.escape(name)}</span>'
        f'<i style="background:linear-gradient(to right,{EMOTION_COLORS.get(name, "#7F7F7F")} {100 * share:.1f}%,'
        f'transparent {100 * share:.1f}%)"></i><span>{html.escape(percent(share))}</span></div>'
        for name, share in zip(prediction.classes, prediction.probabilities.tolist(), strict=True)
    )
    return f'<div class="bars">{"".join(rows)}</div>'


def percent(share: float) -> str:
    """A probability in percent, such as "73 %", or "<1 %" below one percent."""
    return "<1\N{NO-BREAK SPACE}%" if 0 < share < 0.01 else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"
