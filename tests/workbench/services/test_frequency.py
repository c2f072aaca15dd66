"""Amplitude spectra and hybrid images."""

import pytest
import torch

from workbench import faces, services
from workbench.analysis.frequency import split_frequencies
from workbench.services.frequency import BandSwap


@pytest.fixture(scope="module")
def pair():
    return faces.load_sample("astronaut"), faces.load_sample("grace_hopper")


def test_the_amplitude_spectrum_is_that_of_the_networks_input(pair):
    found = services.frequency.amplitude(pair[0])
    pixels = services.networks.open_network(services.networks.DEFAULT_NETWORK).see(pair[0])
    assert found.plane.shape == pixels.shape
    assert found.plane[24, 24] == found.plane.max() == pytest.approx(float(pixels.sum().log1p()), rel=1e-5)
    assert found.profile[0] == pytest.approx(float(pixels.sum()), rel=1e-5)
    assert (found.radius.diff() > 0).all()


def test_hybrid_images_of_two_faces_have_the_sum_of_the_faces(pair):
    found = services.frequency.band_swap(*pair, cutoff=0.15)
    a, b, mixed, back = found.images
    torch.testing.assert_close(a + b, mixed + back, atol=1e-5, rtol=0)
    slow_of = [split_frequencies(picture, 0.15)[1] for picture in (a, mixed, b, back)]
    torch.testing.assert_close(slow_of[0], slow_of[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(slow_of[2], slow_of[3], atol=1e-5, rtol=0)
    torch.testing.assert_close(found.probabilities[0], services.predict(pair[0]).probabilities, atol=1e-5, rtol=1e-4)


def swapped(*predicted: int) -> BandSwap:
    return BandSwap(
        ("a", "b", "c"), torch.zeros(4, 2, 2), torch.nn.functional.one_hot(torch.tensor(predicted), 3), True
    )


@pytest.mark.parametrize(
    ("predicted", "follows"),
    [
        ((0, 1, 0, 1), ("low", "low")),
        ((0, 1, 1, 0), ("high", "high")),
        ((0, 1, 0, 0), ("low", "high")),
        ((0, 1, 2, 1), ("neither", "low")),
        ((0, 0, 0, 1), ("both", "neither")),
    ],
)
def test_a_hybrid_follows_the_frequencies_of_the_face_with_its_prediction(predicted, follows):
    assert swapped(*predicted).follows == follows


def test_the_mixture_goes_from_the_other_face_to_this_one_as_the_cut_off_rises(pair):
    found = services.frequency.swap_response(*pair, steps=6)
    this, other = (services.predict(face).probabilities for face in pair)
    assert found.probabilities.shape == (6, 7)
    assert (found.probabilities[-1] - this).abs().max() < 0.1
    assert found.probabilities[0].argmax() == other.argmax()
    at = services.frequency.band_swap(*pair, cutoff=float(found.cutoffs[2]))
    torch.testing.assert_close(found.probabilities[2], at.probabilities[2], atol=1e-5, rtol=1e-4)


def test_the_other_sample_of_a_face_gets_another_prediction_and_is_another_face(pair):
    other_sample = services.frequency.other_sample(pair[0])
    assert services.predict(faces.load_sample(other_sample)).predicted != services.predict(pair[0]).predicted
    drawn = faces.load_sample("drawn_sad")
    assert services.frequency.other_sample(drawn) != "drawn_sad"
