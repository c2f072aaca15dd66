"""Images from whatever Python code has: a file, its bytes, an array, a PIL image."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import Image

from models.images import RangeError, from_16_bit, from_float, upright
from workbench.decoders.errors import PictureError
from workbench.decoders.image import MAX_BYTES, MAX_PIXELS, MIN_SIDE, check_size, decode, finished

__all__ = ["MAX_BYTES", "MAX_PIXELS", "MIN_SIDE", "decode", "notes", "read", "reduced_by"]

Source: TypeAlias = bytes | str | os.PathLike | BinaryIO | np.ndarray | Image.Image


def read(source: Source) -> Image.Image:
    """An upright RGB image of at most 25 megapixels from a file, its bytes, an array or a PIL image.

    For Python callers only: a text is the path of a file. What a visitor sends goes to `decode`, which takes bytes.

    Args:
        source: bytes of an image file, as for `decode`; a path; a file open for reading in binary mode; a PIL image; an
            array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of integers in 0..255, uint16, or floats in 0..1 or 0..255.

    Raises:
        PictureError: the file cannot be decoded, or the values are out of range; the message says what to do.
        TypeError: it is none of these.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(bytes(source))
    if isinstance(source, str | os.PathLike):
        return decode(_content(source))
    if isinstance(source, Image.Image):
        return _from_pillow(source)
    if hasattr(source, "read"):
        data = source.read(MAX_BYTES + 1)
        if not isinstance(data, bytes):
            raise PictureError('This file is open as text. Open it in binary mode: open(path, "rb").')
        return decode(data)
    if hasattr(source, "__array__"):
        return _from_array(np.asarray(source))
    raise TypeError(f"An image is a path, bytes, an open file, an array or a PIL image, not {type(source).__name__}.")


def reduced_by(picture: Image.Image) -> int:
    """The factor by which `read` scaled an image of more than 25 megapixels down: 2 or 4; 1 for others."""
    return picture.info.get("factor", 1)


def notes(picture: Image.Image) -> tuple[str, ...]:
    """Sentences on what `read` changed or left out, such as the other frames of an animation."""
    return tuple(picture.info.get("notes", ()))


def _content(path: str | os.PathLike) -> bytes:
    """The bytes of a file, one more than are allowed at most."""
    shown = str(path)[:200]
    try:
        path = Path(path)
        if not path.is_file():
            raise PictureError(f'There is no file "{shown}" here. Give the path of an image, or its bytes.')
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except PictureError:
        raise
    except (OSError, ValueError) as error:  # too long, not permitted, a null character
        raise PictureError(f'"{shown}" cannot be opened as a file. Give the path of an image, or its bytes.') from error


def _from_pillow(image: Image.Image) -> Image.Image:
    check_size(image.width, image.height)
    try:
        return finished(upright(image))
    except RangeError as error:
        raise PictureError(str(error)) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise PictureError("This image cannot be decoded. It is damaged, or its file is closed.") from error


def _from_array(values: np.ndarray) -> Image.Image:
    """An image from an array; PictureError for another shape, type or range."""
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        hint = " Put the channels last: transpose(1, 2, 0)." if values.ndim == 3 and len(values) in (1, 3, 4) else ""
        raise PictureError(f"An image is (H, W), (H, W, 3) or (H, W, 4), and this array is {values.shape}.{hint}")
    check_size(values.shape[1], values.shape[0])
    pixels, said = _eight_bit(values)
    return finished(Image.fromarray(np.ascontiguousarray(pixels)), said)


def _eight_bit(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    if values.dtype == np.uint8:
        return values, ()
    if values.dtype == np.uint16:
        return from_16_bit(values)
    if values.dtype == np.bool_:
        return values * np.uint8(255), ()
    if values.dtype.kind == "f":
        try:
            return from_float(values), ()
        except RangeError as error:
            raise PictureError(str(error)) from error
    if values.dtype.kind not in "iu":
        raise PictureError(f"An array of {values.dtype} is no image. Give uint8, uint16 or floats.")
    if values.min() < 0 or values.max() > 255:
        raise PictureError(f"This array has values from {values.min()} to {values.max()}. Give 0..255, or uint16.")
    return values.astype(np.uint8), ()
