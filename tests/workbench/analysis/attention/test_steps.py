"""Every step of an attention module, recorded without changing the network."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Thread, current_thread, main_thread

import pytest
import torch
from helpers.attention_networks import images
from torch import nn

from models import get_spec
from models.layers.bam import BAM
from models.layers.cbam import CBAM
from workbench.analysis.attention import (
    attention_modules,
    attention_of,
    input_of,
    steps_of,
    svd_steps,
    switch_off,
    switch_off_each,
)


@pytest.mark.parametrize("layer", get_spec("resnet18_svd_hfc_lfc_hl").attention_layers)
def test_the_steps_belong_to_the_map_that_reaches_the_module(model, layer):
    x, seen = images(1), []
    handle = model.get_submodule(layer).register_forward_hook(lambda m, i, o: seen.append((i[0], o)))
    model(x)
    handle.remove()
    (arrived, left), steps = seen[0], svd_steps(model, x, layer)
    torch.testing.assert_close(input_of(model, x, layer), arrived, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(steps.a * arrived, left, atol=1e-4, rtol=1e-3)
    assert steps.outer.shape == (2, 3, *arrived.shape[-2:])


def test_the_network_comes_back_as_it_was_also_after_an_error(model, unchecked):
    model.train()
    next(model.parameters()).grad = torch.ones_like(next(model.parameters()))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for x in (images(1), torch.randn(2, 3, 48, 48), torch.full((1, 1, 48, 48), torch.nan)):
        try:
            svd_steps(model, x, "attention.1")
        except (ValueError, RuntimeError):
            pass
        else:
            assert x.shape[1] == 1
            assert x.isfinite().all()
    assert all(module.training for module in model.modules())
    assert torch.equal(next(model.parameters()).grad, torch.ones_like(next(model.parameters())))
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in list(model.modules())[1:])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    next(model.parameters()).grad = None
    model.eval()


def test_eight_threads_get_their_own_steps(model):
    alone = [svd_steps(model, images(seed, 1), "attention.2").a for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda seed: svd_steps(model, images(seed, 1), "attention.2").a, range(8)))
    for mine, theirs in zip(alone, together, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(
    ("layer", "message"),
    [("attention.9", "not in this network"), ("layer1", "ResNet|Sequential"), ("", "layer=")],
)
def test_a_layer_that_is_none_is_named(model, layer, message):
    with pytest.raises(ValueError, match=message):
        svd_steps(model, images(1), layer)


class Interrupted(nn.Module):
    """While the main thread is behind the gate, a visitor gets a prediction; then the main thread's input is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = CBAM(1)

    def forward(self, x):
        gated = self.gate(x)
        if current_thread() is main_thread():
            visitor = Thread(target=lambda: setattr(self, "visited", self(torch.full((1, 1, 4, 4), 9.0))))
            visitor.start()
            visitor.join()
            x.fill_(7.0)
        return gated.flatten(1)


def test_neither_a_concurrent_prediction_nor_an_in_place_change_affects_the_result():
    torch.manual_seed(0)
    model, x = Interrupted(), torch.rand(1, 1, 4, 4)
    with torch.no_grad():
        right, visitors = (model.gate.steps(image).m_s[:, 0] for image in (x, torch.full((1, 1, 4, 4), 9.0)))
        answer = model.gate(torch.full((1, 1, 4, 4), 9.0)).flatten(1)
    assert not torch.allclose(right, visitors)
    assert torch.equal(input_of(model, x.clone(), "gate"), x)
    torch.testing.assert_close(attention_of(model, x.clone())[1].values, right)
    switch_off(model, x.clone(), "gate")
    torch.testing.assert_close(model.visited, answer)


@pytest.mark.parametrize("function", [attention_of, steps_of, switch_off, switch_off_each])
@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["attention.9"], r'layer="attention.9" is not in this network. Its attention modules: attention.0, '),
        (["attention.0", "conv1"], r'layer="conv1" is a Conv2d, no attention module.*attention.3'),
    ],
)
def test_a_wrong_layer_is_named_with_those_on_offer(model, function, layers, message):
    with pytest.raises(ValueError, match=message):
        function(model, images(1), layers)


@pytest.mark.parametrize("function", [attention_of, steps_of, lambda m, x: switch_off(m, x, "attention.0")])
@pytest.mark.parametrize(
    ("x", "message"),
    [(torch.full((1, 1, 48, 48), torch.nan), "x contains NaN"), (torch.zeros(0, 1, 48, 48), r"x has shape \(0, ")],
)
def test_a_wrong_image_is_named(model, function, x, message):
    with pytest.raises(ValueError, match=message):
        function(model, x)


def test_a_module_that_is_not_called_is_left_out_unless_it_is_named():
    model = nn.Sequential(CBAM(1), nn.Flatten())
    model[0].spare = BAM(1)
    assert attention_modules(model) == ("0", "0.spare")
    assert {m.layer for m in attention_of(model, torch.rand(1, 1, 4, 4))} == {"0"}
    with pytest.raises(ValueError, match=r'layer="0\.spare" is not called'):
        attention_of(model, torch.rand(1, 1, 4, 4), ["0.spare"])
    with pytest.raises(ValueError, match=r"layers=\(\) is empty"):
        switch_off(model, torch.rand(1, 1, 4, 4), [])
