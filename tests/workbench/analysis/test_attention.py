"""The steps of a network's own SVD attention, seen from outside without changing it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from models import create_model, get_spec
from workbench.analysis.attention import input_of, memory_account, svd_steps


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return create_model("resnet18_svd_hfc_lfc_hl").eval()


def pictures(seed: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 1, 48, 48, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("layer", get_spec("resnet18_svd_hfc_lfc_hl").attention_layers)
def test_the_steps_belong_to_the_map_that_reaches_the_module(model, layer):
    x, seen = pictures(1), []
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
    for x in (pictures(1), torch.randn(2, 3, 48, 48), torch.full((1, 1, 48, 48), torch.nan)):
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
    alone = [svd_steps(model, pictures(seed, 1), "attention.2").a for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda seed: svd_steps(model, pictures(seed, 1), "attention.2").a, range(8)))
    for mine, theirs in zip(alone, together, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(
    ("layer", "message"),
    [("attention.9", "not in this network"), ("layer1", "ResNet|Sequential"), ("", "layer=")],
)
def test_a_layer_that_is_none_is_named(model, layer, message):
    with pytest.raises(ValueError, match=message):
        svd_steps(model, pictures(1), layer)


def test_the_papers_600_gigabytes_are_the_product_over_the_batch():
    account = memory_account()
    assert account.kronecker_over_batch / 2**30 == 600.25
    assert account.kronecker_picture / 2**30 == pytest.approx(0.586, abs=5e-4)
    assert account.kronecker_batch / 2**30 == pytest.approx(18.76, abs=5e-3)
    assert account.outer_picture == 112 * 112 * 4
    with pytest.raises(ValueError, match="side=0"):
        memory_account(side=0)
