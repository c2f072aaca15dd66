"""Drawn faces: what they promise to whoever shows them or trains with them."""

import numpy as np
import pytest
from PIL import Image

from models.datasets.synthetic import EXPRESSIONS, draw_face

EYES = np.s_[80:110, 55:190]  # rows and columns at 240 pixels
MOUTH = np.s_[165:235, 75:165]


def test_the_emotions_are_those_of_fer2013_and_contempt():
    assert set(EXPRESSIONS) == {"angry", "disgust", "fear", "happy", "neutral", "sad", "surprise", "contempt"}


@pytest.mark.parametrize("emotion", EXPRESSIONS)
@pytest.mark.parametrize("size", [8, 48, 97, 480])
def test_a_drawn_face_has_the_size_that_was_asked_for_and_uses_the_gray_scale(emotion, size):
    face = draw_face(emotion, size)
    assert face.shape == (size, size)
    assert face.dtype == np.uint8
    assert int(face.max()) - int(face.min()) > 80


def test_the_default_size_is_that_of_fer2013():
    assert draw_face("happy").shape == (48, 48)


@pytest.mark.parametrize("seed", [None, 0, 12345])
def test_equal_arguments_give_equal_pixels(seed):
    np.testing.assert_array_equal(draw_face("fear", 48, seed), draw_face("fear", 48, seed))


def test_each_seed_draws_another_face():
    faces = {draw_face("sad", 48, seed).tobytes() for seed in [None, *range(20)]}
    assert len(faces) == 21


def test_no_two_emotions_look_alike():
    faces = {emotion: draw_face(emotion, 48).astype(float) for emotion in EXPRESSIONS}
    for first in faces:
        for second in set(faces) - {first}:
            assert np.abs(faces[first] - faces[second]).mean() > 1, (first, second)


def test_one_seed_is_one_person_in_every_emotion():
    corners = {int(draw_face(emotion, 48, seed=3)[-1, 0]) for emotion in EXPRESSIONS}
    assert len(corners) == 1  # the background belongs to the person


def test_a_large_drawing_reduced_equals_a_small_one():
    large = Image.fromarray(draw_face("happy", 480)).resize((48, 48), Image.Resampling.BOX)
    assert np.abs(np.asarray(large, dtype=float) - draw_face("happy", 48)).mean() < 2


def test_fear_and_surprise_show_more_white_of_the_eyes_than_every_other_emotion():
    white = {emotion: int((draw_face(emotion, 240)[EYES] > 235).sum()) for emotion in EXPRESSIONS}
    wide = {"fear", "surprise"}
    assert min(white[e] for e in wide) > 1.3 * max(white[e] for e in set(white) - wide)


def test_the_open_mouth_of_surprise_is_the_darkest():
    dark = {emotion: int((draw_face(emotion, 240)[MOUTH] < 40).sum()) for emotion in EXPRESSIONS}
    assert dark["surprise"] > 2 * max(count for emotion, count in dark.items() if emotion != "surprise")


def test_a_smile_turns_the_line_between_the_lips_the_other_way_than_sadness():
    def sag(emotion):  # how far the dark line is lower in the middle than towards the corners, in pixels
        dark = draw_face(emotion, 240)[MOUTH] < 60
        rows = [np.flatnonzero(dark[:, column])[0] for column in (20, 45, 70)]
        return rows[1] - (rows[0] + rows[2]) / 2

    assert sag("happy") > 3
    assert sag("sad") < -3


def test_only_contempt_pulls_up_one_corner_of_the_mouth():
    def lopsided(emotion):
        mouth = draw_face(emotion, 240)[MOUTH].astype(float)
        mouth -= mouth.mean(axis=0)  # the light falls from one side
        return np.abs(mouth - mouth[:, ::-1]).mean()

    others = [lopsided(emotion) for emotion in EXPRESSIONS if emotion != "contempt"]
    assert lopsided("contempt") > 1.5 * max(others)


def test_an_unknown_emotion_is_refused_with_the_possible_ones():
    with pytest.raises(ValueError, match=r'emotion="joy".*angry.*happy.*surprise'):
        draw_face("joy")


def test_a_size_that_holds_no_face_is_refused():
    with pytest.raises(ValueError, match="size=7"):
        draw_face("happy", 7)
