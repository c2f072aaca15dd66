"""Training curves: read from their file, joined with those of the run before, and refused where damaged."""

import shutil
from dataclasses import replace
from itertools import accumulate

import pytest

from models import checkpoints as shelf
from models.checkpoints import CheckpointError, read_card
from workbench import services


def test_a_training_that_went_on_from_another_begins_with_its_curves():
    earlier, whole = (
        services.metrics.training_curves.history("residual_cnn-quick-official-s0"),
        services.metrics.training_curves.history("residual_cnn-polish-official-s0"),
    )
    kept = earlier.best  # the weights that the second training began with
    assert whole.joins == (kept,)
    assert len(whole.epochs) == kept + 5 == whole.best
    for name in ("train_accuracy", "validation_loss"):
        assert whole.columns[name][:kept].tolist() == earlier.columns[name][:kept].tolist()


def test_all_that_led_to_the_default_network_stands_before_it():
    parts = ("quick", "polish", "born-again", "settle", "revise")
    cards = [read_card(f"residual_cnn-{recipe}-official-s0") for recipe in parts]
    found = services.metrics.training_curves.history("residual_cnn")
    assert found.joins == tuple(accumulate(card.best_epoch for card in cards))
    assert found.best == found.joins[-1] + read_card("residual_cnn").best_epoch
    assert len(found.epochs) == len(found.columns["train_loss"]) == found.joins[-1] + 8


def test_a_start_that_is_not_here_leaves_the_history_of_the_training_alone(tmp_path, monkeypatch):
    shutil.copytree(shelf.ROOT / "resnet18", tmp_path / "resnet18", ignore=shutil.ignore_patterns("*.safetensors"))
    monkeypatch.setattr(shelf, "ROOT", tmp_path)
    card = read_card("resnet18")
    shelf.write_card(tmp_path / "resnet18", replace(card, ancestors=(card.as_ancestor("gone", "start"),)))
    assert services.metrics.training_curves.history("resnet18").joins == ()


def test_a_training_of_its_own_has_no_join():
    found = services.metrics.training_curves.history("vanilla_cnn")
    assert found.joins == ()
    assert found.epochs.tolist() == list(range(1, 27))
    assert 1 <= found.best <= 26


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "has no history"),
        ("epoch,train_loss\n1,much\n", "cannot be read"),
        ("epoch,train_loss\n1,2,3\n", "cannot be read"),
        ("epoch,train_loss\n1\n", "cannot be read"),
        ("", "no column epoch"),
        ("a,b\n1,2\n", "no column epoch"),
    ],
    ids=["missing", "a word", "too many fields", "too few fields", "empty", "other columns"],
)
def test_a_history_that_cannot_be_read_says_how_to_get_it(tmp_path, monkeypatch, content, words):
    shutil.copytree(shelf.ROOT / "resnet18", tmp_path / "resnet18", ignore=shutil.ignore_patterns("*.safetensors"))
    monkeypatch.setattr(shelf, "ROOT", tmp_path)
    path = tmp_path / "resnet18" / "history.csv"
    path.unlink()
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(CheckpointError, match=words) as error:
        services.metrics.training_curves.history("resnet18")
    assert "ferscope train --model resnet18" in str(error.value)
