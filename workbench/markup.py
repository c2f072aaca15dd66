"""HTML from the templates of `templates/`, in which every value is escaped; images as data, so that pages are
self-contained."""

from __future__ import annotations

import base64
import io
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from PIL import Image

from workbench.analysis.colors import class_colors
from workbench.services.prediction import Prediction


@cache
def template(name: str) -> Template:
    """A template of `templates/`; values are escaped unless they are `Markup`, and a missing one is an error."""
    loader = FileSystemLoader(Path(__file__).with_name("templates"))
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(name)


def render(file: str, macro: str = "", /, *args: Any, **values: Any) -> Markup:
    """A whole template with values by name, or one macro of it with the arguments given."""
    if macro:
        return getattr(template(file).module, macro)(*args)
    return Markup(template(file).render(values))


def as_data(data: bytes, kind: str = "png") -> str:
    """An image file as a data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def jpeg(picture: Image.Image, quality: int = 85) -> bytes:
    """An image as a JPEG file, for photographs."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def bars(prediction: Prediction) -> list[dict[str, str]]:
    """A row for each class in the fixed order: its name, color, width of the bar and probability, for `bars`."""
    classes = prediction.classes
    shares = zip(classes, class_colors(classes), prediction.probabilities.tolist(), strict=True)
    return [
        {
            "name": name,
            "color": color,
            "width": f"{100 * share:.1f}%",
            "share": percent(share),
        }
        for name, color, share in shares
    ]


def percent(share: float) -> str:
    """A probability in percent, such as "73 %", or "<1 %" below one percent."""
    return "<1\N{NO-BREAK SPACE}%" if 0 < share < 0.01 else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"
