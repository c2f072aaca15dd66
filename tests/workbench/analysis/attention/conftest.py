"""The network that most tests of attention ask."""

from __future__ import annotations

import pytest
import torch

from models import create_model


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return create_model("resnet18_svd_hfc_lfc_hl").eval()
