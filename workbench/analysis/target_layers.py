"""Which layers of a network have maps to read, found by sending the shape of an image through it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from .model_isolation import meta_copy_of

_NO_STEP = (nn.Identity, nn.AdaptiveAvgPool2d, nn.ZeroPad2d)  # what these put out is not of their making


@dataclass(frozen=True)
class MapLayer:
    """A layer that puts out maps.

    Attributes:
        name: for `get_submodule`.
        channels: number of maps.
        extent: their (height, width), 2×2 at least.
    """

    name: str
    channels: int
    extent: tuple[int, int]


def map_layers(model: nn.Module, size: int, skip: Collection[str] = (), keep: str | None = None) -> list[MapLayer]:
    """One layer for each size of map that a network computes, from the input to the logits.

    Of several layers with maps of one size, the last of the outermost ones: the end of a stage, not a part of it. No
    number is computed: shapes travel through a double whose weights have none.

    Args:
        model: any network (B, 1, H, W) → logits; it comes back as it was.
        size: side of the square image in pixels.
        skip: layers that do not count, with all inside them, such as attention modules.
        keep: a layer that stands for its size in any case; None for none.

    Returns:
        In the order in which the network calls them.
    """
    twin, called = meta_copy_of(model), []
    for name, module in twin.named_modules():
        inside = any(name == layer or name.startswith(f"{layer}.") for layer in skip)
        if name and not inside and not isinstance(module, _NO_STEP):
            module.register_forward_hook(partial(_note, called, name))
    with torch.no_grad():
        twin(torch.zeros(2, 1, size, size, device="meta"))
    chosen: dict[tuple[int, int], MapLayer] = {}
    for layer in called:
        before = chosen.get(layer.extent)
        if before is None or layer.name == keep or (before.name != keep and _depth(layer) <= _depth(before)):
            chosen[layer.extent] = layer
    return sorted(chosen.values(), key=called.index)


def _note(called: list[MapLayer], name: str, _module: nn.Module, _inputs: tuple, output: object) -> None:
    if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[-2:]) > 1:
        _, channels, height, width = output.shape
        called.append(MapLayer(name, channels, (height, width)))


def _depth(layer: MapLayer) -> int:
    return layer.name.count(".")
