"""What a network's own attention computes, is worth and does not explain, seen from outside without changing it."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Thread, current_thread, main_thread

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import nn

from models import create_model, get_spec
from models.layers.angle_attention import AngleAttention
from models.layers.bam import BAM
from models.layers.cbam import CBAM
from models.layers.transformer import TransformerBlock
from workbench.analysis.attention import (
    attention_modules,
    attention_of,
    class_branches,
    correlation_with_cams,
    input_of,
    memory_account,
    rollout,
    steps_of,
    svd_steps,
    switch_off,
    switch_off_each,
)


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


# ---- every module, on the registered networks

NETWORKS = {
    "resnet18_bam": {},
    "resnet18_svd_hfc": {},
    "multibranch_dsc_cbam": {},
    "rarn": {"backbone": "resnet18"},
    "hybrid_mobilenet_v3_small": {"side": 96},
}


@lru_cache
def network(name: str) -> nn.Module:
    """In training mode, with statistics of its own."""
    torch.manual_seed(0)
    model = create_model(name, **NETWORKS.get(name, {})).train()
    with torch.no_grad():
        model(torch.randn(4, 1, 48, 48))
    return model


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
    model, x = network(name), pictures(1)
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
            m_c, m_s = found[layer, "channel branch"].values, found[layer, "place branch"].values
            gate = torch.sigmoid(m_c[:, :, None, None] + m_s[:, None])
            expected = arrived + arrived * gate
            torch.testing.assert_close(found[layer, "gate, mean over channels"].values, gate.mean(1))
        elif kind == "TransformerBlock":
            expected = steps[layer].y
        else:
            expected = found[layer, "gate" if kind == "SVDAttention" else "spatial map"].values[:, None] * arrived
        torch.testing.assert_close(left, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_map_has_the_shape_and_stays_in_the_limits_that_it_tells(name):
    for one in attention_of(network(name), pictures(1)):
        assert one.values.ndim == {"places": 3, "channels": 2, "singular values": 2}[one.over]
        assert len(one.values) == 2
        assert not one.values.requires_grad
        low, high = one.limits
        assert low is None or one.values.min() >= low
        assert high is None or one.values.max() <= high
        assert one.equation
        assert one.source
        assert one.spatial == (one.weighs and one.values.ndim == 3)


def test_all_maps_come_from_one_forward_pass(monkeypatch):
    model, calls = network("multibranch_dsc_cbam"), []
    forward = model.forward
    monkeypatch.setattr(model, "forward", lambda x: calls.append(x) or forward(x))
    assert len(attention_of(model, pictures(1))) == 6
    assert len(calls) == 1


def test_a_network_without_attention_has_no_maps_and_no_rows():
    model = create_model("residual_cnn").eval()
    assert attention_modules(model) == ()
    assert attention_of(model, pictures(1)) == ()
    assert steps_of(model, pictures(1)) == {}
    assert switch_off_each(model, pictures(1)) == ()
    with pytest.raises(ValueError, match=r"no attention module\. It has no attention modules"):
        attention_of(model, pictures(1), [next(name for name, _ in model.named_children())])


@pytest.mark.parametrize("name", ["resnet18_svd_hfc", "resnet18_svd_lfc", "resnet18_svd_hfc_lfc_hl"])
def test_the_chain_of_svd_attention_can_be_followed_map_by_map(name):
    torch.manual_seed(0)
    model, layer = create_model(name), "attention.1"
    chain = {m.title: m.values for m in attention_of(model, pictures(1), [layer])}
    parts = {"the channel": chain["one channel"], "fast waves": chain["fast waves"], "slow waves": chain["slow waves"]}
    torch.testing.assert_close(parts["the channel"], parts["fast waves"] + parts["slow waves"])
    products = [title for title in chain if title.startswith("outer product")]
    assert len(products) == len(model.get_submodule(layer).score.weight[0])
    for title in products:
        a, b = title.removeprefix("outer product, ").split(" with ")
        sigma = [np.linalg.svd(parts[part].numpy(), compute_uv=False) for part in (a, b)]
        np.testing.assert_allclose(chain[title], sigma[0][:, :, None] * sigma[1][:, None, :], atol=1e-5)
    score = model.get_submodule(layer).score.weight.detach()
    P = torch.stack([chain[title] for title in products], 1)
    torch.testing.assert_close(chain["gate"], F.conv2d(P, score, padding=3)[:, 0].sigmoid(), atol=1e-5, rtol=1e-4)


def test_the_angle_that_won_is_the_one_at_which_the_pattern_stands():
    module = AngleAttention(1, kernels=1, angles=8, side=5)
    with torch.no_grad():
        module.weight.zero_()
        module.weight[0, 0, 2, 2:] = 1  # a ray from the middle to the right
    x = torch.zeros(1, 1, 25, 25)
    rays = {0.0: (0, 1), 90.0: (-1, 0), 180.0: (0, -1), 270.0: (1, 0)}
    centres = dict(zip(rays, [(6, 6), (6, 18), (18, 6), (18, 18)], strict=True))
    for angle, (down, right) in rays.items():
        for step in range(3):
            x[0, 0, centres[angle][0] + step * down, centres[angle][1] + step * right] = 1
    maps = {m.title: m for m in attention_of(nn.Sequential(module), x)}
    won, answer = maps["angle that won"], maps["answer at that angle"].values[0]
    assert {angle: won.values[0][centres[angle]].item() for angle in rays} == {angle: angle for angle in rays}
    assert [answer[place].item() for place in centres.values()] == pytest.approx([3] * 4, abs=1e-4)
    assert not won.spatial, "the rank of an angle means nothing"


def test_gates_of_hand_made_weights_are_those_on_paper():
    """A CBAM whose MLP answers average − 1 and whose convolution answers the maximum, on a map known by heart."""
    module = CBAM(2, reduction=2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        module.mlp[0].weight[0, 0] = 1  # the hidden unit is channel 0's summary
        module.mlp[2].weight[1, 0] = 1  # and speaks for channel 1
        module.conv.weight[0, 1, 3, 3] = 1
    x = torch.stack([torch.tensor([[0.0, 1], [2, 5]]), torch.zeros(2, 2)])[None]  # average 2, maximum 5
    weights, places = attention_of(nn.Sequential(module), x)
    sigmoid = lambda t: 1 / (1 + np.exp(-t))  # noqa: E731
    np.testing.assert_allclose(weights.values, [[0.5, sigmoid(2 + 5)]], rtol=1e-6)
    np.testing.assert_allclose(places.values[0], sigmoid(0.5 * np.array([[0, 1], [2, 5]])), rtol=1e-6)
    assert (weights.layer, weights.kind, weights.over, places.over) == ("0", "CBAM", "channels", "places")


# ---- transformer


class Tokens(nn.Module):
    """A picture's pixels as tokens of two numbers: the picture's, and 1."""

    def __init__(self) -> None:
        super().__init__()
        self.block = TransformerBlock(4, heads=2)

    def forward(self, x):
        tokens = F.pad(x.flatten(2).mT, (0, 3), value=1.0)  # (B, N, 4)
        return self.block(tokens).mean(1)


def test_the_heads_are_what_each_place_receives_and_the_rollout_adds_the_way_beside():
    torch.manual_seed(0)
    model, x = Tokens(), torch.randn(2, 1, 3, 3)
    *heads, everything = attention_of(model, x)
    A = steps_of(model, x)["block"].attention.numpy()  # (B, heads, N, N)
    tokens = np.stack([x.flatten(1).numpy(), *[np.ones((2, 9), np.float32)] * 3], -1)
    norm = F.layer_norm(torch.tensor(tokens), (4,), model.block.norm1.weight, model.block.norm1.bias)
    q, k, _ = model.block.qkv(norm).detach().unflatten(-1, (3, 2, 2)).permute(2, 0, 3, 1, 4).numpy()
    scores = np.exp(q @ k.transpose(0, 1, 3, 2) / np.sqrt(2))
    np.testing.assert_allclose(A, scores / scores.sum(-1, keepdims=True), atol=1e-6)
    for number, head in enumerate(heads):
        assert head.title == f"head {number + 1}"
        np.testing.assert_allclose(head.values, A[:, number].mean(1).reshape(2, 3, 3), atol=1e-6)
        np.testing.assert_allclose(head.pairs, A[:, number])
        torch.testing.assert_close(head.values.sum((1, 2)), torch.ones(2))
    np.testing.assert_allclose(everything.values.flatten(1), (A.mean(1).mean(1) + 1 / 9) / 2, atol=1e-6)


def test_tokens_of_an_oblong_picture_need_their_grid():
    model, x = Tokens(), torch.randn(1, 1, 2, 8)
    with pytest.raises(ValueError, match="grid=None: 16 tokens of a picture 2 × 8"):
        attention_of(model, x)
    with pytest.raises(ValueError, match=r"grid=\(3, 5\): the transformer has 16 tokens"):
        attention_of(model, x, grid=(3, 5))
    head = attention_of(model, x, grid=(2, 8))[0]
    assert head.values.shape == (1, 2, 8)
    torch.testing.assert_close(head.values.flatten(1), head.pairs.mean(1))


def test_rollout_is_the_product_of_the_blocks_written_out():
    chain = [torch.rand(2, heads, 5, 5, generator=torch.Generator().manual_seed(heads)) for heads in (1, 2, 4)]
    chain = [A / A.sum(-1, keepdim=True) for A in chain]
    found = rollout(chain)
    for picture in range(2):
        expected = np.eye(5)
        for A in chain:
            expected = (A[picture].numpy().mean(0) + np.eye(5)) / 2 @ expected
        np.testing.assert_allclose(found[picture], expected, atol=1e-6)
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 5))


def test_rollout_follows_a_token_that_is_passed_on():
    shift = torch.eye(4).roll(1, 1)[None, None]  # token i takes from token i + 1, all of it
    torch.testing.assert_close(rollout([shift])[0, 0], torch.tensor([0.5, 0.5, 0, 0]))
    torch.testing.assert_close(rollout([shift, shift])[0, 0], torch.tensor([0.25, 0.5, 0.25, 0]))
    stay = torch.eye(4)[None, None]
    torch.testing.assert_close(rollout([stay] * 5), stay[0])


@pytest.mark.parametrize(
    ("attentions", "message"),
    [
        ([], "attentions has shapes"),
        ([torch.eye(3)[None, None], torch.eye(4)[None, None]], "attentions has shapes"),
        ([torch.ones(1, 1, 2, 3)], "attentions has shapes"),
        ([torch.ones(1, 1, 2, 2)], "rows have to sum to 1"),
    ],
)
def test_what_cannot_be_rolled_out_is_refused(unchecked, attentions, message):
    with pytest.raises(ValueError, match=message):
        rollout(attentions)


# ---- switched off


@pytest.mark.parametrize("name", NETWORKS)
def test_switching_off_gives_the_logits_of_a_network_whose_module_is_not_enabled(name):
    model, x = network(name), pictures(2)
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
    model, x = copy.deepcopy(network("resnet18_bam")).eval(), pictures(3, 1)
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


# ---- class branches


class Branched(nn.Module):
    """Branch k says k + 1 twice as loudly as the picture's mean; logit k is the sum of what branch k says."""

    def class_branches(self, x):
        return x.mean((1, 2, 3))[:, None, None] * torch.arange(1.0, 4)[:, None].expand(3, 2)

    def fuse(self, outputs):
        return outputs.sum(-1)

    def forward(self, x):
        return self.fuse(self.class_branches(x))


def test_branches_that_speak_for_their_own_class_only_change_their_own_logit_only():
    shares = class_branches(Branched(), torch.ones(2, 1, 4, 4))
    torch.testing.assert_close(shares.logits, torch.tensor([[2.0, 4, 6]] * 2))
    torch.testing.assert_close(shares.strength, 2**0.5 * torch.tensor([[1.0, 2, 3]] * 2))
    torch.testing.assert_close(shares.change, -torch.diag(torch.tensor([2.0, 4, 6])).expand(2, 3, 3))
    torch.testing.assert_close(shares.own, -shares.logits)


def test_a_silent_branch_of_the_hybrid_is_one_whose_output_is_zero():
    model, x = network("hybrid_mobilenet_v3_small"), pictures(4)
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


def test_a_network_without_class_branches_is_told_so():
    with pytest.raises(ValueError, match="model: Sequential has no class branches"):
        class_branches(nn.Sequential(), pictures(1))


# ---- attention is not explanation


def test_the_correlation_is_scipys_of_each_pair_at_the_finer_size():
    generator = torch.Generator().manual_seed(0)
    maps = [torch.rand(2, *size, generator=generator) for size in ((3, 3), (6, 6), (12, 5))]
    cams = torch.randn(2, 3, 4, 6, 6, generator=generator).relu()  # rectified: many equal values
    found = correlation_with_cams(maps, cams)
    assert found.shape == (3, 2, 3, 4)
    for n, size in enumerate([(6, 6), (6, 6), (12, 6)]):
        for b, m, c in np.ndindex(2, 3, 4):
            pair = [F.interpolate(one[None, None], size, mode="bilinear") for one in (maps[n][b], cams[b, m, c])]
            expected = spearmanr(*(one.flatten().numpy() for one in pair)).statistic
            assert found[n, b, m, c] == pytest.approx(expected, abs=0.02 if n == 2 else 1e-6)
    torch.testing.assert_close(correlation_with_cams(maps, cams[:, 0]), found[:, :, 0])


def test_what_orders_places_alike_correlates_fully_and_what_has_no_order_not_at_all():
    attention = torch.rand(1, 6, 6, generator=torch.Generator().manual_seed(0))
    cams = torch.stack([attention.exp(), -attention, torch.zeros(1, 6, 6), 0.1 + 3e-8 * attention], 1)
    found = correlation_with_cams([attention], cams)[0, 0]
    assert found[:2].tolist() == pytest.approx([1, -1])
    assert found[2:].isnan().all(), "constant, and constant up to rounding"
    assert correlation_with_cams([torch.full((1, 3, 3), 0.1)], cams).isnan().all()


def test_enlarging_makes_no_order_out_of_a_plateau():
    plateau = torch.full((1, 4, 4), 0.1)
    plateau[0, 0, 0] = 5.0
    finer = F.interpolate(plateau[None].double(), (24, 24), mode="bilinear").float()[0]
    assert (finer == plateau[0, 3, 3]).sum() > 400, "the plateau is one value"
    noise = torch.rand(1, 24, 24, generator=torch.Generator().manual_seed(1))
    found = correlation_with_cams([plateau], noise[:, None]).item()
    assert found == pytest.approx(spearmanr(finer.flatten(), noise.flatten()).statistic, abs=1e-9)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"maps": []}, "maps is empty"),
        ({"maps": [torch.rand(2, 3, 3), torch.rand(2, 5)]}, r"maps\[1\] has shape \(2, 5\)"),
        ({"maps": [torch.rand(3, 3, 3)]}, r"maps\[0\] has shape.*B = 2"),
        ({"maps": [torch.full((2, 3, 3), torch.nan)]}, r"maps\[0\] contains NaN"),
        ({"cams": torch.full((2, 7, 3, 3), torch.inf)}, "cams contains NaN or infinite"),
        ({"cams": torch.rand(3, 3)}, r"cams has shape \(3, 3\)"),
    ],
)
def test_maps_that_do_not_belong_together_are_named(unchecked, wrong, message):
    with pytest.raises(ValueError, match=message):
        correlation_with_cams(**({"maps": [torch.rand(2, 3, 3)], "cams": torch.rand(2, 7, 3, 3)} | wrong))


# ---- borrowed, shared, wrongly asked


@pytest.mark.parametrize("name", NETWORKS)
def test_the_maps_do_not_depend_on_the_mode_that_the_network_is_in_and_leave_it_alone(name):
    model, x = copy.deepcopy(network(name)), pictures(5)
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
    alone = [attention_of(model, pictures(seed, 1)) for seed in range(8)]

    def ask(seed: int):
        with torch.no_grad():
            model(pictures(99, 1))  # predictions of visitors run beside, without the lock
        return attention_of(model, pictures(seed, 1))

    with ThreadPoolExecutor(8) as threads:
        for mine, theirs in zip(alone, threads.map(ask, range(8)), strict=True):
            for one, other in zip(mine, theirs, strict=True):
                torch.testing.assert_close(one.values, other.values)


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


def test_neither_a_visitors_prediction_nor_a_change_in_place_reaches_the_answer():
    torch.manual_seed(0)
    model, x = Interrupted(), torch.rand(1, 1, 4, 4)
    with torch.no_grad():
        right, visitors = (model.gate.steps(picture).m_s[:, 0] for picture in (x, torch.full((1, 1, 4, 4), 9.0)))
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
        function(model, pictures(1), layers)


@pytest.mark.parametrize("function", [attention_of, steps_of, lambda m, x: switch_off(m, x, "attention.0")])
@pytest.mark.parametrize(
    ("x", "message"),
    [(torch.full((1, 1, 48, 48), torch.nan), "x contains NaN"), (torch.zeros(0, 1, 48, 48), r"x has shape \(0, ")],
)
def test_a_wrong_picture_is_named(model, function, x, message):
    with pytest.raises(ValueError, match=message):
        function(model, x)


def test_a_module_that_the_network_does_not_call_is_left_out_unless_it_is_asked_for():
    model = nn.Sequential(CBAM(1), nn.Flatten())
    model[0].spare = BAM(1)
    assert attention_modules(model) == ("0", "0.spare")
    assert {m.layer for m in attention_of(model, torch.rand(1, 1, 4, 4))} == {"0"}
    with pytest.raises(ValueError, match=r'layer="0\.spare" is not called'):
        attention_of(model, torch.rand(1, 1, 4, 4), ["0.spare"])
    with pytest.raises(ValueError, match=r"layers=\(\) is empty"):
        switch_off(model, torch.rand(1, 1, 4, 4), [])
