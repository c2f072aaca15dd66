"""High and low frequencies: they add up, follow NumPy's transform, and keep the promises of their masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.layers.frequency import radial_mask
from workbench.analysis.frequency import (
    frequency_images,
    likeness,
    log_amplitude,
    radial_profile,
    response_to_cutoff,
    split_frequencies,
    swap_bands,
)

MASKS = ("ideal", "gaussian", "butterworth")
sides = st.integers(1, 40)
cutoffs = st.floats(0, 1)


def image(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None)
@given(sides, sides, cutoffs, st.sampled_from(MASKS))
def test_high_and_low_add_up_to_the_image(height, width, cutoff, mask):
    x = image(2, height, width)
    high, low = split_frequencies(x, cutoff, mask)
    assert high.shape == low.shape == x.shape
    assert (high + low - x).abs().max() <= 1e-6
    assert high.mean((-2, -1)).abs().max() <= 1e-6, "the mean is frequency 0"


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("shape", [(48, 48), (31, 44), (30, 17)])
def test_the_low_part_equals_the_full_transform_written_out_in_numpy(mask, shape):
    x, c = image(*shape).double(), 0.2
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


def test_a_frequency_exactly_at_the_ideal_cutoff_is_kept_for_every_side():
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


def test_the_cutoff_of_each_mask_is_at_its_radius():
    bin_12_of_48 = {mask: radial_mask(48, 48, 0.25, mask)[0, 12].item() for mask in MASKS}
    assert bin_12_of_48 == pytest.approx({"ideal": 1, "gaussian": np.exp(-0.5), "butterworth": 0.5}, abs=1e-6)
    assert radial_mask(48, 48, 0.25)[0, 13] == 0


def test_the_ends_of_the_slider_are_the_mean_and_the_whole_image():
    x = image(20, 24)
    torch.testing.assert_close(split_frequencies(x, 0)[1], x.mean().expand(20, 24))
    torch.testing.assert_close(split_frequencies(x, 1)[1], x)


def test_a_gradient_flows_through_both_parts():
    x = image(2, 9, 7).double().requires_grad_()
    for mask in MASKS:
        assert torch.autograd.gradcheck(lambda x, mask=mask: split_frequencies(x, 0.2, mask), x)


def test_half_precision_and_whole_numbers_are_computed_in_float32():
    x = (image(3, 16, 16) * 255).round()
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
        split_frequencies(**({"x": image(4, 4)} | wrong))


def test_a_mask_without_extent_is_refused():
    with pytest.raises(ValueError, match="height=0"):
        radial_mask(0, 4, 0.25)


def test_the_images_for_a_page_share_the_scale_0_to_1():
    x = image(3, 48, 48)
    shown = frequency_images(x, 0.1)
    high, low = split_frequencies(x, 0.1)
    torch.testing.assert_close(shown.original, x)
    torch.testing.assert_close(shown.high, 0.5 + high / 2)
    torch.testing.assert_close(shown.low, low.clamp(0, 1))
    assert shown.detail.shape == (3,)
    assert (shown.detail > 0.5).all(), "noise has most of its contrast in high frequencies"


def test_detail_of_an_image_shrinks_as_the_cutoff_grows_and_a_blank_one_has_none():
    x = image(48, 48)
    details = [frequency_images(x, cutoff / 20).detail.item() for cutoff in range(21)]
    assert details == sorted(details, reverse=True)
    assert details[0] == pytest.approx(1)
    assert details[-1] == pytest.approx(0, abs=1e-6)
    assert frequency_images(torch.full((8, 8), 0.5)).detail == 0


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


# ---- spectra as images and curves


@pytest.mark.parametrize("shape", [(48, 48), (7, 10), (1, 5)])
def test_the_log_amplitude_equals_numpys_with_the_mean_in_the_middle(shape):
    x = image(2, *shape).double()
    expected = np.log(1 + np.abs(np.fft.fftshift(np.fft.fft2(x.numpy()), axes=(1, 2))))
    found = log_amplitude(x)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    middle = found[:, shape[0] // 2, shape[1] // 2]
    torch.testing.assert_close(middle, x.sum((-2, -1)).log1p())


def test_a_stripe_is_two_points_of_the_spectrum_beside_the_middle():
    stripe = torch.cos(2 * torch.pi * 5 / 48 * torch.arange(48.0)).expand(48, 48)
    found = log_amplitude(stripe)
    assert (found > 1).nonzero().tolist() == [[24, 24 - 5], [24, 24 + 5]]
    assert found[24, 29] == pytest.approx(np.log(1 + 48 * 48 / 2), abs=1e-4)


@pytest.mark.parametrize("shape", [(48, 48), (31, 44), (9, 1), (1, 1), (2, 40)])
def test_the_radial_profile_is_the_mean_over_rings_written_out(shape):
    x = image(*shape).double()
    amplitude, side = np.abs(np.fft.fft2(x.numpy())), max(shape)
    rings: dict[int, list[float]] = {}
    for i, f_y in enumerate(np.fft.fftfreq(shape[0])):
        for j, f_x in enumerate(np.fft.fftfreq(shape[1])):
            rings.setdefault(round(np.hypot(f_y, f_x) * side), []).append(amplitude[i, j])
    radius, found = radial_profile(x)
    np.testing.assert_allclose(radius, [ring / side for ring in sorted(rings)], atol=1e-7)
    np.testing.assert_allclose(found, [np.mean(rings[ring]) for ring in sorted(rings)], rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(sides, sides)
def test_every_ring_of_the_profile_has_a_frequency(height, width):
    radius, amplitude = radial_profile(image(2, height, width))
    assert amplitude.shape == (2, len(radius))
    assert amplitude.isfinite().all()


def test_the_profile_of_a_sinusoid_peaks_at_its_frequency_in_units_of_the_cutoff():
    diagonal = torch.cos(2 * torch.pi / 48 * (6 * torch.arange(48.0)[:, None] + 8 * torch.arange(48.0)))
    radius, amplitude = radial_profile(diagonal)
    assert radius[amplitude > 1e-2].tolist() == pytest.approx([10 / 48])  # √(6² + 8²)
    assert split_frequencies(diagonal, 10 / 48)[0].abs().max() < 1e-5
    assert split_frequencies(diagonal, 9.9 / 48)[1].abs().max() < 1e-5


# ---- bands of two images


def waves(*frequencies: int) -> torch.Tensor:
    return sum(torch.cos(2 * torch.pi * f / 48 * torch.arange(48.0)) for f in frequencies).expand(48, 48)


def test_hybrid_images_have_low_frequencies_of_one_and_high_ones_of_the_other():
    first, second = swap_bands(0.3 + waves(3, 20), 0.6 + waves(5, 17), cutoff=0.25)
    torch.testing.assert_close(first, 0.3 + waves(3, 17), atol=1e-5, rtol=0)
    torch.testing.assert_close(second, 0.6 + waves(5, 20), atol=1e-5, rtol=0)


@settings(max_examples=40, deadline=None)
@given(sides, sides, cutoffs, st.sampled_from(MASKS))
def test_swapping_neither_makes_nor_loses_anything(height, width, cutoff, mask):
    a, b = image(2, height, width), image(2, height, width, seed=1)
    first, second = swap_bands(a, b, cutoff, mask)
    torch.testing.assert_close(first + second, a + b, atol=1e-5, rtol=0)
    if mask == "ideal":  # a sharp mask is a projection
        torch.testing.assert_close(swap_bands(first, second, cutoff, mask), (a, b), atol=1e-5, rtol=0)


def test_at_the_ends_of_the_slider_images_swap_all_but_their_mean_or_nothing():
    a, b = image(20, 24), image(20, 24, seed=1)
    torch.testing.assert_close(swap_bands(a, b, 0)[0], b - b.mean() + a.mean())
    torch.testing.assert_close(swap_bands(a, b, 1), (a, b))


def test_images_of_different_sizes_are_not_swapped():
    with pytest.raises(ValueError, match=r"a has shape \(4, 4\) and b \(4, 5\)"):
        swap_bands(image(4, 4), image(4, 5))


# ---- predictions for a band


def heard(images: torch.Tensor) -> torch.Tensor:
    """Amplitudes at frequencies 4 and 15 and the mean, a known "prediction": (n, 48, 48) → (n, 3)."""
    amplitude = torch.fft.rfft2(images).abs() / 48**2
    return torch.stack([2 * amplitude[:, 0, 4], 2 * amplitude[:, 0, 15], amplitude[:, 0, 0]], 1)


def test_a_prediction_that_reads_one_frequency_changes_where_the_cutoff_passes_it():
    calls = []
    cutoffs = [0.0, 3 / 48, 4 / 48, 14 / 48, 15 / 48, 0.5]
    response = response_to_cutoff(lambda p: calls.append(len(p)) or heard(p), 0.5 + waves(4, 15), cutoffs)
    low_4, low_15 = [0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1]
    expected = torch.tensor([low_4, low_15, [0.5] * 6]).T
    torch.testing.assert_close(response.low, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(response.high, torch.tensor([1, 1, 1.0]) - expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(response.whole, torch.tensor([1, 1, 0.5]), atol=1e-5, rtol=0)
    assert response.cutoffs.tolist() == cutoffs
    assert calls == [13], "one call with all images"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cutoffs": []}, "cutoffs is empty"),
        ({"cutoffs": [0.2, 1.5]}, r"cutoff=1\.5"),
        ({"pixels": torch.full((4, 4), torch.nan)}, "pixels contains NaN"),
        ({"mask": "box"}, 'mask="box"'),
        ({"predict": lambda p: p.mean((1, 2))}, r"predict returns \(5,\)"),
        ({"predict": lambda p: torch.zeros(1, 7)}, r"predict returns \(1, 7\).*n = 5"),
        ({"predict": lambda p: torch.full((len(p), 2), torch.nan)}, "predict returns contains NaN"),
    ],
)
def test_a_wrong_argument_of_the_response_is_named(unchecked, wrong, message):
    right = {"predict": lambda p: p.mean(1), "pixels": image(4, 4), "cutoffs": [0.1, 0.2]}
    with pytest.raises(ValueError, match=message):
        response_to_cutoff(**(right | wrong))
