"""The frequencies of a face, and predictions for some of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.layers.frequency import Mask

from ..analysis import frequency
from ..analysis.frequency import FrequencyImages
from ..faces import Face, load_sample, samples
from .networks import DEFAULT_NETWORK, open_network
from .prediction import predict


def frequencies(
    face: Face, network: str = DEFAULT_NETWORK, cutoff: float = 0.25, mask: Mask = "ideal"
) -> FrequencyImages:
    """The input of a network, split at `cutoff` (radius / side) into low and high frequencies."""
    return frequency.frequency_images(open_network(network).see(face), cutoff, mask)


@dataclass(frozen=True, eq=False)
class Channels:
    """The high frequencies of each color channel of a face (figure 3 of paper D).

    Attributes:
        names: names of the channels.
        high: high frequencies around middle gray, in 0..1, (3, S, S).
        correlation: correlation of every pair of them, −1..1, (3, 3).
    """

    names: tuple[str, ...]
    high: Tensor
    correlation: Tensor


def channels(face: Face, cutoff: float = 0.25, mask: Mask = "ideal", size: int = 96) -> Channels:
    """The high frequencies of red, green and blue, at `size` × `size` pixels; needs no network."""
    rgb = torch.tensor(face.rgb(size)).permute(2, 0, 1) / 255  # (3, S, S)
    high, _ = frequency.split_frequencies(rgb, cutoff, mask)
    return Channels(("red", "green", "blue"), (0.5 + high / 2).clamp(0, 1), frequency.likeness(high))


@dataclass(frozen=True, eq=False)
class FrequencyResponse:
    """Predictions of a network for some of the frequencies only.

    Attributes:
        classes: names of the classes.
        cutoffs: radius / side, rising, (n,).
        low: probabilities for the low frequencies alone, (n, K).
        high: probabilities for the high frequencies alone, around the image's mean gray, (n, K).
        whole: probabilities for the whole face, (K,).
        trained: False for random weights.
    """

    classes: tuple[str, ...]
    cutoffs: Tensor
    low: Tensor
    high: Tensor
    whole: Tensor
    trained: bool


def frequency_response(
    face: Face, network: str = DEFAULT_NETWORK, mask: Mask = "ideal", steps: int = 24
) -> FrequencyResponse:
    """Predictions for the low and the high frequencies of a face, at `steps` cut-off frequencies from 0.02 to 0.5."""
    net = open_network(network)
    cutoffs = torch.linspace(0.02, 0.5, steps)
    found = frequency.response_to_cutoff(lambda p: net.probabilities(p[:, None]), net.see(face), cutoffs, mask)
    return FrequencyResponse(net.classes, cutoffs, found.low, found.high, found.whole, net.trained)


# ---- amplitude spectrum


@dataclass(frozen=True, eq=False)
class Amplitude:
    """Amplitude spectrum of the input of a network.

    Attributes:
        plane: log(1 + |FFT|), at least 0, zero frequency in the center, (S, S).
        radius: radial frequency, in cycles per pixel, ascending from 0, (n,).
        profile: mean |FFT| at each radius, (n,).
    """

    plane: Tensor
    radius: Tensor
    profile: Tensor


def amplitude(face: Face, network: str = DEFAULT_NETWORK) -> Amplitude:
    """Amplitude spectrum of a face, in two dimensions and averaged over directions."""
    pixels = open_network(network).see(face)
    return Amplitude(frequency.log_amplitude(pixels), *frequency.radial_profile(pixels))


# ---- hybrid images


@dataclass(frozen=True, eq=False)
class BandSwap:
    """Predictions of a network for two faces, and for their two hybrid images.

    Attributes:
        classes: names of the classes.
        images: the face; the other one; low frequencies of the face with high ones of the other; the reverse. Not
            cut to 0..1, (4, S, S).
        probabilities: probabilities of the four, (4, K).
        trained: False for random weights.
    """

    classes: tuple[str, ...]
    images: Tensor
    probabilities: Tensor
    trained: bool

    @property
    def predicted(self) -> tuple[int, ...]:
        """Index of the predicted class of each of the four images."""
        return tuple(self.probabilities.argmax(1).tolist())

    @property
    def follows(self) -> tuple[str, str]:
        """Whose low or high frequencies decide each hybrid's prediction: "low", "high", "both" or "neither"."""
        face, other, mixed, mixed_back = self.predicted
        return _follows(mixed, low=face, high=other), _follows(mixed_back, low=other, high=face)


def _follows(predicted: int, low: int, high: int) -> str:
    if low == high:
        return "both" if predicted == low else "neither"
    return {low: "low", high: "high"}.get(predicted, "neither")


def band_swap(
    face: Face, other: Face, network: str = DEFAULT_NETWORK, cutoff: float = 0.25, mask: Mask = "ideal"
) -> BandSwap:
    """Predictions when two faces exchange the frequencies above `cutoff` (radius / side)."""
    net = open_network(network)
    a, b = net.see(face), net.see(other)
    images = torch.stack([a, b, *frequency.swap_bands(a, b, cutoff, mask)])
    return BandSwap(net.classes, images, net.probabilities(images[:, None]), net.trained)


@dataclass(frozen=True, eq=False)
class SwapResponse:
    """Predictions for low frequencies of one face with high frequencies of another, by cut-off frequency.

    Attributes:
        cutoffs: radius / side, rising, (n,).
        probabilities: (n, K).
    """

    cutoffs: Tensor
    probabilities: Tensor


def swap_response(
    face: Face, other: Face, network: str = DEFAULT_NETWORK, mask: Mask = "ideal", steps: int = 24
) -> SwapResponse:
    """Predictions for low frequencies of `face` with high ones of `other`, at cut-off frequencies from 0.02 to 0.5."""
    net = open_network(network)
    cutoffs = torch.linspace(0.02, 0.5, steps)
    a, b = net.see(face), net.see(other)
    mixed = torch.stack([frequency.swap_bands(a, b, float(cutoff), mask)[0] for cutoff in cutoffs])
    return SwapResponse(cutoffs, net.probabilities(mixed[:, None]))


def other_sample(face: Face, network: str = DEFAULT_NETWORK) -> str:
    """Name of the first sample with another prediction than a face; else of another sample."""
    own = predict(face, network).predicted
    others = [sample.name for sample in samples() if load_sample(sample.name).key != face.key]
    return next((name for name in others if predict(load_sample(name), network).predicted != own), others[0])
