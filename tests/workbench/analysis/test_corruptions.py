"""Each corruption has the documented effect."""

from __future__ import annotations

import pytest
import torch

from workbench.analysis.corruptions import CORRUPTIONS, warped
from workbench.analysis.frequency import split_frequencies

ALL = pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=lambda c: c.name)


def image(*shape: int, seed: int = 0) -> torch.Tensor:
    """Smooth and detailed at once, in 0.1..0.9."""
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    slow = torch.sin(torch.arange(shape[-1]) / 5) * torch.cos(torch.arange(shape[-2]) / 7)[:, None]
    return (0.5 + 0.2 * slow + 0.4 * (noise - 0.5)).clamp(0.1, 0.9)


def corrupt(name: str, x: torch.Tensor, value: float, **more) -> torch.Tensor:
    return CORRUPTIONS[name](x, value, **more)


# ---- all of them


@ALL
def test_every_value_changes_the_image_but_the_neutral_one(corruption):
    x = image(2, 1, 48, 48)
    before = x.clone()
    assert list(corruption.values) == sorted(set(corruption.values))
    assert corruption.neutral in corruption.values
    assert corruption.note
    for value in corruption.values:
        changed = corruption(x, value)
        assert changed.shape == x.shape
        assert changed.dtype == x.dtype
        assert torch.equal(changed, x) == (value == corruption.neutral)
        if corruption.name not in ("low-pass", "high-pass"):
            assert changed.min() >= 0
            assert changed.max() <= 1
    assert torch.equal(x, before)


@ALL
def test_the_change_grows_with_the_distance_from_the_neutral_value(corruption):
    x = image(1, 1, 48, 48)
    if corruption.name == "rotation":
        x = x * torch.linspace(0, 1, 48)  # dark on one side, so that turning farther changes more
    distances = [(corruption(x, value) - x).square().mean().item() for value in corruption.values]
    middle = corruption.values.index(corruption.neutral)
    one_side, other_side = distances[: middle + 1], distances[middle:]
    for side in (one_side[::-1], other_side):
        if len(side) > 1:
            assert side[-1] > 0.9 * max(side)
            assert side[1] < 1.1 * min(side[1:])


@ALL
def test_an_image_is_perturbed_equally_alone_and_in_a_batch(corruption):
    x = image(4, 1, 24, 24)
    for value in corruption.values[:2]:
        together = corruption(x, value, seed=7)
        assert torch.equal(together, corruption(x, value, seed=7))
        torch.testing.assert_close(together[3:], corruption(x[3:], value, seed=10))


@ALL
def test_a_value_outside_is_named(corruption):
    for value in (corruption.values[0] - 0.1, corruption.values[-1] + 0.1, float("nan")):
        with pytest.raises(ValueError, match=f"value=.*{corruption.name} takes"):
            corruption(image(1, 1, 8, 8), value)


def test_pixels_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="pixels contains NaN"):
        corrupt("blur", torch.full((1, 1, 8, 8), torch.nan), 1)


# ---- each of them


def test_images_rotate_counterclockwise_shift_right_and_down_and_zoom_at_the_center():
    x = image(2, 1, 12, 12)
    torch.testing.assert_close(warped(x), x)
    torch.testing.assert_close(corrupt("rotation", x, 90), torch.rot90(x, 1, (2, 3)), atol=1e-5, rtol=0)
    torch.testing.assert_close(corrupt("rotation", x, -90), torch.rot90(x, -1, (2, 3)), atol=1e-5, rtol=0)
    torch.testing.assert_close(corrupt("rotation", x, 180), x.flip(2, 3), atol=1e-5, rtol=0)
    moved = warped(x, shift=(0.25, 0.5))
    torch.testing.assert_close(moved[..., 6:, 3:], x[..., :6, :9], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[..., :6, 3:], x[..., :1, :9].expand(2, 1, 6, 9), atol=1e-5, rtol=0)
    torch.testing.assert_close(corrupt("shift", x, 0.25)[..., 3:], x[..., :9], atol=1e-5, rtol=0)
    twice = warped(x, zoom=3.0)
    torch.testing.assert_close(twice[..., 1::3, 1::3][..., 1:-1, 1:-1], x[..., 5:7, 5:7], atol=1e-5, rtol=0)


def test_an_image_of_another_shape_keeps_its_shape():
    x = image(1, 1, 30, 20)
    for corruption in CORRUPTIONS.values():
        assert corruption(x, corruption.values[0]).shape == x.shape
        assert corruption(x, corruption.values[-1]).shape == x.shape


@pytest.mark.parametrize("side", [48, 96])
def test_a_blurred_point_has_the_stated_width_in_pixels_of_48(side):
    x = torch.zeros(1, 1, side, side)
    x[..., side // 2, side // 2] = 1
    spread = corrupt("blur", x, 2)[0, 0]
    away = torch.arange(side) - side // 2
    sigma = (spread.sum(0) * away**2).sum().sqrt().item()
    assert spread.sum().item() == pytest.approx(1, abs=1e-5)
    assert sigma == pytest.approx(2 * side / 48, rel=0.02)


def test_noise_has_the_stated_strength_and_one_pattern_at_every_strength():
    x = torch.full((2, 1, 48, 48), 0.5)
    weak, strong = corrupt("noise", x, 0.02) - x, corrupt("noise", x, 0.1) - x
    assert strong.std().item() == pytest.approx(0.1, rel=0.05)
    torch.testing.assert_close(strong, 5 * weak, atol=1e-5, rtol=0)
    assert not torch.equal(strong[0], strong[1])
    assert not torch.equal(strong, corrupt("noise", x, 0.1, seed=2) - x)


def test_brightness_multiplies_and_contrast_stretches_about_the_mean():
    x = 0.3 + 0.2 * image(1, 1, 24, 24)
    torch.testing.assert_close(corrupt("brightness", x, 1.5), 1.5 * x)
    assert (corrupt("brightness", x, 3) == 1).any()
    torch.testing.assert_close(corrupt("contrast", x, 0.5), x.mean() + 0.5 * (x - x.mean()))


def test_lowest_resolution_and_lowest_cutoff_remove_stripes_and_keep_the_mean():
    stripes = (torch.arange(48) % 2).float().expand(1, 1, 48, 48)
    for name, value in (("resolution", 8), ("low-pass", 0.3)):
        changed = corrupt(name, stripes, value)
        assert changed.std() < 0.05
        assert changed.mean().item() == pytest.approx(0.5, abs=0.01)
    torch.testing.assert_close(corrupt("high-pass", stripes, 0.3), stripes, atol=1e-5, rtol=0)


def test_the_frequency_bands_are_those_of_the_frequency_page():
    x = image(2, 1, 48, 48)
    high, low = split_frequencies(x, 0.2)
    torch.testing.assert_close(corrupt("low-pass", x, 0.2), low)
    torch.testing.assert_close(corrupt("high-pass", x, 0.2), high + x.mean((2, 3), keepdim=True))


def test_the_patch_covers_a_square_of_the_stated_side_in_the_mean_gray():
    x = image(30, 1, 40, 40)
    for share in (0.1, 0.5):
        covered = corrupt("cover", x, share)
        for before, after in zip(x[:, 0], covered[:, 0], strict=True):
            at = (before != after).nonzero()
            assert (at.amax(0) - at.amin(0) + 1).tolist() == [40 * share] * 2
            torch.testing.assert_close(after[tuple(at.T)], before.mean().expand(len(at)))
    places = {tuple((a != b).nonzero()[0].tolist()) for a, b in zip(x[:, 0], covered[:, 0], strict=True)}
    assert len(places) > 20


def test_jpeg_of_a_low_quality_shows_its_blocks():
    x = image(1, 1, 48, 48)
    blocky = corrupt("jpeg", x, 1)[0, 0]
    flat = blocky.unfold(0, 8, 8).unfold(1, 8, 8).std((-2, -1)) < 0.01  # (6, 6)  blocks with nothing but a mean left
    assert flat.double().mean() > 0.5
    assert (corrupt("jpeg", x, 75) - x).abs().max() < 0.15
