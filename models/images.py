"""Image files are opened here and nowhere else: only in formats that Pillow decodes by itself.

Left to guess, Pillow goes by the content of a file, whatever its name, and starts Ghostscript for PostScript.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from PIL import Image

PHOTOS = ("JPEG", "PNG", "WEBP")
"""What visitors may give."""

FORMATS = (*PHOTOS, "TIFF", "BMP")
"""What a dataset may hold."""


def open_image(source: Path | BinaryIO, formats: tuple[str, ...] = PHOTOS) -> Image.Image:
    """An image whose pixels are not decoded yet; raises OSError for another format, whatever the file is called."""
    return Image.open(source, formats=formats)
