"""From stored pixels to the network's input, and the views of test-time augmentation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.preprocessing import TTA, mean_log_probability, normalize, to_unit, views


def pictures(side: int = 48) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, side, side), dtype=np.uint8))


def test_pixels_become_numbers_from_zero_to_one_and_keep_their_places():
    images = pictures()
    x = to_unit(images, 48)
    assert x.shape == (3, 1, 48, 48)
    assert torch.equal((x[:, 0] * 255).round().to(torch.uint8), images)
    assert to_unit(torch.full((1, 4, 4), 255, dtype=torch.uint8), 4).unique().tolist() == [1.0]


def test_floats_in_either_range_give_what_integers_give():
    images = pictures()
    for same in (images.float(), images.float() / 255, images.double() / 255, images.int()):
        torch.testing.assert_close(to_unit(same, 32), to_unit(images, 32), atol=1e-6, rtol=0)


@pytest.mark.parametrize("wrong", [float("nan"), 300.0, -2, 256])
def test_values_beyond_every_range_are_an_error(wrong):
    with pytest.raises(ValueError, match=r"0\.\.255"):
        to_unit(torch.full((1, 8, 8), wrong), 8)


def test_shrinking_averages_instead_of_skipping_pixels():
    board = torch.zeros(1, 48, 48, dtype=torch.uint8)
    board[:, ::2, ::2] = 200
    board[:, 1::2, 1::2] = 200
    small = to_unit(board, 16)[..., 4:-4, 4:-4]  # the border sees fewer pixels
    torch.testing.assert_close(small, torch.full_like(small, 100 / 255), atol=0.02, rtol=0)


def test_another_size_is_reached_in_both_directions():
    assert to_unit(pictures(48), 32).shape == (3, 1, 32, 32)
    assert to_unit(pictures(48), 64).shape == (3, 1, 64, 64)


def test_normalized_training_pixels_have_mean_zero_and_deviation_one():
    x = to_unit(pictures(), 48)
    y = normalize(x, x.mean().item(), x.std(correction=0).item())
    assert abs(y.mean().item()) < 1e-5
    assert abs(y.std(correction=0).item() - 1) < 1e-5


def test_the_views_of_flip_are_the_image_and_its_mirror_image():
    x = torch.rand(2, 1, 48, 48)
    (plain,) = views(x, "plain")
    assert plain is x
    same, mirrored = views(x, "flip")
    assert torch.equal(same, x)
    assert torch.equal(mirrored[..., 0], x[..., -1])
    assert torch.equal(mirrored.flip(-1), x)


@pytest.mark.parametrize("size", [48, 64])
def test_ten_crop_has_five_places_and_their_mirror_images_at_full_size(size):
    x = torch.rand(2, 1, size, size)
    crops = views(x, "ten-crop")
    assert [crop.shape for crop in crops] == [x.shape] * 10
    for crop, mirrored in zip(crops[:5], crops[5:], strict=True):
        assert torch.equal(crop.flip(-1), mirrored)
    assert len({tuple(crop.flatten().tolist()) for crop in crops}) == 10


def test_the_crops_show_the_corners_and_the_center():
    x = torch.zeros(1, 1, 48, 48)
    x[..., :2, :2] = 1  # top left
    x[..., 46:, :2] = 2  # bottom left
    crops = views(x, "ten-crop")
    corners = [(c[0, 0, 0, 0].item(), c[0, 0, -1, 0].item()) for c in crops[:5]]
    assert sorted(corners) == [(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 2.0), (1.0, 0.0)]
    center = torch.zeros(1, 1, 48, 48)
    center[..., 23:25, 23:25] = 1
    middle = views(center, "ten-crop")[4]
    torch.testing.assert_close(middle, middle.flip(-1), atol=1e-5, rtol=0)
    torch.testing.assert_close(middle, middle.flip(-2), atol=1e-5, rtol=0)


def test_an_unknown_way_to_average_names_the_known_ones():
    with pytest.raises(ValueError, match="mirror") as error:
        views(torch.rand(1, 1, 48, 48), "mirror")
    assert all(name in str(error.value) for name in TTA)


def test_the_average_over_views_is_the_log_of_the_mean_probability():
    logits = [torch.randn(4, 7) * 5 for _ in range(3)]
    softmax = [np.exp(x.double().numpy()) / np.exp(x.double().numpy()).sum(-1, keepdims=True) for x in logits]
    found = mean_log_probability(logits)
    np.testing.assert_allclose(found.numpy(), np.log(np.mean(softmax, axis=0)), atol=1e-4)
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(4))


def test_the_average_survives_logits_that_overflow_an_exponential():
    found = mean_log_probability([torch.tensor([[1000.0, 0.0]]), torch.tensor([[0.0, 1000.0]])])
    torch.testing.assert_close(found, torch.full((1, 2), 0.5).log())


def test_one_view_keeps_its_logits():
    logits = torch.randn(4, 7)
    assert mean_log_probability([logits]) is logits
