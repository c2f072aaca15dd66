"""Attention modules of a network, their inputs, and every step that they compute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import get_ident
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.layers.svd_attention import SVDAttention, SVDAttentionSteps

from ..model_isolation import isolated
from ..validation import require_images
from .kinds import kind_of


def attention_modules(model: nn.Module) -> tuple[str, ...]:
    """Names of the attention modules of a network, in the order in which it registers them; () where it has none."""
    return tuple(name for name, module in model.named_modules() if _has_maps(module))


def _has_maps(module: nn.Module) -> bool:
    kind = kind_of(module)
    return kind is not None and kind.read is not None


def input_of(model: nn.Module, x: Float[Tensor, "B C_in H W"], layer: str) -> Float[Tensor, "B ..."]:
    """The input of a layer in a forward pass of `x`, (B, C, h, w) or tokens (B, N, D); of several calls, the last.

    Raises:
        ValueError: there is no such layer, it is not called, or `x` holds NaN.
    """
    inputs = _inputs(model, x, (layer,))
    _require_called(model, (layer,), inputs)
    return inputs[layer]


def steps_of(model: nn.Module, x: Float[Tensor, "B C_in H W"], layers: Sequence[str] | None = None) -> dict[str, Any]:
    """Every step of a network's attention modules when it is shown `x`, from one forward pass: name → its steps.

    The steps are the NamedTuple that the module documents, such as `BAMSteps`. A module whose owner switched it off
    (`enabled = False`) is computed all the same.

    Args:
        model: a network in training or evaluation mode; it runs in evaluation mode and comes back as it was. Threads
            may share it.
        x: images (B, C_in, H, W), prepared as the network expects them.
        layers: names of attention modules; None: all that the network calls, in the order of `attention_modules`.

    Raises:
        ValueError: a layer is missing, no attention module, or not called; `x` is no batch or holds NaN.
    """
    names = attention_modules(model) if layers is None else checked_layers(model, layers)
    inputs = _inputs(model, x, names)
    return steps_from(model, inputs, names if layers is not None else [name for name in names if name in inputs])


def steps_from(model: nn.Module, inputs: Mapping[str, Tensor], layers: Sequence[str]) -> dict[str, Any]:
    """Every step of attention modules whose inputs `recorded_inputs` has recorded: name → its steps, as `layers`.

    Raises:
        ValueError: a layer was not called.
    """
    _require_called(model, layers, inputs)
    with isolated(model), torch.no_grad():
        modules: dict[str, Any] = {layer: model.get_submodule(layer) for layer in layers}
        return {layer: module.steps(inputs[layer]) for layer, module in modules.items()}


def svd_steps(model: nn.Module, x: Float[Tensor, "B C_in H W"], layer: str) -> SVDAttentionSteps:
    """Every step of one SVD attention module of a network that is shown `x`, equations 1 to 9 of paper D.

    Raises:
        ValueError: the layer is no `SVDAttention`; otherwise as for `steps_of`.
    """
    module = module_of(model, layer)
    if not isinstance(module, SVDAttention):
        raise ValueError(f'layer="{layer}" is a {type(module).__name__}, not an SVDAttention. {on_offer(model)}')
    return steps_of(model, x, (layer,))[layer]


@contextmanager
def recorded_inputs(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Context manager: the network, and record the input of some layers in this thread's forward passes.

    Yields:
        Name → input of the last call, without a graph, in the order of the calls; empty until the network runs.

    Raises:
        ValueError: a layer is missing.
    """
    modules = {layer: module_of(model, layer) for layer in layers}
    thread = get_ident()
    found: dict[str, Tensor] = {}

    def take(layer: str, _module: nn.Module, inputs: tuple) -> None:
        if inputs and get_ident() == thread:  # not the input of a prediction that runs beside this one
            found[layer] = inputs[0].detach().clone()  # a copy, because the network may go on in place

    with isolated(model), ExitStack() as hooks:
        for layer, module in modules.items():
            hooks.enter_context(module.register_forward_pre_hook(partial(take, layer)))
        yield found


def _inputs(model: nn.Module, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """The input of each of several layers that one forward pass calls."""
    require_images(x)
    with recorded_inputs(model, layers) as found, torch.no_grad():
        if layers:
            model(x)
    return found


def _require_called(model: nn.Module, layers: Sequence[str], inputs: Mapping[str, Tensor]) -> None:
    for layer in layers:
        if layer not in inputs:
            raise ValueError(f'layer="{layer}" is not called in the forward pass. {on_offer(model)}')


def module_of(model: nn.Module, layer: str) -> nn.Module:
    """The submodule of this name; ValueError with the attention modules if there is none."""
    try:
        return model.get_submodule(layer)
    except AttributeError:
        raise ValueError(f'layer="{layer}" is not in this network. {on_offer(model)}') from None


def checked_layers(model: nn.Module, layers: Sequence[str]) -> tuple[str, ...]:
    """Names of attention modules as they were given; ValueError if one of them is none."""
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    for name in names:
        module = module_of(model, name)
        if not _has_maps(module):
            raise ValueError(f'layer="{name}" is a {type(module).__name__}, no attention module. {on_offer(model)}')
    return names


def on_offer(model: nn.Module) -> str:
    """A sentence for an error about a layer: which attention modules there are."""
    names = attention_modules(model)
    return f"Its attention modules: {', '.join(names)}." if names else "It has no attention modules."
