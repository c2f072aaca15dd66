"""Faces found in one frame after another."""

import math

import pytest
from PIL import Image

from workbench import faces
from workbench.faces import tracking
from workbench.faces.tracking import Follower

EMPTY = Image.new("RGB", (640, 480), (96, 104, 112))


def moving(astronaut, frames: int, turn: float = 0) -> list[Image.Image]:
    """What a camera sees while the astronaut walks by."""
    pictures = []
    for i in range(frames):
        picture = EMPTY.copy()
        picture.paste(astronaut.rotate(turn, center=(224, 114)).resize((420, 420)), (10 + 6 * i, 30))
        pictures.append(picture)
    return pictures


@pytest.fixture
def searches(monkeypatch) -> list[Image.Image]:
    """The frames that are searched as a whole."""
    seen, search = [], tracking.detect_or_whole
    monkeypatch.setattr(tracking, "detect_or_whole", lambda frame: seen.append(frame) or search(frame))
    return seen


@pytest.mark.parametrize("turn", [0, 40])
def test_a_face_that_moves_is_followed_without_searching_the_whole_frame(astronaut, searches, turn):
    follower = Follower(every=0.5)
    for i, picture in enumerate(moving(astronaut, 10, turn)):
        (box,), (expected,) = follower.find(picture, i / 30), faces.detect(picture)
        assert math.dist(box.center, expected.center) < 0.15 * expected.side
        assert 0.8 < box.side / expected.side < 1.25
        assert box.angle == pytest.approx(expected.angle, abs=12)
        assert all(math.dist(point, box.center) < box.side / 2 for point in box.landmarks)
    assert len(searches) == 1


def test_a_face_that_jumped_away_is_found_again_in_the_same_frame(astronaut, searches):
    first, *_, last = moving(astronaut, 30)
    follower = Follower(every=0.5)
    (before,), (after,) = follower.find(first, 0.0), follower.find(last, 0.1)
    assert after.center[0] - before.center[0] == pytest.approx(174, abs=15)
    assert len(searches) == 2


def test_a_new_face_is_found_when_the_whole_frame_is_due(astronaut, searches):
    one = moving(astronaut, 1)[0]
    two = one.copy()
    two.paste(astronaut.resize((300, 300)), (380, 100))
    follower = Follower(every=0.5)
    assert [len(follower.find(frame, time)) for frame, time in ((one, 0.0), (two, 0.2), (two, 0.5))] == [1, 1, 2]
    assert len(searches) == 2


def test_an_empty_frame_has_no_faces_and_a_face_is_found_after_it(astronaut, searches):
    follower = Follower(every=0.5)
    frames = [EMPTY, EMPTY, moving(astronaut, 1)[0], EMPTY, Image.new("RGB", (40, 30))]
    assert [len(follower.find(frame, 0.3 * i)) for i, frame in enumerate(frames)] == [0, 0, 1, 0, 0]
    assert len(searches) == 3


def test_without_an_interval_every_frame_is_searched_as_a_whole(astronaut, searches):
    follower = Follower()
    for i, picture in enumerate(moving(astronaut, 2)):
        assert follower.find(picture, i / 30) == faces.detect(picture)
    assert len(searches) == 2
