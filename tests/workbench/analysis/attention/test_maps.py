"""All maps of a network's attention: the weights that it multiplied with, from one pass, whatever its mode."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from helpers.attention_networks import NETWORKS, images, network
from torch import nn

from models import create_model, get_spec
from workbench.analysis.attention import (
    attention_modules,
    attention_of,
    steps_of,
    switch_off_each,
)


def seen_by(model: nn.Module, x: torch.Tensor) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """What went into each attention module and what came out, by hooks of the test's own, in evaluation mode."""
    seen, model = {}, copy.deepcopy(model).eval()
    for name in attention_modules(model):
        model.get_submodule(name).register_forward_hook(lambda m, i, o, name=name: seen.update({name: (i[0], o)}))
    with torch.no_grad():
        model(x)
    return seen


@pytest.mark.parametrize("name", NETWORKS)
def test_the_maps_are_the_weights_that_the_network_multiplied_with(name):
    model, x = network(name), images(1)
    assert attention_modules(model) == get_spec(name).attention_layers
    found = {(m.layer, m.title): m for m in attention_of(model, x)}
    assert {layer for layer, _ in found} == set(get_spec(name).attention_layers)
    steps = steps_of(model, x)
    for layer, (arrived, left) in seen_by(model, x).items():
        kind = type(model.get_submodule(layer)).__name__
        if kind in ("CBAM", "SCA"):
            m_c, m_s = found[layer, "channel weights"].values, found[layer, "spatial map"].values
            expected = m_s[:, None] * (m_c[:, :, None, None] * arrived)
        elif kind == "BAM":
            m_c, m_s = found[layer, "channel branch"].values, found[layer, "spatial branch"].values
            gate = torch.sigmoid(m_c[:, :, None, None] + m_s[:, None])
            expected = arrived + arrived * gate
            torch.testing.assert_close(found[layer, "gate, mean over channels"].values, gate.mean(1))
        elif kind == "TransformerBlock":
            expected = steps[layer].y
        else:
            expected = found[layer, "gate" if kind == "SVDAttention" else "spatial map"].values[:, None] * arrived
        torch.testing.assert_close(left, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_map_has_its_documented_shape_and_limits(name):
    for one in attention_of(network(name), images(1)):
        assert one.values.ndim == {"positions": 3, "channels": 2, "singular values": 2}[one.over]
        assert len(one.values) == 2
        assert not one.values.requires_grad
        low, high = one.limits
        assert low is None or one.values.min() >= low
        assert high is None or one.values.max() <= high
        assert one.equation
        assert one.source
        assert one.spatial == (one.is_weight and one.values.ndim == 3)


def test_all_maps_come_from_one_forward_pass(monkeypatch):
    model, calls = network("multibranch_dsc_cbam"), []
    forward = model.forward
    monkeypatch.setattr(model, "forward", lambda x: calls.append(x) or forward(x))
    assert len(attention_of(model, images(1))) == 6
    assert len(calls) == 1


def test_a_network_without_attention_has_no_maps_and_no_rows():
    model = create_model("residual_cnn").eval()
    assert attention_modules(model) == ()
    assert attention_of(model, images(1)) == ()
    assert steps_of(model, images(1)) == {}
    assert switch_off_each(model, images(1)) == ()
    with pytest.raises(ValueError, match=r"no attention module\. It has no attention modules"):
        attention_of(model, images(1), [next(name for name, _ in model.named_children())])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_maps_do_not_depend_on_the_mode_of_the_network_and_do_not_change_it(name):
    model, x = copy.deepcopy(network(name)), images(5)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    hooks = [dict(m._forward_hooks) | dict(m._forward_pre_hooks) for m in model.modules()]
    training = attention_of(model, x)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert [dict(m._forward_hooks) | dict(m._forward_pre_hooks) for m in model.modules()] == hooks
    with torch.inference_mode():
        evaluating = attention_of(model.eval(), x.clone())
    for one, other in zip(training, evaluating, strict=True):
        torch.testing.assert_close(one.values, other.values)


def test_eight_threads_that_share_a_network_get_their_own_maps():
    model = copy.deepcopy(network("multibranch_dsc_cbam")).eval()
    alone = [attention_of(model, images(seed, 1)) for seed in range(8)]

    def ask(seed: int):
        with torch.no_grad():
            model(images(99, 1))  # predictions of visitors run beside, without the lock
        return attention_of(model, images(seed, 1))

    with ThreadPoolExecutor(8) as threads:
        for mine, theirs in zip(alone, threads.map(ask, range(8)), strict=True):
            for one, other in zip(mine, theirs, strict=True):
                torch.testing.assert_close(one.values, other.values)
