"""Which layers of a network have maps to read, found by sending the shape of an image through it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from .layouts import Layout, layout_of
from .model_isolation import meta_copy_of

_NO_STEP = (nn.Identity, nn.AdaptiveAvgPool2d, nn.ZeroPad2d)  # what these put out is not of their making


@dataclass(frozen=True)
class MapLayer:
    """A layer that puts out maps.

    Attributes:
        name: name of the layer, for `get_submodule`.
        channels: number of maps.
        extent: (height, width) of the maps.
        kind: class name of the module.
        layout: where the maps are in its output.
    """

    name: str
    channels: int
    extent: tuple[int, int]
    kind: str = ""
    layout: Layout | None = None


def map_layers_of(
    model: nn.Module, image: Sequence[int], skip: Collection[str] = (), reshape: str = ""
) -> list[MapLayer]:
    """Every layer that puts out maps, in the order of its last call in the forward pass.

    Nothing is computed but shapes: the forward pass runs on a copy of the network on the meta device.

    Args:
        model: any network (B, C, H, W) → logits; it comes back as it was.
        image: shape of its input, (B, C, H, W).
        skip: layers that do not count, with all inside them, such as attention modules.
        reshape: how outputs are laid out, see `layouts`; empty: found by their shapes.
    """
    twin, called = meta_copy_of(model).float(), dict[str, MapLayer]()
    shape = (2, *image[1:])  # two: a map of one image could be mistaken for weights
    for name, module in twin.named_modules():
        inside = any(name == layer or name.startswith(f"{layer}.") for layer in skip)
        if name and not inside and not isinstance(module, _NO_STEP):
            module.register_forward_hook(partial(_note, called, name, shape, reshape))
    with torch.no_grad():
        twin(torch.zeros(shape, device="meta"))
    return list(called.values())


def map_layers(
    model: nn.Module, size: int, skip: Collection[str] = (), keep: str | None = None, channels: int = 1
) -> list[MapLayer]:
    """One layer for each size of map that a network computes, from the input to the logits.

    Of several layers with maps of one size, the last of the outermost ones: the end of a stage, not a part of it. Maps
    of one row or column do not count.

    Args:
        model: any network (B, C, H, W) → logits; it comes back as it was.
        size: side of the square image in pixels.
        skip: layers that do not count, as for `map_layers_of`.
        keep: a layer that stands for its size in any case; None for none.
        channels: number of channels of the image.

    Returns:
        The layers, in the order in which the network calls them.
    """
    return one_for_each_size(map_layers_of(model, (2, channels, size, size), skip), keep)


def one_for_each_size(called: Sequence[MapLayer], keep: str | None = None) -> list[MapLayer]:
    """Among layers in the order of their calls, one for each size of map, as `map_layers` chooses."""
    chosen: dict[tuple[int, int], MapLayer] = {}
    for layer in called:
        before = chosen.get(layer.extent)
        if min(layer.extent) < 2:
            continue
        if before is None or layer.name == keep or (before.name != keep and _depth(layer) <= _depth(before)):
            chosen[layer.extent] = layer
    return sorted(chosen.values(), key=called.index)


def _note(
    called: dict[str, MapLayer],
    name: str,
    image: Sequence[int],
    reshape: str,
    module: nn.Module,
    _inputs: tuple,
    output: object,
) -> None:
    layout = layout_of(output, image, reshape)
    called.pop(name, None)  # the last call counts
    if layout is not None:
        called[name] = MapLayer(name, layout.maps(output).shape[1], layout.extent, type(module).__name__, layout)


def _depth(layer: MapLayer) -> int:
    return layer.name.count(".")
