"""From an image to its cropped faces."""

import numpy as np
import pytest
from PIL import Image

from workbench import faces
from workbench.faces import Box


def test_the_faces_of_an_image_are_detected_and_cropped(astronaut, astronaut_box):
    (face,) = faces.find(astronaut)
    assert face.box == astronaut_box
    assert face.key == faces.crop(astronaut, astronaut_box).key


@pytest.mark.parametrize("cropped", [None, True])
def test_a_crop_of_48_pixels_is_a_face_as_a_whole(cropped):
    pixels = np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)
    (face,) = faces.find(pixels, cropped=cropped)
    assert (face.gray(48) == pixels).all()


def test_faces_are_cropped_by_given_boxes_in_their_order(astronaut):
    small, large = (10, 20, 30, 24), (160.0, 50.0, 120.0, 120.0)
    found = faces.find(astronaut, boxes=[small, large, Box(5, 5, 40, 40, angle=20)])
    assert [face.box for face in found] == [Box(*small), Box(*large), Box(5, 5, 40, 40, 20)]
    assert [face.picture.size for face in found] == [(30, 30), (120, 120), (40, 40)]
    assert found[1].picture.tobytes() == astronaut.crop((160, 50, 280, 170)).tobytes()
    assert faces.find(astronaut, boxes=[]) == []


@pytest.mark.parametrize(
    ("boxes", "cropped", "message"),
    [
        ([(1, 2, 3)], None, "left, top, width, height"),
        ([(0, 0, 0, 9)], None, "empty"),
        ([(900, 0, 9, 9)], None, "outside"),
        ([(0, 0, 9, 9)], True, "either boxes or cropped"),
    ],
)
def test_a_wrong_box_is_an_error_in_a_sentence(boxes, cropped, message):
    with pytest.raises(ValueError, match=message):
        faces.find(Image.new("RGB", (64, 64)), boxes=boxes, cropped=cropped)
