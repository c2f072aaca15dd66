"""Everything that can be said at once about how an answer came about, alone and beside other networks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..analysis import attention, cam
from ..analysis import trust as trust_analysis
from ..analysis.faithfulness import Progress
from ..analysis.frequency import FrequencyPictures
from ..faces import Face, load_sample, samples
from .answers import Prediction, answer_to, predict
from .networks import DEFAULT_NETWORK, class_index, open_network
from .strokes import Spectrum, spectrum
from .waves import frequencies


@dataclass(frozen=True, eq=False)
class Explanation:
    """A prediction with everything that can be said at once about how it came about.

    Attributes:
        prediction: of the same network and face.
        pixels: what the network was shown, in 0..1, (S, S).
        layer: name of the layer whose maps are weighed; None for a network that has none.
        atlas: maps of each method of `cam.METHODS` for each class, each method in a unit of its own, at least 0, as
            large as the layer's, (M, K, h, w); None without a layer.
        class_: the class that was asked for; the network's answer where none was.
        attention: what the network's own attention modules computed, in the order of the forward pass.
        frequencies: the picture split at a quarter of its side.
        spectrum: its singular values and its strongest terms.
    """

    prediction: Prediction
    pixels: Tensor
    layer: str | None
    atlas: Tensor | None
    class_: str
    attention: tuple[attention.AttentionMap, ...]
    frequencies: FrequencyPictures
    spectrum: Spectrum

    @property
    def extent(self) -> tuple[int, int]:
        """(height, width) of the layer's maps."""
        return tuple(self.atlas.shape[-2:])

    def maps(self, method: str = "gradcam") -> Tensor:
        """The maps of every class by one method, enlarged to the picture, (K, S, S); ValueError without a layer."""
        if self.atlas is None:
            raise ValueError("This network has no layer whose maps could be shown.")
        maps, size = self.atlas[cam.METHODS.index(method)], self.pixels.shape
        return torch.nn.functional.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]

    def map_of(self, class_: str, method: str = "gradcam") -> Tensor:
        """The map of one class, (S, S)."""
        return self.maps(method)[self.prediction.classes.index(class_)]


def explain(face: Face, network: str = DEFAULT_NETWORK, class_: str | None = None) -> Explanation:
    """What a network answers to a face, where the evidence for each class lies, and what its attention let through.

    Raises:
        ValueError: unknown network or class.
    """
    net = open_network(network)
    if class_ is not None:
        class_index(net, class_)
    x, layer = net.prepare(face), net.spec.cam_layer
    prediction = answer_to(net, x)
    return Explanation(
        prediction=prediction,
        pixels=net.see(face),
        layer=layer,
        atlas=cam.atlas(net.model, x, layer)[0] if layer else None,
        class_=class_ or prediction.answer,
        attention=attention.attention_of(net.model, x, net.spec.attention_layers),
        frequencies=frequencies(face, network),
        spectrum=spectrum(face, network),
    )


@dataclass(frozen=True, eq=False)
class Comparison:
    """What several networks answer to one face.

    Attributes:
        explanations: one of each network, in the order asked for.
        networks: their names.
        class_: whose maps stand side by side.
        maps: Grad-CAM of that class by each network, in the unit of its own logit, enlarged to the largest picture,
            (n, S, S); zeros for a network without a layer for maps.
        likeness: rank correlation of every two maps, −1..1, NaN beside a blank one, (n, n).
        agree: whether all give the same answer.
    """

    networks: tuple[str, ...]
    explanations: tuple[Explanation, ...]
    class_: str
    maps: Tensor
    likeness: Tensor
    agree: bool


def compare(face: Face, networks: Sequence[str], class_: str | None = None) -> Comparison:
    """What several networks answer to a face, and their maps for one class side by side (figure 9 of paper D).

    Args:
        face: the face.
        networks: two or more names.
        class_: whose maps; None: the first network's answer.

    Raises:
        ValueError: fewer than two networks, an unknown one, or a class that one of them does not have.
    """
    if len(networks) < 2:
        raise ValueError(f"networks={list(networks)}: name two networks or more to compare")
    class_ = class_ or predict(face, networks[0]).answer
    found = tuple(explain(face, name, class_) for name in networks)
    side = max(len(e.pixels) for e in found)
    maps = torch.stack(
        [_enlarged(e.map_of(class_), side) if e.layer else torch.zeros(side, side) for e in found]
    )  # (n, S, S)
    likeness = attention.correlation_with_cams(list(maps[:, None]), maps[None])[:, 0]
    agree = len({e.prediction.answer for e in found}) == 1
    return Comparison(tuple(networks), found, class_, maps, likeness, agree)


def _enlarged(map_: Tensor, side: int) -> Tensor:
    size = (side, side)
    return torch.nn.functional.interpolate(map_[None, None], size, mode="bilinear", align_corners=False)[0, 0]


def trust(
    face: Face,
    network: str = DEFAULT_NETWORK,
    class_: str | None = None,
    method: str = "gradcam",
    progress: Progress | None = None,
) -> trust_analysis.Trust:
    """How far the map of one class can be trusted: curves, rivals, a badge by stated rules; takes seconds.

    Args:
        face, network: whose map.
        class_: None: the network's answer.
        method: one of `cam.METHODS`.
        progress: called with (work done, work in all).

    Raises:
        ValueError: unknown network, class or method, or a network without a layer for maps.
    """
    net = open_network(network)
    index = class_index(net, class_ or predict(face, network).answer)
    layer = net.spec.cam_layer
    if layer is None:
        raise ValueError(f'network="{network}" has no layer whose maps could be trusted or not')

    def explainer(model: nn.Module, x: Tensor) -> Tensor:
        return cam.atlas(model, x, layer, (method,), [index])[0, 0, 0]  # (h, w)

    return trust_analysis.assess(net.model, net.prepare(face), index, explainer, progress=progress)


def warm() -> None:
    """Load libraries, weights and the sample face, so that the first visitor does not wait; a fault shows later."""
    with suppress(ValueError):
        explain(load_sample(samples()[0].name))
