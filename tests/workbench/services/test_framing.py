"""The frame round a face: moved, resized, turned, with fewer pixels."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from workbench import faces, services
from workbench.faces import Box
from workbench.services.framing import Framed, Move


@pytest.fixture(scope="module")
def astronaut():
    return faces.sample_picture("astronaut"), faces.load_sample("astronaut")


def test_a_frame_that_was_not_moved_is_the_face_that_was_found(astronaut):
    picture, face = astronaut
    found = services.framing.framed(picture, face.box, "residual_cnn")
    assert found.box == face.box
    torch.testing.assert_close(found.pixels, services.networks.open_network("residual_cnn").see(face))
    torch.testing.assert_close(found.prediction.probabilities, services.predict(face).probabilities)
    torch.testing.assert_close(found.map, services.explain(face).map_of("happy"))


def test_a_frame_moves_in_shares_of_its_side_and_keeps_its_center_when_it_grows():
    box = Box(10, 20, 40, 40, 30)
    moved = Move(right=0.5, down=-0.25).of(box)
    assert (moved.left, moved.top, moved.side, moved.angle) == (30, 10, 40, 30)
    grown = Move(size=2).of(box)
    assert (grown.center, grown.side) == (box.center, 80)
    assert Move(angle=20).of(box).angle == 50
    assert Move(angle=170).of(box).angle == -160


def test_a_frame_that_moves_to_the_right_shows_what_lies_there():
    pixels = np.zeros((96, 192, 3), np.uint8)
    pixels[:, 96:] = 255
    picture, box = Image.fromarray(pixels), Box(0, 0, 96, 96)
    assert services.framing.framed(picture, box, "residual_cnn").pixels.max() == 0
    moved = services.framing.framed(picture, box, "residual_cnn", move=Move(right=0.5)).pixels
    assert moved[:, :20].max() < 0.05
    assert moved[:, -20:].min() > 0.95


def test_a_frame_that_is_rotated_shows_the_face_rotated_the_other_way():
    picture = faces.sample_picture("drawn_happy")
    box = faces.whole(picture)
    upright = services.framing.framed(picture, box, "residual_cnn").pixels
    turned = services.framing.framed(picture, box, "residual_cnn", move=Move(angle=90)).pixels
    assert (turned - upright.rot90(-1)).abs().mean() < 0.02  # clockwise
    assert (turned - upright.rot90(1)).abs().mean() > 0.05


def test_fewer_pixels_leave_a_smoother_image(astronaut):
    picture, face = astronaut
    whole, coarse = (
        services.framing.framed(picture, face.box, "residual_cnn", move=Move(resolution=side)).pixels
        for side in (48, 8)
    )
    assert coarse.diff().abs().mean() < 0.5 * whole.diff().abs().mean()


def test_a_class_that_does_not_exist_is_named(astronaut):
    picture, face = astronaut
    with pytest.raises(ValueError, match='class_="bored"'):
        services.framing.framed(picture, face.box, "residual_cnn", "bored")


def test_a_network_without_a_layer_for_maps_has_none(astronaut):
    picture, face = astronaut
    found = services.framing.framed(picture, face.box, "ensemble")
    assert found.map is None
    assert math.isnan(services.framing.map_correlation(found, found))


def looking(box: Box, of_picture, size: int = 48) -> Framed:
    """A frame whose map is a function of the place on the whole picture."""
    half = box.side / 2
    steps = ((2 * torch.arange(size) + 1) / size - 1) * half
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    cos, sin = math.cos(math.radians(box.angle)), math.sin(math.radians(box.angle))
    on_x, on_y = box.center[0] + x * cos + y * sin, box.center[1] - x * sin + y * cos
    return Framed(box, torch.zeros(size, size), None, of_picture(on_x, on_y))


def blob(x, y):
    return torch.exp(-((x - 60) ** 2 + (y - 80) ** 2) / 800)


@pytest.mark.parametrize(
    "move", [Move(), Move(right=0.2, down=0.1), Move(size=1.4), Move(angle=30), Move(0.1, -0.1, 0.8, 75)]
)
def test_maps_that_mark_the_same_places_of_the_image_are_alike_in_every_frame(move):
    box = Box(30, 40, 70, 70, -10)
    a, b = looking(box, blob), looking(move.of(box), blob)
    assert services.framing.map_correlation(a, b) > 0.98
    against = looking(move.of(box), lambda x, y: 1 - blob(x, y))
    assert services.framing.map_correlation(a, against) < -0.98


def test_maps_that_cannot_be_compared_have_no_likeness():
    box = Box(0, 0, 48, 48)
    a = looking(box, blob)
    blank = looking(box, lambda x, y: torch.zeros_like(x))
    assert math.isnan(services.framing.map_correlation(a, blank))
    assert math.isnan(services.framing.map_correlation(a, looking(Box(400, 0, 48, 48), blob)))


def test_the_middle_of_the_grid_is_the_prediction_to_the_frame_as_it_was_found(astronaut):
    picture, face = astronaut
    grid = services.framing.frame_grid(picture, face.box, "residual_cnn", (-0.2, 0, 0.3), (0.5, 1))
    assert grid.probabilities.shape == (2, 3, 7)
    torch.testing.assert_close(grid.probabilities[1, 1], services.predict(face).probabilities, atol=1e-5, rtol=1e-4)
    moved = services.framing.framed(picture, face.box, "residual_cnn", move=Move(right=0.3, size=0.5))
    torch.testing.assert_close(grid.probabilities[0, 2], moved.prediction.probabilities, atol=1e-5, rtol=1e-4)
    same = grid.probabilities.argmax(-1) == grid.probabilities[1, 1].argmax()
    assert grid.agreeing == int(same.sum()) < 6


def test_frames_outside_of_the_image_have_no_prediction_and_are_not_counted():
    grid = services.framing.frame_grid(
        Image.new("RGB", (96, 96), "gray"), Box(-24, 24, 48, 48), "residual_cnn", (-0.6, 0), (0.5, 1)
    )
    assert grid.probabilities.isnan().all(-1).tolist() == [[True, False], [True, False]]
    assert grid.count == 2
    assert grid.agreeing == 2
