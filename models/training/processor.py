"""What makes a training step quicker on a processor: gradients of depthwise convolutions, and memory that is kept.

Both were found by a profile (`benchmarks/step_speed.py` measures what they are worth): a step of `efficientnet_lite0`
in bfloat16 spent four fifths of its time in the backward pass of sixteen depthwise convolutions.
"""

from __future__ import annotations

import ctypes
import platform
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of glibc


def keep_freed_memory() -> bool:
    """Let the C library keep the memory that tensors free, for the rest of the process; True where that is possible.

    glibc asks the operating system for each tensor of more than 32 MiB, which then fills it with zeros page by page,
    and gives it back when the tensor is freed. In training the same sizes come back at every step.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution with the same weights and outputs as `nn.Conv2d`, and quicker gradients in bfloat16."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, H', W')."""
        if not torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        low = torch.get_autocast_dtype("cpu")
        bias = None if self.bias is None else self.bias.to(low)
        return _Depthwise.apply(input.to(low), self.weight.to(low), bias, self.stride, self.padding, self.dilation)


class _Depthwise(torch.autograd.Function):
    """The convolution in the precision of its arguments; its gradients in float32 where bfloat16 has no quick kernel.

    oneDNN computes the input's gradient at a stride of 2 and the weight's of a 5×5 kernel without vector instructions
    in bfloat16: up to 200 times slower than in float32, to which both are converted here.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, *geometry: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry, ctx.biased = geometry, bias is not None
        return F.conv2d(x, weight, bias, *geometry, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # ty: ignore[incompatible-method-override]
        x, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.geometry
        low, slow = x.dtype, max(stride) > 1 or max(weight.shape[-2:]) > 3
        if slow:
            gradient, x, weight = gradient.float(), x.float(), weight.float()
        no_offset, wanted = [0, 0], [*ctx.needs_input_grad[:2], ctx.biased and ctx.needs_input_grad[2]]
        gradients = torch.ops.aten.convolution_backward(
            gradient, x, weight, [len(weight)], stride, padding, dilation, False, no_offset, len(weight), wanted
        )
        return *(None if some is None else some.to(low) for some in gradients), None, None, None


def quicken(network: nn.Module) -> nn.Module:
    """Give a network's depthwise convolutions the quicker gradients, in place; its weights and outputs stay the same.

    Args:
        network: on the processor, where it trains.

    Returns:
        The same network.
    """
    for layer in network.modules():
        depthwise = type(layer) is nn.Conv2d and layer.in_channels == layer.out_channels == layer.groups > 1
        if depthwise and layer.padding_mode == "zeros" and not isinstance(layer.padding, str):
            layer.__class__ = DepthwiseConv2d
    return network
