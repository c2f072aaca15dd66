"""Sensitivity to cropping: predictions when the crop of a face is shifted, scaled, rotated or downsampled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from ..analysis import cam
from ..analysis.corruptions import CORRUPTIONS
from ..faces import Box, PictureError, crop
from .networks import DEFAULT_NETWORK, Network, class_index, open_network
from .prediction import Prediction, infer


@dataclass(frozen=True)
class Move:
    """A change of a crop.

    Attributes:
        right, down: translation in shares of its side, along the sides of the image.
        size: factor on its side.
        angle: degrees, counter-clockwise, beside the angle that it has.
        resolution: side in pixels to which the cut-out is reduced before it is enlarged again, of 48; 48: not at all.
    """

    right: float = 0.0
    down: float = 0.0
    size: float = 1.0
    angle: float = 0.0
    resolution: float = 48

    def of(self, box: Box) -> Box:
        """The square that this makes of a box."""
        (x, y), side = box.center, box.side
        x, y, new = x + self.right * side, y + self.down * side, side * self.size
        angle = 180 - (180 - box.angle - self.angle) % 360  # in (-180, 180]
        return replace(box, left=x - new / 2, top=y - new / 2, width=new, height=new, angle=angle)


@dataclass(frozen=True, eq=False)
class Framed:
    """Input of a network for one crop, and its prediction.

    Attributes:
        box: the frame, on the whole image.
        pixels: input of the network in 0..1, (S, S).
        prediction: the prediction.
        map: Grad-CAM of the target class, in its own unit, at least 0, resized to (S, S); None for a
            network without a layer for maps.
    """

    box: Box
    pixels: Tensor
    prediction: Prediction
    map: Tensor | None


def framed(picture: Image.Image, box: Box, network: str, class_: str | None = None, move: Move | None = None) -> Framed:
    """Prediction of a network for a face in a chosen crop.

    Args:
        picture: the whole RGB image.
        box: the frame that was found.
        network: name of the network.
        class_: target class of the map; None: the predicted class.
        move: how the frame is changed; None: not at all.

    Raises:
        ValueError: unknown network or class; PictureError: the frame lies outside of the image.
    """
    net, move = open_network(network), move or Move()
    moved = move.of(box)
    shown = _pixels(picture, moved, net, move.resolution)
    pixels = shown.mean(0) if len(shown) > 1 else shown[0]  # (S, S), to be shown beside the map
    found = infer(net, net.normalized(shown[None]), net.spec.cam_layer)
    index = class_index(net, class_ or found.prediction.predicted)
    heat = None
    if found.activations:
        height, width = pixels.shape
        heat = cam.atlas_of(found.activations, ("gradcam",), [index], (height, width))[0, 0, 0]
    return Framed(moved, pixels, found.prediction, heat)


def _pixels(picture: Image.Image, box: Box, net: Network, resolution: float = 48) -> Tensor:
    """The network's pixels of a crop at a resolution, (C, S, S)."""
    pixels = net.pixels(crop(picture, box))  # (C, S, S)
    return CORRUPTIONS["resolution"](pixels[:, None], resolution)[:, 0]  # each channel by itself


def map_correlation(a: Framed, b: Framed) -> float:
    """Rank correlation of the maps of two crops of one image, over the region that both contain, −1..1.

    The second map is first resampled onto the first crop. NaN if a map is blank or missing, or if the crops
    hardly overlap.
    """
    from scipy.stats import spearmanr  # here: scipy.stats takes half a second

    if a.map is None or b.map is None:
        return math.nan
    size = len(a.map)
    steps = (2 * torch.arange(size) + 1) / size - 1  # middles of the pixels, in halves of the side
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    on_image = _rotated(torch.stack([x, y], -1), a.box.angle) * a.box.side / 2 + torch.tensor(a.box.center)
    in_b = _rotated((on_image - torch.tensor(b.box.center)) * 2 / b.box.side, -b.box.angle)  # (S, S, 2)
    laid = torch.nn.functional.grid_sample(
        b.map[None, None], in_b[None].to(b.map.dtype), padding_mode="border", align_corners=False
    )[0, 0]
    both = (in_b.abs() <= 1).all(-1)
    first, second = a.map[both], laid[both]
    if len(first) < 9 or first.max() == first.min() or second.max() == second.min():
        return math.nan
    return float(spearmanr(first.numpy(), second.numpy()).statistic)


def _rotated(points: Tensor, degrees: float) -> Tensor:
    """Points (..., 2), x to the right and y down, rotated counter-clockwise on the screen."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = points[..., 0], points[..., 1]
    return torch.stack([x * cos + y * sin, y * cos - x * sin], -1)


@dataclass(frozen=True, eq=False)
class FrameGrid:
    """Predictions of a network for shifted and scaled crops.

    Attributes:
        classes: names of the classes.
        shifts: translations to the right, in shares of the side, rising.
        sizes: factors on the side, rising.
        probabilities: a row for each size, (sizes, shifts, K); NaN for a frame that lies outside of the image.
    """

    classes: tuple[str, ...]
    shifts: tuple[float, ...]
    sizes: tuple[float, ...]
    probabilities: Tensor

    @property
    def agreeing(self) -> int:
        """Number of crops with the prediction of the detected crop."""
        predicted = self.probabilities.argmax(-1)
        same = predicted == predicted[self.sizes.index(1), self.shifts.index(0)]
        return int((same & ~self.probabilities.isnan().any(-1)).sum())

    @property
    def count(self) -> int:
        """Number of crops that are not outside of the image."""
        return int((~self.probabilities.isnan().any(-1)).sum())


SHIFTS = (-0.3, -0.15, 0.0, 0.15, 0.3)
SIZES = (0.5, 0.7, 1.0, 1.4, 2.0)


def frame_grid(
    picture: Image.Image,
    box: Box,
    network: str = DEFAULT_NETWORK,
    shifts: Sequence[float] = SHIFTS,
    sizes: Sequence[float] = SIZES,
) -> FrameGrid:
    """Predictions of a network for every combination of shift and scale of the crop."""
    net = open_network(network)
    inside = {}
    for i, move in enumerate(Move(right=shift, size=size) for size in sizes for shift in shifts):
        with suppress(PictureError):
            inside[i] = _pixels(picture, move.of(box), net)
    found = torch.full((len(sizes) * len(shifts), len(net.classes)), math.nan)
    found[[*inside]] = net.probabilities(torch.stack([*inside.values()]))
    return FrameGrid(net.classes, tuple(shifts), tuple(sizes), found.unflatten(0, (len(sizes), len(shifts))))
