"""Where the faces of an image are, framed as FER2013 frames them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from workbench import faces
from workbench.faces import detection


def center_on(picture_angle: float, picture: Image.Image, point: tuple[float, float]) -> tuple[float, float]:
    """Where a point of `picture` lies on `picture.rotate(picture_angle, expand=True)`."""
    turned = picture.rotate(picture_angle, expand=True)
    a = np.radians(picture_angle)
    dx, dy = point[0] - picture.width / 2, point[1] - picture.height / 2
    return turned.width / 2 + dx * np.cos(a) + dy * np.sin(a), turned.height / 2 - dx * np.sin(a) + dy * np.cos(a)


def test_one_face_is_found_on_the_astronaut(astronaut):
    (box,) = faces.detect(astronaut)
    assert box.center == pytest.approx((224, 114), abs=8)
    assert 90 < box.side < 125
    assert box.width == box.height
    assert box.angle == 0


@pytest.mark.parametrize("source", ["photo.jpg", np.zeros((9, 9, 3), np.uint8)])
def test_what_is_no_image_is_an_error_that_names_read_and_find(source):
    with pytest.raises(TypeError, match=r"faces\.read .* faces\.find"):
        faces.detect(source)


def test_one_face_is_found_on_grace_hopper(grace_hopper):
    (box,) = faces.detect(grace_hopper)
    assert box.center == pytest.approx((266, 219), abs=15)
    assert 190 < box.side < 260


@pytest.mark.parametrize("turn", [30, -40, 90, 135, 180, 225, 270])
def test_the_box_of_a_rotated_face_maps_back_to_the_face(astronaut, astronaut_box, turn):
    rotated = astronaut.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    box = faces.detect(rotated)[0]
    error = (box.angle - turn + 180) % 360 - 180
    assert abs(error) <= 8
    assert box.center == pytest.approx(center_on(turn, astronaut, astronaut_box.center), abs=14)
    assert box.side == pytest.approx(astronaut_box.side, rel=0.15)
    if turn % 90 == 0:
        upright = faces.crop(rotated, box).gray(48).ravel()
        expected = faces.crop(astronaut, astronaut_box).gray(48).ravel()
        assert np.corrcoef(upright, expected)[0, 1] > 0.75


@pytest.mark.parametrize("turn", [0, 90, 180])
def test_landmarks_lie_on_the_face_in_pixels_of_the_image(astronaut, turn):
    (box,) = faces.detect(astronaut.rotate(turn, expand=True))
    expected = [(205, 103), (246, 103), (226, 127), (210, 142), (240, 142)]  # eyes, nose, corners of the mouth
    assert 0.9 < box.score <= 1
    for point, where in zip(box.landmarks, expected, strict=True):
        assert point == pytest.approx(center_on(turn, astronaut, where), abs=14)


def test_without_alignment_the_boxes_of_slightly_tilted_faces_stay_upright(astronaut):
    tilted = astronaut.rotate(-10, expand=True)
    assert [box.angle for box in faces.detect(tilted, align="none")] == [0]
    assert faces.detect(tilted, align="rotate")[0].angle == pytest.approx(-10, abs=6)


def test_every_face_is_boxed_the_largest_first(astronaut, grace_hopper):
    both = Image.new("RGB", (1112, 600), "gray")
    both.paste(astronaut, (0, 0))
    both.paste(grace_hopper, (512, 0))
    large, small = faces.detect(both)
    assert large.area > small.area
    assert large.center == pytest.approx((512 + 266, 219), abs=15)
    assert small.center == pytest.approx((224, 114), abs=14)


@pytest.mark.parametrize("side", [48, 160])
def test_a_picture_that_a_face_fills_is_boxed_as_nearly_the_whole(astronaut, astronaut_box, side):
    tight = faces.crop(astronaut, astronaut_box).picture.resize((side, side))
    (box,) = faces.detect(tight)
    assert box.side == pytest.approx(side, rel=0.2)
    assert box.center == pytest.approx((side / 2, side / 2), abs=side / 8)


def test_a_large_photograph_gives_the_same_box_scaled(astronaut, astronaut_box):
    (box,) = faces.detect(astronaut.resize((3072, 3072)))
    assert np.array(box.center) / 6 == pytest.approx(astronaut_box.center, abs=4)
    assert box.side / 6 == pytest.approx(astronaut_box.side, rel=0.08)


def test_an_image_without_a_face_has_no_boxes():
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    for picture in (Image.fromarray(noise), Image.new("RGB", (300, 200), "white")):
        assert faces.detect(picture) == []


@pytest.mark.parametrize("size", [(8, 8), (20_000, 9), (9, 20_000)])
def test_odd_shapes_have_no_face_and_no_error(size):
    assert faces.detect(Image.new("RGB", size, "gray")) == []


def test_eight_threads_find_the_same_boxes_as_one(astronaut, grace_hopper):
    pictures = [astronaut, grace_hopper] * 8
    alone = [faces.detect(astronaut), faces.detect(grace_hopper)] * 8
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(faces.detect, pictures)) == alone


@pytest.mark.parametrize("emotion", ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"])
def test_a_drawn_face_is_framed_as_nearly_the_whole_image(emotion):
    (box,) = faces.detect(faces.sample_picture(f"drawn_{emotion}"))
    assert box.side == pytest.approx(500, rel=0.1)
    assert box.center == pytest.approx((240, 240), abs=25)


def test_faces_of_two_percent_of_the_longer_side_are_all_found(astronaut):
    person = astronaut.crop((100, 0, 370, 330)).resize((212, 259))  # the face is 80 pixels large
    group = Image.new("RGB", (4000, 1500), (104, 116, 120))
    for i in range(14):
        group.paste(person, (100 + 550 * (i % 7), 200 + 600 * (i // 7)))
    boxes = faces.detect(group)
    assert len(boxes) == 14
    assert all(box.side == pytest.approx(88, rel=0.25) for box in boxes)


def test_a_covered_mouth_leaves_the_face_and_adds_none(astronaut):
    picture = astronaut.copy()
    ImageDraw.Draw(picture).polygon([(185, 125), (280, 125), (270, 185), (230, 200), (195, 185)], fill=(120, 170, 200))
    (box,) = faces.detect(picture)
    assert box.center == pytest.approx((224, 114), abs=12)
    assert box.angle == 0


@pytest.mark.parametrize("name", ["chelsea", "coffee", "grass", "rocket"])
def test_photographs_without_a_face_have_none(name):
    assert faces.detect(Image.fromarray(getattr(data, name)()).convert("RGB")) == []


def test_the_cascade_alone_is_not_enough_and_with_a_weak_hit_it_is(astronaut, monkeypatch):
    weak = [replace(box, score=0.4) for box in faces.detect(astronaut)]
    monkeypatch.setattr(detection, "in_copy", lambda *args, **kwargs: [])
    monkeypatch.setattr(detection, "tilted", lambda work, face, align: face)
    assert faces.detect(astronaut) == []
    monkeypatch.setattr(detection, "in_copy", lambda picture, side, margin=0, turn=0: [] if turn else weak)
    (box,) = faces.detect(astronaut)
    assert box.score is box.landmarks is None
    assert box.center == pytest.approx((224, 114), abs=8)
