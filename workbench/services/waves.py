"""The frequencies of a face, and what a network answers to a part of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.layers.frequency import Mask

from ..analysis import frequency
from ..analysis.frequency import FrequencyPictures
from ..faces import Face
from .networks import DEFAULT_NETWORK, open_network


def frequencies(
    face: Face, network: str = DEFAULT_NETWORK, cutoff: float = 0.25, mask: Mask = "ideal"
) -> FrequencyPictures:
    """What a network is shown, split at `cutoff` (radius / side) into its slow and its fast waves."""
    return frequency.frequency_pictures(open_network(network).see(face), cutoff, mask)


@dataclass(frozen=True, eq=False)
class Channels:
    """The fast waves of each colour of a face (figure 3 of paper D).

    Attributes:
        names: of the channels.
        high: fast waves around middle gray, in 0..1, (3, S, S).
        likeness: correlation of every pair of them, −1..1, (3, 3).
    """

    names: tuple[str, ...]
    high: Tensor
    likeness: Tensor


def channels(face: Face, cutoff: float = 0.25, mask: Mask = "ideal", size: int = 96) -> Channels:
    """The fast waves of red, green and blue, at `size` pixels a side; no network is asked."""
    rgb = torch.tensor(face.rgb(size)).permute(2, 0, 1) / 255  # (3, S, S)
    high, _ = frequency.split_frequencies(rgb, cutoff, mask)
    return Channels(("red", "green", "blue"), (0.5 + high / 2).clamp(0, 1), frequency.likeness(high))


@dataclass(frozen=True, eq=False)
class FrequencyResponse:
    """What a network answers when it is shown only a part of the frequencies.

    Attributes:
        classes: names of the classes.
        cutoffs: radius / side, rising, (n,).
        low: probabilities for the slow waves alone, (n, K).
        high: probabilities for the fast waves alone, around the picture's mean gray, (n, K).
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
    """What a network answers to the slow and to the fast waves of a face, at `steps` cut-offs from 0.02 to 0.5."""
    net = open_network(network)
    cutoffs = torch.linspace(0.02, 0.5, steps)
    found = frequency.response_to_cutoff(lambda p: net.probabilities(p[:, None]), net.see(face), cutoffs, mask)
    return FrequencyResponse(net.classes, cutoffs, found.low, found.high, found.whole, net.trained)
