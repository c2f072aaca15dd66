"""DeepLIFT and LRP: sums that are known, and networks that they refuse."""

from __future__ import annotations

import pytest
import torch
from captum.attr import LRP
from torch import nn

import models
from workbench.analysis.methods import explain_with


def test_deeplift_adds_up_to_what_the_logit_gains_over_plain_gray(net, x):
    model = models.create_model("residual_cnn", width=4).eval()  # sums of branches
    for one, image in ((net, x), (model, torch.randn(1, 1, 16, 16))):
        with torch.no_grad():
            gain = (one(image) - one(torch.zeros_like(image)))[:, 4]
        torch.testing.assert_close(explain_with(one, image, "deeplift", 4).sum((1, 2)), gain, atol=1e-4, rtol=1e-3)


def test_lrp_adds_up_to_the_logit_of_a_network_without_biases():
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Identity(), nn.Flatten()),
        nn.Linear(100, 3, bias=False),
    )
    x = torch.randn(2, 3, 12, 12)
    maps = explain_with(model, x, "lrp", 1)
    torch.testing.assert_close(maps.sum((1, 2)), model(x)[:, 1].detach(), atol=1e-4, rtol=1e-3)
    assert maps.min() < 0 < maps.max()


def test_lrp_is_that_of_captum(net, x):
    net.relu.inplace = False
    right = LRP(net).attribute(x.clone(), target=2).detach().sum(1)
    torch.testing.assert_close(explain_with(net, x, "lrp", 2), right)


class Functional(nn.Module):
    def __init__(self, end):
        super().__init__()
        self.conv, self.relu, self.head, self.end = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Linear(400, 2), end

    def forward(self, x):
        return self.head(self.end(self, self.conv(x)).flatten(1))


REFUSED = [
    ("lrp", lambda net, x: nn.functional.gelu(x), "no rule for Gelu"),
    ("lrp", lambda net, x: net.relu(x) + x, "no rule for Add"),
    ("deeplift", lambda net, x: net.relu(net.relu(x) - 1), "ReLU called 2 times"),
    ("deeplift", lambda net, x: x.sigmoid() * x, "no rule for Mul, Sigmoid"),
]


@pytest.mark.parametrize(("name", "end", "message"), REFUSED)
def test_a_network_without_rules_for_its_layers_is_refused_with_their_names(name, end, message):
    with pytest.raises(ValueError, match=f'name="{name}" has {message}|{message}.*Choose another'):
        explain_with(Functional(end), torch.randn(1, 1, 12, 12), name, 0)
