"""Gates held at given values: the predictions are those on paper, and the network comes back as it was."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from helpers.attention_networks import NETWORKS, images, network
from timm.layers import SEModule
from torch import nn
from torchvision.ops import SqueezeExcitation

from models import create_model, get_spec
from workbench.analysis.attention import gates_of, replaced, steps_of


@pytest.mark.parametrize("name", NETWORKS)
def test_every_module_that_can_be_opened_has_a_gate(name):
    layers = {gate.layer for gate in gates_of(network(name))}
    assert set(get_spec(name).attention_layers) <= layers


def test_squeeze_and_excitation_inside_blocks_is_found_and_nothing_elsewhere():
    with torch.device("meta"):
        senet, plain = create_model("senet50"), create_model("resnet18")
    assert len(gates_of(senet)) == 16
    assert {gate.kind for gate in gates_of(senet)} == {"SE"}
    assert gates_of(plain) == ()
    inside = [gate for gate in gates_of(network("hybrid_mobilenet_v3_small")) if gate.kind == "SE"]
    assert len(inside) == 9


@pytest.mark.parametrize("name", NETWORKS)
def test_a_gate_held_at_its_own_value_changes_no_logit(name):
    model, x = network(name), images(1, 1)
    with replaced(model, {}) as lent:
        expected = lent(x)
    own = {}
    for layer, steps in steps_of(model, x).items():
        values = {
            "channel_gate": getattr(steps, "m_c", None),
            "spatial_gate": getattr(steps, "m_s", None),
            "softmax": getattr(steps, "attention", None),
            "gate": getattr(steps, "gate", getattr(steps, "a", None)),
        }
        for gate in gates_of(model):
            if gate.layer == layer:
                value = values[gate.path.removeprefix(f"{layer}.")][0]
                own[gate] = value.flatten() if gate.title == "channel weights" else value
    assert own
    with replaced(model, own) as lent:
        torch.testing.assert_close(lent(x), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", [*NETWORKS, "resnet18_svd_hfc_normalized"])
def test_gates_at_their_neutral_value_are_the_module_switched_off(name):
    model, x = network(name), images(2)
    by_layer = {}
    for gate in gates_of(model):
        if gate.neutral is not None:
            by_layer.setdefault(gate.layer, {})[gate] = gate.neutral
    for layer, neutral in by_layer.items():
        with replaced(model, neutral) as lent:
            found = lent(x)
        with replaced(model, {}, off=(layer,)) as lent:
            torch.testing.assert_close(found, lent(x))


def test_uniform_self_attention_takes_the_mean_of_all_values():
    model, x = network("hybrid_mobilenet_v3_small"), images(2)
    (gate,) = (gate for gate in gates_of(model) if gate.title == "self-attention")
    taken = []
    block = model.get_submodule(gate.layer)
    with replaced(model, {gate: 1 / 9}) as lent:
        hook = block.register_forward_pre_hook(lambda _block, inputs: taken.append(inputs[0]))
        lent(x)
        hook.remove()
        steps = block.steps(taken[0])
    assert steps.attention.shape[-1] == 9, "3 × 3 positions of 96 pixels"
    torch.testing.assert_close(steps.attention @ steps.v, steps.v.mean(-2, keepdim=True).expand_as(steps.v))


@pytest.mark.parametrize("layer", [SEModule(8, rd_channels=2), SqueezeExcitation(8, 2)])
def test_a_channel_gate_of_a_library_can_be_held(layer):
    (gate,) = gates_of(model := nn.Sequential(layer))
    x = torch.randn(2, 8, 5, 5)
    with replaced(model, {gate: 0.25}) as lent:
        torch.testing.assert_close(lent(x), 0.25 * x)
    value = torch.rand(8, 1, 1)
    with replaced(model, {gate: value}) as lent:
        torch.testing.assert_close(lent(x), value * x)


def test_the_network_comes_back_as_it_was_also_after_an_error():
    model = copy.deepcopy(network("resnet18_bam")).train()
    hooks = [list(module._forward_hooks) for module in model.modules()]
    gate = gates_of(model)[0]
    message = r"attention\.0\.gate: the gate of an image has shape \(64, 24, 24\)"
    with replaced(model, {gate: torch.ones(3)}) as lent, pytest.raises(ValueError, match=message):
        lent(images(1))

    def fails() -> None:
        with replaced(model, {gate: 0.5}) as lent:
            assert not lent.training
            lent(torch.zeros(1, 3, 48, 48))

    with pytest.raises(ValueError, match="one channel"):
        fails()
    assert all(module.training for module in model.modules())
    assert [list(module._forward_hooks) for module in model.modules()] == hooks
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_predictions_beside_a_gate_that_is_held_are_not_disturbed():
    model, x = copy.deepcopy(network("resnet18_svd_hfc")).eval(), images(3, 1)
    values = dict.fromkeys(gates_of(model), 0.0)

    def predict(number: int) -> torch.Tensor:
        if number % 2:
            with torch.no_grad():
                return model(x)
        with replaced(model, values) as lent:
            return lent(x)

    expected = [predict(0), predict(1)]
    assert not torch.allclose(*expected)
    with ThreadPoolExecutor(8) as threads:
        for number, found in enumerate(threads.map(predict, range(16))):
            torch.testing.assert_close(found, expected[number % 2])
