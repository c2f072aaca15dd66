"""Curves and maps are exact where the prediction is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from workbench.analysis.corruptions import CORRUPTIONS, Corruption
from workbench.analysis.robustness import accuracy_curve, count_correct, occlusion, response


def image(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


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
