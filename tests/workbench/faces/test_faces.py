"""Faces: every way in which a picture arrives, good and bad, and where its faces are."""

import io
import math
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile

from models.datasets.synthetic.faces import EXPRESSIONS
from workbench import faces
from workbench.faces import Box, Face, PictureError, detection, tracking

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


def peak_memory() -> float:
    """The most memory that this process ever held, in MiB."""
    resource = pytest.importorskip("resource", reason="memory cannot be measured on Windows")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def centre_on(picture_angle: float, picture: Image.Image, point: tuple[float, float]) -> tuple[float, float]:
    """Where a point of `picture` lies on `picture.rotate(picture_angle, expand=True)`."""
    turned = picture.rotate(picture_angle, expand=True)
    a = np.radians(picture_angle)
    dx, dy = point[0] - picture.width / 2, point[1] - picture.height / 2
    return turned.width / 2 + dx * np.cos(a) + dy * np.sin(a), turned.height / 2 - dx * np.sin(a) + dy * np.cos(a)


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return faces.sample_picture("astronaut")


@pytest.fixture(scope="module")
def astronaut_box(astronaut) -> Box:
    return faces.detect(astronaut)[0]


@pytest.fixture(scope="module")
def grace_hopper() -> Image.Image:
    return faces.sample_picture("grace_hopper")


# ------------------------------------------------------------------------------------------------ read: good input


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


def test_the_transparent_colour_of_a_palette_becomes_white():
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
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "green")]
    data = encode(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 3
    assert faces.read(data).getpixel((10, 10)) == (255, 0, 0)


def test_a_phones_jpeg_with_several_pictures_is_read_as_its_first():
    data = encode(gradient(), "MPO", save_all=True, append_images=[Image.new("RGB", (30, 30))], quality=95)
    assert difference(faces.read(data), gradient()) < 4


# ------------------------------------------------------------------------------------------------ read: bad input


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
@pytest.mark.parametrize("size", [(5001, 5000), (10_000, 10_000), (65_000, 400)])
def test_25_megapixels_are_bounded_before_anything_is_decoded(header, size, monkeypatch):
    if header is webp_header and max(size) > 16_383:
        size = (16_383, 1600)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("a pixel was decoded"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow warns from 89 megapixels on
        with pytest.raises(PictureError, match="more than 25 megapixels"):
            faces.read(header(*size))


@pytest.mark.parametrize("lossless", [True, False])
def test_the_size_in_a_plain_webp_header_is_bounded_before_the_file_is_opened(lossless, monkeypatch):
    data = bytearray(encode(gradient(), "WEBP", lossless=lossless))
    width, height = 5100, 5000
    if lossless:
        data[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)
    else:
        data[26:30] = struct.pack("<HH", width, height)
    monkeypatch.setattr(Image, "open", lambda *args, **kwargs: pytest.fail("the file was opened"))
    with pytest.raises(PictureError, match="more than 25 megapixels"):
        faces.read(bytes(data))


def test_25_megapixels_exactly_are_read():
    assert faces.read(encode(Image.new("L", (5000, 5000)), "JPEG")).size == (5000, 5000)


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
    with pytest.raises(PictureError, match="damaged or incomplete"):
        faces.read(encode(gradient()))


# ------------------------------------------------------------------------------------------------ detect


def test_one_face_is_found_on_the_astronaut(astronaut):
    (box,) = faces.detect(astronaut)
    assert box.centre == pytest.approx((224, 114), abs=8)
    assert 85 < box.side < 120
    assert box.width == box.height
    assert box.angle == 0


def test_one_face_is_found_on_grace_hopper(grace_hopper):
    (box,) = faces.detect(grace_hopper)
    assert box.centre == pytest.approx((266, 219), abs=15)
    assert 190 < box.side < 260


@pytest.mark.parametrize(("turn", "tolerance"), [(30, 0), (-40, 15), (90, 0), (180, 0), (270, 0)])
def test_the_box_of_a_turned_face_maps_back_to_the_face(astronaut, astronaut_box, turn, tolerance):
    turned = astronaut.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    box = faces.detect(turned)[0]
    error = (box.angle - turn + 180) % 360 - 180
    assert abs(error) <= tolerance
    assert box.centre == pytest.approx(centre_on(turn, astronaut, astronaut_box.centre), abs=8)
    assert box.side == pytest.approx(astronaut_box.side, rel=0.15)
    upright = faces.crop(turned, box).gray(48).ravel()
    expected = faces.crop(astronaut, astronaut_box).gray(48).ravel()
    assert np.corrcoef(upright, expected)[0, 1] > 0.75


def test_every_face_is_boxed_the_largest_first(astronaut, grace_hopper):
    both = Image.new("RGB", (1112, 600), "gray")
    both.paste(astronaut, (0, 0))
    both.paste(grace_hopper, (512, 0))
    large, small = faces.detect(both)
    assert large.area > small.area
    assert large.centre == pytest.approx((512 + 266, 219), abs=15)
    assert small.centre == pytest.approx((224, 114), abs=10)


@pytest.mark.parametrize("side", [48, 160])
def test_a_picture_that_a_face_fills_is_boxed_as_nearly_the_whole(astronaut, astronaut_box, side):
    tight = faces.crop(astronaut, astronaut_box).picture.resize((side, side))
    (box,) = faces.detect(tight)
    assert box.side == pytest.approx(side, rel=0.15)
    assert box.centre == pytest.approx((side / 2, side / 2), abs=side / 8)


def test_a_large_photograph_gives_the_same_box_scaled(astronaut, astronaut_box):
    (box,) = faces.detect(astronaut.resize((3072, 3072)))
    assert np.array(box.centre) / 6 == pytest.approx(astronaut_box.centre, abs=4)
    assert box.side / 6 == pytest.approx(astronaut_box.side, rel=0.08)


def test_no_face_is_an_answer():
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    for picture in (Image.fromarray(noise), Image.new("RGB", (300, 200), "white"), gradient(320, 240)):
        assert faces.detect(picture) == []


@pytest.mark.parametrize("size", [(8, 8), (20_000, 9), (9, 20_000)])
def test_odd_shapes_have_no_face_and_no_error(size):
    assert faces.detect(Image.new("RGB", size, "gray")) == []


def test_eight_threads_find_the_same_boxes_as_one(astronaut, grace_hopper):
    pictures = [astronaut, grace_hopper] * 8
    alone = [faces.detect(astronaut), faces.detect(grace_hopper)] * 8
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(faces.detect, pictures)) == alone


def moving(astronaut, frames: int) -> list[Image.Image]:
    """What a camera sees while the astronaut walks by."""
    pictures = []
    for i in range(frames):
        picture = Image.new("RGB", (640, 480), (96, 104, 112))
        picture.paste(astronaut.resize((420, 420)), (10 + 6 * i, 30))
        pictures.append(picture)
    return pictures


def test_a_follower_stays_with_a_face_that_moves_without_searching_the_whole_frame(astronaut, monkeypatch):
    follower, looks, hits = faces.Follower(), [], detection.hits_of
    monkeypatch.setattr(tracking, "hits_of", lambda gray, look: looks.append(look) or hits(gray, look))
    for picture in moving(astronaut, 20):
        box = follower.find(picture)
        expected = max(hits(picture.convert("L"), detection._UPRIGHT), key=lambda hit: hit[0])[1]
        assert math.dist(box.centre, expected.centre) < 0.15 * expected.side
        assert 0.8 < box.side / expected.side < 1.25
    assert looks.count(detection.IN_FRAME) == 1


def test_a_follower_finds_a_face_again_that_jumped_away(astronaut):
    first, *_, last = moving(astronaut, 30)
    follower = faces.Follower()
    before = follower.find(first)
    after = follower.find(last)
    assert after.centre[0] - before.centre[0] == pytest.approx(174, abs=15)


def test_a_follower_of_an_empty_frame_finds_nothing_and_goes_on(astronaut):
    follower = faces.Follower()
    empty = Image.new("RGB", (640, 480), (96, 104, 112))
    assert follower.find(empty) is None
    assert follower.find(moving(astronaut, 1)[0]) is not None
    assert follower.find(empty) is None
    assert follower.find(Image.new("RGB", (40, 30))) is None


@pytest.mark.parametrize("emotion", ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"])
def test_a_drawn_face_is_framed_as_the_cascade_would_frame_it(emotion):
    (box,) = faces.detect(faces.sample_picture(f"drawn_{emotion}"))
    assert box.side == pytest.approx(480, rel=0.15)
    assert box.centre == pytest.approx((240, 240), abs=25)


# ------------------------------------------------------------------------------------------------ boxes and crops


def test_a_box_knows_its_area_and_its_corners_in_drawing_order():
    box = Box(10, 20, 30, 40)
    assert box.area == 1200
    assert box.corners == ((10, 20), (40, 20), (40, 60), (10, 60))


def test_the_corners_of_a_turned_box_turn_counter_clockwise_about_its_centre():
    corners = Box(0, 0, 10, 10, angle=90).corners
    np.testing.assert_allclose(corners, [(0, 10), (0, 0), (10, 0), (10, 10)], atol=1e-9)


def test_the_whole_is_the_largest_centred_square():
    assert faces.whole(Image.new("RGB", (100, 60))) == Box(20, 0, 60, 60)
    assert faces.whole(Image.new("RGB", (60, 101))) == Box(0, 20, 60, 60)


@pytest.mark.parametrize("box", [Box(10, 5, 30, 30), Box(0, 0, 48, 48), Box(33, 17, 31, 31), Box(3, 4, 1, 1)])
def test_a_square_drawn_by_hand_is_cut_out_exactly(box):
    face = faces.crop(gradient(), box)
    expected = gradient().crop((box.left, box.top, box.left + box.width, box.top + box.height))
    np.testing.assert_array_equal(np.asarray(face.picture), np.asarray(expected))
    assert face.box == box


def test_an_oblong_box_gives_the_square_of_its_longer_side():
    face = faces.crop(gradient(), Box(20, 4, 20, 40))
    np.testing.assert_array_equal(np.asarray(face.picture), np.asarray(gradient().crop((10, 4, 50, 44))))


def test_a_crop_beyond_the_border_repeats_the_border():
    picture = np.asarray(gradient())
    result = np.asarray(faces.crop(gradient(), Box(-10, -6, 40, 40)).picture)
    np.testing.assert_array_equal(result[6:, 10:], picture[:34, :30])
    assert (result[6:, :10] == picture[:34, :1]).all()
    assert (result[:6, 10:] == picture[:1, :30]).all()
    assert (result[:6, :10] == picture[0, 0]).all()


@pytest.mark.parametrize(("angle", "turns"), [(90, -1), (180, 2), (-90, 1)])
def test_a_turned_box_is_cut_out_upright(angle, turns):
    face = faces.crop(gradient(), Box(12, 8, 31, 31, angle))
    expected = np.rot90(np.asarray(gradient())[8:39, 12:43], turns)
    np.testing.assert_array_equal(np.asarray(face.picture), expected)


def test_a_turned_box_at_the_border_has_no_black_corners():
    white = Image.new("RGB", (60, 60), "white")
    assert np.asarray(faces.crop(white, Box(-10, 20, 50, 50, 30)).picture).min() == 255


@pytest.mark.parametrize("angle", [0, 30])
def test_a_large_crop_is_bounded_and_keeps_what_it_shows(angle):
    face = faces.crop(gradient(3000, 3000), Box(300, 300, 2400, 2400, angle))
    assert max(face.picture.size) == faces.MAX_FACE_SIDE
    assert face.picture.width == face.picture.height
    assert face.picture.getpixel((256, 256)) == pytest.approx((127, 127, 90), abs=3)
    if angle == 0:
        assert face.picture.getpixel((2, 509)) == pytest.approx((26, 229, 90), abs=3)  # a tenth, nine tenths


@pytest.mark.parametrize("angle", [0, 20])
def test_a_box_far_larger_than_the_picture_costs_no_memory(angle):
    before = peak_memory()
    face = faces.crop(gradient(), Box(-100_000, -100_000, 200_000, 200_000, angle))
    assert max(face.picture.size) <= faces.MAX_FACE_SIDE
    assert peak_memory() - before < 100


@pytest.mark.parametrize(
    "box", [Box(0, 0, 0, 10), Box(0, 0, 10, -1), Box(0, 0, float("nan"), 9), Box(0, 0, float("inf"), 9)]
)
def test_an_empty_box_is_refused_with_a_sentence(box):
    with pytest.raises(PictureError, match="Draw a box"):
        faces.crop(gradient(), box)


@pytest.mark.parametrize("box", [Box(64, 0, 20, 20), Box(0, -30, 20, 20), Box(float("nan"), 0, 9, 9)])
def test_a_box_outside_of_the_picture_is_refused_with_a_sentence(box):
    with pytest.raises(PictureError, match="outside of the image"):
        faces.crop(gradient(), box)


# ------------------------------------------------------------------------------------------------ Face


@pytest.mark.parametrize("size", [48, 64, 224])
def test_gray_is_what_a_network_takes(astronaut, astronaut_box, size):
    gray = faces.crop(astronaut, astronaut_box).gray(size)
    assert gray.shape == (size, size)
    assert gray.dtype == np.uint8
    assert gray.max() - gray.min() > 100
    gray[0, 0] = 1  # the caller's own copy


def test_gray_is_the_luminance_of_bt_601():
    face = Face(Image.fromarray(np.full((9, 9, 3), (200, 100, 50), dtype=np.uint8)))
    assert (face.gray(9) == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)).all()


def test_a_picture_of_the_networks_size_reaches_it_unchanged():
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    picture = Image.fromarray(pixels).convert("RGB")
    np.testing.assert_array_equal(faces.crop(picture, faces.whole(picture)).gray(48), pixels)


def test_reducing_averages_fine_detail_away():
    checks = (np.indices((480, 480)).sum(axis=0) % 2 * 255).astype(np.uint8)
    gray = Face(Image.fromarray(checks).convert("RGB")).gray(48)
    assert np.abs(gray[4:-4, 4:-4].astype(int) - 127).max() <= 3


def test_the_key_tells_pictures_apart_and_nothing_else(astronaut):
    box = Box(10, 10, 50, 50)
    assert faces.crop(astronaut, box).key == faces.crop(astronaut.copy(), box).key
    assert faces.crop(astronaut, box).key != faces.crop(astronaut, Box(11, 10, 50, 50)).key
    assert Face(Image.new("RGB", (4, 9))).key != Face(Image.new("RGB", (9, 4))).key


# ------------------------------------------------------------------------------------------------ samples


def test_the_astronaut_is_the_first_sample_then_grace_hopper_then_one_drawing_an_emotion():
    names = [sample.name for sample in faces.samples()]
    assert names[:2] == ["astronaut", "grace_hopper"]
    assert {name.removeprefix("drawn_") for name in names[2:]} == set(EXPRESSIONS) - {"contempt"}
    assert len(set(names)) == len(names) == 9


@pytest.mark.parametrize("sample", faces.samples(), ids=lambda sample: sample.name)
def test_every_sample_is_a_credited_square_face_with_its_whole_picture(sample):
    face, picture = faces.load_sample(sample.name), faces.sample_picture(sample.name)
    assert "public domain" in sample.credit or "FERScope" in sample.credit
    assert face.picture.width == face.picture.height
    assert face.picture.mode == picture.mode == "RGB"
    assert (face.box is None) == sample.name.startswith("drawn_")
    assert faces.load_sample(sample.name) is face


def test_samples_are_all_different():
    assert len({faces.load_sample(sample.name).key for sample in faces.samples()}) == len(faces.samples())


@pytest.mark.parametrize("load", [faces.load_sample, faces.sample_picture])
def test_an_unknown_sample_is_refused_with_the_names_that_exist(load):
    with pytest.raises(PictureError, match=r'"mona_lisa" is not a sample.*astronaut.*drawn_surprise'):
        load("mona_lisa")


def test_importing_faces_brings_neither_torch_nor_streamlit():
    code = "import sys, workbench.faces; print('torch' in sys.modules, 'streamlit' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
