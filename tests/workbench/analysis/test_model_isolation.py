"""A network that is lent comes back as it was; copies of it share what they should."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from helpers.small_networks import Net, images, state_of
from torch import Tensor

import models
from workbench.analysis.model_isolation import isolated, shared_copy_of


@pytest.fixture
def net() -> Net:
    torch.manual_seed(11)
    return Net().eval()


@pytest.fixture
def x() -> Tensor:
    return images(3)


def test_what_an_analysis_leaves_in_a_network_is_undone(net, x):
    net.train()
    net.head.bias.grad = torch.full((5,), 2.0)
    net.conv.register_forward_hook(lambda *_: None)
    before = state_of(net)

    def careless_analysis():
        with isolated(net) as model:
            assert not any(module.training for module in model.modules())
            assert all(parameter.grad is None for parameter in model.parameters())
            model.conv.register_forward_hook(lambda *_: None)
            model.late.register_full_backward_hook(lambda *_: None)
            model(x).sum().backward()
            model.head.weight.requires_grad_(False)
            model.drop.train()
            raise KeyError("careless")

    with pytest.raises(KeyError):
        careless_analysis()
    assert state_of(net) == before


def test_a_network_is_given_to_one_thread_at_a_time(net):
    inside, most = 0, 0

    def hold(_):
        nonlocal inside, most
        with isolated(net), isolated(net):  # the lock is reentrant
            inside += 1
            most = max(most, inside)
            threading.Event().wait(0.002)
            inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hold, range(24)))
    assert most == 1


@pytest.mark.parametrize("name", [n for n in models.list_models() if models.get_spec(n).cam_layer])
def test_every_network_can_be_doubled_without_copying_its_weights(name):
    with torch.device("meta"):
        model = models.create_model(name).train()
    before = state_of(model)
    double = shared_copy_of(model)
    assert state_of(model) == before
    assert not any(module.training for module in double.modules())
    assert not any(parameter.requires_grad for parameter in double.parameters())
    assert not {id(module) for module in double.modules()} & {id(module) for module in model.modules()}
    assert not {id(p) for p in double.parameters()} & {id(p) for p in model.parameters()}
    pairs = zip(double.state_dict().values(), model.state_dict().values(), strict=True)
    assert all(mine.untyped_storage()._cdata == theirs.untyped_storage()._cdata for mine, theirs in pairs)
