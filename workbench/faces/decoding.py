"""Decode an untrusted image file."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageOps

from models.images import open_image
from workbench.faces.errors import PictureError

MAX_BYTES = 25 * 1024**2
MAX_PIXELS = 25_000_000
MIN_SIDE = 8  # pixels; below this there is no face to see


def read(data: bytes) -> Image.Image:
    """Decode a JPEG, PNG or WebP file to an upright RGB image.

    The EXIF orientation is applied, transparent parts become white, 16-bit gray is scaled to 8 bits, and of an animated
    image the first frame is taken. Size and format are checked before any pixel is decoded.

    Raises:
        PictureError: not such a file, damaged, over 25 MB, over 25 megapixels, or a side under 8 pixels.
    """
    _check_bytes(data)
    try:
        with open_image(io.BytesIO(data)) as image:
            _check_size(image.width, image.height)
            return _to_rgb(_turned_upright(image))
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large() from error
    except Exception as error:  # broken files make Pillow raise nearly anything: OSError, struct.error, MemoryError …
        raise PictureError(
            "This image is damaged or incomplete. Save or send it again, or take a photo with the camera."
        ) from error


def _check_bytes(data: bytes) -> None:
    if not data:
        raise PictureError("This file is empty. Choose another image, or take a photo with the camera.")
    if len(data) > MAX_BYTES:
        raise PictureError("This file is larger than 25 MB. Save a smaller image, or take a photo with the camera.")
    is_jpeg, is_png = data.startswith(b"\xff\xd8\xff"), data.startswith(b"\x89PNG\r\n\x1a\n")
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if not (is_jpeg or is_png or is_webp):
        kind = _kind_of_other(data)
        raise PictureError(f"This is {kind}not a JPEG, PNG or WebP image. Convert it, or take a photo with the camera.")
    if is_webp and math.prod(_webp_size(data)) > MAX_PIXELS:
        raise _too_large()


def _kind_of_other(data: bytes) -> str:
    """Name the formats that people try most, so that they know what to convert."""
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "a GIF, "
    return "an HEIC or AVIF photo, " if data[4:8] == b"ftyp" else ""


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from a WebP header, because Pillow's decoder reserves its canvas while opening the file."""
    chunk, header = data[12:16], data[20:30].ljust(10, b"\0")
    if chunk == b"VP8X":
        return int.from_bytes(header[4:7], "little") + 1, int.from_bytes(header[7:10], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(header[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(header[6:8], "little") & 0x3FFF, int.from_bytes(header[8:10], "little") & 0x3FFF


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise _too_large()
    if min(width, height) < MIN_SIDE:
        raise PictureError(f"This image is only {width}×{height} pixels. Choose one of at least 8×8 pixels.")


def _too_large() -> PictureError:
    return PictureError("This image has more than 25 megapixels. Save it smaller, or take a photo with the camera.")


def _turned_upright(image: Image.Image) -> Image.Image:
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # pixels that decoded are worth more than metadata that did not
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode that the three formats can have, as RGB on white."""
    if image.mode.startswith("I"):  # 16-bit gray: Pillow's own conversion would clip at 255
        values = np.asarray(image).astype(np.float32) / 257
        return Image.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
