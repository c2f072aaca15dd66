"""A copy of a network that computes the same logits more quickly, for one image after another on a CPU.

In evaluation mode batch norm is linear, so it is folded into the convolution W, b before it:

    γ·(W * x + b − μ) / σ + β = (γ/σ)·W * x + γ/σ·(b − μ) + β,   σ = √(variance + ε)

The copy has neither these layers nor gradients: explanations need the network itself.
"""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

TOLERANCE = 1e-5
"""Largest difference of logits, relative to the largest one or to 1."""


@torch.no_grad()
def for_inference(model: nn.Module, x: Tensor) -> nn.Module:
    """A copy with batch norm folded into convolutions, and weights in the memory format that a CPU reads fastest.

    Args:
        model: a network in evaluation mode; it is not changed.
        x: inputs (B, C, H, W) for which the logits of the two are compared.

    Returns:
        The copy; where its logits differ by more than `TOLERANCE`, the network itself. They differ where the output of
        a convolution is read by more than its batch norm.
    """
    copy = deepcopy(model).requires_grad_(False)
    for conv, norm in _followed_by_norm(copy, x):
        layers: Any = copy.get_submodule(conv), copy.get_submodule(norm)
        copy.set_submodule(conv, fuse_conv_bn_eval(*layers).requires_grad_(False))
        copy.set_submodule(norm, nn.Identity())
    copy = copy.to(memory_format=torch.channels_last)
    wanted, found = model(x), copy(x)
    same = (found - wanted).abs().max() <= TOLERANCE * wanted.abs().max().clamp_min(1)
    return copy if same else model


def _followed_by_norm(model: nn.Module, x: Tensor) -> list[tuple[str, str]]:
    """Names of each convolution and the batch norm that reads its output, where either has no other partner."""
    outputs: dict[int, tuple[Tensor, str]] = {}  # with the tensor, so that no later one gets its id
    pairs: set[tuple[str, str]] = set()

    def convolved(name: str, _module: nn.Module, _inputs: tuple, output: Tensor) -> None:
        outputs[id(output)] = output, name

    def normalizes(name: str, _module: nn.Module, inputs: tuple) -> None:
        if id(inputs[0]) in outputs:
            pairs.add((outputs[id(inputs[0])][1], name))

    hooks = []
    for name, module in model.named_modules():
        if type(module) is nn.Conv2d:
            hooks.append(module.register_forward_hook(partial(convolved, name)))
        elif type(module) is nn.BatchNorm2d:  # subclasses, such as timm's with an activation, do more
            hooks.append(module.register_forward_pre_hook(partial(normalizes, name)))
    model(x)
    for hook in hooks:
        hook.remove()
    times = Counter(name for pair in pairs for name in pair)
    return sorted(pair for pair in pairs if all(times[name] == 1 for name in pair))
