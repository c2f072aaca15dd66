"""The smallest adversarial change of a face: both predictions, both maps."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

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
        before, after: predictions and maps, each for its own predicted class.
    """

    change: AdversarialChange
    before: Explanation
    after: Explanation

    @property
    def difference(self) -> Tensor:
        """The change of each pixel in 8-bit gray levels, (S, S)."""
        return 255 * (self.after.pixels - self.before.pixels)


def adversarial(face: Face, network: str = DEFAULT_NETWORK, attack: str = "pgd") -> Adversarial:
    """Find the smallest change by an attack that changes a network's prediction for a face, and explain both images.

    Raises:
        ValueError: unknown network or attack.
    """
    net = open_network(network)
    pixels = net.see(face)
    change = smallest_change(net.model, lambda x: net.normalized(x[:, 0]), pixels[None], attack)
    layer = net.spec.cam_layer
    before, after = (explained(net, seen, net.normalized(seen[None]), layer) for seen in (pixels, change.pixels[0]))
    return Adversarial(change, before, after)
