"""Deletion, insertion, ROAD and average drop against networks whose evidence is known to the pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from workbench.analysis.baseline_maps import Score, gaussian_map, random_maps
from workbench.analysis.faithfulness import average_drop, both_curves, deletion, insertion, road
from workbench.analysis.imputation import fill_linearly

SIDE = 24
ROWS, COLUMNS = slice(3, 11), slice(12, 20)  # where the evidence of class 1 lies


def reader(weights: Tensor) -> nn.Module:
    """A network whose logits are 0 and Σ weights · pixels."""
    head = nn.Linear(weights.numel(), 2, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.stack([torch.zeros_like(weights), weights]).flatten(1))
    return nn.Sequential(nn.Flatten(), head)


def evidence() -> Tensor:
    box = torch.zeros(SIDE, SIDE)
    box[ROWS, COLUMNS] = 1
    return box


@pytest.fixture
def net() -> nn.Module:
    return reader(evidence() * 0.06)


@pytest.fixture
def x() -> Tensor:
    """Noise all over, and bright where the evidence is: class 1 is nearly sure."""
    noise = 0.3 * torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return (noise + evidence())[None, None]


def probability(net: nn.Module, x: Tensor) -> float:
    with torch.no_grad():
        return float(net(x).softmax(1)[0, 1])


def test_deletion_takes_the_highest_pixels_away_one_after_another():
    g = torch.Generator().manual_seed(3)
    x, map_ = torch.randn(1, 1, 4, 4, generator=g), torch.randn(4, 4, generator=g)
    net = reader(torch.randn(4, 4, generator=g))
    image, expected = x.clone(), [probability(net, x)]
    for pixel in map_.flatten().argsort(descending=True):
        image.view(-1)[pixel] = x.mean()
        expected.append(probability(net, image))
    curve = deletion(net, x, 1, map_[None], "mean", steps=16)
    torch.testing.assert_close(curve.probability[0], torch.tensor(expected))
    assert curve.auc[0] == pytest.approx(np.trapezoid(expected, dx=1 / 16), abs=1e-6)
    assert not curve.higher_is_better


def test_insertion_puts_the_highest_pixels_back_one_after_another():
    g = torch.Generator().manual_seed(4)
    x, map_ = torch.randn(1, 1, 4, 4, generator=g), torch.randn(4, 4, generator=g)
    net = reader(torch.randn(4, 4, generator=g))
    image = x.mean().expand(1, 1, 4, 4).clone()
    expected = [probability(net, image)]
    for pixel in map_.flatten().argsort(descending=True):
        image.view(-1)[pixel] = x.view(-1)[pixel]
        expected.append(probability(net, image))
    curve = insertion(net, x, 1, map_[None], "mean", steps=16)
    torch.testing.assert_close(curve.probability[0], torch.tensor(expected))
    assert curve.higher_is_better


@pytest.mark.parametrize("baseline", ["blur", "mean"])
def test_a_map_and_its_negative_cost_one_deletion_and_give_both_curves(net, x, baseline):
    maps = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    gone, back = both_curves(net, x, 1, maps, baseline, steps=8)
    for sign, rows in ((1, slice(0, 3)), (-1, slice(3, 6))):
        torch.testing.assert_close(gone.probability[rows], deletion(net, x, 1, sign * maps, baseline, 8).probability)
        torch.testing.assert_close(back.probability[rows], insertion(net, x, 1, sign * maps, baseline, 8).probability)


@pytest.mark.parametrize("baseline", ["blur", "mean"])
def test_the_true_map_beats_random_and_gaussian_maps_and_its_negative_beats_none(net, x, baseline):
    maps = torch.cat([evidence()[None], -evidence()[None], gaussian_map((SIDE, SIDE))[None]])
    maps = torch.cat([maps, random_maps(40, (SIDE, SIDE))])
    gone, back = deletion(net, x, 1, maps, baseline).auc, insertion(net, x, 1, maps, baseline).auc
    assert gone[0] < gone[2:].min()
    assert back[0] > back[2:].max()
    assert gone[1] > gone[2:].max()
    assert back[1] < back[2:].min()


def test_about_one_random_map_in_twenty_beats_the_other_random_maps(net, x):
    areas = deletion(net, x, 1, random_maps(21 * 40, (SIDE, SIDE)), steps=4).auc.view(40, 21)
    passed = [Score("", "", float(a[0]), 0, a[1:], False, 0, 1).beats_random for a in areas]
    assert sum(passed) <= 6, "2 of 40 are expected; 6 or fewer in 99 of 100 cases"
    assert Score("", "", float(areas.min()) - 1e-3, 0, areas[0], False, 0, 1).beats_random


def test_only_the_order_of_a_map_counts(net, x):
    map_ = torch.rand(1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    right = deletion(net, x, 1, map_).probability
    torch.testing.assert_close(deletion(net, x, 1, 1e-9 * map_.double() ** 3 - 4).probability, right)


def test_between_equal_pixels_a_smooth_random_map_decides_and_not_the_order_of_rows(net, x):
    decides = -random_maps(1, (SIDE, SIDE), seed=1)[0]
    top = (torch.arange(SIDE)[:, None] < 9).float().expand(SIDE, SIDE)
    flat, full = torch.stack([torch.zeros(SIDE, SIDE), top]), torch.stack([decides, 10 * top + decides])
    found = deletion(net, x, 1, flat, steps=24).probability
    torch.testing.assert_close(found, deletion(net, x, 1, full, steps=24).probability)
    by_rows = deletion(net, x, 1, -torch.arange(float(SIDE**2)).view(1, SIDE, SIDE), steps=24).probability
    assert (found[0] - by_rows[0]).abs().max() > 0.05


# ------------------------------------------------------------------------------------------------ ROAD


def test_road_finds_the_true_map_and_many_maps_at_once_are_as_good_as_one_alone(net, x):
    maps = torch.cat([evidence()[None], random_maps(5, (SIDE, SIDE))])
    together = road(net, x, 1, maps)
    assert together.gap[0] > together.gap[1:].max()
    assert together.most[0].mean() < together.least[0].mean() - 0.3
    for n in range(len(maps)):
        alone = road(net, x, 1, maps[n : n + 1])
        torch.testing.assert_close(alone.most[0], together.most[n])
        torch.testing.assert_close(alone.least[0], together.least[n])
    torch.testing.assert_close(road(net, x, 1, -maps[1:]).gap, -together.gap[1:])


def test_road_shows_the_filled_image_with_a_little_noise(net, x):
    seen = []
    net.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].clone()))
    map_ = torch.rand(1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    road(net, x, 1, map_, fractions=(0.25,), noise=0)
    gone = map_[0] >= map_.flatten().sort(descending=True).values[SIDE**2 // 4 - 1]
    torch.testing.assert_close(seen[0][0], fill_linearly(x[0], gone))
    road(net, x, 1, map_, fractions=(0.25,), noise=0.5)
    difference = (seen[1] - seen[0])[0, 0]
    assert difference[~gone].abs().max() == 0
    assert difference[gone].std() == pytest.approx(0.5 * float(x.std()), rel=0.25)


# ------------------------------------------------------------------------------------------------ average drop


def test_average_drop_is_what_the_class_loses_where_the_map_is_dark(net, x):
    maps = torch.stack([5 * evidence() - 2, -evidence(), torch.rand(SIDE, SIDE)])
    result = average_drop(net, x, 1, maps)
    p = probability(net, x)
    for n, strength in enumerate((evidence(), 1 - evidence())):
        shown = x.mean() + strength * (x - x.mean())
        assert result.drop[n] == pytest.approx((p - probability(net, shown)) / p, abs=1e-5)
    assert result.drop[0] < 1e-5
    assert result.drop[1] > 0.3
    against = average_drop(net, x, 0, maps)
    assert against.increase.tolist()[1:] == [True, True]  # the first map hides nothing: equal but for rounding
    assert against.drop[1] == 0


# ------------------------------------------------------------------------------------------------ manners


@pytest.fixture
def conv() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.9), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )


def test_any_size_and_channels_serve_and_the_network_comes_back_as_it_was(conv):
    x = torch.rand(1, 3, 17, 22)
    maps = random_maps(40, (17, 22))
    conv.train()
    conv[1].eval()
    conv[5].bias.grad = torch.ones(5)
    before, weights = [m.training for m in conv.modules()], {k: v.clone() for k, v in conv.state_dict().items()}
    steps = []
    for baseline in ("blur", "mean"):
        curve = deletion(conv, x, 4, maps, baseline, steps=5, progress=lambda *done: steps.append(done))
        assert curve.probability.shape == (40, 6)
        assert curve.fraction.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
        assert torch.equal(curve.probability[:, 0], curve.probability[:1, 0].expand(40))
    road(conv, x, 4, maps[:2])
    average_drop(conv, x, 4, maps)
    assert [m.training for m in conv.modules()] == before
    assert all(torch.equal(v, weights[k]) for k, v in conv.state_dict().items())
    assert torch.equal(conv[5].bias.grad, torch.ones(5))
    assert steps[4] == (160, 160)
    assert steps == sorted(steps[:5]) * 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"class_": 5}, "class_=5: the network has 5 classes; give an index from 0 to 4"),
        ({"class_": -1}, "class_=-1"),
        ({"baseline": "black"}, 'baseline="black": choose one of blur, mean'),
        ({"steps": 1}, "steps=1"),
        ({"maps": torch.zeros(2, 9, 9)}, r"maps has shape \(2, 9, 9\).*\(N, 12, 12\)"),
        ({"maps": torch.zeros(12, 12)}, r"maps has shape \(12, 12\)"),
        ({"maps": torch.zeros(0, 12, 12)}, r"maps has shape \(0, 12, 12\)"),
        ({"maps": torch.full((1, 12, 12), torch.nan)}, "maps contains NaN"),
        ({"x": torch.zeros(2, 3, 12, 12)}, r"x has shape \(2, 3, 12, 12\).*one image"),
        ({"x": torch.full((1, 3, 12, 12), torch.inf)}, "x contains NaN or infinite"),
    ],
)
def test_a_wrong_argument_is_named_with_what_to_do(unchecked, conv, wrong, message):
    given = {"model": conv, "x": torch.zeros(1, 3, 12, 12), "class_": 0, "maps": torch.rand(2, 12, 12)} | wrong
    with pytest.raises(ValueError, match=message):
        deletion(**given)


@pytest.mark.parametrize("fractions", [(), (0.0,), (0.5, 1.0)])
def test_road_leaves_and_takes_some_pixels(conv, fractions):
    with pytest.raises(ValueError, match="fractions="):
        road(conv, torch.rand(1, 3, 12, 12), 0, torch.rand(1, 12, 12), fractions)
