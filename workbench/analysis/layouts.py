"""How the output of a layer is laid out, and its feature maps (B, K, h, w) in it.

    channels first  (B, K, h, w)     convolutional networks
    channels last   (B, h, w, K)     Swin, some blocks of ConvNeXt and MaxViT
    tokens          (B, P + h·w, K)  vision transformers: P prefix tokens (class and register tokens), then the patches

A layout is found by the shape of the output and of the image, or given as a text where shapes are ambiguous. A tuple or
list counts by the last of its tensors that has maps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

_MOST_PREFIX = 8  # a class token, a distillation token, registers: DINOv2 has 1 + 4
_GIVEN = re.compile(r"channels-first|channels-last|tokens(:(?P<prefix>\d{1,3}))?(:(?P<h>\d{1,4})x(?P<w>\d{1,4}))?")

FORMS = '"channels-first", "channels-last", "tokens:P" with P prefix tokens, or "tokens:P:HxW"'


@dataclass(frozen=True)
class Layout:
    """Where the feature maps are in the output of a layer.

    Attributes:
        kind: the order of the dimensions.
        prefix: number of tokens before the patches.
        extent: (height, width) of the maps.
        item: index of the tensor in a tuple or list; None for a layer that returns a tensor.
    """

    kind: Literal["channels-first", "channels-last", "tokens"]
    extent: tuple[int, int]
    prefix: int = 0
    item: int | None = None

    def maps(self, output: Any) -> Tensor:
        """The feature maps of an output, (B, K, h, w)."""
        tensor = output if self.item is None else output[self.item]
        if self.kind == "channels-first":
            return tensor
        if self.kind == "channels-last":
            return tensor.permute(0, 3, 1, 2)  # (B, h, w, K) → (B, K, h, w)
        return tensor[:, self.prefix :].mT.unflatten(2, self.extent)  # (B, h·w, K) → (B, K, h, w)

    def replaced(self, output: Any, maps: Tensor) -> Any:
        """The output with other feature maps (B, K, h, w); prefix tokens and other items stay."""
        tensor = output if self.item is None else output[self.item]
        if self.kind == "channels-first":
            new = maps.clone()  # an in-place operation may follow
        elif self.kind == "channels-last":
            new = maps.permute(0, 2, 3, 1).contiguous()
        else:
            new = torch.cat([tensor[:, : self.prefix], maps.flatten(2).mT], 1)  # (B, P + h·w, K)
        if self.item is None:
            return new
        items = [new if i == self.item else other for i, other in enumerate(output)]
        return type(output)(*items) if hasattr(output, "_fields") else type(output)(items)


def layout_of(output: Any, image: Sequence[int], reshape: str = "") -> Layout | None:
    """The layout of a layer's output; None where it has no maps of at least two positions.

    Args:
        output: a tensor, or a tuple or list of tensors; of the device `meta` too.
        image: shape of the network's input, (B, C, H, W).
        reshape: one of `FORMS`, where the shape is ambiguous; empty: found by shape, as is any output with
            another number of dimensions.

    Raises:
        ValueError: `reshape` is none of `FORMS`.
    """
    given = _parsed(reshape)
    if isinstance(output, list | tuple):
        for i in reversed(range(len(output))):
            found = _of_tensor(output[i], image, given) if isinstance(output[i], Tensor) else None
            if found:
                return Layout(found.kind, found.extent, found.prefix, i)
        return None
    return _of_tensor(output, image, given) if isinstance(output, Tensor) else None


@dataclass(frozen=True)
class _Given:
    kind: str
    prefix: int | None
    extent: tuple[int, int] | None


def _parsed(reshape: str) -> _Given | None:
    if not reshape:
        return None
    found = _GIVEN.fullmatch(reshape)
    if found is None:
        raise ValueError(f'reshape="{reshape}" is not {FORMS}.')
    prefix, h, w = found["prefix"], found["h"], found["w"]
    return _Given(reshape.split(":")[0], None if prefix is None else int(prefix), (int(h), int(w)) if h and w else None)


def _of_tensor(output: Tensor, image: Sequence[int], given: _Given | None) -> Layout | None:
    if len(output) != image[0]:  # windows of a block, or one for all images
        return None
    if output.ndim == 4:
        given = given if given and given.kind != "tokens" else None
        first, last = (output.shape[2], output.shape[3]), (output.shape[1], output.shape[2])
        # A map has about the proportions of the image; channels come last only where channels first do not fit.
        by_shape = _proportioned(last, image) and not _proportioned(first, image)
        if given.kind == "channels-last" if given else by_shape:
            return Layout("channels-last", last) if math.prod(last) > 1 else None
        return Layout("channels-first", first) if math.prod(first) > 1 else None
    if output.ndim == 3:
        given = given if given and given.kind == "tokens" else _Given("tokens", None, None)
        return _of_tokens(output.shape[1], image, given)
    return None


def _of_tokens(count: int, image: Sequence[int], given: _Given) -> Layout | None:
    """The layout with the fewest prefix tokens that leaves a grid with the proportions of the image.

    Exact proportions come before those that are right up to
    rounding: 29 tokens of 32×48 pixels are 5 + 4·6, not 1 + 4·7.
    """
    prefixes = range(_MOST_PREFIX + 1) if given.prefix is None else (given.prefix,)
    for exact in (True, False):
        for prefix in prefixes:
            patches = count - prefix
            extent = given.extent or _grid(patches, image, exact)
            if extent and patches > 1 and math.prod(extent) == patches:
                return Layout("tokens", extent, prefix)
    return None


def _grid(patches: int, image: Sequence[int], exact: bool) -> tuple[int, int] | None:
    """Height and width of a grid of this many square patches on the image."""
    height = round(math.sqrt(max(patches, 0) * image[2] / image[3]))
    if height < 1 or patches % height:
        return None
    extent = height, patches // height
    fits = extent[0] * image[3] == extent[1] * image[2] if exact else _proportioned(extent, image)
    return extent if fits else None


def _proportioned(extent: tuple[int, int], image: Sequence[int]) -> bool:
    """Whether a map has the proportions of the image, up to the rounding of its sides to whole positions."""
    (h, w), (height, width) = extent, image[2:]
    return abs(h * width / height - w) <= 1 and min(extent) > 0 and (h == w if height == width else True)
