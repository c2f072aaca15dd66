"""Training steps on a CPU: faster gradients of depthwise convolutions are the same gradients."""

from __future__ import annotations

import copy
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from models import create_model
from models.training.processor import DepthwiseConv2d, keep_freed_memory, quicken

ROOT = Path(__file__).resolve().parents[3]
GEOMETRIES = [(3, 1, 1, 1), (3, 2, 1, 1), (5, 1, 2, 1), (5, 2, 2, 1), (3, 1, 2, 2), (7, 2, 0, 1)]


def gradients(layer: nn.Module, x: torch.Tensor, bf16: bool) -> list[torch.Tensor]:
    """Output, gradient of the input, and those of the parameters, of a weighted sum of the output."""
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        y = layer(x)
    steady = torch.linspace(-1, 1, y.numel()).reshape(y.shape)
    (y.float() * steady).sum().backward()
    return [y.float(), x.grad, *(parameter.grad for parameter in layer.parameters())]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), GEOMETRIES)
def test_depthwise_gradients_are_those_of_float32(kernel, stride, padding, dilation, bias) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 6, kernel, stride, padding, dilation, groups=6, bias=bias)
    quick = quicken(nn.Sequential(copy.deepcopy(plain)))
    assert type(quick[0]) is DepthwiseConv2d
    x = torch.randn(4, 6, 12, 10).contiguous(memory_format=torch.channels_last)
    for ours, exact in zip(gradients(quick, x, bf16=True), gradients(plain, x, bf16=False), strict=True):
        assert (ours - exact).norm() < 0.01 * exact.norm()  # bfloat16 has three digits


def test_without_autocast_a_depthwise_convolution_is_torchs_own() -> None:
    plain = nn.Conv2d(6, 6, 5, stride=2, padding=2, groups=6)
    x = torch.randn(4, 6, 12, 12)
    for ours, exact in zip(gradients(quicken(copy.deepcopy(plain)), x, False), gradients(plain, x, False), strict=True):
        assert torch.equal(ours, exact)


def test_a_frozen_depthwise_convolution_passes_the_gradient_on() -> None:
    layer = quicken(nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4)).requires_grad_(False)
    _, of_input, *of_parameters = gradients(layer, torch.randn(2, 4, 8, 8), bf16=True)
    assert of_input.abs().sum() > 0
    assert of_parameters == [None, None]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(1, 1, 3),
        nn.Conv2d(4, 8, 3, groups=4),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 3, groups=4, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, groups=4, padding="same"),
    ],
    ids=str,
)
def test_other_convolutions_stay_as_they_are(layer) -> None:
    assert type(quicken(layer)) is nn.Conv2d


def test_a_quickened_network_keeps_its_weights_and_logits() -> None:
    network = create_model("efficientnet_lite0").eval()
    quick = quicken(copy.deepcopy(network))
    assert sum(type(layer) is DepthwiseConv2d for layer in quick.modules()) == 16
    assert quick.state_dict().keys() == network.state_dict().keys()
    x = torch.randn(2, 1, 64, 64)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(quick(x), network(x))
    assert copy.deepcopy(quick)(x).isfinite().all()


PAGE_FAULTS = """
import resource
import torch
from models.training.processor import keep_freed_memory

def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.zeros(16, 2**20).add_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

plain, kept = faults(), keep_freed_memory()
faults()
# The least of three: while others need memory, the kernel may take pages that are free here.
print(kept, plain, min(faults() for _ in range(3)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep freed memory")
def test_memory_of_tensors_is_used_again() -> None:
    told = subprocess.run([sys.executable, "-c", PAGE_FAULTS], capture_output=True, text=True, check=True, cwd=ROOT)
    kept, plain, quick = told.stdout.split()
    assert kept == "True"
    assert int(quick) < int(plain) / 10


def test_another_c_library_is_left_alone(monkeypatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
