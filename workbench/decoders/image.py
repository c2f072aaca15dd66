"""Decode an image file, within limits on its size.

As a program it replies to each file at its standard input with a line of JSON and the pixels, see `forks`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from PIL import Image

from models.images import TITLES, RangeError, format_of, open_image, to_rgb, upright, video_container
from workbench.decoders.errors import PictureError
from workbench.decoders.forks import call, serve

MAX_BYTES = 25 * 1024**2
MAX_PIXELS = 25_000_000  # of a decoded image; one that has more is scaled down
LARGEST_PIXELS = 200_000_000  # of a file, as the largest sensors of phones have
MIN_SIDE = 8  # pixels; below this there is no face to see
SECONDS = 30  # of processor time
_MOST_NOTES = 10_000  # bytes

_HERE = ("JPEG", "PNG", "WEBP", "GIF", "BMP")  # their decoders need no more memory than the size in the header says
_DARK = 32  # of 255
DAMAGED = "This image is damaged or incomplete. Save or send it again, or take a photo with the camera."
_TOO_LARGE = "This image has more than 200 megapixels. Save it smaller, or take a photo with the camera."
_NO_MEMORY = "There is not enough memory to decode this image. Save it smaller, or as JPEG."
_SLOW = "This image takes too long to decode. Save it as JPEG, or take a photo with the camera."


class _LargeError(Exception):
    """An image that has too many pixels to be decoded in this process."""


def decode(data: bytes) -> Image.Image:
    """Decode the bytes of an image file to an upright RGB image of at most 25 megapixels; never a path.

    The EXIF orientation is applied, transparent parts become white, 16-bit gray is scaled to 8 bits, and of an animated
    image the first frame is taken. An image of up to 200 megapixels is scaled down by 2 or 4, a JPEG while it is
    decoded. Size and format are checked before any pixel is decoded. TIFF, HEIC, AVIF, JPEG 2000 and PGM, and images
    of more than 25 megapixels, are decoded in a process of their own, with limits on memory and time. What was changed
    or left out is in `info["notes"]` of the image, the factor by which it was scaled down in `info["factor"]`.

    Raises:
        PictureError: not such a file, damaged, over 25 MB, over 200 megapixels or the memory for decoding, or a side
            under 8 pixels.
    """
    if not data:
        raise PictureError("This file is empty. Choose another image, or take a photo with the camera.")
    if len(data) > MAX_BYTES:
        raise PictureError("This file is larger than 25 MB. Save a smaller image, or take a photo with the camera.")
    format_ = format_of(data[:200])
    if format_ is None:
        raise PictureError(_other(data[:200]))
    if format_.pillow not in _HERE:
        return _decode_apart(data)
    try:
        if format_.pillow == "WEBP":
            _check_pixels(*_webp_size(data), MAX_PIXELS)
        return decode_here(data, MAX_PIXELS)
    except _LargeError:
        return _decode_apart(data)


def _other(head: bytes) -> str:
    if video_container(head):
        return "This is a video. Take a frame of it, or give it to `ferscope explain clip.mp4`."
    return f"This is not a {TITLES} image. Convert it, or take a photo with the camera."


def decode_here(data: bytes, most: int = LARGEST_PIXELS) -> Image.Image:
    """`decode` in this process, of any format; _LargeError before a pixel is decoded if it has more than `most`."""
    try:
        with open_image(data) as image:
            size = image.size
            check_size(*size)
            _check_pixels(*size, most)
            notes, factor = _notes_on_frames(image), reduction(*size)
            image.draft(None, (image.width // factor, image.height // factor))  # a JPEG is decoded at this size
            loaded = upright(image)
        check_size(loaded.width, loaded.height)  # that of HEIC may change while it is decoded
        return finished(loaded, notes, size=size)
    except (PictureError, _LargeError):
        raise
    except RangeError as error:
        raise PictureError(str(error)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise (_LargeError() if most < LARGEST_PIXELS else PictureError(_TOO_LARGE)) from error
    except MemoryError as error:
        raise PictureError(_NO_MEMORY) from error
    except Exception as error:  # broken files make Pillow raise nearly anything: OSError, struct.error …
        raise PictureError(DAMAGED) from error


def finished(image: Image.Image, *notes: tuple[str, ...], size: tuple[int, int] = (0, 0)) -> Image.Image:
    """An upright image of any mode as RGB with at most `MAX_PIXELS`, and its notes; other metadata is removed.

    Args:
        image: an upright image.
        notes: sentences on what was changed or left out before.
        size: width and height of the image in the file, where it was scaled down while it was decoded.

    Raises:
        RangeError: floats that are neither in 0..1 nor in 0..255.
    """
    before = max(image.size, size, key=math.prod)
    factor = reduction(*before)
    if math.prod(image.size) > MAX_PIXELS:
        image = _reduced(image, factor)
    image, changed = to_rgb(image)
    top = max(highest for _, highest in image.getextrema())
    small = (_scaled_down(before, image.size),) if factor > 1 else ()
    dark = (f"This image is very dark: its brightest value is {top} of 255.",) if top < _DARK else ()
    image.info = {"notes": (*changed, *sum(notes, ()), *small, *dark), "factor": factor}
    return image


def reduction(width: int, height: int) -> int:
    """The power of two by which both sides are divided so that at most `MAX_PIXELS` remain; 1 for most images."""
    factor = 1
    while -(-width // factor) * -(-height // factor) > MAX_PIXELS:
        factor *= 2
    return factor


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """An image with the means of squares of `factor` pixels a side; before it becomes RGB, which may need more room."""
    if image.mode.startswith("I;"):  # which Pillow cannot average
        image = image.convert("I")
    if image.mode in ("1", "P", "PA"):
        image = image.convert("L" if image.mode == "1" else "RGBA" if image.has_transparency_data else "RGB")
    return image.reduce(factor)


def _scaled_down(before: tuple[int, int], after: tuple[int, int]) -> str:
    large, small = (round(math.prod(size) / 1e6) for size in (before, after))
    return f"This image has {large} megapixels: it is scaled down to {small}."


def check_size(width: int, height: int) -> None:
    """Raise PictureError if an image is too large to be scaled down, or too small."""
    if width * height > LARGEST_PIXELS:
        raise PictureError(_TOO_LARGE)
    if min(width, height) < MIN_SIDE:
        raise PictureError(f"This image is only {width}×{height} pixels. Choose one of at least 8×8 pixels.")


def _check_pixels(width: int, height: int, most: int) -> None:
    if width * height > LARGEST_PIXELS:
        raise PictureError(_TOO_LARGE)
    if width * height > most:
        raise _LargeError


def _notes_on_frames(image: Image.Image) -> tuple[str, ...]:
    if image.format == "MPO" or not getattr(image, "is_animated", False):  # a phone's photo with its depth map
        return ()
    if image.format == "TIFF":
        return ("This TIFF file has several pages: the first one is used.",)
    if image.format == "HEIF":
        return ("This HEIC file has several images: the main one is used.",)
    return ("This image is an animation: its first frame is used.",)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from a WebP header, because Pillow's decoder reserves its canvas while opening the file."""
    chunk, header = data[12:16], data[20:30].ljust(10, b"\0")
    if chunk == b"VP8X":
        return int.from_bytes(header[4:7], "little") + 1, int.from_bytes(header[7:10], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(header[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(header[6:8], "little") & 0x3FFF, int.from_bytes(header[8:10], "little") & 0x3FFF


# ---- in a process of its own


def _decode_apart(data: bytes) -> Image.Image:
    """`decode` in a process with limits on memory and time."""
    reply, status = call("image", data, 3 * MAX_PIXELS + _MOST_NOTES, 3 * SECONDS)
    head, newline, pixels = reply.partition(b"\n")
    if not newline or status:  # it was ended: SIGKILL and SIGXCPU come with the limits on its time, others with a crash
        raise PictureError(_SLOW if status in (-9, -24) else DAMAGED)
    told: dict[str, Any] = json.loads(head)
    if "error" in told:
        raise PictureError(told["error"])
    image = Image.frombytes("RGB", tuple(told["size"]), pixels)
    image.info = {"notes": tuple(told["notes"]), "factor": told["factor"]}
    return image


def _reply(data: bytes) -> Iterator[bytes]:
    """A line of JSON, and the pixels of an image."""
    told, pixels = {}, b""
    try:
        image = decode_here(data)
        told, pixels = {"size": image.size, **image.info}, image.tobytes()
    except PictureError as error:
        told = {"error": str(error)}
    except MemoryError:
        told = {"error": _NO_MEMORY}
    yield json.dumps(told).encode() + b"\n"
    yield pixels


def main() -> None:
    """Decode the files at the standard input."""
    import numpy  # noqa: F401  each file's process then has it already
    import pillow_heif  # noqa: F401

    Image.init()
    Image.MAX_IMAGE_PIXELS = LARGEST_PIXELS  # this process has limits of its own
    serve(_reply, SECONDS)


if __name__ == "__main__":
    main()
