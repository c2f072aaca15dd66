"""A network with its class activation maps and attention maps as one graph of tensor operations.

    pixels (1, 1 or 3, S, S) in 0..1 → logits (1, K), class activation maps (K, h, w), attention maps (h, w) each

A browser has no automatic differentiation, and Grad-CAM needs the gradient of each logit. So the workbench's own
functions run once while every tensor operation is recorded, those of the backward pass included: the gradient becomes
a part of the graph. For a network that ends in a global average and a linear layer it is a constant, the weights of
that layer (class activation maps, Zhou et al. 2016); for any other it costs the rest of the network once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx
from torch._decomp import get_decompositions
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel

from ...analysis import attention, cam
from ...analysis.activations import forward_for_tracing
from ..networks import Network
from .errors import WebDemoError

MOST_CLASSES = 20
"""Classes of a network in the web demo: each has a map in every prediction."""

aten = torch.ops.aten


@dataclass(frozen=True)
class AttentionOutput:
    """An attention map among the outputs.

    Attributes:
        title: what it is, in a few words.
        layer: name of the module.
    """

    title: str
    layer: str


@dataclass(frozen=True, eq=False)
class Traced:
    """A recorded network.

    Attributes:
        graph: pixels → (logits, class activation maps if there is a layer for them, attention maps).
        pixels: the input that was used, (1, 1 or 3, S, S).
        layer: the target layer of the class activation maps; None: no maps.
        attention: the attention maps, in their order.
    """

    graph: fx.GraphModule
    pixels: Tensor
    layer: str | None
    attention: tuple[AttentionOutput, ...]


def trace(net: Network) -> Traced:
    """Record a network with its maps.

    Raises:
        WebDemoError: it has too many classes, SVD attention, or operations that depend on values.
    """
    if len(net.classes) > MOST_CLASSES:
        raise WebDemoError(f"{net.name} has {len(net.classes)} classes; the web demo shows at most {MOST_CLASSES}.")
    if net.svd_layers:
        raise WebDemoError(
            f"{net.name} cannot be exported: ONNX has no singular value decomposition, which its attention needs. "
            "Choose another network."
        )
    pixels = torch.rand(1, planes(net), net.input_size, net.input_size, generator=torch.Generator().manual_seed(0))
    _, maps = computed(net, pixels)  # first: what a network caches must not be a tensor of the recording
    found = tuple(AttentionOutput(m.title, m.layer) for m in maps)
    try:
        with sdpa_kernel(SDPBackend.MATH):  # self-attention in operations that ONNX has, not as a fused one
            graph = make_fx(lambda x: computed(net, x)[0], decomposition_table=_decompositions())(pixels)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise WebDemoError(f"{net.name} cannot be recorded as a graph: {reason}") from error
    return Traced(graph, pixels, net.spec.cam_layer, found)


def planes(net: Network) -> int:
    """Channels of the pixels that the graph takes: 3 for a network that gets colors, else 1, gray."""
    return 3 if net.color else 1


def computed(net: Network, pixels: Tensor) -> tuple[tuple[Tensor, ...], Sequence[attention.AttentionMap]]:
    """The outputs for pixels (1, 1 or 3, S, S) in 0..1, and the attention maps among them."""
    x = net.normalized(pixels)
    layer, modules = net.spec.cam_layer, net.spec.attention_layers
    with attention.recorded_inputs(net.model, modules) as inputs, torch.no_grad():
        found = forward_for_tracing(net.model, x, layer, net.spec.reshape) if layer else None
        logits = found.logits.detach() if found else net.model(x)
    maps = [cam.atlas_of(found, ("gradcam",))[0, 0]] if found else []  # (K, h, w)
    steps = attention.steps_from(net.model, inputs, modules)
    spatial = [m for m in attention.maps_from(net.model, x, steps) if m.spatial]
    return (logits.float(), *maps, *(m.values[0].float() for m in spatial)), spatial


def _decompositions() -> dict:
    """Operations of the backward pass, which ONNX lacks, in terms of others."""
    backward = (
        aten.threshold_backward, aten.hardtanh_backward, aten.hardswish_backward, aten.hardsigmoid_backward,
        aten.sigmoid_backward, aten.tanh_backward, aten.silu_backward, aten.gelu_backward, aten.leaky_relu_backward,
        aten.elu_backward, aten.native_batch_norm_backward, aten.native_layer_norm_backward,
        aten.native_group_norm_backward, aten._softmax_backward_data, aten._log_softmax_backward_data,
        aten.max_pool2d_with_indices_backward, aten.avg_pool2d_backward, aten._adaptive_avg_pool2d_backward,
        aten.upsample_bilinear2d_backward, aten.upsample_nearest2d_backward, aten.select_backward,
        aten.slice_backward, aten.native_dropout_backward, aten.norm,
    )  # fmt: skip
    known = get_decompositions([packet for packet in backward if packet is not None])
    own = {
        aten.convolution_backward.default: _convolution_backward,
        aten.replication_pad2d_backward.default: _replication_pad_backward,
    }
    return known | own


def _convolution_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    _bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    _output_padding: Sequence[int],
    groups: int,
    _output_mask: Sequence[bool],
) -> tuple[Tensor, None, None]:
    """The gradient of a convolution with respect to its input, a transposed convolution; of the weights none."""
    if transposed:
        back = aten.convolution.default(grad, weight, None, stride, padding, dilation, False, [0, 0], groups)
        return back, None, None
    spans = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilation, strict=True)]
    smallest = [
        (g - 1) * s - 2 * p + span for g, s, p, span in zip(grad.shape[2:], stride, padding, spans, strict=True)
    ]
    rest = [side - least for side, least in zip(x.shape[2:], smallest, strict=True)]  # pixels that a stride skips
    return aten.convolution.default(grad, weight, None, stride, padding, dilation, True, rest, groups), None, None


def _replication_pad_backward(grad: Tensor, _x: Tensor, padding: Sequence[int]) -> Tensor:
    """The gradient of repeated borders: that of each copy is added to that of the pixel at the border."""
    left, right, top, bottom = padding
    return _borders_added(_borders_added(grad, left, right, -1), top, bottom, -2)


def _borders_added(grad: Tensor, before: int, after: int, dim: int) -> Tensor:
    side = grad.shape[dim] - before - after
    inner = grad.narrow(dim, before, side)
    first, last = grad.narrow(dim, 0, before), grad.narrow(dim, before + side, after)
    rest = inner.new_zeros(()).expand(*(side - 1 if i == grad.ndim + dim else n for i, n in enumerate(inner.shape)))
    inner = inner + torch.cat([first.sum(dim, keepdim=True), rest], dim)
    return inner + torch.cat([rest, last.sum(dim, keepdim=True)], dim)
