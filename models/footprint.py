"""How much memory a network needs, from its shapes alone: built on the device `meta`, which allocates nothing.

Checked before a network is built from a file of unknown origin: a short card can describe a network of any size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .registry import channels_of, create_model, get_spec

MOST_PARAMETERS = 150_000_000
"""The largest network that a card may describe; the largest one here, VGG16, has 134 million parameters."""
MOST_BYTES = 2 * 2**30
"""Largest size in bytes of all intermediate results of one image; VGG16 at its own size takes 0.5 GiB."""


@dataclass(frozen=True)
class Footprint:
    """What a network needs.

    Attributes:
        parameters: number of all of them.
        activations: bytes of all intermediate results of the forward pass of one image, float32.
    """

    parameters: int
    activations: int

    def check(self, what: str) -> None:
        """Raise ValueError with `what` in its message if either exceeds its limit."""
        if self.parameters > MOST_PARAMETERS:
            raise ValueError(
                f"{what} would have {self.parameters / 1e6:,.0f} million parameters; "
                f"at most {MOST_PARAMETERS / 1e6:.0f} million are built."
            )
        if self.activations > MOST_BYTES:
            raise ValueError(
                f"{what} would need {self.activations / 2**30:,.1f} GiB for one image; "
                f"at most {MOST_BYTES / 2**30:.0f} GiB are used."
            )


def weight_bytes(model: nn.Module) -> int:
    """Bytes of a network's parameters and buffers, each once."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers()))


def on_meta(network: str, num_classes: int, overrides: Mapping[str, Any]) -> nn.Module:
    """A network without memory for its parameters, in evaluation mode; raises ValueError where it cannot be built."""
    try:
        with torch.device("meta"):
            return create_model(network, num_classes, **overrides).eval()
    except (TypeError, RuntimeError, AttributeError, KeyError, ArithmeticError) as error:
        raise ValueError(f"{network} cannot be built with {dict(overrides)} ({error})") from error


@lru_cache(maxsize=256)
def footprint(
    network: str, num_classes: int, overrides: tuple[tuple[str, Any], ...], side: int | None = None
) -> Footprint:
    """Measure a network.

    Args:
        network: name of the network.
        num_classes: number of logits.
        overrides: options of the network, each with its value.
        side: side of the image in pixels; None for the network's own.

    Raises:
        ValueError: it cannot be built, or takes no image of this side.
    """
    model = on_meta(network, num_classes, dict(overrides))
    side = side or get_spec(network).input_size
    counter = _Bytes()
    try:
        with torch.no_grad(), counter:
            model(torch.empty(1, channels_of(network, dict(overrides)), side, side, device="meta"))
    except (RuntimeError, ArithmeticError) as error:
        raise ValueError(f"{network} takes no image of {side} pixels ({error})") from error
    return Footprint(sum(p.numel() for p in model.parameters()), counter.total)


class _Bytes(TorchDispatchMode):
    """Adds up the bytes of what every operation returns."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.total += sum(
            leaf.numel() * leaf.element_size() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)
        )
        return result
