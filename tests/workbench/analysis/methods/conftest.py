"""The network and the images that most tests of methods ask."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers.small_networks import Net, images
from torch import Tensor, nn

from workbench.analysis.methods import EXPLAINERS, perturbation, superpixels


@pytest.fixture
def net() -> Net:
    torch.manual_seed(11)
    net = Net().eval()
    nn.init.uniform_(net.norm.running_mean, -0.3, 0.3)
    nn.init.uniform_(net.norm.bias, -0.3, 0.3)
    return net


@pytest.fixture
def x() -> Tensor:
    return images(3)


@pytest.fixture
def few_samples(monkeypatch):
    """The methods that draw hundreds of samples draw fewer, where their accuracy is not what is tested."""
    for module, number, names in ((perturbation, "MASKS", ("rise",)), (superpixels, "SAMPLES", ("lime", "kernelshap"))):
        monkeypatch.setattr(module, number, 80)
        for name in names:
            monkeypatch.setitem(EXPLAINERS, name, replace(EXPLAINERS[name], samples=80))
