"""Images are opened only in formats that Pillow decodes by itself, everywhere."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from PIL import EpsImagePlugin, Image

from models.datasets.archives import gray
from models.images import FORMATS, open_image
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


@pytest.mark.parametrize("name", FORMATS)
def test_formats_of_photos_and_datasets_are_read(name):
    file = io.BytesIO()
    Image.new("L", (48, 48), 99).save(file, name)
    assert open_image(io.BytesIO(file.getvalue()), FORMATS).size == (48, 48)
    assert gray(file.getvalue()).shape == (48, 48)


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
        open_image(io.BytesIO(EPS), FORMATS)
    assert called == []


@pytest.mark.parametrize("name", ["GIF", "PPM", "TGA", "ICO", "PDF", "SGI"])
def test_other_formats_are_refused(name):
    file = io.BytesIO()
    Image.new("L", (48, 48), 99).convert("RGB").save(file, name)
    with pytest.raises(OSError, match="cannot identify"):
        open_image(io.BytesIO(file.getvalue()), FORMATS)
