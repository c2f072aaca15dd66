"""Checks of tensors and networks that several analyses share; each error names the argument and says what to do."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Sequence
from typing import SupportsIndex, cast

import torch
from torch import Tensor, nn


def require_finite(x: Tensor, name: str) -> None:
    """Raise ValueError, naming the argument, if `x` holds a NaN or an infinity."""
    if not bool(torch.isfinite(x).all()):
        raise ValueError(f"{name} contains NaN or infinite values. Replace or drop them first.")


def float_matrices(x: Tensor, name: str = "x") -> Tensor:
    """The last two dimensions of `x` as real matrices: (..., H, W) → the same numbers as float32 (float64 stays).

    Raises:
        ValueError: `x` has fewer than two dimensions, an empty side, complex numbers, NaN or infinite values.
    """
    if x.ndim < 2 or 0 in x.shape[-2:]:
        raise ValueError(f"{name} has shape {tuple(x.shape)}. Give a map (..., H, W) with H and W at least 1.")
    if x.is_complex():
        raise ValueError(f"{name} is complex. Give real numbers, such as the pixels of an image.")
    require_finite(x, name)
    return x if x.dtype == torch.float64 else x.float()


# ---- what an explanation is given


def require_images(x: Tensor) -> None:
    """Raise ValueError if `x` is no batch (B, C, H, W) of finite floating-point images."""
    if x.ndim != 4 or x.numel() == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}. Give a batch (B, C, H, W); for one image use x[None].")
    if not x.is_floating_point():
        raise ValueError(f"x has type {x.dtype}. Give floating-point pixels, normalized as the network expects them.")
    require_finite(x, "x")


def require_size(size: Sequence[int] | None) -> None:
    """Raise ValueError if `size` is neither None nor a (height, width) of at least 1."""
    if size is not None and (len(size) != 2 or not all(hasattr(side, "__index__") and side >= 1 for side in size)):
        raise ValueError(
            f"size={size}: give (height, width), both whole and at least 1, or None for the map's own size"
        )


def require_weights(model: nn.Module) -> None:
    """Raise ValueError if no gradient can pass the network's weights."""
    if any(parameter.is_inference() for parameter in model.parameters()):
        raise ValueError("model was built inside torch.inference_mode(), so it has no gradients. Build it outside.")


def layer_of(model: nn.Module, layer: str) -> nn.Module:
    """The submodule of this name; ValueError with the nearest names if there is none."""
    try:
        if layer:
            return model.get_submodule(layer)
    except AttributeError:
        pass
    raise ValueError(f'layer="{layer}" is not in this network. {layers_on_offer(model, layer)}')


def layers_on_offer(model: nn.Module, layer: str) -> str:
    """Two sentences for an error about a layer: the names like it, and the outermost ones."""
    names = [name for name, _ in model.named_modules() if name]
    near = difflib.get_close_matches(str(layer), [name for name in names if name != layer], n=3, cutoff=0.0)
    top = [name for name, _ in model.named_children()]
    return f"The nearest names: {', '.join(near)}. The outermost layers: {', '.join(top)}."


def no_influence(layer: str) -> ValueError:
    """The error of a layer whose output does not lead to the logits."""
    return ValueError(f'layer="{layer}" has no influence on the logits. Choose a layer that leads to them.')


def require_logits(logits: object, x: Tensor) -> Tensor:
    """What a network returns for `x`, if that is logits (B, number of classes), all finite; otherwise ValueError."""
    logits = require_logit_shape(logits, x)
    if not bool(torch.isfinite(logits.detach()).all()):
        raise ValueError("model returns NaN or infinite logits for x. Check its weights and the normalization of x.")
    return logits


def require_logit_shape(logits: object, x: Tensor) -> Tensor:
    """What a network returns for `x`, if that is a tensor (B, number of classes); otherwise ValueError."""
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(x):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"model returns {shape}. It has to return logits (B, number of classes) for B = {len(x)}.")
    return logits


def class_index(class_: int, count: int) -> int:
    """A class as a plain int; ValueError if it is not one of the network's `count` classes."""
    if not _is_index(class_, count):
        raise ValueError(f"class_={class_}: the network has {count} classes; give an index from 0 to {count - 1}")
    return operator.index(class_)


def class_indices(classes: Sequence[int] | None, count: int) -> list[int]:
    """Classes as plain ints, None standing for all; ValueError as for `class_index`, or if none is given."""
    if classes is None:
        return list(range(count))
    indices = [classes] if isinstance(classes, int) else list(classes)
    if not indices or not all(_is_index(index, count) for index in indices):
        raise ValueError(f"classes={indices}: the network has {count} classes; give indices from 0 to {count - 1}")
    return [operator.index(index) for index in indices]


def _is_index(index: object, count: int) -> bool:
    """Whether it is a whole number in 0 … count − 1, of Python, NumPy or torch."""
    try:
        return not isinstance(index, bool) and 0 <= operator.index(cast(SupportsIndex, index)) < count
    except TypeError:
        return False
