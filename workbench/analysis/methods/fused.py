"""Maps of several layers fused into one: the last layer of each size of map."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor, nn

from .. import cam
from ..layouts import layout_of
from ..target_layers import map_layers_of, one_for_each_size
from .case import Case


def averaged(case: Case) -> Tensor:
    """Mean of the layers' Grad-CAM, each stretched to 0..1; grad-cam's own for several target layers: (B, H, W)."""
    return torch.stack([_resized(case, one) for one in _maps(case, "gradcam")]).mean(0)


def refinecam(case: Case) -> Tensor:
    """Product of the layers' Grad-CAM++, each stretched to 0..1 before and after it is resized: (B, H, W)."""
    return torch.stack([cam.min_max(_resized(case, one)) for one in _maps(case, "gradcam++")]).prod(0)


def _resized(case: Case, map_: Tensor) -> Tensor:
    return cam.resize(cam.min_max(map_), case.x.shape[-2:])


def _maps(case: Case, method: str) -> list[Tensor]:
    """The map (B, h, w) of each layer by one of the methods of `cam`, from one forward and one backward pass."""
    names = [layer.name for layer in one_for_each_size(map_layers_of(case.model, case.x.shape))]
    found: dict[str, Tensor] = {}

    def keep(name: str, _module: nn.Module, _inputs: object, output: object) -> object:
        layout = layout_of(output, case.x.shape)
        if layout is None:
            return output
        found[name] = layout.maps(output)  # of the last call
        return layout.replaced(output, found[name])

    with torch.enable_grad(), ExitStack() as hooks:
        for name in names:
            hooks.enter_context(case.model.get_submodule(name).register_forward_hook(partial(keep, name)))
        y = case.model(case.x.clone().requires_grad_())[:, case.class_].sum()
    layers = [A for A in found.values() if A.requires_grad]
    gradients = torch.autograd.grad(y, layers, allow_unused=True) if layers else ()
    pairs = [(A.detach(), G) for A, G in zip(layers, gradients, strict=True) if G is not None]
    if not pairs:
        raise ValueError("No layer of this network has maps that lead to the logits. Choose a method on the input.")
    return [cam.join(method, A, G[:, None])[:, 0] for A, G in pairs]
