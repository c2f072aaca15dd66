"""A network for the tests of the web demo."""

from __future__ import annotations

import pytest
import torch
from helpers.web_networks import late_network

from workbench.services.networks import Network
from workbench.services.web_demo import Exported, export_network, storage


@pytest.fixture(scope="session")
def late() -> Network:
    return late_network()


@pytest.fixture(scope="session")
def exported(late) -> Exported:
    """That network as ONNX, with an accuracy on random images whose labels are its predictions."""
    pixels = torch.rand(20, 1, 32, 32)
    labels = late.logits(late.normalized(pixels)).argmax(1).numpy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "_validation_set", lambda net: (pixels, labels, 1.0))
        return export_network(late)
