"""Weight randomization, stability and flags against explainers that are known to be good or to be fakes."""

from __future__ import annotations

import threading

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

import models
from workbench.analysis.cam import gradcam
from workbench.analysis.model_isolation import isolated
from workbench.analysis.sanity import cascade, flag, map_against, similarity, stability


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 3)  # registered first, called last
        self.first = nn.Conv2d(1, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 8, 3, padding=1)
        self.act = nn.ReLU()

    def forward(self, x):
        x = self.act(self.second(self.norm(self.first(x)).relu()))
        return self.head(x.mean((2, 3)))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(3)
    return Net().eval()


@pytest.fixture
def x() -> Tensor:
    return torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))


def cam_of(class_: int):
    return lambda model, x: gradcam(model, x, [class_], "act")[0, 0]


def edges(_model: nn.Module, x: Tensor) -> Tensor:
    """A fake that many have been fooled by: it draws the image's edges and asks no network."""
    return (x[0, 0, 1:-1, 2:] - x[0, 0, 1:-1, :-2]).abs()


# ------------------------------------------------------------------------------------------------ flags


def test_a_map_is_flagged_when_it_is_blank_or_nowhere_positive():
    slope = torch.arange(12.0).view(3, 4)
    assert flag(slope) is None
    assert flag(slope - 5) is None
    assert flag(1e-12 * slope) is None, "faint is not blank"
    assert flag(-slope) == "all negative"
    assert flag(torch.zeros(3, 4)) == "blank"
    assert flag(torch.full((3, 4), 0.3)) == "blank", "a constant map prefers no position"
    assert flag(torch.zeros(3, 4), against=slope) == "all negative"
    assert flag(torch.zeros(3, 4), against=torch.zeros(3, 4)) == "blank"
    assert flag(torch.full((3, 4), 0.3), against=slope) == "blank"
    assert flag(slope, against=slope) is None


def test_a_rectified_map_is_all_negative_with_contrary_evidence_and_blank_without(net, x):
    with torch.no_grad():
        net.head.weight[0] = -net.head.weight[0].abs()
        net.head.weight[1] = 0
    found = [flag(cam_of(c)(net, x), map_against(net, x, cam_of(c))) for c in (0, 1)]
    assert found == ["all negative", "blank"]
    with torch.no_grad():
        against = map_against(net, x, cam_of(0))
        net.head.weight[0] *= -1
        torch.testing.assert_close(against, cam_of(0)(net, x))


def test_a_prediction_in_another_thread_is_not_negated(net, x):
    right, answers = net(x).detach(), []

    def explain(model: nn.Module, x: Tensor) -> Tensor:
        beside = threading.Thread(target=lambda: answers.append(model(x).detach()))
        beside.start()
        beside.join()
        return model(x).detach()

    torch.testing.assert_close(map_against(net, x, explain), -right)
    torch.testing.assert_close(answers[0], right)
    assert not net._forward_hooks


# ------------------------------------------------------------------------------------------------ similarity


def test_similarity_is_the_rank_correlation_of_the_sizes():
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(9, 7, generator=g), torch.randn(9, 7, generator=g).relu()  # b has many equal positions
    assert similarity(a, b) == pytest.approx(float(spearmanr(a.abs().flatten(), b.flatten()).statistic))
    assert similarity(a, -a) == pytest.approx(1)
    assert similarity(a, 5 * a**3) == pytest.approx(1)
    assert similarity(b, b.max() - b) == pytest.approx(-1)
    assert similarity(a, torch.zeros(9, 7)) == 0
    with pytest.raises(ValueError, match=r"b has shape \(2, 2\) and a \(9, 7\)"):
        similarity(a, torch.ones(2, 2))
    with pytest.raises(ValueError, match="b contains NaN"):
        similarity(a, torch.full((9, 7), torch.nan))


# ------------------------------------------------------------------------------------------------ weights


def test_a_fake_that_draws_edges_stays_the_same_and_a_map_of_the_weights_does_not(net, x):
    def weights(model: nn.Module, _x: Tensor) -> Tensor:
        return model.second.weight[:, :, 1, 1].detach()

    assert cascade(net, x, edges).final == pytest.approx(1)
    found = cascade(net, x, weights, runs=4)
    assert found.layers == ("head", "second", "norm", "first")
    assert found.similarity.shape == (4, 4)
    torch.testing.assert_close(found.similarity[:, 0], torch.ones(4), msg="the head is random, the map reads below it")
    assert found.similarity[:, 1:].abs().max() < 0.6
    assert found.final == pytest.approx(float(found.similarity[:, -1].mean()))


def test_weights_are_randomized_from_the_classifier_down_and_restored(net, x):
    net.train()
    net.head.bias.grad = torch.ones(3)
    with torch.no_grad():
        net.norm.running_mean.fill_(0.7)
    weights, seen = {k: v.clone() for k, v in net.state_dict().items()}, []

    def explain(model: nn.Module, x: Tensor) -> Tensor:
        now = model.state_dict()
        names = ("first.weight", "norm.running_mean", "second.weight", "head.weight")
        seen.append([model is net, *(not torch.equal(now[n], weights[n]) for n in names)])
        return x[0, 0]

    before = torch.get_rng_state()
    cascade(net, x, explain, runs=1)
    assert seen == [
        [True, False, False, False, False],
        [False, False, False, False, True],
        [False, False, False, True, True],
        [False, False, True, True, True],
        [False, True, True, True, True],
    ]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(v, weights[k]) for k, v in net.state_dict().items())
    assert net.training
    assert net.norm.training
    assert torch.equal(net.head.bias.grad, torch.ones(3))
    assert not any(m._forward_pre_hooks for m in net.modules())


def test_runs_have_other_weights_and_equal_seeds_the_same(net, x):
    first, again = (cascade(net, x, cam_of(1), seed=5).similarity for _ in range(2))
    assert torch.equal(first, again)
    assert first[:, -1].unique().numel() == 3
    assert not torch.equal(first, cascade(net, x, cam_of(1), seed=6).similarity)


def test_many_layers_share_the_steps_and_the_classifier_has_one_alone():
    model = models.create_model("residual_cnn").eval()
    progress, x = [], torch.randn(1, 1, 48, 48)
    found = cascade(model, x, edges, steps=5, runs=2, progress=lambda *done: progress.append(done))
    assert found.similarity.shape == (2, 5)
    assert found.layers[0] == "classifier"
    assert found.layers[-1].startswith("stem")
    assert progress == [(i, 10) for i in range(1, 11)]
    assert cascade(model, x, edges, steps=1).layers[0].startswith("stem"), "one step: everything at once"


class Tokens(nn.Module):
    """Attention that reads the parameters of a layer that it never calls, and a bare parameter of its own."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.linspace(1, 2, 16))
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = x.flatten(2).mT * self.place[:, None]  # (B, 16, 1)
        x = x.expand(-1, -1, 8)
        return self.head(self.attend(x, x, x)[0].mean(1))


def test_bare_parameters_and_layers_that_are_only_read_are_randomised_too():
    torch.manual_seed(0)
    model, x = Tokens().eval(), torch.rand(1, 1, 4, 4)
    original = {name: p.detach().clone() for name, p in model.named_parameters()}
    last = {}

    def explain(twin: nn.Module, x: Tensor) -> Tensor:
        last.update({name: p.detach().clone() for name, p in twin.named_parameters()})
        return x[0, 0]

    found = cascade(model, x, explain, runs=1)
    assert found.layers[0] == "head"
    assert found.layers[-1] == ""
    same = [name for name, value in last.items() if torch.equal(value, original[name])]
    assert not [name for name in same if not name.endswith("bias")], "only biases that start at 0 may stay"


def test_a_network_without_parameters_and_no_steps_are_refused(net, x):
    with pytest.raises(ValueError, match="model has no parameters"):
        cascade(nn.Flatten(), x, edges)
    with pytest.raises(ValueError, match="steps=0"):
        cascade(net, x, edges, steps=0)


# ------------------------------------------------------------------------------------------------ stability


def test_a_map_that_moves_with_the_image_is_stable_under_crops_a_fixed_one_is_not(net, x):
    nailed = torch.rand(12, 12, generator=torch.Generator().manual_seed(9))
    follows, stays = (stability(net, x, explain) for explain in (lambda _m, x: x[0, 0], lambda *_: nailed))
    assert follows.crop.tolist() == pytest.approx([1] * 4)
    assert stays.noise.tolist() == pytest.approx([1] * 4)
    assert stays.crop.max() < 0.5


def test_a_coarse_map_is_moved_back_by_pixels_of_the_image(net):
    def coarse(_model: nn.Module, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 4)[0, 0]

    ramp = torch.arange(24.0).expand(1, 1, 24, 24) + 0.1 * torch.arange(24.0)[:, None]
    assert stability(net, ramp, coarse, noise=0.001, shift=4).crop.min() > 0.98


def test_noise_is_measured_in_the_contrast_of_the_image(net, x):
    shown = []

    def explain(_model: nn.Module, x: Tensor) -> Tensor:
        shown.append(x.clone())
        return torch.rand(12, 12)

    progress = []
    for scale in (1, 50):
        found = stability(net, scale * x, explain, draws=6, progress=lambda *done: progress.append(done))
        assert found.noise.shape == (6,)
        assert found.noise.abs().max() < 0.4, "maps at random are like no other"
    noise = torch.cat(shown[1:7]) - x
    assert noise.std() == pytest.approx(0.1 * float(x.std()), rel=0.1)
    torch.testing.assert_close(50 * noise, torch.cat(shown[12:18]) - 50 * x, atol=1e-4, rtol=1e-3)
    assert progress == [(i, 10) for i in range(1, 11)] * 2


def test_the_same_image_gives_the_same_numbers_and_the_network_comes_back(net, x):
    first, again = (stability(net, x, cam_of(2)) for _ in range(2))
    assert torch.equal(first.noise, again.noise)
    assert torch.equal(first.crop, again.crop)
    with isolated(net):
        assert not net._forward_hooks


@pytest.mark.parametrize("wrong", [{"shift": 0}, {"shift": 6}, {"draws": 0}])
def test_a_shift_or_a_number_of_draws_that_cannot_be_is_named(net, x, wrong):
    with pytest.raises(ValueError, match=r"shift=.*draws="):
        stability(net, x, edges, **wrong)
