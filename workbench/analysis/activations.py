"""One forward pass with a graph from the output of a layer to the logits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident

import torch
from torch import Tensor, nn

from .layouts import Layout, layout_of
from .model_isolation import isolated
from .target_layers import map_layers_of
from .validation import layer_of, layers_on_offer, require_images, require_logit_shape, require_weights


@contextmanager
def plain_modes(device: torch.device) -> Iterator[None]:
    """Switch off inference mode, gradients and autocast inside the block.

    Gradients need tensors that were not made in inference mode, and small ones vanish in half precision.
    """
    with torch.inference_mode(False), torch.no_grad(), torch.autocast(device.type, enabled=False):
        yield


@dataclass(frozen=True, eq=False)
class Activations:
    """The part of one forward pass from a layer to the logits.

    Attributes:
        layer: name of the layer.
        A: its feature maps, the leaf of the graph, (B, K, h, w).
        layout: where they are in its output.
        logits: the end of the graph, (B, number of classes); not checked for NaN.
    """

    layer: str
    A: Tensor
    logits: Tensor
    layout: Layout


def forward_from(model: nn.Module, x: Tensor, layer: str, reshape: str = "") -> Activations:
    """Run one forward pass in evaluation mode, recording a graph from the output of `layer` on.

    Args:
        model, x, layer: the network, its input and the target layer, as for `cam.atlas`.
        reshape: how the output of the layer is laid out, see `layouts`; empty: found by its shape.

    Raises:
        ValueError: `x`, `layer` or `reshape` is wrong, or the network returns no logits (B, number of classes).
    """
    require_images(x)
    return forward_for_tracing(model, x, layer, reshape)


def forward_for_tracing(model: nn.Module, x: Tensor, layer: str, reshape: str = "") -> Activations:
    """`forward_from` without a check of the pixels' values, which a recording of tensor operations does not have."""
    with plain_modes(x.device), isolated(model):
        return _forward_from(model, x, layer, reshape)


def _forward_from(model: nn.Module, x: Tensor, layer: str, reshape: str) -> Activations:
    module = layer_of(model, layer)
    require_weights(model)
    thread = get_ident()
    captured: list[tuple[Tensor, Layout]] = []
    refused: list[str] = []  # shape of an output without maps

    def start_graph(_module: nn.Module, _inputs: object, output: object) -> object:
        # The lock holds off other explanations, but not a plain prediction: that is not ours to capture.
        if get_ident() != thread:
            return None
        layout = layout_of(output, x.shape, reshape)
        if layout is None:
            refused[:] = [f"{tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__]
            return None
        A = layout.maps(output).detach().requires_grad_()  # (B, K, h, w)
        captured[:] = [(A, layout)]
        torch.set_grad_enabled(True)  # until the `no_grad` around the forward pass ends
        return layout.replaced(output, A)

    x = x.clone() if x.is_inference() else x.detach()  # the graph may hold x, and holds no tensor of inference mode
    with module.register_forward_hook(start_graph), torch.no_grad():
        logits = model(x)
    if refused:
        raise _no_map(model, x, layer, refused[0])
    if not captured:
        raise ValueError(f'layer="{layer}" is never called in the forward pass. {layers_on_offer(model, layer)}')
    A, layout = captured[0]
    return Activations(layer, A, require_logit_shape(logits, x), layout)


def _no_map(model: nn.Module, x: Tensor, layer: str, output: str) -> ValueError:
    """The error of a layer without maps, with the layers that have some."""
    names = [found.name for found in map_layers_of(model, x.shape)]
    others = f"Layers with maps: {', '.join(names[-12:])}" if names else "No layer of this network has maps"
    return ValueError(f'layer="{layer}" returns {output}, which has no height and width to draw. {others}.')
