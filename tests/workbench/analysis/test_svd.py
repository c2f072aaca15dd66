"""Singular values and rank-k images, beside NumPy's decomposition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.analysis.svd import energy, rank_k, rank_one_terms, response_to_rank, singular_spectrum

sides = st.integers(1, 20)


def image(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=40, deadline=None)
@given(sides, sides)
def test_singular_values_equal_numpys_and_descend(height, width):
    x = image(2, 3, height, width)
    sigma = singular_spectrum(x)
    assert sigma.shape == (2, 3, min(height, width))
    assert (sigma.diff(dim=-1) <= 0).all()
    np.testing.assert_allclose(sigma, np.linalg.svd(x.numpy(), compute_uv=False), atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(sides, sides, st.data())
def test_a_rank_k_image_equals_numpys_and_its_distance_is_what_was_left_out(height, width, data):
    k = data.draw(st.integers(0, min(height, width)))
    x = image(2, height, width)
    nearest = rank_k(x, k)
    U, sigma, Vt = np.linalg.svd(x.numpy(), full_matrices=False)
    np.testing.assert_allclose(nearest, U[..., :k] * sigma[:, None, :k] @ Vt[:, :k], atol=1e-10)
    left_out = (sigma[:, k:] ** 2).sum(-1)
    np.testing.assert_allclose((x - nearest).square().sum((-2, -1)), left_out, atol=1e-9)
    assert (torch.linalg.matrix_rank(nearest) <= k).all()


def test_no_other_image_of_the_same_rank_is_nearer():
    x = image(12, 9)
    best = (x - rank_k(x, 3)).norm()
    for seed in range(20):
        other = rank_k(x, 3) + 0.05 * rank_k(image(12, 9, seed=seed + 1) - 0.5, 3)
        assert (x - rank_k(other, 3)).norm() > best


def test_the_first_and_the_last_rank_are_nothing_and_everything():
    x = image(3, 10, 14).float()
    assert torch.equal(rank_k(x, 0), torch.zeros(3, 10, 14))
    torch.testing.assert_close(rank_k(x, 10), x, atol=1e-5, rtol=0)
    assert rank_k(x, 4).dtype == torch.float32


def test_stripes_are_one_term():
    stripes = torch.outer(torch.arange(1.0, 7), torch.tensor([1.0, -1, 1, -1]))
    sigma = singular_spectrum(stripes)
    assert sigma[1:].max() < 1e-5 * sigma[0]
    torch.testing.assert_close(rank_k(stripes, 1), stripes)
    assert energy(sigma)[0] == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(sides, sides)
def test_energy_rises_to_one_and_is_the_share_that_rank_k_keeps(height, width):
    x = image(height, width)
    held = energy(singular_spectrum(x))
    assert (held.diff() >= 0).all()
    assert held[-1] == 1
    shares = [rank_k(x, k + 1).square().sum() / x.square().sum() for k in range(len(held))]
    np.testing.assert_allclose(held, shares, atol=1e-10)


def test_energy_survives_blank_huge_and_tiny_images():
    assert torch.equal(energy(torch.zeros(2, 3)), torch.ones(2, 3))
    expected = torch.tensor([0.8, 1.0])
    for scale in (1e-30, 1.0, 1e30):
        torch.testing.assert_close(energy(scale * torch.tensor([2.0, 1.0])), expected)


def test_half_precision_and_whole_numbers_are_computed_in_float32():
    x = (image(6, 6) * 255).round()
    for dtype in (torch.uint8, torch.bfloat16):
        assert singular_spectrum(x.to(dtype)).dtype == torch.float32
    torch.testing.assert_close(singular_spectrum(x.to(torch.uint8)), singular_spectrum(x.float()))


@pytest.mark.parametrize("k", [-1, 6, 2.5])
def test_a_rank_outside_the_image_is_named(unchecked, k):
    with pytest.raises(ValueError, match=rf"k={k}: give a whole number from 0 to 5"):
        rank_k(image(5, 9), k)


@pytest.mark.parametrize("function", [singular_spectrum, lambda x: rank_k(x, 0)])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.full((3, 3), torch.nan), "x contains NaN"),
        (torch.full((3, 3), torch.inf), "x contains NaN or infinite"),
        (torch.zeros(3), r"x has shape \(3,\)"),
        (torch.zeros(3, 0), "x has shape"),
        (torch.zeros(3, 3, dtype=torch.complex64), "x is complex"),
    ],
)
def test_an_image_that_has_no_spectrum_is_named(function, x, message):
    with pytest.raises(ValueError, match=message):
        function(x)


@pytest.mark.parametrize(
    ("sigma", "message"),
    [
        (torch.tensor([1.0, -1.0]), "sigma contains negative"),
        (torch.tensor([1.0, torch.nan]), "sigma contains NaN"),
        (torch.zeros(0), "sigma has shape"),
    ],
)
def test_energy_of_what_are_no_singular_values_is_refused(sigma, message):
    with pytest.raises(ValueError, match=message):
        energy(sigma)


@settings(max_examples=40, deadline=None)
@given(sides, sides, st.data())
def test_rank_one_terms_add_up_to_the_rank_k_image_and_their_signs_are_fixed(height, width, data):
    k = data.draw(st.integers(1, min(height, width)))
    x = image(2, height, width)
    u, sigma, v = rank_one_terms(x, k)
    together = (sigma[..., None, None] * u[..., :, None] * v[..., None, :]).sum(1)
    np.testing.assert_allclose(together, rank_k(x, k), atol=1e-10)
    largest = u.gather(-1, u.abs().argmax(-1, keepdim=True))
    assert (largest > 0).all()
    torch.testing.assert_close(u.norm(dim=-1), torch.ones(2, k, dtype=x.dtype))


@pytest.mark.parametrize("k", [0, 7])
def test_a_number_of_terms_outside_the_image_is_named(k):
    with pytest.raises(ValueError, match=f"k={k}: give a whole number from 1 to 6"):
        rank_one_terms(torch.rand(6, 8), k)


# ---- predictions for low ranks


def test_a_prediction_that_measures_the_squared_length_follows_the_energy_curve():
    x, calls = image(9, 12), []
    response = response_to_rank(lambda p: calls.append(len(p)) or p.square().sum((-2, -1))[:, None], x)
    assert response.ranks.tolist() == list(range(1, 10))
    torch.testing.assert_close(response.predictions[:, 0] / response.whole, energy(singular_spectrum(x)))
    assert calls == [10], "one call with all images"


@pytest.mark.parametrize("shape", [(9, 12), (12, 9), (1, 4)])
def test_the_approximation_of_every_rank_reaches_the_network(shape):
    x, seen = image(*shape), []
    ranks = [min(shape), 0, 1, min(shape) // 2]
    response = response_to_rank(lambda p: seen.append(p) or p.flatten(1), x, ranks)
    for k, shown, answer in zip(ranks, seen[0][1:], response.predictions, strict=True):
        torch.testing.assert_close(shown, rank_k(x, k), atol=1e-10, rtol=0)
        assert torch.equal(answer, shown.flatten())
    assert torch.equal(response.whole, x.flatten())
    assert response.ranks.tolist() == ranks


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ranks": []}, r"ranks=\[\]: give one or more whole numbers from 0 to 4"),
        ({"ranks": [1, 5]}, r"ranks=\[1, 5\]"),
        ({"ranks": [-1]}, r"ranks=\[-1\]"),
        ({"pixels": torch.full((4, 4), torch.nan)}, "pixels contains NaN"),
        ({"predict": lambda p: p}, r"predict returns \(5, 4, 6\)"),
    ],
)
def test_a_wrong_argument_of_the_response_is_named(unchecked, wrong, message):
    right = {"predict": lambda p: p.mean(1), "pixels": image(4, 6)}
    with pytest.raises(ValueError, match=message):
        response_to_rank(**(right | wrong))
