"""Faces cut out of an image, upright, with bounded memory."""

import sys

import numpy as np
import pytest
from PIL import Image

from workbench import faces
from workbench.faces import Box, Face, PictureError


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    """An RGB picture that tells left from right and top from bottom."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 / (width - 1), y * 255 / (height - 1), np.full_like(x, 90)], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def peak_memory() -> float:
    """The most memory that this process ever held, in MiB."""
    resource = pytest.importorskip("resource", reason="memory cannot be measured on Windows")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


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
