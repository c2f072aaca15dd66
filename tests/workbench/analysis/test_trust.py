"""The faithfulness badge: each of its rules, and maps of known quality."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import models
from workbench.analysis.baseline_maps import Score, random_maps
from workbench.analysis.cam import atlas, gradcam
from workbench.analysis.faithfulness import deletion, insertion
from workbench.analysis.trust import SIMILARITY_LIMIT, assess, badge

SIDE = 24


def score(title: str, own: float, higher: bool) -> Score:
    return Score(title, "", own, 0.5, torch.linspace(0.4, 0.6, 20), higher, 0, 1)


@pytest.mark.parametrize(
    ("deletion", "insertion", "similarity", "level"),
    [
        (0.3, 0.7, 0.1, "faithful"),
        (0.3, 0.7, -0.9, "faithful"),
        (0.5, 0.7, 0.1, "weak"),
        (0.3, 0.5, 0.1, "weak"),
        (0.3, 0.7, 0.5, "weak"),
        (0.3, 0.7, 0.49, "faithful"),
        (0.5, 0.5, 0.1, "not faithful"),
        (0.3, 0.5, 0.9, "not faithful"),
        (0.5, 0.7, 0.9, "not faithful"),
        (0.5, 0.5, 0.9, "not faithful"),
    ],
)
def test_all_three_tests_make_trusted_one_failure_weak_and_two_not_trusted(deletion, insertion, similarity, level):
    made = badge(score("deletion", deletion, False), score("insertion", insertion, True), similarity)
    assert made.level == level
    assert made.passed == (deletion < 0.4, insertion > 0.6, similarity < SIMILARITY_LIMIT)
    assert len(made.reasons) == 3


def test_each_reason_states_the_measured_value_and_the_threshold():
    good = badge(score("deletion", 0.3, False), score("insertion", 0.7, True), 0.1).reasons
    bad = badge(score("deletion", 0.5, False), score("insertion", 0.5, True), 0.8).reasons
    assert "lowers the class faster than 95 % of random maps do: area 0.300, threshold: under 0.400" in good[0]
    assert "raises the class faster than 95 % of random maps do: area 0.700, threshold: over 0.600" in good[1]
    assert "changes when the network's weights are random: rank correlation 0.10, threshold: under 0.5" in good[2]
    assert "does not lower the class" in bad[0]
    assert "does not raise the class" in bad[1]
    assert "stays much the same" in bad[2]


def evidence() -> Tensor:
    box = torch.zeros(SIDE, SIDE)
    box[3:11, 12:20] = 1
    return box


@pytest.fixture
def net() -> nn.Module:
    """Reads one box of the image, and nothing else, for class 1."""
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(SIDE**2, 3, bias=False))
    with torch.no_grad():
        model[0].weight.fill_(1)
        model[2].weight.zero_()
        model[2].weight[1] = 0.06 * evidence().flatten()
        model[2].weight[2] = -0.06 * evidence().flatten()
    return model.eval()


@pytest.fixture
def x() -> Tensor:
    noise = 0.2 * torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return (noise + evidence())[None, None]


def drawn(class_: int):
    return lambda model, x: atlas(model, x, "0", ("hirescam",), [class_])[0, 0, 0]


def test_a_map_that_shows_the_planted_evidence_is_trusted(net, x):
    trust = assess(net, x, 1, drawn(1))
    assert trust.flag is None
    assert trust.badge.level == "faithful", trust.badge.reasons
    scores, measures = trust.measures.scores, trust.measures
    assert list(scores) == ["deletion", "insertion", "road", "average drop"]
    assert scores["road"].own > float(scores["road"].random.max())
    assert scores["road"].own > scores["road"].gaussian
    assert scores["average drop"].own < scores["average drop"].gaussian
    assert measures.deletion["mean"].probability.shape == (42, 7)
    assert measures.insertion["blur"].probability.shape == (42, 7)
    areas = torch.stack([measures.deletion[b].auc for b in ("blur", "mean")]).mean(0)
    assert scores["deletion"].own == pytest.approx(float(areas[0]))
    torch.testing.assert_close(scores["deletion"].random, areas[2:])
    rivals = random_maps(20, (SIDE, SIDE))
    for found, measure in ((scores["deletion"], deletion), (scores["insertion"], insertion)):
        curves = [measure(net, x, 1, torch.cat([rivals, -rivals]), b, 6).auc for b in ("blur", "mean")]
        torch.testing.assert_close(found.random, torch.stack(curves).mean(0))
    assert measures.stability.noise.min() > 0.2
    assert measures.cascade.final < 0.3


def test_right_regions_that_ignore_the_network_are_weak_wrong_ones_not_faithful(net, x):
    painted = assess(net, x, 1, lambda *_: evidence())
    assert painted.badge.level == "weak"
    assert painted.badge.passed == (True, True, False)
    opposite = assess(net, x, 1, lambda *_: 1 - evidence())
    assert opposite.badge.level == "not faithful"
    assert opposite.badge.passed == (False, False, False)


def test_random_maps_are_not_trusted(net, x):
    def at_random(model: nn.Module, _x: Tensor) -> Tensor:
        seed = int(model[2].weight.double().sum() * 1e6) % 10_000  # another one for other weights
        return random_maps(1, (8, 8), (7, 7), 50 + seed)[0]

    assert assess(net, x, 1, at_random).badge.level == "not faithful"


def test_a_blank_map_and_one_with_evidence_only_against_the_class_are_not_measured(net, x):
    blank, against = assess(net, x, 0, drawn(0)), assess(net, x, 2, drawn(2))
    assert (blank.flag, against.flag) == ("blank", "all negative")
    for trust, words in ((blank, "is blank"), (against, "nowhere positive")):
        assert trust.badge.level == "not faithful"
        assert trust.badge.passed == (False,)
        assert words in trust.badge.reasons[0]
        assert trust.measures is None


def test_a_registered_network_is_assessed_on_one_image_and_comes_back_as_it_was():
    torch.manual_seed(0)
    model = models.create_model("residual_cnn")
    model.stem.eval()
    modes, weights = [m.training for m in model.modules()], {k: v.clone() for k, v in model.state_dict().items()}
    x, done = torch.randn(1, 1, 48, 48, generator=torch.Generator().manual_seed(1)), []

    def explain(model: nn.Module, x: Tensor) -> Tensor:
        return gradcam(model, x, [3], "stage3")[0, 0]

    with torch.inference_mode():
        trust = assess(model, x + 0, 3, explain, randoms=4, steps=3, progress=lambda *now: done.append(now))
    assert trust.map.shape == (6, 6)
    assert trust.measures.scores["deletion"].random.shape == (4,)
    assert trust.measures.cascade.similarity.shape == (3, 8)
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(v, weights[k]) for k, v in model.state_dict().items())
    assert done == sorted(done)
    assert done[-1][0] == done[-1][1]
    again = assess(model, x, 3, explain, randoms=4, steps=3)
    assert again.badge == trust.badge


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"randoms": 7}, "randoms=7: give an even number"),
        ({"randoms": 0}, "randoms=0"),
        ({"explain": lambda *_: torch.rand(1, 6, 6)}, r"explain returns a map of shape \(1, 6, 6\)"),
        ({"explain": lambda *_: torch.full((6, 6), torch.nan)}, "what explain returns contains NaN"),
        ({"class_": 3}, "class_=3: the network has 3 classes"),
    ],
)
def test_a_wrong_argument_is_named_with_what_to_do(net, x, wrong, message):
    with pytest.raises(ValueError, match=message):
        assess(**{"model": net, "x": x, "class_": 1, "explain": drawn(1)} | wrong)
