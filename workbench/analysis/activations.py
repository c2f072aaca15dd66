"""One forward pass with a graph from the output of a layer to the logits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident

import torch
from torch import Tensor, nn

from .model_isolation import isolated
from .validation import layer_of, layers_on_offer, require_images, require_logit_shape, require_map, require_weights


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
        A: its output, the leaf of the graph, (B, K, h, w).
        logits: the end of the graph, (B, number of classes); not checked for NaN.
    """

    layer: str
    A: Tensor
    logits: Tensor


def forward_from(model: nn.Module, x: Tensor, layer: str) -> Activations:
    """Run one forward pass in evaluation mode, recording a graph from the output of `layer` on.

    Raises:
        ValueError: `x` or `layer` is wrong, or the network returns no logits (B, number of classes).
    """
    require_images(x)
    with plain_modes(x.device), isolated(model):
        return _forward_from(model, x, layer)


def _forward_from(model: nn.Module, x: Tensor, layer: str) -> Activations:
    module = layer_of(model, layer)
    require_weights(model)
    thread = get_ident()
    captured: list[Tensor] = []

    def start_graph(_module: nn.Module, _inputs: object, output: object) -> Tensor | None:
        # The lock holds off other explanations, but not a plain prediction: that is not ours to capture.
        if get_ident() != thread:
            return None
        captured[:] = [require_map(output, layer).detach().requires_grad_()]
        torch.set_grad_enabled(True)  # until the `no_grad` around the forward pass ends
        return captured[0].clone()  # a copy, because an in-place ReLU may follow and would overwrite A

    x = x.clone() if x.is_inference() else x.detach()  # the graph may hold x, and holds no tensor of inference mode
    with module.register_forward_hook(start_graph), torch.no_grad():
        logits = model(x)
    if not captured:
        raise ValueError(f'layer="{layer}" is never called in the forward pass. {layers_on_offer(model, layer)}')
    return Activations(layer, captured[0], require_logit_shape(logits, x))
