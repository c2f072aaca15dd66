"""Rectangles on an image."""

import numpy as np
from PIL import Image

from workbench import faces
from workbench.faces import Box


def test_a_box_knows_its_area_and_its_corners_in_drawing_order():
    box = Box(10, 20, 30, 40)
    assert box.area == 1200
    assert box.corners == ((10, 20), (40, 20), (40, 60), (10, 60))


def test_the_corners_of_a_turned_box_turn_counter_clockwise_about_its_center():
    corners = Box(0, 0, 10, 10, angle=90).corners
    np.testing.assert_allclose(corners, [(0, 10), (0, 0), (10, 0), (10, 10)], atol=1e-9)


def test_the_whole_is_the_largest_centerd_square():
    assert faces.whole(Image.new("RGB", (100, 60))) == Box(20, 0, 60, 60)
    assert faces.whole(Image.new("RGB", (60, 101))) == Box(0, 20, 60, 60)
