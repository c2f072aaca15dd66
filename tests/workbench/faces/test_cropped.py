"""Images that are a cropped face already."""

import pytest
from PIL import Image

from workbench import faces


@pytest.mark.parametrize("size", [(48, 48), (64, 60)])
def test_a_small_nearly_square_image_is_a_crop_without_a_detected_face(size):
    picture = Image.new("RGB", size, "gray")
    assert faces.detect_or_whole(picture) == [faces.whole(picture)]
    assert faces.detect_or_whole(picture, cropped=False) == []


@pytest.mark.parametrize("size", [(64, 20), (300, 300)])
def test_other_images_without_a_face_have_none_unless_they_are_said_to_be_crops(size):
    picture = Image.new("RGB", size, "gray")
    assert faces.detect_or_whole(picture) == []
    assert faces.detect_or_whole(picture, cropped=True) == [faces.whole(picture)]


def test_an_image_that_a_face_fills_is_a_crop_and_a_photograph_is_not(astronaut, astronaut_box):
    filled = faces.sample_picture("drawn_happy")
    assert faces.detect_or_whole(filled) == [faces.whole(filled)]
    assert faces.detect_or_whole(astronaut) == [astronaut_box]
