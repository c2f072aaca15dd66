"""Every way in which an image arrives, every format, and damaged files: an image or a sentence, within limits."""

import io
import re
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import torch
from damaged_images import damaged, read, valid_files
from PIL import Image
from skimage.data import astronaut

from models.images import FORMATS, SUFFIXES
from workbench import faces
from workbench.decoders import forks, process
from workbench.decoders import image as decoder
from workbench.faces import PictureError

ROOT = Path(__file__).resolve().parents[3]
FILES = valid_files()
HERE = [kind for kind in FILES if kind.split()[-1] in ("JPEG", "PNG", "WebP", "GIF", "BMP")]
PIXELS = astronaut()[:96, 180:300]


def encoded(format_: str, picture: Image.Image | None = None, **options) -> bytes:
    pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    (picture or Image.fromarray(PIXELS)).save(buffer, format_, **options)
    return buffer.getvalue()


def test_a_path_bytes_an_open_file_arrays_and_pil_images_give_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photo.png").write_bytes(encoded("PNG"))
    with open("photo.png", "rb") as file, Image.open("photo.png") as opened:
        for source in (
            "photo.png",
            Path("photo.png"),
            encoded("PNG"),
            bytearray(encoded("PNG")),
            file,
            PIXELS,
            PIXELS / 255,
            (PIXELS / 255).astype(np.float32),
            PIXELS.astype(float),
            PIXELS.astype(int),
            PIXELS.astype(np.uint16) * 257,
            torch.from_numpy(PIXELS),
            Image.fromarray(PIXELS),
            opened,
        ):
            picture = faces.read(source)
            assert (picture.mode, picture.size) == ("RGB", (120, 96))
            assert np.array_equal(np.asarray(picture), PIXELS)


def test_gray_arrays_and_those_with_transparency_become_rgb():
    for values in (PIXELS[..., 0], PIXELS[..., :1], PIXELS[..., 0] > 99, np.dstack([PIXELS, PIXELS[..., 0]])):
        assert faces.read(values).mode == "RGB"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.png", 'no file "nowhere.png"'),
        ("aGVsbG8=" * 4000, "Give the path of an image, or its bytes"),
        (".", "no file"),
        (io.StringIO("text"), "binary mode"),
        (PIXELS.transpose(2, 0, 1), "channels last"),
        (PIXELS / 255 + 0.6, "Clip it to 0..1"),
        (PIXELS.astype(float) + 300, "Give 0..1 or 0..255"),
        (np.full((20, 20), np.nan), "Give 0..1 or 0..255"),
        (PIXELS.astype(int) - 1, "Give 0..255"),
        (np.full((20, 20), "a"), "no image"),
        (np.zeros((20, 20), complex), "no image"),
        (np.zeros((4, 20), "uint8"), "only 20×4 pixels"),
        (np.broadcast_to(np.uint8(0), (20_001, 10_000)), "200 megapixels"),
        (Image.new("1", (20_001, 10_000)), "200 megapixels"),
    ],
)
def test_what_cannot_be_read_says_what_to_give(source, message):
    with pytest.raises(PictureError, match=re.escape(message)):
        faces.read(source)


def test_another_type_is_a_type_error_that_names_the_types():
    with pytest.raises(TypeError, match="a path, bytes, an open file, an array or a PIL image, not int"):
        faces.read(3)


def test_what_visitors_send_is_never_a_path():
    """Only `decode` is called where visitors' data arrive, and it takes nothing but bytes."""
    called = {
        path.relative_to(ROOT).as_posix()
        for folder in ("workbench/ui", "workbench/demo", "workbench/services", "workbench/server", "pages")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\bfaces\.read\(|faces\.decoding|import read\b", path.read_text(encoding="utf-8"))
    }
    assert called == set()
    with pytest.raises(PictureError):
        faces.decode(str(ROOT / "README.md").encode())


@pytest.mark.parametrize("name", [f.pillow for f in FORMATS])
def test_every_format_is_read_from_bytes(name):
    picture = faces.decode(encoded(name))
    assert picture.size == (120, 96)
    assert np.abs(np.asarray(picture, float) - PIXELS).mean() < 12
    assert faces.notes(picture) == ()


def test_every_suffix_stands_for_one_format():
    assert len(SUFFIXES) == sum(len(f.suffixes) for f in FORMATS)
    assert {".jfif", ".heic", ".avif", ".jp2", ".pgm"} <= SUFFIXES


@pytest.mark.parametrize(("name", "word"), [("GIF", "first frame"), ("WEBP", "first frame"), ("TIFF", "several pages")])
def test_of_several_frames_the_first_is_used_and_said_so(name, word):
    data = encoded(name, Image.new("RGB", (20, 20), "red"), save_all=True, append_images=[Image.new("RGB", (20, 20))])
    picture = faces.decode(data)
    assert picture.getpixel((9, 9))[0] > 250
    assert word in " ".join(faces.notes(picture))


def test_a_dark_16_bit_image_is_stretched_and_a_dark_8_bit_one_is_named():
    twelve = PIXELS[..., 0].astype(np.uint16) * 16 + PIXELS[..., 0] // 16
    picture = faces.decode(encoded("PNG", Image.fromarray(twelve)))
    assert np.abs(np.asarray(picture, float)[..., 0] - PIXELS[..., 0]).max() <= 1
    assert "uses 12 bits" in faces.notes(picture)[0]
    assert "very dark: its brightest value is 14" in faces.notes(faces.read(PIXELS // 17))[0]


def test_floats_of_a_tiff_are_read_by_their_range():
    unit = Image.fromarray((PIXELS[..., 0] / 255).astype(np.float32))
    assert np.array_equal(np.asarray(faces.decode(encoded("TIFF", unit)))[..., 0], PIXELS[..., 0])
    with pytest.raises(PictureError, match=r"Give 0\.\.1 or 0\.\.255"):
        faces.decode(encoded("TIFF", Image.fromarray(np.full((20, 20), 999.0, np.float32))))


@pytest.mark.parametrize("head", [b"\0\0\0\x1cftypisom\0\0\2\0isomiso2mp41", b"\0\0\0\x14ftypqt  \0\0\2\0qt  "])
def test_a_video_is_named_a_video(head):
    with pytest.raises(PictureError, match=r"This is a video\. Take a frame of it"):
        faces.decode(head)


@pytest.mark.parametrize("name", ["TIFF", "AVIF", "HEIF", "JPEG2000"])
def test_a_truncated_file_is_refused(name):
    data = encoded(name)
    with pytest.raises(PictureError, match="damaged or incomplete"):
        faces.decode(data[: len(data) // 2])


def test_a_size_over_the_limit_in_a_header_is_refused():
    with pytest.raises(PictureError, match="200 megapixels"):
        faces.decode(b"P5 60000 60000 255\n" + bytes(100))


@pytest.mark.parametrize(
    ("code", "word"),
    [("import os; os.abort()", "damaged"), ("bytearray(2**34)", "damaged"), ("while True: pass", "too long")],
)
def test_a_decoder_that_crashes_hangs_or_takes_all_memory_ends_alone(monkeypatch, code, word):
    lines = ["from workbench.decoders import forks", f"def handle(data):\n {code}", "forks.serve(handle, 1)"]
    monkeypatch.setattr(process, "_command", lambda module, arguments: ["-c", "\n".join(lines)])
    monkeypatch.setattr(forks, "_idle", [])
    with pytest.raises(PictureError, match=word):
        decoder.decode(encoded("TIFF"))


def test_files_one_after_another_are_decoded_by_forks_of_one_process(monkeypatch):
    started, start = [], forks.start
    monkeypatch.setattr(forks, "_idle", [])
    monkeypatch.setattr(forks, "start", lambda *given, **named: started.append(start(*given, **named)) or started[-1])
    decoder.decode(encoded("TIFF"))
    with pytest.raises(PictureError, match="damaged"):
        decoder.decode(encoded("TIFF")[:60])
    decoder.decode(encoded("AVIF"))
    assert len(started) == (1 if sys.platform == "linux" else 3)
    forks._end_all()
    assert all(one.poll() is not None for one in started)


def test_a_file_that_waits_without_end_is_ended_with_its_process(monkeypatch):
    lines = ["import time", "from workbench.decoders import forks", "forks.serve(lambda data: time.sleep(600), 1)"]
    monkeypatch.setattr(process, "_command", lambda module, arguments: ["-c", "\n".join(lines)])
    monkeypatch.setattr(forks, "_idle", [])
    assert forks.call("image", b"", 10, seconds=1) == (b"", -9)
    assert forks._idle == []


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_file_gives_an_image_or_a_sentence(kind):
    rng = np.random.default_rng(0)
    found = {read(damaged(FILES[kind], rng)) for _ in range(250 if kind in HERE else 3)}
    assert found <= {"image", "refused"}


def test_every_undamaged_file_is_an_image():
    assert {kind: read(data) for kind, data in FILES.items()} == dict.fromkeys(FILES, "image")
