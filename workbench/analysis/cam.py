"""Class activation maps: every gradient method, for every class, from one forward pass.

The idea: a convolutional layer holds K maps A^k, each responding to a pattern at each position. The gradient of a
class's logit y^c with respect to A^k says how much the logit would change if the map changed. Each method joins the two
into one image for the class, in its own way; METHODS lists them, and each is one function below with its equation.

How one pass is enough: the part of the network up to the layer runs without a graph. In the layer's forward hook the
activation becomes the start of a new graph, which the rest of the forward pass extends to the logits. One batched
backward pass through that short rest gives the gradients of all classes, and all methods read the same two tensors.

Symbols and shapes, used throughout:

    B  images          K  maps of the layer     h w  their height and width        C  target classes
    A  activations (B, K, h, w)                   G  gradients ∂y^c/∂A (B, C, K, h, w)
    Z  = h·w, the number of positions             Σ_ij  a sum over positions         Σ_k  a sum over maps

Images in a batch do not mix in evaluation mode, so G holds each image's own gradient. A map is what the layer's
output and the gradient say together; it does not prove that a region caused the prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from .activations import Activations, forward_from, plain_modes
from .validation import (
    class_indices,
    no_influence,
    require_logits,
    require_size,
)

_TINY = 1e-14  # see min_max

GRADIENT_BYTES = 64 << 20
"""Largest size of the gradients of several classes at a time; a network of seven classes needs a hundredth."""

Method = Callable[[Tensor, Tensor], Tensor]


def _gradcam(A: Tensor, G: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017, eq. 1 and 2): L^c = ReLU(Σ_k α_k^c A^k) with α_k^c = 1/Z Σ_ij ∂y^c/∂A_ij^k.

    Each map counts by its average gradient: how much the class gains if the whole map grows.
    """
    alpha = G.mean((-2, -1))  # (B, C, K)  α_k^c
    return _weighted_sum(alpha, A)  # (B, C, h, w)


def _gradcam_plus_plus(A: Tensor, G: Tensor) -> Tensor:
    """Grad-CAM++ (Chattopadhyay et al. 2018, eq. 19): w_k^c = Σ_ij α_ij^kc ReLU(g_ij), g = ∂y^c/∂A^k, where

        α_ij^kc = g_ij² / (2 g_ij² + (Σ_ab A_ab^k) g_ij³ + ε),  ε = 1e-6.

    The second and third derivatives of the paper are g² and g³, because y is taken as the exponential of the logit.
    Positions share a map's weight more evenly, so that several regions can show. With gradients far under 1e-3 (a large
    layer with average pooling behind it) ε rules and the values are tiny, though the image stays.
    """
    g = G.relu()  # (B, C, K, h, w)  a position with g ≤ 0 has no weight, so α need not be known there
    sums = A.sum((-2, -1))[:, None, :, None, None]  # (B, 1, K, 1, 1)  Σ_ab A_ab^k
    alpha = g**2 / (g**2 * (2 + sums * g) + 1e-6)  # (B, C, K, h, w)  α_ij^kc
    weights = (g * alpha).sum((-2, -1))  # (B, C, K)  w_k^c
    return _weighted_sum(weights, A)


def _xgradcam(A: Tensor, G: Tensor) -> Tensor:
    """XGrad-CAM (Fu et al. 2020): L^c = ReLU(Σ_k α_k^c A^k) with α_k^c = Σ_ij s_ij^k ∂y^c/∂A_ij^k, where

        s_ij^k = A_ij^k / (Σ_ab A_ab^k + ε),  ε = 1e-7.

    As Grad-CAM, but a position's gradient counts by its share s of the map's activation.
    """
    share = A / (A.sum((-2, -1), keepdim=True) + 1e-7)  # (B, K, h, w)
    alpha = (G * share[:, None]).sum((-2, -1))  # (B, C, K)
    return _weighted_sum(alpha, A)


def _hirescam(A: Tensor, G: Tensor) -> Tensor:
    """HiResCAM (Draelos and Carin 2020): L^c = ReLU(Σ_k ∂y^c/∂A^k ⊙ A^k).

    The gradient is not averaged over positions, so a position with a negative gradient cannot gain weight from others.
    """
    return (G * A[:, None]).sum(2)


def _layercam(A: Tensor, G: Tensor) -> Tensor:
    """LayerCAM (Jiang et al. 2021): L^c = ReLU(Σ_k ReLU(∂y^c/∂A^k) ⊙ A^k).

    Only positions whose growth would raise the class count; made for the finer maps of earlier layers too.
    """
    return (G.relu() * A[:, None]).sum(2)


def _elementwise(A: Tensor, G: Tensor) -> Tensor:
    """Element-wise Grad-CAM (GradCAMElementWise of pytorch-grad-cam; no paper): L^c = Σ_k ReLU(∂y^c/∂A^k ⊙ A^k).

    As HiResCAM, but evidence against the class at a position is dropped map by map, so it cannot cancel the rest.
    """
    return (G * A[:, None]).relu().sum(2)


def _weighted_sum(weights: Tensor, A: Tensor) -> Tensor:
    """Σ_k w_k^c A^k: (B, C, K), (B, K, h, w) → (B, C, h, w)."""
    return torch.einsum("bck,bkhw->bchw", weights, A)


# A new method is a function (A, G) → (B, C, h, w) and a line here; `atlas` rectifies its result.
_METHODS: dict[str, Method] = {
    "gradcam": _gradcam,
    "gradcam++": _gradcam_plus_plus,
    "xgradcam": _xgradcam,
    "hirescam": _hirescam,
    "layercam": _layercam,
    "elementwise": _elementwise,
}

METHODS: tuple[str, ...] = tuple(_METHODS)


def atlas(
    model: nn.Module,
    x: Tensor,
    layer: str,
    methods: Sequence[str] = METHODS,
    classes: Sequence[int] | None = None,
    size: Sequence[int] | None = None,
    normalize: bool = False,
    reshape: str = "",
) -> Float[Tensor, "B M C h w"]:
    """Class activation maps of several methods and classes, from one forward and one batched backward pass.

    The order of the steps: the method's sum, rectified; bilinear resizing (half-pixel centers, as OpenCV's); min–max.

    Args:
        model: any network (B, C_in, H, W) → logits (B, number of classes). It is used in evaluation mode and comes back
            as it was; several threads may pass the same one.
        x: images (B, C_in, H, W), prepared as the network expects them. Inference-mode tensors are accepted.
        layer: name of a submodule (as for `get_submodule`) whose output has feature maps: (B, K, h, w), (B, h, w, K) or
            tokens (B, N, K). If the network calls it several times, the last call counts.
        methods: names out of METHODS; their order is the order of the result.
        classes: class indices; their order is the order of the result. None: all classes.
        size: (height, width) of the maps. None: those of the layer's output.
        normalize: stretch each map to 0..1, at the size returned; a map that is zero everywhere stays zero. This
            hides how strong a map is beside another.
        reshape: how the output of the layer is laid out, see `layouts`; empty: found by its shape.

    Returns:
        Maps (B, number of methods, number of classes, h, w), without a graph, at least 0 and each method on a scale of
        its own, in float32 (float64 for a float64 network).

    Raises:
        ValueError: an argument is wrong, or the layer has no map to offer; the message names the argument.
    """
    _checked_methods(methods)
    require_size(size)
    activations = forward_from(model, x, layer, reshape)
    require_logits(activations.logits, x)
    return atlas_of(activations, methods, classes, size, normalize)


def atlas_of(
    found: Activations,
    methods: Sequence[str] = METHODS,
    classes: Sequence[int] | None = None,
    size: Sequence[int] | None = None,
    normalize: bool = False,
) -> Float[Tensor, "B M C h w"]:
    """The maps of `atlas` from a forward pass that is already done; it can be used once more afterwards.

    Arguments, result and errors as for `atlas`.
    """
    names = _checked_methods(methods)
    require_size(size)
    with plain_modes(found.A.device):
        maps = torch.cat([_maps(found, names, some) for some in _chunks(found, classes)], dim=2)  # (B, M, C, h, w)
        if size is not None:
            maps = resize(maps, size)
        return min_max(maps) if normalize else maps


def _maps(found: Activations, names: list[str], classes: list[int]) -> Tensor:
    A, G = _activations_and_gradients(found, classes)  # (B, K, h, w), (B, C, K, h, w)
    return torch.stack([join(name, A, G) for name in names], dim=1)  # (B, M, C, h, w)


def _chunks(found: Activations, classes: Sequence[int] | None) -> list[list[int]]:
    """The classes in parts whose gradients G fit into `GRADIENT_BYTES`: of 1000 classes they would fill gigabytes."""
    indices = class_indices(classes, found.logits.shape[1])
    count = max(1, GRADIENT_BYTES // (found.A.numel() * max(4, found.A.element_size())))
    return [indices[start : start + count] for start in range(0, len(indices), count)]


def maps_of_targets(
    found: Activations, method: str, targets: Int[Tensor, " B"], size: Sequence[int] | None = None
) -> Float[Tensor, "B h w"]:
    """The map of one class for each image, `targets`, by one backward pass for the whole batch.

    Other arguments, result and errors as for `atlas`; the forward pass can be used once more afterwards.
    """
    (name,) = _checked_methods((method,))
    require_size(size)
    with plain_modes(found.A.device):
        one_hot = torch.zeros_like(found.logits).scatter(1, targets[:, None], 1)  # y^c of each image, see `_gradients`
        if not found.logits.requires_grad:
            raise no_influence(found.layer)
        (G,) = torch.autograd.grad(found.logits, found.A, one_hot, retain_graph=True, allow_unused=True)
        if G is None:
            raise no_influence(found.layer)
        wide = torch.promote_types(found.A.dtype, torch.float32)
        maps = join(name, found.A.detach().to(wide), G[:, None].to(wide))[:, 0]  # (B, h, w)
        return maps if size is None else resize(maps, size)


def gradcam(
    model: nn.Module,
    x: Tensor,
    classes: Sequence[int] | None,
    layer: str,
    size: Sequence[int] | None = None,
    normalize: bool = False,
    reshape: str = "",
) -> Float[Tensor, "B C h w"]:
    """Grad-CAM of one layer, a map for each target class: (B, C, h, w). Arguments and errors as for `atlas`."""
    return atlas(model, x, layer, ("gradcam",), classes, size, normalize, reshape)[:, 0]


def join(method: str, A: Float[Tensor, "B K h w"], G: Float[Tensor, "B C K h w"]) -> Float[Tensor, "B C h w"]:
    """The map that one of METHODS draws from activations and gradients, rectified; without a graph."""
    return _METHODS[method](A, G).relu()


def _activations_and_gradients(found: Activations, classes: Sequence[int] | None) -> tuple[Tensor, Tensor]:
    """A (B, K, h, w) of the layer and G (B, C, K, h, w), both in float32 or, for a float64 network, float64."""
    # The backward pass needs no lock: the graph is this call's own and runs neither hooks nor modes of the network.
    indices = class_indices(classes, found.logits.shape[1])
    G = _gradients(found.logits, found.A, indices)
    if G is None:
        raise no_influence(found.layer)
    wide = torch.promote_types(found.A.dtype, torch.float32)
    return found.A.detach().to(wide), G.transpose(0, 1).to(wide)


def _gradients(logits: Tensor, A: Tensor, classes: list[int]) -> Tensor | None:
    """∂y^c/∂A for each class: logits (B, number of classes), A (B, K, h, w) → (C, B, K, h, w); None: independent."""
    if not logits.requires_grad:
        return None
    one_hot = torch.zeros(len(classes), *logits.shape, dtype=logits.dtype, device=logits.device)  # (C, B, n)
    one_hot[range(len(classes)), :, classes] = 1  # summing over B is right: y^c of an image depends on its own A only
    try:
        return torch.autograd.grad(logits, A, one_hot, retain_graph=True, is_grads_batched=True, allow_unused=True)[0]
    except RuntimeError:  # an operation without a rule for batched gradients; a true error returns in the loop
        return torch.stack([torch.autograd.grad(logits, A, seed, retain_graph=True)[0] for seed in one_hot])


def resize(maps: Float[Tensor, "*batch h w"], size: Sequence[int]) -> Float[Tensor, "*batch H W"]:
    """Maps resized to (height, width), the one way everywhere: bilinear, half-pixel centers, each map by itself."""
    planes = maps.reshape(len(maps) if maps.ndim > 3 else 1, -1, *maps.shape[-2:])
    return F.interpolate(planes, tuple(size), mode="bilinear", align_corners=False).view(*maps.shape[:-2], *size)


def min_max(maps: Tensor) -> Tensor:
    """Each map to 0..1; a constant map becomes 0.

    pytorch-grad-cam divides by (maximum + 1e-7) twice, which is one division by (maximum + 1e-14) up to a factor of
    1 + 1e-7: maps as faint as 1e-9 keep their full range.
    """
    maps = maps - maps.amin((-2, -1), keepdim=True)
    return maps / (maps.amax((-2, -1), keepdim=True) + _TINY)


def _checked_methods(methods: Sequence[str]) -> list[str]:
    names = [methods] if isinstance(methods, str) else list(methods)
    unknown = [name for name in names if name not in _METHODS]
    if unknown or not names:
        raise ValueError(f"methods={names}: choose one or more of {', '.join(METHODS)}")
    return names
