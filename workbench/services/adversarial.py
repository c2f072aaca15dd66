"""The smallest adversarial change of a face: both predictions, both maps."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from models.preprocessing import luminance

from ..analysis.adversarial import ATTACKS, MOST, AdversarialChange, passes, smallest_change
from ..faces import Face
from .explain import Explanation, explained
from .networks import DEFAULT_NETWORK, open_network

__all__ = ["ATTACKS", "MOST", "Adversarial", "adversarial", "passes"]


@dataclass(frozen=True, eq=False)
class Adversarial:
    """A face before and after the smallest adversarial change.

    Attributes:
        change: what the attack found.
        original: the pixels that it started from, in 0..1, (C, S, S).
        before, after: predictions and maps, each for its own predicted class.
    """

    change: AdversarialChange
    original: Tensor
    before: Explanation
    after: Explanation

    @property
    def difference(self) -> Tensor:
        """The change of each pixel in 8-bit levels, (S, S); of RGB the one of the channel that changes most."""
        change = 255 * (self.change.pixels - self.original)  # (C, S, S)
        return change.gather(0, change.abs().argmax(0, keepdim=True))[0]


def adversarial(face: Face, network: str = DEFAULT_NETWORK, attack: str = "pgd") -> Adversarial:
    """Find the smallest change by an attack that changes a network's prediction for a face, and explain both images.

    Raises:
        ValueError: unknown network or attack.
    """
    net = open_network(network)
    pixels, layer = net.pixels(face), net.spec.cam_layer  # (C, S, S)
    change = smallest_change(net.model, net.normalized, pixels, attack)
    before, after = (
        explained(net, luminance(seen), net.normalized(seen[None]), layer) for seen in (pixels, change.pixels)
    )
    return Adversarial(change, pixels, before, after)
