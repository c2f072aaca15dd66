"""A face followed through the frames of a camera."""

import math

import pytest
from PIL import Image

from workbench import faces
from workbench.faces import tracking


def moving(astronaut, frames: int) -> list[Image.Image]:
    """What a camera sees while the astronaut walks by."""
    pictures = []
    for i in range(frames):
        picture = Image.new("RGB", (640, 480), (96, 104, 112))
        picture.paste(astronaut.resize((420, 420)), (10 + 6 * i, 30))
        pictures.append(picture)
    return pictures


def test_a_follower_stays_with_a_face_that_moves_without_searching_the_whole_frame(astronaut, monkeypatch):
    follower, sides, look = faces.Follower(), [], tracking.in_copy
    monkeypatch.setattr(tracking, "in_copy", lambda picture, side: sides.append(side) or look(picture, side))
    for picture in moving(astronaut, 20):
        box = follower.find(picture)
        (expected,) = faces.detect(picture)
        assert math.dist(box.centre, expected.centre) < 0.15 * expected.side
        assert 0.8 < box.side / expected.side < 1.25
        assert all(math.dist(point, box.centre) < box.side / 2 for point in box.landmarks)
    assert sides.count(tracking._IN_FRAME) == 1


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
