"""Faster training steps on a CPU: gradients of depthwise convolutions, and reuse of freed memory.

Found by profiling (`benchmarks/training_steps.py --compare` measures the gain): a step of `efficientnet_lite0` in
bfloat16 spent 80 % of its time in the backward pass of sixteen depthwise convolutions.
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
    """Make the C library reuse memory that tensors free, for the rest of the process; returns whether it can.

    glibc requests each block of more than 32 MiB from the operating system, which fills it with zeros page by page, and
    returns it when the tensor is freed. Every training step needs the same sizes again.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution with the same weights and outputs as `nn.Conv2d`, and faster gradients in bfloat16."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, H', W')."""
        if not torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        low = torch.get_autocast_dtype("cpu")
        bias = None if self.bias is None else self.bias.to(low)
        return _Depthwise.apply(input.to(low), self.weight.to(low), bias, self.stride, self.padding, self.dilation)


class _Depthwise(torch.autograd.Function):
    """The convolution in the precision of its arguments; its gradients in float32 where bfloat16 has no fast kernel.

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
    """Replace a network's depthwise convolutions by `DepthwiseConv2d`, in place; weights and outputs stay the same.

    Args:
        network: a network on the CPU.

    Returns:
        The same network.
    """
    for layer in network.modules():
        depthwise = type(layer) is nn.Conv2d and layer.in_channels == layer.out_channels == layer.groups > 1
        if depthwise and layer.padding_mode == "zeros" and not isinstance(layer.padding, str):
            layer.__class__ = DepthwiseConv2d
    return network
