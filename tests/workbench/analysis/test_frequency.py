"""High and low frequencies: they add up, follow NumPy's transform, and keep the promises of their masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.layers.frequency import radial_mask
from workbench.analysis.frequency import frequency_pictures, likeness, split_frequencies

MASKS = ("ideal", "gaussian", "butterworth")
sides = st.integers(1, 40)
cutoffs = st.floats(0, 1)


def picture(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None)
@given(sides, sides, cutoffs, st.sampled_from(MASKS))
def test_high_and_low_add_up_to_the_picture(height, width, cutoff, mask):
    x = picture(2, height, width)
    high, low = split_frequencies(x, cutoff, mask)
    assert high.shape == low.shape == x.shape
    assert (high + low - x).abs().max() <= 1e-6
    assert high.mean((-2, -1)).abs().max() <= 1e-6, "the mean is the slowest wave"


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("shape", [(48, 48), (31, 44), (30, 17)])
def test_the_low_part_equals_the_full_transform_written_out_in_numpy(mask, shape):
    x, c = picture(*shape).double(), 0.2
    f_y, f_x = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None]
    r = np.sqrt(f_y**2 + f_x**2)
    M = {"ideal": r <= c + 1e-9, "gaussian": np.exp(-(r**2) / (2 * c**2)), "butterworth": 1 / (1 + (r / c) ** 4)}[mask]
    expected = np.fft.ifft2(M * np.fft.fft2(x.numpy()))
    assert np.abs(expected.imag).max() < 1e-12
    low = split_frequencies(x, c, mask)[1]
    assert low.dtype == torch.float64
    np.testing.assert_allclose(low, expected.real, atol=1e-12)


def test_a_stripe_goes_to_the_side_of_the_cutoff_that_its_frequency_is_on():
    columns = torch.arange(48.0)
    slow, fast = torch.cos(2 * torch.pi * 4 / 48 * columns), torch.cos(2 * torch.pi * 15 / 48 * columns)
    high, low = split_frequencies((0.5 + slow + fast).expand(48, 48), cutoff=0.25)
    torch.testing.assert_close(low, (0.5 + slow).expand(48, 48), atol=1e-5, rtol=0)
    torch.testing.assert_close(high, fast.expand(48, 48), atol=1e-5, rtol=0)


def test_a_wave_exactly_on_the_ideal_circle_is_kept_whatever_the_side():
    for side in range(2, 101):
        for wave in range(side // 2 + 1):
            assert radial_mask(side, side, wave / side)[0, wave] == 1, (side, wave)
            assert radial_mask(side, side, wave / side)[wave, 0] == 1, (side, wave)


@settings(max_examples=60, deadline=None)
@given(sides, sides, cutoffs, cutoffs, st.sampled_from(MASKS))
def test_masks_lie_in_0_to_1_fall_with_the_radius_and_grow_with_the_cutoff(height, width, one, other, mask):
    tight, wide = (radial_mask(height, width, c, mask, dtype=torch.float64) for c in sorted((one, other)))
    assert tight.shape == (height, width // 2 + 1)
    assert tight.min() >= 0
    assert wide.max() <= 1
    assert tight[0, 0] == 1, "the mean always passes"
    assert (tight <= wide).all()
    r = torch.hypot(torch.fft.fftfreq(height, dtype=torch.float64)[:, None], torch.fft.rfftfreq(width).double())
    outward = tight.flatten()[r.flatten().argsort(stable=True)]
    assert (outward.diff() <= 1e-6).all()


def test_the_cutoff_is_where_each_mask_says_it_is():
    bin_12_of_48 = {mask: radial_mask(48, 48, 0.25, mask)[0, 12].item() for mask in MASKS}
    assert bin_12_of_48 == pytest.approx({"ideal": 1, "gaussian": np.exp(-0.5), "butterworth": 0.5}, abs=1e-6)
    assert radial_mask(48, 48, 0.25)[0, 13] == 0


def test_the_ends_of_the_slider_are_the_mean_and_the_whole_picture():
    x = picture(20, 24)
    torch.testing.assert_close(split_frequencies(x, 0)[1], x.mean().expand(20, 24))
    torch.testing.assert_close(split_frequencies(x, 1)[1], x)


def test_a_gradient_flows_through_both_parts():
    x = picture(2, 9, 7).double().requires_grad_()
    for mask in MASKS:
        assert torch.autograd.gradcheck(lambda x, mask=mask: split_frequencies(x, 0.2, mask), x)


def test_half_precision_and_whole_numbers_are_computed_in_float32():
    x = (picture(3, 16, 16) * 255).round()
    right = split_frequencies(x)
    for dtype in (torch.uint8, torch.int64, torch.bfloat16):
        high, low = split_frequencies(x.to(dtype))
        assert high.dtype == low.dtype == torch.float32
        if dtype != torch.bfloat16:
            torch.testing.assert_close((high, low), right)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cutoff": 1.01}, r"cutoff=1\.01"),
        ({"cutoff": -0.1}, r"cutoff=-0\.1"),
        ({"cutoff": float("nan")}, "cutoff=nan"),
        ({"mask": "box"}, 'mask="box".*ideal, gaussian, butterworth'),
        ({"x": torch.full((4, 4), torch.nan)}, "x contains NaN"),
        ({"x": torch.full((4, 4), torch.inf)}, "x contains NaN or infinite"),
        ({"x": torch.zeros(4)}, r"x has shape \(4,\)"),
        ({"x": torch.zeros(2, 0, 4)}, "x has shape"),
        ({"x": torch.zeros(4, 4, dtype=torch.complex64)}, "x is complex"),
    ],
)
def test_a_wrong_argument_is_named(unchecked, wrong, message):
    with pytest.raises(ValueError, match=message):
        split_frequencies(**({"x": picture(4, 4)} | wrong))


def test_a_mask_without_extent_is_refused():
    with pytest.raises(ValueError, match="height=0"):
        radial_mask(0, 4, 0.25)


def test_the_pictures_for_a_page_share_the_scale_0_to_1():
    x = picture(3, 48, 48)
    shown = frequency_pictures(x, 0.1)
    high, low = split_frequencies(x, 0.1)
    torch.testing.assert_close(shown.original, x)
    torch.testing.assert_close(shown.high, 0.5 + high / 2)
    torch.testing.assert_close(shown.low, low.clamp(0, 1))
    assert shown.detail.shape == (3,)
    assert (shown.detail > 0.5).all(), "noise has most of its contrast in fast waves"


def test_the_detail_of_a_picture_shrinks_as_the_cutoff_grows_and_a_blank_one_has_none():
    x = picture(48, 48)
    details = [frequency_pictures(x, cutoff / 20).detail.item() for cutoff in range(21)]
    assert details == sorted(details, reverse=True)
    assert details[0] == pytest.approx(1)
    assert details[-1] == pytest.approx(0, abs=1e-6)
    assert frequency_pictures(torch.full((8, 8), 0.5)).detail == 0


def test_likeness_is_the_correlation_of_every_pair():
    maps = torch.randn(4, 9, 7, generator=torch.Generator().manual_seed(0))
    maps[2] = 3 * maps[0] + 5
    maps[3] = 1.5
    found = likeness(maps)
    expected = np.corrcoef(maps[:3].flatten(1).numpy())
    np.testing.assert_allclose(found[:3, :3], expected, atol=1e-5)
    assert found[0, 2] == pytest.approx(1)
    assert found[3].tolist() == [0, 0, 0, 1]


def test_likeness_wants_a_stack_of_maps():
    with pytest.raises(ValueError, match="maps has shape"):
        likeness(torch.rand(3, 4))
