"""Images are opened only in listed formats, everywhere."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import EpsImagePlugin, Image

from models.datasets.archives import gray
from models.images import FORMATS, float_range, format_of, from_16_bit, open_image, video_container
from workbench import faces

ROOT = Path(__file__).resolve().parents[2]
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 48 48\n%%EndComments\n0 0 moveto 48 48 lineto stroke\nshowpage\n"


def test_every_image_is_opened_in_one_place():
    found = []
    for folder in ("models", "workbench", "pages", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if re.search(r"\bImage\.open\(|\b(cv2|plt|io|imageio|mpimg)\.imread\(", text):
                found.append(str(path.relative_to(ROOT)))
    assert found == ["models/images.py"]


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.pillow)
def test_every_format_is_recognized_opened_and_part_of_a_dataset(format_):
    file = io.BytesIO()
    pillow_heif.register_heif_opener()
    Image.new("L", (48, 48), 99).save(file, format_.pillow)
    data = file.getvalue()
    assert format_of(data[:200]) is format_
    assert open_image(data).size == open_image(io.BytesIO(data)).size == (48, 48)
    assert gray(data).shape == (48, 48)
    assert abs(int(gray(data)[20, 20]) - 99) < 4


@pytest.mark.parametrize(
    ("head", "video"),
    [
        (b"\0\0\0\x1cftypisom\0\0\2\0isomiso2mp41", True),
        (b"\0\0\0\x14ftypqt  \0\0\2\0qt  ", True),
        (b"\x1a\x45\xdf\xa3\x9f", True),
        (b"RIFF\0\0\0\0AVI LIST", True),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", False),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", False),
        (b"RIFF\0\0\0\0WEBPVP8 ", False),
    ],
)
def test_a_video_is_distinguished_from_an_image_by_its_first_bytes(head, video):
    assert (video_container(head) is not None) is video
    assert (format_of(head) is None) is video


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_16_bit_pixels_are_scaled_by_the_bits_in_use(bits):
    pixels, notes = from_16_bit(np.array([[0, 2**bits - 1]], dtype=np.uint16))
    assert pixels.tolist() == [[0, 255]]
    assert len(notes) == (bits < 16)


@pytest.mark.parametrize(("lowest", "highest", "white"), [(0, 1, 1), (0, 1.0005, 1), (0, 2, 255), (3, 255, 255)])
def test_white_of_floats_is_distinguished_from_their_range(lowest, highest, white):
    assert float_range(lowest, highest) == white


@pytest.mark.parametrize(("lowest", "highest"), [(0, 256), (-1, 1), (0, 1.5), (np.nan, np.nan), (0, np.inf)])
def test_floats_beyond_both_ranges_are_an_error(lowest, highest):
    with pytest.raises(ValueError, match=r"0\.\.255"):
        float_range(lowest, highest)


def test_postscript_starts_no_interpreter_whatever_the_file_is_called(monkeypatch):
    called = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **kwargs: called.append(args))
    with Image.open(io.BytesIO(EPS)) as image, pytest.raises(Exception):  # noqa: B017, PT011  (whatever Pillow makes of it)
        image.load()
    assert called, "Pillow alone would start it"
    called.clear()
    assert gray(EPS) is None
    with pytest.raises(faces.PictureError):
        faces.read(EPS)
    with pytest.raises(OSError, match="cannot identify"):
        open_image(EPS)
    assert called == []


@pytest.mark.parametrize("name", ["TGA", "ICO", "PDF", "SGI"])
def test_other_formats_are_refused(name):
    file = io.BytesIO()
    Image.new("L", (48, 48), 99).convert("RGB").save(file, name)
    with pytest.raises(OSError, match="cannot identify"):
        open_image(file.getvalue())
