"""The page in checkpoints/ says what lies there, and "not run" of what does not."""

from __future__ import annotations

import dataclasses

import pytest
from helpers.checkpoint_folders import knows, put

from models import checkpoints, list_models
from models.checkpoints import read_card, write_card
from models.ensemble_selection import Choice
from workbench.commands import results
from workbench.services.metrics import leaderboard


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    monkeypatch.setattr(leaderboard, "STEPS", tmp_path / "results")
    return tmp_path


def test_an_empty_shelf_makes_a_page_that_says_not_run():
    text = results.text()
    for network in set(list_models()) - {"ensemble"}:
        assert f"| `{network}` |" in text
    for section in ("leaked", "epoch on the test", "another domain", "batch norm", "ensemble"):
        part = next(part for part in text.split("\n## ") if section in part.splitlines()[0])
        assert "not run" in part.lower()
    assert "nan" not in text


def test_a_trained_network_stands_with_its_figures_and_where_they_come_from():
    put("residual_cnn", knows(range(6)), history=((0.5, 0.5),), weights=False, network="residual_cnn", temperature=0.9)
    put(
        "residual_cnn-quick-random-80-20-s0",
        knows(range(7)),
        weights=False,
        network="residual_cnn",
        split="random-80-20",
    )
    text = results.text()
    (row,) = (line for line in text.splitlines() if line.startswith("| `residual_cnn` | C:"))
    assert "68.1 % validation accuracy" in row
    assert "| 85.7 % (75.7–92.1) | not run | not run |" in row
    assert "quick, 0 | 1, no. 2 kept | cpu; 0 |" in row
    assert "| random-80-20 | PrivateTest | quick | 100.0 % (94.8–100.0) |" in text
    assert "paper E's re-split (`kaggle-oheix`): not run" in text
    assert "paper C's random" not in text.split("`residual_cnn` on")[1]


def test_a_network_whose_ancestors_saw_test_images_is_named_and_in_no_table():
    put("residual_cnn", knows(range(6)), weights=False, network="residual_cnn")
    put("residual_cnn-s9", knows(range(7)), weights=False, network="residual_cnn", seen={"PrivateTest": 70})
    text = results.text()
    (line,) = (line for line in text.splitlines() if "residual_cnn-s9" in line)
    assert line.startswith("Left out, because weights that they come from have seen validation or test images")


def test_measured_rankings_and_training_runs_are_in_points_and_minutes(shelf):
    for name, known in (("resnet18_bam", 2), ("resnet18", 6)):
        put(name, knows(range(known)), weights=False, network=name, recipe="short")
    text = results.text()
    assert "| D: `resnet18_bam` over `resnet18` | balanced accuracy | +0.79 | seed 0: −57.1 (−57.1 to −57.1) |" in text
    assert "reversed with one seed" in text
    assert results._minutes(12.4) == "12 minutes"
    assert results._minutes(1200) == "20 hours"


def test_an_ensemble_is_reported_with_its_members_and_its_figures():
    put("ensemble", knows(range(7)), weights=False, network="ensemble", overrides={"members": ["a", "b"]})
    write_card(checkpoints.ROOT / "ensemble", dataclasses.replace(read_card("ensemble"), recipe="ensemble"))
    choice = Choice(
        members=("a", "b"),
        log_losses=(0.9, 0.8),
        accuracies=(0.7, 0.72),
        of=5,
        best="a",
        best_accuracy=0.7,
        related=(("c", "a"),),
        agreement={("a", "b"): 0.8},
        shared_teachers=("t",),
    )
    text = results.text(choice)
    assert "among 5 networks" in text
    assert "`a` (log loss 0.900, accuracy 70.00 %), `b` (log loss 0.800, accuracy 72.00 %)" in text
    assert "`c` beside `a`" in text
    assert "`a` and `b` 80.00 %" in text
    assert "distilled from `t`" in text
    assert "The ensemble ships: on PublicTest it is more accurate than `a`" in text
    assert "On PrivateTest: 100.0 % (94.8–100.0) plain." in text


def test_a_page_without_an_ensemble_says_why_none_ships():
    rejected = {"rejected": "b", "rejected_log_loss": 0.95, "rejected_accuracy": 0.68}
    text = results.text(Choice(("a",), (0.9,), (0.7,), 5, "a", 0.7, **rejected, agreement={("a", "b"): 0.75}))
    assert "`b`, would raise the log loss to 0.950 (accuracy 68.00 %)" in text
    assert "`a` and `b` 75.00 %" in text
    assert "No ensemble ships" in text
    assert "On PrivateTest: 100" not in text
