"""Two lessons on convolution: feature maps and Grad-CAM, and depthwise-separable convolution."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from threading import get_ident

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...analysis import attention, cam
from ...analysis.activations import forward_from
from ...analysis.model_isolation import isolated
from ...faces import Face
from ..networks import Network, get_spec, is_trained, open_network
from .common import Symbol, fields, symbol


@dataclass(frozen=True, eq=False)
class Convolution:
    """The first convolution of a network on a face, and Grad-CAM of the predicted class.

    Attributes:
        pixels: the input of the network in 0..1, (S, S).
        first: name of its first convolution.
        kernels: its kernels, summed over the input's channels (a gray image fills them alike), (D, k, k).
        responses: output of each kernel, any sign, (D, h, w).
        most_active: index of the kernel whose response varies most.
        predicted: the predicted class.
        layer: the target layer of Grad-CAM.
        most: index of the feature map of that layer that contributes most to the sum.
        term: its contribution, the map times its weight, in the unit of the logit, (h, w).
        weight: its weight, any sign.
        heat: Grad-CAM of the prediction, at least 0, in the unit of the logit, (S, S).
        shares: how the map is spread over nine fields, (9,), summing to 1; zeros for a blank map.
        symbols: symbols of Grad-CAM's two equations.
    """

    pixels: Tensor
    first: str
    kernels: Tensor
    responses: Tensor
    most_active: int
    predicted: str
    layer: str
    most: int
    term: Tensor
    weight: float
    heat: Tensor
    shares: Tensor
    symbols: tuple[Symbol, ...]


def trained_with_maps(network: str) -> bool:
    """Whether a network is trained and has a layer for class activation maps."""
    return is_trained(network) and get_spec(network).cam_layer is not None


def convolution(face: Face, network: str) -> Convolution:
    """The first convolution of a network on a face, and Grad-CAM for the predicted class."""
    net = open_network(network)
    x, pixels, layer = net.prepare(face), net.see(face), net.cam_layer
    first, conv = next((n, m) for n, m in net.model.named_modules() if isinstance(m, nn.Conv2d))
    with torch.no_grad():
        responses = conv(attention.input_of(net.model, x, first))[0]  # (D, h, w)
    A, logits, G = _activation_and_gradient(net, x)
    L = cam.join("gradcam", A, G[:, None])  # (1, 1, h, w)
    alpha = G[0].mean((-2, -1))  # (K,)
    terms = alpha[:, None, None] * A[0]  # (K, h, w)
    most = int(terms.sum((-2, -1)).argmax())
    heat = cam.resize(L[0, 0], pixels.shape)
    return Convolution(
        pixels=pixels,
        first=first,
        kernels=conv.weight.detach().sum(1),
        responses=responses,
        most_active=int(responses.flatten(1).std(1).argmax()),
        predicted=net.classes[int(logits.argmax())],
        layer=layer,
        most=most,
        term=terms[most],
        weight=float(alpha[most]),
        heat=heat,
        shares=fields(heat),
        symbols=(
            symbol("A^k", f"feature maps of `{layer}`", A[0]),
            symbol("y^c", "logit of the predicted class", logits.max()),
            symbol(r"\partial y^c/\partial A^k_{ij}", "its gradient at each position", G[0]),
            symbol(r"\alpha_k^c", "weight of each feature map", alpha),
            symbol("L^c", "Grad-CAM map", L[0, 0]),
        ),
    )


def _activation_and_gradient(net: Network, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A (1, K, h, w) of the layer for maps, logits (K,), and the gradient of the largest logit, as large as A."""
    found = forward_from(net.model, x, net.cam_layer, net.spec.reshape)
    with torch.autocast("cpu", enabled=False):
        (G,) = torch.autograd.grad(found.logits[0].max(), found.A)
    return found.A.detach(), found.logits[0].detach(), G


@dataclass(frozen=True, eq=False)
class Separable:
    """One full convolution of a network, and the depthwise-separable one that could replace it.

    Attributes:
        layer: the full convolution with the most operations (of equals the first) among those with maps of 6 × 6 or
            more; among all where there is none.
        kernel, channels, outputs, positions: its k (k × k weights), C in, D out, and positions of its output.
        terms: contribution of each input channel to output channel `output`, (C, h, w); they sum to it.
        output: index of the output channel that varies most.
        weights: number of weights of the full convolution and of the pair.
        operations: number of multiplications of both for this face.
        parameters: number of parameters of the whole network as it is, and with all its full convolutions replaced.
        replaced: number of those.
        symbols: symbols of the equation.
    """

    layer: str
    kernel: int
    channels: int
    outputs: int
    positions: int
    terms: Tensor
    output: int
    weights: tuple[int, int]
    operations: tuple[int, int]
    parameters: tuple[int, int]
    replaced: int
    symbols: tuple[Symbol, ...]

    @property
    def factor(self) -> float:
        """How many times fewer weights and multiplications the separable one has."""
        return self.weights[0] / self.weights[1]


def has_full_convolutions(network: str) -> bool:
    """Whether a network has a square convolution larger than 1 × 1 that mixes several channels."""
    return any(_is_full(m) for m in open_network(network).model.modules())


def separable(face: Face, network: str) -> Separable:
    """The contributions to the costliest full convolution of a network, and the cost of a separable one.

    Raises:
        ValueError: it has none, see `has_full_convolutions`.
    """
    net = open_network(network)
    shown = net.prepare(face)
    calls = _full_convolutions(net.model, shown)
    if not calls:
        raise ValueError(f'network="{network}" has no full convolution')
    layer, (conv, positions) = max(calls.items(), key=_by_size)
    D, C, k, _ = conv.weight.shape
    x = attention.input_of(net.model, shown, layer)  # (1, C, H, W)
    with torch.no_grad():
        y = conv(x)[0]  # (D, h, w)
        output = int(y.flatten(1).std(1).argmax())
        one = conv.weight[output][:, None]  # (C, 1, k, k)  w_dc
        terms = F.conv2d(x, one, None, conv.stride, conv.padding, conv.dilation, groups=C)[0]  # (C, h, w)  w_dc * x_c
    weights = _weights(conv)
    total = sum(p.numel() for p in net.model.parameters() if p.requires_grad)
    saved = sum(full - pair for full, pair in (_weights(conv) for conv, _ in calls.values()))
    return Separable(
        layer=layer,
        kernel=k,
        channels=C,
        outputs=D,
        positions=positions,
        terms=terms,
        output=output,
        weights=weights,
        operations=(weights[0] * positions, weights[1] * positions),
        parameters=(total, total - saved),
        replaced=len(calls),
        symbols=(
            symbol("x", f"input of `{layer}`, C channels", x[0]),
            symbol("w", "weights of the full convolution, D × C × k × k", conv.weight),
            symbol("y", "output, D channels", y),
        ),
    )


def _by_size(call: tuple[str, tuple[nn.Conv2d, int]]) -> tuple[bool, int]:
    """Sort key: sufficiently large maps first, then the number of operations."""
    conv, positions = call[1]
    return positions >= 36, conv.weight.numel() * positions


def _weights(conv: nn.Conv2d) -> tuple[int, int]:
    """Number of weights of a full and of a depthwise-separable convolution."""
    D, C, k, _ = conv.weight.shape
    return k * k * C * D, k * k * C + C * D


def _is_full(module: nn.Module) -> bool:
    if not isinstance(module, nn.Conv2d):
        return False
    side, other = module.kernel_size
    return module.groups == 1 and module.in_channels > 3 and side == other > 1 and module.padding_mode == "zeros"


def _full_convolutions(model: nn.Module, x: Tensor) -> dict[str, tuple[nn.Conv2d, int]]:
    """The full convolutions of one forward pass of this thread, each with its number of output positions."""
    thread, found = get_ident(), {}

    def take(name: str, conv: nn.Conv2d, _inputs: tuple, output: Tensor) -> None:
        if get_ident() == thread:
            found[name] = (conv, output[0, 0].numel())

    with isolated(model), torch.no_grad(), ExitStack() as hooks:
        for name, module in model.named_modules():
            if _is_full(module):
                hooks.enter_context(module.register_forward_hook(partial(take, name)))
        model(x)
    return found
