"""How a training went: read from its file, joined with the one before it, and refused where it is damaged."""

import shutil

import pytest

from models import checkpoints as shelf
from models.checkpoints import CheckpointError
from workbench import services


def test_a_training_that_went_on_from_another_begins_with_its_curves():
    earlier, whole = (
        services.history("residual_cnn-quick-official-s0"),
        services.history("residual_cnn-polish-official-s0"),
    )
    kept = earlier.best  # the weights that the second training began with
    assert whole.joins == (kept,)
    assert len(whole.epochs) == kept + 5 == whole.best
    for name in ("train_accuracy", "validation_loss"):
        assert whole.columns[name][:kept].tolist() == earlier.columns[name][:kept].tolist()


def test_a_training_of_its_own_has_no_join():
    found = services.history("resnet18")
    assert found.joins == ()
    assert found.epochs.tolist() == list(range(1, 10))
    assert 1 <= found.best <= 9


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "has no history"),
        ("epoch,train_loss\n1,much\n", "cannot be read"),
        ("epoch,train_loss\n1,2,3\n", "cannot be read"),
        ("epoch,train_loss\n1\n", "cannot be read"),
        ("", "holds no epoch"),
        ("a,b\n1,2\n", "holds no epoch"),
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
        services.history("resnet18")
    assert "ferscope train --model resnet18" in str(error.value)
