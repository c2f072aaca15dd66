"""What a network answers while the picture gets worse, or a part of it is hidden."""

from __future__ import annotations

from torch import Tensor

from ..analysis import robustness as robustness_analysis
from ..faces import Face
from .answers import predict
from .networks import DEFAULT_NETWORK, class_index, open_network


def robustness(face: Face, network: str, corruption: str) -> robustness_analysis.Response:
    """What a network answers while the picture gets worse: one of `CORRUPTIONS`, at each of its values."""
    net = open_network(network)
    if corruption not in robustness_analysis.CORRUPTIONS:
        known = ", ".join(robustness_analysis.CORRUPTIONS)
        raise ValueError(f'corruption="{corruption}" is not known; there are: {known}')
    found = robustness_analysis.CORRUPTIONS[corruption]
    return robustness_analysis.response(net.probabilities, net.see(face), found)


def occlusion(face: Face, network: str = DEFAULT_NETWORK, class_: str | None = None) -> Tensor:
    """How much the probability of a class falls where a patch of a quarter of the side hides the face, (S, S)."""
    net = open_network(network)
    index = class_index(net, class_ or predict(face, network).answer)
    patch = max(1, net.input_size // 4)
    return robustness_analysis.occlusion(net.probabilities, net.see(face), index, patch, max(1, patch // 3))
