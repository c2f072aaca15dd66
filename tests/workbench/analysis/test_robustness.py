"""Corruptions have the documented effect; curves and maps are exact where the prediction is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from workbench.analysis.corruptions import CORRUPTIONS, Corruption, warped
from workbench.analysis.frequency import split_frequencies
from workbench.analysis.robustness import accuracy_curve, count_correct, occlusion, response

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


def test_images_rotate_counter_clockwise_shift_right_and_down_and_grow_about_the_center():
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


def test_the_lowest_resolution_and_the_lowest_cutoff_remove_stripes_and_keep_the_mean():
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


# ---- questions to a network


def bright(pixels: torch.Tensor) -> torch.Tensor:
    """Class 1 for a bright image, as probabilities: p(1) = mean gray."""
    p = pixels.mean((1, 2, 3))
    return torch.stack([1 - p, p], 1)


def test_a_response_is_the_prediction_for_each_perturbed_image():
    x = image(48, 48)
    found = response(bright, x, CORRUPTIONS["brightness"])
    values = CORRUPTIONS["brightness"].values
    assert found.values.tolist() == list(values)
    assert found.images.shape == (len(values), 48, 48)
    for row, value in zip(found.probabilities, values, strict=True):
        assert row[1].item() == pytest.approx((value * x).clamp(max=1).mean().item(), abs=1e-5)
    noisy = CORRUPTIONS["noise"]
    assert torch.equal(response(bright, x, noisy, seed=1).probabilities, response(bright, x, noisy, 1).probabilities)


def gray_set(n: int = 150) -> tuple[torch.Tensor, torch.Tensor]:
    """Every third image 0.2, the others 0.8 bright; `bright` is right about all of them."""
    labels = (torch.arange(n) % 3 > 0).long()
    return torch.where(labels == 1, 0.8, 0.2)[:, None, None, None].expand(n, 1, 8, 8).contiguous(), labels


def test_the_curve_falls_where_the_cause_is_taken_away():
    images, labels = gray_set()
    found = accuracy_curve(bright, images, labels, CORRUPTIONS["brightness"])
    expected = [1 if 0.8 * v > 0.5 and 0.2 * v < 0.5 else 2 / 3 if 0.2 * v >= 0.5 else 1 / 3 for v in found.values]
    assert found.accuracy.tolist() == pytest.approx(expected)
    assert {round(v, 3) for v in expected} == {0.333, 0.667, 1}
    assert found.images == 150
    ends = binomtest(50, 150).proportion_ci(0.95, method="wilson")
    assert found.interval[0].tolist() == pytest.approx([ends.low, ends.high])
    assert accuracy_curve(bright, images, labels, CORRUPTIONS["rotation"]).accuracy.unique().tolist() == [1]


def test_batches_do_not_change_what_is_drawn():
    images = image(100, 1, 16, 16)
    noisy, seen = CORRUPTIONS["noise"], []

    def answer(pixels):
        seen.append(pixels)
        return bright(pixels)

    count_correct(answer, images, torch.zeros(100, dtype=torch.long), noisy, 0.1, seed=3)
    assert len(seen) > 1
    assert torch.equal(torch.cat(seen), noisy(images, 0.1, seed=3))


def test_progress_rises_to_all_predictions_and_known_ones_are_not_computed_again():
    images, labels = gray_set(70)
    blur, steps, asked = CORRUPTIONS["blur"], [], []

    def answer(pixels):
        asked.append(len(pixels))
        return bright(pixels)

    whole = accuracy_curve(answer, images, labels, blur, steps.append)
    assert steps == sorted(steps)
    assert steps[-1] == sum(asked) == 70 * len(blur.values)
    asked.clear()
    steps.clear()
    known = accuracy_curve(answer, images, labels, blur, steps.append, unperturbed=35)
    assert sum(asked) == 70 * (len(blur.values) - 1)
    assert steps[-1] == 70 * len(blur.values)
    assert known.accuracy[0] == 0.5
    assert torch.equal(known.accuracy[1:], whole.accuracy[1:])


@pytest.mark.parametrize(("n", "m"), [(0, 0), (2, 1)])
def test_an_empty_set_is_refused(unchecked, n, m):
    images, labels = gray_set(3)
    with pytest.raises(ValueError, match=f"images and labels have {n} and {m} entries"):
        accuracy_curve(bright, images[:n], labels[:m], CORRUPTIONS["blur"])


def test_a_custom_corruption_can_be_measured():
    images, labels = gray_set(30)
    negative = Corruption("negative", "Negative", "0 or 1", (0, 1), 0, "Black for white.", lambda x, value, seed: 1 - x)
    assert accuracy_curve(bright, images, labels, negative).accuracy.tolist() == [1, 0]


# ---- occlusion


def corner(pixels: torch.Tensor) -> torch.Tensor:
    """Class 1 for a bright square of 8 pixels at row 8, column 16; nothing else counts."""
    p = pixels[:, 0, 8:16, 16:24].mean((1, 2))
    return torch.stack([1 - p, p], 1)


def test_the_map_shows_the_region_that_matters_with_the_sign_of_the_class():
    x = torch.zeros(32, 48)
    x[8:16, 16:24] = 1
    found = occlusion(corner, x, class_=1, patch=8, stride=8, fill=0.0)
    expected = torch.zeros(32, 48)
    expected[8:16, 16:24] = 1  # covered in black, the probability falls from 1 to 0
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(occlusion(corner, x, class_=0, patch=8, stride=8, fill=0.0), -expected)


@pytest.mark.parametrize(("patch", "stride"), [(8, 4), (12, 4), (7, 3), (5, 5)])
def test_the_map_is_the_mean_drop_of_the_patches_over_a_pixel(patch, stride):
    x = image(32, 48)
    drop, times = np.zeros((32, 48)), np.zeros((32, 48))
    for top in range(0, 32 - patch + stride, stride):
        for left in range(0, 48 - patch + stride, stride):
            covered = x.clone()
            covered[top : top + patch, left : left + patch] = x.mean()
            lost = (corner(x[None, None]) - corner(covered[None, None]))[0, 1].item()
            drop[top : top + patch, left : left + patch] += lost
            times[top : top + patch, left : left + patch] += 1
    assert times.min() > 0
    np.testing.assert_allclose(occlusion(corner, x, 1, patch, stride), drop / times, atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"class_": 2}, "class_=2: the network has 2 classes"),
        ({"class_": -1}, "class_=-1"),
        ({"patch": 33}, "patch=33: give a side of 1 to 32"),
        ({"patch": 0}, "patch=0"),
        ({"stride": 0}, "stride=0"),
        ({"patch": 8, "stride": 9}, "stride=9: give steps of 1 to 8"),
        ({"pixels": torch.full((32, 48), torch.nan)}, "pixels contains NaN"),
    ],
)
def test_a_wrong_argument_of_the_map_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        occlusion(**({"predict": corner, "pixels": image(32, 48), "class_": 1} | wrong))
