"""Faces: every way in which a picture arrives, good and bad, and where its faces are."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from workbench import faces
from workbench.decoders import image as decoder
from workbench.faces import PictureError

FORMATS = ("JPEG", "PNG", "WEBP")


def encode(picture: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    """An RGB picture that tells left from right and top from bottom."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 / (width - 1), y * 255 / (height - 1), np.full_like(x, 90)], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def difference(first: Image.Image, second: Image.Image) -> float:
    return np.abs(np.asarray(first, dtype=float) - np.asarray(second, dtype=float)).mean()


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be width × height."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def jpeg_header(width: int, height: int) -> bytes:
    data = bytearray(encode(gradient(), "JPEG"))
    start = data.index(b"\xff\xc0")  # the frame header: marker, length, precision, height, width
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_header(width: int, height: int) -> bytes:
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + (width - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + body + (height - 1).to_bytes(3, "little")


@pytest.mark.parametrize("format", FORMATS)
def test_jpeg_png_and_webp_are_read_as_rgb(format):
    picture = faces.read(encode(gradient(), format, quality=95))
    assert picture.mode == "RGB"
    assert picture.size == (64, 48)
    assert difference(picture, gradient()) < 4


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),  # the camera was held upright: pixels lie on their side
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_the_exif_orientation_is_applied(format, orientation, undo):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = faces.read(encode(gradient().transpose(undo), format, exif=exif, quality=95))
    assert picture.size == (64, 48)
    assert difference(picture, gradient()) < 4


def test_a_picture_with_broken_exif_is_read_as_it_lies():
    data = encode(gradient(), "JPEG", exif=b"Exif\0\0XX\x2a\0broken", quality=95)
    assert difference(faces.read(data), gradient()) < 4


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_transparent_parts_become_white(format):
    picture = gradient().convert("RGBA")
    picture.paste((200, 0, 0, 0), (0, 0, 32, 48))
    result = np.asarray(faces.read(encode(picture, format, lossless=True, exact=True)))
    assert (result[:, :32] == 255).all()
    np.testing.assert_array_equal(result[:, 32:], np.asarray(gradient())[:, 32:])


def test_half_transparent_gray_is_mixed_with_white():
    result = faces.read(encode(Image.new("LA", (10, 10), (100, 128))))
    assert result.getpixel((5, 5)) == pytest.approx((177, 177, 177), abs=1)


def test_a_palette_is_looked_up():
    picture = faces.read(encode(gradient().quantize(256)))
    assert picture.mode == "RGB"
    assert difference(picture, gradient()) < 12


def test_the_transparent_color_of_a_palette_becomes_white():
    picture = Image.new("P", (10, 10), 0)
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.paste(1, (5, 0, 10, 10))
    result = faces.read(encode(picture, transparency=0))
    assert result.getpixel((0, 0)) == (255, 255, 255)
    assert result.getpixel((9, 0)) == (40, 50, 60)


def test_16_bit_gray_is_scaled_and_not_clipped():
    values = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    result = np.asarray(faces.read(encode(Image.fromarray(values))))
    assert np.abs(result[..., 0] - values / 257).max() <= 0.51
    assert (result[..., 0] == result[..., 2]).all()


def test_one_bit_and_gray_pictures_become_rgb():
    for mode in ("1", "L"):
        assert faces.read(encode(Image.new(mode, (10, 10), 255))).getpixel((3, 3)) == (255, 255, 255)


def test_cmyk_is_converted():
    ink = Image.new("CMYK", (32, 32), (0, 255, 255, 0))  # magenta and yellow make red
    red, green, blue = faces.read(encode(ink, "JPEG", quality=95)).getpixel((16, 16))
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_an_animation_is_read_as_its_first_frame(format):
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "blue", "green")]
    data = encode(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 3
    assert faces.read(data).getpixel((10, 10)) == (255, 0, 0)


def test_a_phones_jpeg_with_several_pictures_is_read_as_its_first():
    data = encode(gradient(), "MPO", save_all=True, append_images=[Image.new("RGB", (30, 30))], quality=95)
    assert difference(faces.read(data), gradient()) < 4


def test_an_empty_file_is_refused_with_a_sentence():
    with pytest.raises(PictureError, match=r"empty.*Choose another image"):
        faces.read(b"")


@pytest.mark.parametrize("data", [b"hello", b"a,b\n1,2\n" * 500, b"\0" * 3000, b"%PDF-1.7 ..."])
def test_what_is_not_a_picture_is_refused_with_a_sentence(data):
    with pytest.raises(PictureError, match=r"not a JPEG, PNG, .*, JPEG 2000 or PGM image\. Convert it"):
        faces.read(data)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_picture_is_refused_with_a_sentence(format, share):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8))
    data = encode(noise, format)
    with pytest.raises(PictureError, match="damaged or incomplete"):
        faces.read(data[: int(share * len(data))])


@pytest.mark.parametrize("header", [png_header, jpeg_header, webp_header])
@pytest.mark.parametrize("size", [(5001, 5000), (10_000, 10_000), (16_383, 12_400)])
def test_over_25_megapixels_nothing_is_decoded_in_this_process(header, size, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("a pixel was decoded"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow warns from 89 megapixels on
        try:
            found = faces.read(header(*size))
        except PictureError as error:
            found = str(error)
    if size[0] > 16_000:
        assert "more than 200 megapixels" in found
    elif header is jpeg_header:  # what a JPEG lacks is gray
        assert found.width * found.height <= faces.MAX_PIXELS
    else:
        assert "damaged" in found


@pytest.mark.parametrize("lossless", [True, False])
def test_the_size_in_a_plain_webp_header_is_bounded_before_the_file_is_opened(lossless, monkeypatch):
    data = bytearray(encode(gradient(), "WEBP", lossless=lossless))
    width, height = 16_383, 12_400
    if lossless:
        data[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)
    else:
        data[26:30] = struct.pack("<HH", width, height)
    monkeypatch.setattr(Image, "open", lambda *args, **kwargs: pytest.fail("the file was opened"))
    with pytest.raises(PictureError, match="more than 200 megapixels"):
        faces.read(bytes(data))


def test_25_megapixels_exactly_are_read_as_they_are():
    picture = faces.read(encode(Image.new("L", (5000, 5000)), "JPEG"))
    assert (picture.size, faces.reduced_by(picture)) == ((5000, 5000), 1)


@pytest.mark.parametrize(
    ("format", "options"), [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {"compress_level": 1})]
)
def test_a_photo_over_25_megapixels_is_scaled_down_and_says_so(format, options):
    exif = Image.Exif()
    exif[0x0112] = 3  # held upside down
    large = gradient().resize((6000, 4500)).transpose(Image.Transpose.ROTATE_180)
    picture = faces.read(encode(large, format, exif=exif, **options))
    assert (picture.mode, picture.size, faces.reduced_by(picture)) == ("RGB", (3000, 2250), 2)
    assert faces.notes(picture) == ("This image has 27 megapixels: it is scaled down to 7.",)
    assert difference(picture.resize((64, 48)), gradient()) < 4


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_an_image_of_any_mode_is_scaled_down_by_means_of_squares(mode, monkeypatch):
    gray = gradient().convert("L").point(lambda value: 255 if mode == "1" and value > 127 else value)
    image = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257) if mode == "I;16" else gray.convert(mode)
    expected = faces.read(image)
    monkeypatch.setattr(decoder, "MAX_PIXELS", 64 * 48 // 16)
    picture = faces.read(image)
    assert (picture.mode, picture.size, image.size) == ("RGB", (16, 12), (64, 48))
    assert difference(picture, expected.reduce(4)) < 2


def test_boxes_of_a_photo_that_is_scaled_down_are_those_of_the_file(monkeypatch):
    monkeypatch.setattr(decoder, "MAX_PIXELS", 1000)
    (face,) = faces.find(gradient(), boxes=[(20, 12, 16, 16)])
    assert difference(face.picture, gradient().reduce(2).crop((10, 6, 18, 14))) < 1


def test_more_than_25_megabytes_are_refused():
    with pytest.raises(PictureError, match="larger than 25 MB"):
        faces.read(encode(gradient()) + bytes(faces.MAX_BYTES))


@pytest.mark.parametrize("format", FORMATS)
def test_a_picture_of_a_few_pixels_is_refused(format):
    with pytest.raises(PictureError, match="only 7×100 pixels"):
        faces.read(encode(Image.new("RGB", (7, 100)), format))
    assert faces.read(encode(Image.new("RGB", (8, 8)), format)).size == (8, 8)


def test_running_out_of_memory_is_a_sentence_too(monkeypatch):
    def out_of_memory(self):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", out_of_memory)
    with pytest.raises(PictureError, match="not enough memory"):
        faces.read(encode(gradient()))
