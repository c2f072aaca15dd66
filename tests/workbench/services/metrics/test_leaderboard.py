"""Results of all trained networks, from small checkpoints with known predictions."""

from __future__ import annotations

import json

import pytest
from helpers.checkpoint_folders import CARD, knows, put

from models import checkpoints
from workbench.services.metrics import leaderboard


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    """An empty folder in the place of checkpoints/, and no measured steps."""
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    monkeypatch.setattr(leaderboard, "STEPS", tmp_path / "results")
    return tmp_path


CURVE = ((0.2, 0.3), (0.5, 0.4), (0.4, 0.45))


def test_a_network_stands_with_its_accuracy_its_epochs_and_its_calibration():
    put("vanilla_cnn-quick-official-s0", knows(range(6)), history=CURVE, weights=False)
    put("vanilla_cnn", knows(range(6)), -knows(range(7)), CURVE[:1], weights=False, temperature=2.0,
        ancestors=(CARD.as_ancestor("vanilla_cnn-quick-official-s0", "start"),), recipe="polish")  # fmt: skip
    first, second = leaderboard.results()
    assert (first.name, second.name) == ("vanilla_cnn", "vanilla_cnn-quick-official-s0")
    assert first.part == "PrivateTest"
    assert first.accuracy == {"plain": (0.0, *first.card.metrics["PrivateTest"]["plain"]["accuracy_interval"])}
    assert (first.epochs, first.minutes) == (4, 2.0), "one epoch after three, half a minute each"
    before, after = first.calibration
    assert before == pytest.approx(first.card.metrics["PrivateTest"]["plain"]["calibration_error"])
    assert 0 <= after < before, "a network that is always wrong had better be unsure"
    assert second.calibration is None, "no temperature was fitted"


def test_a_damaged_card_and_one_that_is_not_measured_hide_no_other(shelf):
    put("vanilla_cnn", knows(range(6)), weights=False)
    put("resnet18", knows(range(6)), weights=False, network="resnet18")
    (shelf / "resnet18" / "card.json").write_text("{")
    assert [standing.name for standing in leaderboard.results()] == ["vanilla_cnn"]


def test_a_network_whose_ancestors_have_seen_test_images_is_left_out_and_named():
    put("vanilla_cnn", knows(range(6)), weights=False)
    assert leaderboard.left_out() == ""
    put("vanilla_cnn-s1", knows(range(7)), weights=False, seen={"PublicTest": 3, "PrivateTest": 70})
    put("resnet18", knows(range(7)), weights=False, network="resnet18", seen={"PrivateTest": None})
    assert [standing.name for standing in leaderboard.results()] == ["vanilla_cnn"]
    assert "resnet18" in {one.network for one in leaderboard.untrained()}
    assert leaderboard.left_out().endswith("validation or test images, or may have: `resnet18`, `vanilla_cnn-s1`.")


def test_what_is_not_trained_is_reported_with_the_minutes_that_were_measured(shelf):
    put("vanilla_cnn", knows(range(6)), weights=False)
    names = {one.network: one for one in leaderboard.untrained()}
    assert {"vanilla_cnn", "ensemble"}.isdisjoint(names)
    assert names["rarn"].minutes == {}
    (shelf / "results").mkdir()
    rows = {"device": "a slow one", "networks": {"rarn": {"recipe": "paper-a", "minutes": 90.0}}}
    (shelf / "results" / "training_steps_cpu.json").write_text(json.dumps(rows))
    rarn = next(one for one in leaderboard.untrained() if one.network == "rarn")
    assert (rarn.recipe, rarn.minutes) == ("paper-a", {"a slow one": 90.0})


def test_the_best_epoch_on_the_test_set_is_listed_beside_that_of_the_validation_set():
    put("vanilla_cnn", knows(range(6)), history=CURVE, weights=False)
    put("five_layer_cnn", knows(range(6)), weights=False, network="five_layer_cnn")
    (found,) = leaderboard.epoch_choices()
    assert (found.epoch, found.accuracy) == (2, 0.4)
    assert (found.best_epoch, found.best_accuracy, found.epochs) == (3, 0.45, 3)


def test_batch_norm_saves_the_epochs_that_a_network_without_it_takes_longer():
    assert leaderboard.convergence() == ()
    slow = ((0.1, 0), (0.2, 0), (0.31, 0))
    fast = ((0.2, 0), (0.32, 0), (0.6, 0))
    put("vanilla_cnn", knows(range(6)), history=fast, weights=False)
    put("another_seed", knows(range(6)), history=fast, weights=False, seed=1)
    put("without", knows(range(6)), history=slow, weights=False, overrides={"batch_norm": False})
    (found,) = leaderboard.convergence()
    assert (found.with_norm, found.without_norm) == ("vanilla_cnn", "without")
    assert found.best == (0.6, 0.31)
    assert found.levels == (0.2, 0.25, 0.3)  # guessing has a seventh
    assert found.epochs == ((1, 2), (2, 3), (2, 3))
    assert found.saved == pytest.approx(1 / 3)


def test_where_nothing_is_learned_without_batch_norm_there_is_no_share_of_epochs():
    put("vanilla_cnn", knows(range(6)), history=((0.2, 0), (0.6, 0)), weights=False)
    put("without", knows(range(6)), history=((0.14, 0), (0.15, 0)), weights=False, overrides={"batch_norm": False})
    (found,) = leaderboard.convergence()
    assert (found.levels, found.epochs, found.saved) == ((), (), None)
