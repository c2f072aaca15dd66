"""Shared by several lessons: symbols with their values, nine fields of a map, choice of a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models import ModelSpec

from ..networks import Network, get_spec, network_names


@dataclass(frozen=True)
class Symbol:
    """A symbol of an equation and its tensor.

    Attributes:
        name: name in LaTeX.
        meaning: meaning in a few words.
        shape: shape of the tensor; () for a number.
        low, high: its smallest and its largest value; equal for a number.
    """

    name: str
    meaning: str
    shape: tuple[int, ...]
    low: float
    high: float


def symbol(name: str, meaning: str, values: Tensor | float) -> Symbol:
    """A symbol with the shape and the range of its values."""
    values = torch.as_tensor(values).detach()
    return Symbol(name, meaning, tuple(values.shape), float(values.min()), float(values.max()))


def fields(map_: Tensor) -> Tensor:
    """Mean of a map (H, W), at least 0, in each of nine fields, row by row, (9,), as shares of their sum.

    A blank map has 0 everywhere.
    """
    means = F.adaptive_avg_pool2d(map_[None, None].float(), 3).flatten()
    return means / means.sum() if float(means.sum()) > 0 else means


def centers(height: int, width: int) -> list[tuple[int, int]]:
    """Row and column of the center of each of the nine fields of a map."""
    return [((2 * i + 1) * height // 6, (2 * j + 1) * width // 6) for i in range(3) for j in range(3)]


def first_module(net: Network, kinds: type | tuple[type, ...]) -> tuple[str, Any]:
    """Name and module of the first attention module of these kinds in the forward pass."""
    modules = ((name, net.model.get_submodule(name)) for name in net.spec.attention_layers)
    return next((name, module) for name, module in modules if isinstance(module, kinds))


def own_or_first(chosen: str, suits: Callable[[str], bool]) -> str:
    """The chosen network if it is suitable, else the first suitable one of `network_names`.

    Raises:
        ValueError: no network suits.
    """
    found = next((name for name in (chosen, *network_names()) if suits(name)), None)
    if found is None:
        raise ValueError(
            "No network here is suitable for this lesson. Get the shipped ones again: git checkout checkpoints"
        )
    return found


def network_for(chosen: str, suits: Callable[[ModelSpec], bool]) -> str:
    """Like `own_or_first`, judged by the specification of a network, without opening it."""
    return own_or_first(chosen, lambda name: suits(get_spec(name)))
