"""Contribution of each branch in a network with one branch per class."""

from __future__ import annotations

import copy

import pytest
import torch
from helpers.attention_networks import images, network
from torch import nn

from workbench.analysis.attention import (
    class_branches,
)


class Branched(nn.Module):
    """Branch k says k + 1 twice as loudly as the image's mean; logit k is the sum of what branch k says."""

    def class_branches(self, x):
        return x.mean((1, 2, 3))[:, None, None] * torch.arange(1.0, 4)[:, None].expand(3, 2)

    def fuse(self, outputs):
        return outputs.sum(-1)

    def forward(self, x):
        return self.fuse(self.class_branches(x))


def test_branches_that_support_their_own_class_only_change_their_own_logit_only():
    shares = class_branches(Branched(), torch.ones(2, 1, 4, 4))
    torch.testing.assert_close(shares.logits, torch.tensor([[2.0, 4, 6]] * 2))
    torch.testing.assert_close(shares.strength, 2**0.5 * torch.tensor([[1.0, 2, 3]] * 2))
    torch.testing.assert_close(shares.change, -torch.diag(torch.tensor([2.0, 4, 6])).expand(2, 3, 3))
    torch.testing.assert_close(shares.own, -shares.logits)


def test_a_zero_branch_of_the_hybrid_is_one_whose_output_is_zero():
    model, x = network("hybrid_mobilenet_v3_small"), images(4)
    shares = class_branches(model, x)
    assert all(module.training for module in model.modules())
    twin = copy.deepcopy(model).eval()
    with torch.no_grad():
        torch.testing.assert_close(shares.logits, twin(x))
        for k in range(7):
            with twin.branches[k].register_forward_hook(lambda m, i, o: torch.zeros_like(o)):
                torch.testing.assert_close(shares.without[:, k], twin(x))
        for k in range(7):
            said = []
            with twin.branches[k].register_forward_hook(lambda m, i, o, said=said: said.append(o)):
                twin(x)
            torch.testing.assert_close(shares.strength[:, k], said[0].norm(dim=1))


def test_a_network_without_class_branches_is_refused():
    with pytest.raises(ValueError, match="model: Sequential has no class branches"):
        class_branches(nn.Sequential(), images(1))
