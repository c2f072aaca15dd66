"""Image files are opened here and nowhere else: the formats, how to recognize them, and 8-bit pixels from any depth.

Left to guess, Pillow goes by the content of a file, whatever its name, and starts Ghostscript for PostScript.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image, ImageOps

if TYPE_CHECKING:
    import numpy as np  # imported where it is needed: most images need none, and a process of a decoder starts sooner


class RangeError(ValueError):
    """Values of an image of floats that are neither in 0..1 nor in 0..255."""


@dataclass(frozen=True)
class ImageFormat:
    """A format of image files.

    Attributes:
        title: name of the format as people know it.
        pillow: name of the format in Pillow.
        media_type: media type as in HTTP.
        suffixes: suffixes of file names, in lower case.
    """

    title: str
    pillow: str
    media_type: str
    suffixes: tuple[str, ...]


FORMATS = (
    ImageFormat("JPEG", "JPEG", "image/jpeg", (".jpg", ".jpeg", ".jfif", ".jpe")),
    ImageFormat("PNG", "PNG", "image/png", (".png",)),
    ImageFormat("WebP", "WEBP", "image/webp", (".webp",)),
    ImageFormat("HEIC", "HEIF", "image/heic", (".heic", ".heif", ".hif")),
    ImageFormat("AVIF", "AVIF", "image/avif", (".avif",)),
    ImageFormat("GIF", "GIF", "image/gif", (".gif",)),
    ImageFormat("TIFF", "TIFF", "image/tiff", (".tif", ".tiff")),
    ImageFormat("BMP", "BMP", "image/bmp", (".bmp",)),
    ImageFormat("JPEG 2000", "JPEG2000", "image/jp2", (".jp2", ".j2k", ".jpf", ".jpx")),
    ImageFormat("PGM", "PPM", "image/x-portable-anymap", (".pgm", ".ppm", ".pbm", ".pnm")),
)
"""Every format that is read."""

SUFFIXES = frozenset(suffix for format_ in FORMATS for suffix in format_.suffixes)
"""Endings of the names of image files."""

TITLES = ", ".join(format_.title for format_ in FORMATS[:-1]) + f" or {FORMATS[-1].title}"
"""The formats in words."""

VIDEO_SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".3gp"))
"""Endings of the names of video files."""

_STARTS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WEBP": rb"RIFF....WEBP",
    "GIF": rb"GIF8[79]a",
    "TIFF": rb"II[*+]\x00|MM\x00[*+]",
    "BMP": rb"BM.{8}",
    "JPEG2000": rb"\xff\x4f\xff\x51|\x00\x00\x00\x0cjP  \r\n\x87\n",
    "PPM": rb"P[1-6]\s",
}
_VIDEOS = {  # by the name of the container in FFmpeg
    "mov": rb"....(ftyp|moov|mdat|wide|free|skip)",
    "matroska": rb"\x1a\x45\xdf\xa3",
    "avi": rb"RIFF....AVI ",
    "mpeg": rb"\x00\x00\x01[\xba\xb3]",
    "mpegts": rb"G.{187}G",
    "flv": rb"FLV\x01",
    "ogg": rb"OggS",
    "asf": rb"0&\xb2u",
}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}


def format_of(head: bytes) -> ImageFormat | None:
    """The format of a file by its first bytes (200 are enough), whatever it is called; None for another one."""
    if brands := _brands(head):
        names = {"AVIF": {b"avif", b"avis"}, "HEIF": _HEIF_BRANDS}
        name = next((name for name, known in names.items() if brands & known), "HEIF" if b"mif1" in brands else "")
    else:
        name = next((name for name, start in _STARTS.items() if re.match(start, head, re.DOTALL)), "")
    return next((format_ for format_ in FORMATS if format_.pillow == name), None)


def video_container(head: bytes) -> str | None:
    """FFmpeg's name of the container of a video by its first bytes (200 are enough); None for another file."""
    if format_of(head) is not None:
        return None
    return next((name for name, start in _VIDEOS.items() if re.match(start, head, re.DOTALL)), None)


def _brands(head: bytes) -> set[bytes]:
    """The brands of an ISO file (MP4, MOV, HEIC, AVIF): what it is and what it is compatible with."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big") or 12, 200)
    return {head[8:12], *(head[i : i + 4] for i in range(16, end, 4))}


def open_image(source: Path | BinaryIO | bytes) -> Image.Image:
    """An image whose pixels are not decoded yet; raises OSError for another format, whatever the file is called."""
    if isinstance(source, bytes):
        source = BytesIO(source)
    if isinstance(source, Path):
        with source.open("rb") as file:
            head = file.read(200)
    else:
        source.seek(0)  # as Pillow does: a file that was just written is at its end
        head = source.read(200)
        source.seek(0)
    format_ = format_of(head)
    if format_ is None:
        raise OSError(f"cannot identify this file as {TITLES}")
    if format_.pillow == "HEIF":
        import pillow_heif  # loads its own decoder

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=2)
    return Image.open(source, formats=(format_.pillow,))


# ---- 8-bit pixels


def upright(image: Image.Image) -> Image.Image:
    """The image with its EXIF orientation applied; unchanged where that cannot be read."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # pixels that decoded are worth more than metadata that did not
        return image


def to_rgb(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """An image of any mode as RGB on white, and sentences on what was changed.

    Raises:
        RangeError: floats that are neither in 0..1 nor in 0..255.
    """
    if image.mode.startswith("I") or image.mode == "F":
        import numpy as np

        if image.mode == "F":
            return Image.fromarray(from_float(np.asarray(image))).convert("RGB"), ()
        pixels, notes = from_16_bit(np.asarray(image))  # Pillow's own conversion would clip at 255
        return Image.fromarray(pixels).convert("RGB"), notes
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"), ()
    return image.convert("RGB"), ()


def from_16_bit(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """16-bit pixels as uint8, and a sentence if they use fewer bits, as those of many cameras do.

    The range is that of the smallest of 8, 10, 12, 14 and 16 bits that holds every value.
    """
    import numpy as np

    top = int(values.max(initial=0))
    bits = next((bits for bits in (8, 10, 12, 14) if top < 2**bits), 16)
    scaled = values.astype(np.float32) * (255 / (2**bits - 1))
    notes = () if bits == 16 else (f"This 16-bit image uses {bits} bits: they are shown as the full range.",)
    return np.clip(scaled + 0.5, 0, 255).astype(np.uint8), notes


def from_float(values: np.ndarray) -> np.ndarray:
    """Floats in 0..1 or 0..255 as uint8; RangeError for other values."""
    import numpy as np

    scaled = values * (255 / float_range(float(values.min(initial=0)), float(values.max(initial=0))))
    return np.clip(scaled + 0.5, 0, 255).astype(np.uint8)


def float_range(lowest: float, highest: float) -> float:
    """What white is in an image of floats, by its extreme values: 1 or 255.

    Values up to 0.001 outside the range count as rounding.

    Raises:
        RangeError: a value is not a number, negative or over 255, or the largest one is between 1 and 2, which would be
            nearly black in 0..255 and too bright in 0..1.
    """
    if not -1e-3 <= lowest <= highest <= 255.255:  # false for NaN too
        raise RangeError(f"An image of floats has values from {lowest:g} to {highest:g}. Give 0..1 or 0..255.")
    if 1.001 < highest < 2:
        raise RangeError(f"The largest value of this image of floats is {highest:g}. Clip it to 0..1, or give 0..255.")
    return 1.0 if highest <= 1.001 else 255.0
