"""Measuring a checkpoint writes what was measured, of the very weights that lie there, and nothing else."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from models import load_checkpoint
from models.checkpoints import read_card
from models.datasets import DataError
from models.evaluate import evaluate, main
from models.evaluation import measure, predict


@pytest.fixture
def folder(finished_run, tmp_path) -> Path:
    shutil.copytree(finished_run, tmp_path / "run")
    return tmp_path / "run"


def test_the_card_and_the_predictions_say_what_the_shipped_weights_do(folder, faces):
    weights = (folder / "model.safetensors").read_bytes()
    before = read_card(folder)
    card = evaluate(folder, faces)
    assert card == read_card(folder)
    assert dataclasses.replace(card, metrics={}, temperature=None) == before
    assert (folder / "model.safetensors").read_bytes() == weights

    model, _ = load_checkpoint(folder)
    with np.load(folder / "predictions.npz", allow_pickle=False) as file:
        stored = dict(file)
    for name in ("PublicTest", "PrivateTest"):
        part, chosen = faces.part(name), stored["splits"] == name
        labels = torch.from_numpy(part.labels)
        for tta in ("plain", "flip", "ten-crop"):
            assert card.metrics[name][tta] == measure(predict(model, card, part.images, tta), labels, part.classes)
        assert np.array_equal(stored["logits"][chosen], predict(model, card, part.images).numpy())
        for key in ("names", "ids", "labels"):
            assert np.array_equal(stored[key][chosen], getattr(part, key))
    assert "Training" not in stored["splits"]


def test_one_way_is_measured_again_without_losing_the_others(folder, faces):
    first = evaluate(folder, faces)
    changed = dataclasses.replace(faces, labels=(faces.labels + 1) % 7)
    second = evaluate(folder, changed, tta=("flip",))
    for part in ("PublicTest", "PrivateTest"):
        assert second.metrics[part]["ten-crop"] == first.metrics[part]["ten-crop"]
        assert second.metrics[part]["flip"] != first.metrics[part]["flip"]
        assert second.metrics[part]["plain"] != first.metrics[part]["plain"]


def test_the_temperature_is_fitted_on_the_validation_part_only(folder, faces):
    labels = faces.labels.copy()
    labels[faces.splits == "PrivateTest"] = 0
    assert (
        evaluate(folder, faces, ("plain",)).temperature
        == evaluate(folder, dataclasses.replace(faces, labels=labels), ("plain",)).temperature
    )


def test_a_set_with_other_classes_is_refused(folder, faces):
    with pytest.raises(DataError, match="contempt"):
        evaluate(folder, dataclasses.replace(faces, classes=(*faces.classes, "contempt")))
    assert read_card(folder).metrics == {}


def test_a_full_disk_leaves_the_earlier_card(folder, faces_npz, monkeypatch):
    before = (folder / "card.json").read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SystemExit, match="free some space"):
        main([str(folder), "--data", str(faces_npz)])
    assert (folder / "card.json").read_bytes() == before


def test_the_command_prints_accuracy_interval_and_confusion(folder, faces_npz, capsys):
    main([str(folder), "--data", str(faces_npz), "--tta", "flip", "--device", "cpu"])
    printed = capsys.readouterr().out
    accuracy = read_card(folder).metrics["PrivateTest"]["flip"]["accuracy"]
    for word in ("PrivateTest flip", f"{accuracy:.2%}", "balanced accuracy", "kappa", "→ happy", "Temperature"):
        assert word in printed


def test_what_is_missing_ends_the_command_with_one_sentence(folder, tmp_path, faces_npz):
    with pytest.raises(SystemExit, match="is not there"):
        main(["no_such_network", "--data", str(faces_npz)])
    with pytest.raises(SystemExit, match="ferscope data import"):
        main([str(folder), "--data", str(tmp_path / "none.npz")])
