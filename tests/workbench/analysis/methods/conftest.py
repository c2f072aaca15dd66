"""The network and the images that most tests of methods ask."""

from __future__ import annotations

import pytest
import torch
from helpers.small_networks import Net, images
from torch import Tensor, nn


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
