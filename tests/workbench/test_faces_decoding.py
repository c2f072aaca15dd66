"""Ten thousand damaged files: each gives a picture or a sentence, never a crash, and takes no long time."""

import io
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from workbench import faces
from workbench.faces import PictureError


def files() -> dict[str, bytes]:
    """Small valid files of every kind that is read."""
    picture = faces.sample_picture("drawn_happy").resize((40, 36))
    kinds = {
        "jpeg": (picture, "JPEG", {}),
        "progressive jpeg": (picture, "JPEG", {"progressive": True, "exif": picture.getexif().tobytes()}),
        "cmyk jpeg": (picture.convert("CMYK"), "JPEG", {}),
        "png": (picture, "PNG", {}),
        "palette png": (picture.quantize(16), "PNG", {}),
        "16-bit png": (Image.fromarray(np.arange(1440, dtype="uint16").reshape(36, 40)), "PNG", {}),
        "webp": (picture, "WEBP", {}),
        "transparent webp": (picture.convert("RGBA"), "WEBP", {"lossless": True}),
    }
    made = {}
    for name, (image, kind, options) in kinds.items():
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        made[name] = buffer.getvalue()
    return made


FILES = files()


@st.composite
def damage(draw, data: bytes) -> bytes:
    """Some bytes changed, a piece dropped, doubled or moved, the end cut off: one to four times."""
    wrong = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        if not wrong:
            break
        kind = draw(st.sampled_from(("change", "change", "drop", "double", "cut", "insert")))
        # Half of the damage hits the header, where sizes and tables stand.
        at = draw(st.integers(0, min(64, len(wrong) - 1)) | st.integers(0, len(wrong) - 1))
        length = draw(st.integers(1, 16))
        if kind == "change":
            wrong[at : at + length] = draw(st.binary(min_size=length, max_size=length))
        elif kind == "drop":
            del wrong[at : at + length]
        elif kind == "double":
            wrong[at:at] = wrong[at : at + length]
        elif kind == "insert":
            wrong[at:at] = draw(st.binary(min_size=1, max_size=length))
        else:
            del wrong[at:]
    return bytes(wrong)


@pytest.mark.parametrize("kind", FILES)
@settings(
    max_examples=1_250, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(data=st.data())
def test_a_damaged_file_gives_a_picture_or_a_sentence(kind, data):
    wrong = data.draw(damage(FILES[kind]))
    start = time.process_time()
    try:
        picture = faces.read(wrong)
    except PictureError:
        pass
    else:
        assert picture.mode == "RGB"
        assert picture.width * picture.height <= 25_000_000
    assert time.process_time() - start < 5
