"""A map over a face: zero is clear, strong is bright, and the image is a file that opens."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from workbench.analysis.overlay import overlay, png


def test_where_the_map_is_zero_the_face_shows_and_where_it_is_strong_the_color():
    pixels, heat = torch.full((4, 4), 0.5), torch.zeros(4, 4)
    heat[0, 0], heat[3, 3] = 2.0, 1.0
    image = overlay(pixels, heat, opacity=1.0)
    assert image[1, 1].tolist() == [128, 128, 128]
    assert image[0, 0].tolist() == pytest.approx([252, 255, 164], abs=2), "the brightest color of inferno"
    assert 128 < image[3, 3].max() < 255
    assert np.ptp(image[3, 3].astype(int)) > 30


def test_a_shared_scale_keeps_a_weak_map_weak_and_a_blank_one_invisible():
    pixels, weak = torch.full((3, 3), 0.2), torch.full((3, 3), 0.1)
    changes = [np.abs(overlay(pixels, weak, top).astype(int) - 51).max() for top in (None, 1.0, 10.0)]
    assert changes[0] > changes[1] > changes[2] > 0
    assert (overlay(pixels, torch.zeros(3, 3)) == 51).all()


@pytest.mark.parametrize(("argument", "value"), [("opacity", 1.5), ("opacity", -0.1), ("top", -1.0)])
def test_a_value_out_of_range_is_named(argument, value):
    with pytest.raises(ValueError, match=argument):
        overlay(torch.zeros(2, 2), torch.zeros(2, 2), **{argument: value})


def test_an_resized_image_keeps_its_pixel_edges():
    image = np.array([[0, 255], [255, 0]], np.uint8)
    with Image.open(io.BytesIO(png(image, side=8))) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (8, 8)
    assert set(np.unique(pixels)) == {0, 255}
    assert pixels[:4, :4].max() == 0
