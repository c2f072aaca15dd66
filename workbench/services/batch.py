"""Predictions and class activation maps of many faces, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..analysis import cam
from ..analysis.activations import Activations, forward_from
from ..faces import Face
from .networks import DEFAULT_NETWORK, class_index, open_network
from .prediction import Prediction


@dataclass(frozen=True, eq=False)
class FaceMaps:
    """Prediction for one face of a batch, with the maps of some classes.

    Attributes:
        prediction: prediction of the network.
        pixels: what the network was shown, in 0..1, (S, S).
        classes: target classes of the maps.
        maps: maps of these classes, in the unit of the method, at least 0, as large as the layer's, (C, h, w); None for
            a network without a layer for maps.
    """

    prediction: Prediction
    pixels: Tensor
    classes: tuple[str, ...]
    maps: Tensor | None

    def resized(self, size: tuple[int, int]) -> Tensor:
        """The maps in (height, width), (C, H, W); ValueError without a layer."""
        if self.maps is None:
            raise ValueError("This network has no layer for class activation maps.")
        return cam.resize(self.maps, size)


def explain_batch(
    faces: Sequence[Face],
    network: str = DEFAULT_NETWORK,
    method: str = "gradcam",
    layer: str | None = None,
    classes: Sequence[str] = (),
) -> list[FaceMaps]:
    """Predictions and maps of several faces, by one forward and one backward pass for all of them.

    Args:
        faces: one or more.
        network: name of a network.
        method: one of `cam.METHODS`.
        layer: target layer; None: the network's own, and no maps if it has none.
        classes: target classes; (): of each face the predicted one.

    Raises:
        ValueError: unknown network, method, class or layer. CheckpointError: the weights give no numbers.
    """
    net = open_network(network)
    indices = [class_index(net, name) for name in classes]
    layer = layer or net.spec.cam_layer
    x = torch.cat([net.prepare(face) for face in faces])
    found = forward_from(net.model, x, layer, net.spec.reshape) if layer else None
    logits = found.logits.detach().float() if found else net.logits(x)
    probabilities, targets = net.calibrated(logits), logits.argmax(1)
    maps = _maps(found, method, indices, targets) if found else [None] * len(faces)
    return [
        FaceMaps(
            Prediction(net.classes, probabilities[i], logits[i], net.trained),
            net.see(faces[i]),
            tuple(classes) or (net.classes[int(targets[i])],),
            maps[i],
        )
        for i in range(len(faces))
    ]


def _maps(found: Activations, method: str, indices: list[int], targets: Tensor) -> Tensor:
    """Maps (B, C, h, w) of the classes of these indices, or of each image's own target."""
    if indices:
        return cam.atlas_of(found, (method,), indices)[:, 0]
    return cam.maps_of_targets(found, method, targets)[:, None]
