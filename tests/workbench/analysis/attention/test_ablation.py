"""Logits without a module, while other threads use the network."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from helpers.attention_networks import NETWORKS, images, network
from torch import nn

from models import get_spec
from models.layers.cbam import CBAM
from workbench.analysis.attention import (
    attention_modules,
    switch_off,
    switch_off_each,
)


@pytest.mark.parametrize("name", NETWORKS)
def test_switching_off_gives_the_logits_of_a_network_whose_module_is_not_enabled(name):
    model, x = network(name), images(2)
    names = get_spec(name).attention_layers
    rows = switch_off_each(model, x)
    assert [row.layers for row in rows] == [(n,) for n in names] + ([names] if len(names) > 1 else [])
    for row in rows:
        twin = copy.deepcopy(model).eval()
        with torch.no_grad():
            torch.testing.assert_close(row.logits, twin(x))
            for layer in row.layers:
                twin.get_submodule(layer).enabled = False
            torch.testing.assert_close(row.without, twin(x))
        assert torch.equal(row.change, row.without - row.logits)
    assert rows[-1].change.abs().max() > 0
    alone = switch_off(model, x, names[0])
    torch.testing.assert_close(alone.without, rows[0].without)


def test_the_change_of_a_gate_that_halves_twice_is_three_quarters():
    gate = CBAM(2)
    for parameter in gate.parameters():
        nn.init.zeros_(parameter)  # both gates are sigmoid(0) = ½ everywhere
    model = nn.Sequential(gate, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = torch.tensor([1.0, -2.0])[None, :, None, None].expand(1, 2, 4, 4)
    found = switch_off(model, x, "0")
    torch.testing.assert_close(found.logits, torch.tensor([[0.25, -0.5]]))
    torch.testing.assert_close(found.without, torch.tensor([[1.0, -2.0]]))
    torch.testing.assert_close(found.change, torch.tensor([[0.75, -1.5]]))


def test_predictions_beside_a_module_that_is_switched_off_keep_it():
    model, x = copy.deepcopy(network("resnet18_bam")).eval(), images(3, 1)
    names = attention_modules(model)
    right = switch_off(model, x, names)

    def ask(number: int) -> torch.Tensor:
        with torch.no_grad():
            return model(x) if number % 2 else switch_off(model, x, names).without

    with ThreadPoolExecutor(8) as threads:
        for number, found in enumerate(threads.map(ask, range(16))):
            torch.testing.assert_close(found, right.logits if number % 2 else right.without)
    assert right.change.abs().max() > 0.1


def test_a_network_that_breaks_while_a_module_is_off_comes_back_as_it_was():
    model = nn.Sequential(CBAM(1), nn.Flatten(), nn.Linear(16, 2)).train()
    for wrong in (torch.zeros(1, 1, 5, 5), torch.full((1, 1, 4, 4), torch.nan)):
        with pytest.raises((RuntimeError, ValueError)):
            switch_off(model, wrong, "0")
    assert model[0].enabled
    assert all(m.training and not m._forward_hooks for m in model.modules())
    nn.init.constant_(model[2].weight, torch.inf)
    with pytest.raises(ValueError, match="model returns"):
        switch_off(model, torch.ones(1, 1, 4, 4), "0")
