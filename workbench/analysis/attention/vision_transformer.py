"""Attention rollout of plain vision transformers: ours, and those of timm such as ViT and DeiT."""

from __future__ import annotations

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.layers.transformer import TransformerBlock

from ..activations import plain_modes
from ..layouts import layout_of
from ..model_isolation import shared_copy_of
from ..validation import require_images
from .blocks import rollout
from .steps import steps_of


def attention_weights(model: nn.Module, x: Float[Tensor, "B C H W"]) -> dict[str, Tensor]:
    """Attention weights of every block of a vision transformer, by the name of its attention module, first to last.

    Fused attention returns no weights, so a copy that shares the network's weights runs without it.

    Args:
        model: a network of `TransformerBlock`s, or whose attention modules have `attn_drop` behind the softmax and
            `fused_attn`, as timm's.
        x: images, prepared as the network expects them.

    Returns:
        One entry a block, (B, heads, N, N), rows summing to 1. Empty for a network without such modules.
    """
    require_images(x)
    ours = [name for name, module in model.named_modules() if isinstance(module, TransformerBlock)]
    if ours:
        return {name: steps.attention for name, steps in steps_of(model, x, ours).items()}
    if not any(hasattr(module, "fused_attn") for module in model.modules()):
        return {}
    double, found = shared_copy_of(model), dict[str, Tensor]()
    for name, module in double.named_modules():
        if isinstance(getattr(module, "attn_drop", None), nn.Module) and hasattr(module, "fused_attn"):
            setattr(module, "fused_attn", False)  # noqa: B010  (a module's attribute, unknown to the type checker)
            module.attn_drop.register_forward_hook(partial(_keep, found, name))
    with plain_modes(x.device):
        double(x.detach())
    return found


def rollout_of(model: nn.Module, x: Float[Tensor, "B C H W"], reshape: str = "") -> Float[Tensor, "B h w"]:
    """Attention rollout of a plain vision transformer: how much its output draws from each patch.

    Of a network with a class token, the row of that token (Abnar and Zuidema 2020); of one that averages the patches,
    the mean of their rows. It does not depend on a class, and follows where tokens mix, not what the mixture is used
    for.

    Args:
        model, x: the network and its input, as for `attention_weights`.
        reshape: layout of the tokens, see `layouts`; empty: found by their number.

    Raises:
        ValueError: the blocks do not all attend over the patches of the whole image, as in networks with windows.
    """
    weights = list(attention_weights(model, x).values())
    sizes = {tuple(A.shape) for A in weights if A.ndim == 4}
    layout = None
    if len(sizes) == 1 and len(weights[0]) == len(x):
        layout = layout_of(torch.empty(len(x), weights[0].shape[-1], 1, device="meta"), x.shape, reshape)
    if layout is None:
        raise ValueError(
            f"model has attention of the shapes {sorted(sizes) or 'none'}: rollout needs a plain vision transformer, "
            "whose blocks all attend over one grid of patches. Use a class activation map instead."
        )
    together = rollout(weights)  # (B, N, N)
    row = together[:, 0] if layout.prefix and _reads_class_token(model) else together[:, layout.prefix :].mean(1)
    return row[:, layout.prefix :].unflatten(1, layout.extent)  # (B, h, w)


def _reads_class_token(model: nn.Module) -> bool:
    """Whether the head reads the class token; timm names the pooling, and "token" is the usual one."""
    return getattr(model, "global_pool", "token") in ("token", "")


def _keep(found: dict[str, Tensor], name: str, _module: nn.Module, _inputs: object, output: Tensor) -> None:
    found[name] = output.detach()
