"""Whether a paper's ranking of two networks holds, from small checkpoints with known predictions."""

from __future__ import annotations

import pytest
from helpers.checkpoint_folders import LABELS, knows, put

from models import checkpoints, get_spec
from models.metrics import paired_difference
from workbench.services.metrics import rankings


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    """An empty folder in the place of checkpoints/."""
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)


def ranked(seeds: tuple[int, ...], better: int, worse: int) -> rankings.Ranking:
    """The paper's order of SVD attention over plain, where ours are right about so many classes."""
    for seed in seeds:
        for name, known in (("resnet18_svd_hfc", better), ("resnet18", worse)):
            logits = knows(range(known))
            put(f"{name}-short-official-s{seed}", logits, weights=False, network=name, recipe="short", seed=seed)
    (found,) = rankings.rankings()
    return found


def test_a_ranking_holds_if_the_interval_over_images_excludes_zero_with_every_seed():
    found = ranked((0, 1), 6, 2)
    assert (found.first, found.second, found.measure) == ("resnet18_svd_hfc", "resnet18", "balanced_accuracy")
    key = "balanced accuracy on FER2013"
    claimed = get_spec("resnet18_svd_hfc").reported[key] - get_spec("resnet18").reported[key]
    assert found.claimed == pytest.approx(claimed)
    assert (found.recipe, found.split, found.part) == ("short", "official", "PrivateTest")
    own = paired_difference(knows(range(6)), knows(range(2)), LABELS)["balanced_accuracy"]
    assert found.by_seed == {0: own, 1: own}
    assert found.over_seeds == (own[0],) * 3, "two seeds that agree to the last digit"
    assert found.verdict == "holds with each of 2 seeds"


@pytest.mark.parametrize(("better", "worse", "verdict"), [(2, 6, "reversed with one seed"), (4, 4, "undecided")])
def test_an_order_can_be_the_other_way_round_or_undecided(better, worse, verdict):
    found = ranked((0,), better, worse)
    assert found.verdict == verdict
    assert found.over_seeds is None


def test_a_network_whose_ancestors_have_seen_test_images_is_not_ranked():
    put("resnet18", knows(range(2)), weights=False, network="resnet18")
    put("resnet18_svd_hfc", knows(range(7)), weights=False, network="resnet18_svd_hfc")
    assert len(rankings.rankings()) == 1
    put("resnet18_svd_hfc", knows(range(7)), weights=False, network="resnet18_svd_hfc", seen={"PrivateTest": 70})
    assert rankings.rankings() == ()
    assert ("resnet18_svd_hfc", "resnet18") in rankings.rankings_not_run()


def test_networks_that_were_trained_otherwise_are_not_ranked():
    put("resnet18", knows(range(6)), weights=False, network="resnet18", recipe="short")
    put("resnet18_svd_hfc", knows(range(6)), weights=False, network="resnet18_svd_hfc", recipe="quick")
    put(
        "resnet18_bam",
        knows(range(6)),
        weights=False,
        network="resnet18_bam",
        recipe="short",
        overrides={"reduction": 8},
    )
    assert rankings.rankings() == ()
    left = rankings.rankings_not_run()
    assert {("resnet18_svd_hfc", "resnet18"), ("resnet18_bam", "resnet18")} < set(left)
    assert all(get_spec(a).paper == get_spec(b).paper for a, b in left)


@pytest.mark.parametrize("other", [{"epochs": 2}, {"data": "another"}])
def test_a_recipe_that_was_changed_or_another_set_is_not_the_same_training(other):
    put("resnet18", knows(range(2)), weights=False, network="resnet18", recipe="short")
    put("resnet18_svd_hfc", knows(range(6)), weights=False, network="resnet18_svd_hfc", recipe="short", **other)
    assert rankings.rankings() == ()
    put("resnet18_svd_hfc-1", knows(range(6)), weights=False, network="resnet18_svd_hfc", recipe="short")
    assert len(rankings.rankings()) == 1


def test_the_interval_over_seeds_is_students():
    assert rankings.over_seeds([0.1]) is None
    mean, low, high = rankings.over_seeds([0.0, 0.02])
    assert (mean, high - mean) == pytest.approx((0.01, 12.706 * 0.01), rel=1e-3)
    assert low == pytest.approx(2 * mean - high)
