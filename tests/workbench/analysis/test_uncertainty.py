"""MC dropout and test-time augmentation, tried on small networks whose uncertainty can be worked out by hand."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from models import create_model, load_checkpoint
from workbench.analysis.uncertainty import VIEWS, View, has_dropout, mc_dropout, tta


class Coin(nn.Module):
    """Logits (w, 0) where dropout keeps the one feature, (0, 0) where it does not."""

    def __init__(self, w: float = 2.0, p: float = 0.25) -> None:
        super().__init__()
        self.w, self.dropout = w, nn.Dropout(p)

    def forward(self, x):
        feature = self.dropout(x.flatten(1)[:, :1])  # (B, 1)  1 or, with dropout, 0 or 1/(1 − p)
        return torch.cat([self.w * feature, torch.zeros_like(feature)], 1)


class Halves(nn.Module):
    """StoredPredictions 0 where the left half is brighter than the right one, else 1."""

    def forward(self, x):
        half = x.shape[-1] // 2
        return torch.stack([x[..., :half].mean((1, 2, 3)), x[..., half:].mean((1, 2, 3))], 1)


def ones(b: int = 1, side: int = 4) -> torch.Tensor:
    return torch.ones(b, 1, side, side)


def entropy(*p: float) -> float:
    return -sum(q * math.log(q) for q in p if q)


def test_each_pass_keeps_or_drops_and_the_figures_are_those_of_a_loaded_coin():
    found = mc_dropout(Coin(w=2, p=0.25), ones(), samples=4000)
    kept, dropped = torch.tensor(2 / 0.75).sigmoid().item(), 0.5
    first = found.draws[:, 0, 0]
    assert found.draws.shape == (4000, 1, 2)
    assert sorted({round(v, 4) for v in first.tolist()}) == pytest.approx([dropped, kept], abs=1e-4)
    share = (first > 0.7).double().mean().item()
    assert share == pytest.approx(0.75, abs=0.025)  # 3.5 standard errors
    mean = share * kept + (1 - share) * dropped
    assert found.mean[0].tolist() == pytest.approx([mean, 1 - mean], abs=1e-5)
    assert found.variance[0, 0].item() == pytest.approx(share * (1 - share) * (kept - dropped) ** 2, rel=1e-3)
    assert found.entropy.item() == pytest.approx(entropy(mean, 1 - mean), abs=1e-5)
    expected = share * entropy(kept, 1 - kept) + (1 - share) * math.log(2)
    assert found.expected_entropy.item() == pytest.approx(expected, abs=1e-5)
    assert found.mutual_information.item() == pytest.approx(entropy(mean, 1 - mean) - expected, abs=1e-5)


def test_an_image_unclear_to_every_pass_has_entropy_and_no_mutual_information():
    found = mc_dropout(Coin(w=0), ones())
    assert found.entropy.item() == pytest.approx(math.log(2))
    assert found.mutual_information.item() == pytest.approx(0, abs=1e-6)
    assert found.variance.max() == 0


def test_passes_that_contradict_each_other_have_mutual_information():
    class Either(Coin):
        def forward(self, x):
            return super().forward(x) - torch.tensor([50.0, 0.0])  # sure of 0 with the feature, of 1 without it

    found = mc_dropout(Either(w=100, p=0.5), ones(), samples=2000)
    assert found.mutual_information.item() == pytest.approx(math.log(2), abs=0.01)
    assert found.expected_entropy.item() == pytest.approx(0, abs=1e-4)


def test_the_temperature_divides_the_logits():
    hot, cold = (mc_dropout(Coin(w=w), ones(), temperature=t) for w, t in ((2, 1), (6, 3)))
    torch.testing.assert_close(hot.draws, cold.draws)


def test_dropout_of_whole_maps_drops_whole_maps():
    class Maps(nn.Module):
        def __init__(self):
            super().__init__()
            self.dropout = nn.Dropout2d(0.5)

        def forward(self, x):
            maps = self.dropout(x)
            return torch.stack([maps[:, 0].amax((-2, -1)), maps[:, 0].amin((-2, -1))], 1)

    found = mc_dropout(Maps(), ones(3), samples=60)
    torch.testing.assert_close(found.draws, torch.full((60, 3, 2), 0.5))  # a map dropped in part would set them apart
    assert not torch.equal(*mc_dropout(Coin(), ones(2), samples=60).draws.unbind(1)), "images are drawn apart"


def test_the_passes_average_to_the_prediction_without_dropout_of_a_linear_network():
    class Vote(nn.Module):
        def __init__(self):
            super().__init__()
            self.dropout = nn.Dropout(0.4)

        def forward(self, x):
            p = self.dropout(x.flatten(1)).mean(1, keepdim=True)
            return torch.cat([p, 1 - p], 1).clamp(1e-6).log()  # probabilities (p, 1 − p)

    x = torch.rand(1, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    assert mc_dropout(Vote(), x, samples=200).mean[0, 0].item() == pytest.approx(x.mean().item(), abs=0.005)


def test_a_seed_repeats_its_passes_and_leaves_torchs_generator_alone():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = mc_dropout(Coin(), ones(), seed=5).draws
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(7)
    assert torch.equal(mc_dropout(Coin(), ones(), seed=5).draws, one)
    assert not torch.equal(mc_dropout(Coin(), ones(), seed=6).draws, one)


def test_batch_norm_stays_in_evaluation_mode_and_the_network_comes_back_as_it_was():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(1e-9), nn.Flatten(), nn.Linear(16, 3))
    model[1].running_mean += 3
    model.train()
    model[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.randn(5, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    found = mc_dropout(model, x)
    tta(model, x)
    assert [module.training for module in model.modules()] == [True, True, True, False, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    model.eval()
    torch.testing.assert_close(found.mean, model(x).softmax(-1))


def test_a_plain_prediction_beside_it_has_no_dropout():
    class Watched(Coin):
        def forward(self, x):
            if threading.current_thread() is threading.main_thread():
                with ThreadPoolExecutor(1) as other:
                    beside.append(other.submit(super().forward, ones()).result())
            return super().forward(x)

    beside: list[torch.Tensor] = []
    found = mc_dropout(Watched(), ones(), samples=100)
    assert found.draws.std() > 0
    assert len(beside) > 2
    assert all(answer.tolist() == [[2, 0]] for answer in beside)


def test_eight_threads_get_their_own_passes():
    model = Coin()
    alone = [mc_dropout(model, ones(), seed=seed).draws for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda seed: mc_dropout(model, ones(), seed=seed).draws, range(8)))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(alone, together, strict=True))


def test_networks_without_dropout_say_so():
    plain = nn.Sequential(nn.Flatten(), nn.Dropout(0.0), nn.Linear(16, 2))
    assert not has_dropout(plain)
    with pytest.raises(ValueError, match=r"no dropout layer.*has_dropout"):
        mc_dropout(plain, ones())
    unused = Halves()
    unused.dropout = nn.Dropout(0.5)
    assert has_dropout(unused)
    with pytest.raises(ValueError, match="never calls its dropout"):
        mc_dropout(unused, ones())
    assert not unused.dropout._forward_hooks


def test_networks_of_the_project_are_known_by_their_dropout():
    assert has_dropout(create_model("residual_cnn"))
    assert not has_dropout(create_model("residual_cnn", dropout=0.0))
    model, _ = load_checkpoint("residual_cnn")
    x = torch.randn(3, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        x = x.clone()
    found = mc_dropout(model, x, samples=5)
    assert found.draws.shape == (5, 3, 7)
    assert (found.variance.sum(1) > 0).all()
    torch.testing.assert_close(found.mean.sum(1), torch.ones(3))
    torch.testing.assert_close(found.entropy - found.expected_entropy, found.mutual_information, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("ask", "wrong", "message"),
    [
        (mc_dropout, {"samples": 1}, "samples=1"),
        (mc_dropout, {"temperature": 0.0}, "temperature=0"),
        (mc_dropout, {"x": torch.full((1, 1, 4, 4), torch.nan)}, "x contains NaN"),
        (tta, {"temperature": -1.0}, "temperature=-1"),
        (tta, {"x": torch.full((1, 1, 4, 4), torch.inf)}, "x contains NaN or infinite"),
        (tta, {"views": ()}, "views is empty"),
    ],
)
def test_a_wrong_argument_is_named(ask, wrong, message):
    with pytest.raises(ValueError, match=message):
        ask(Coin(), **({"x": ones()} | wrong))


# ---- test-time augmentation


def test_only_the_mirrored_view_changes_a_prediction_that_depends_on_left_and_right():
    x = torch.zeros(2, 1, 48, 48)
    x[0, ..., :24] = 1  # the left half of the first image, the right half of the second
    x[1, ..., 24:] = 1
    found = tta(Halves(), x)
    assert found.views == VIEWS
    assert found.agree.tolist() == [len(VIEWS) - 1] * 2
    answers = found.probabilities.argmax(-1)
    assert [found.views[v].title for v in range(len(VIEWS)) if answers[v, 0] != answers[0, 0]] == ["mirrored"]
    torch.testing.assert_close(found.probabilities[0], Halves()(x).softmax(-1))
    torch.testing.assert_close(found.probabilities[1], found.probabilities[0].flip(0))


def test_mean_and_spread_are_those_of_the_views():
    x = torch.rand(3, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    found = tta(Halves(), x, temperature=0.1)
    torch.testing.assert_close(found.mean, found.probabilities.mean(0))
    torch.testing.assert_close(found.spread, (found.probabilities - found.mean).square().mean(0).sqrt())
    torch.testing.assert_close(found.probabilities[0], (Halves()(x) / 0.1).softmax(-1))
    assert (found.spread > 0).all()
    assert torch.equal(found.probabilities, tta(Halves(), x, temperature=0.1).probabilities)


def test_an_image_without_contrast_looks_the_same_in_every_view():
    found = tta(Halves(), torch.full((1, 1, 24, 24), 0.3))
    assert found.agree.item() == len(VIEWS)
    assert found.spread.max() < 1e-6


def test_views_of_ones_own_are_taken_in_their_order():
    x = torch.zeros(1, 1, 8, 8)
    x[..., 2, 1] = 1

    class Where(nn.Module):
        def forward(self, x):
            return x.flatten(1)

    views = (View("as it is"), View("mirrored", mirror=True), View("moved", shift=(0.5, 0.25)))
    at = tta(Where(), x, views=views).probabilities.argmax(-1)[:, 0]
    assert [divmod(int(i), 8) for i in at] == [(2, 1), (2, 6), (4, 5)]
