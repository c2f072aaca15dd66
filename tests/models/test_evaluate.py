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
from rich.console import Console

from models import checkpoints, load_checkpoint
from models.checkpoints import read_card, read_predictions, write_card
from models.cross_dataset import evaluate_elsewhere
from models.datasets import DataError, FaceSet
from models.datasets.audit import leaked
from models.datasets.splits import split
from models.evaluate import evaluate, main, report
from models.metrics import measure, predict


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


def relabeled(folder: Path, faces: FaceSet, labels: np.ndarray) -> FaceSet:
    """The same images with other labels, as if the network in the folder had been trained on them."""
    changed = dataclasses.replace(faces, labels=labels)
    card = read_card(folder)
    write_card(folder, dataclasses.replace(card, data=split(changed, card.split).fingerprint))
    return changed


def test_other_images_are_refused_as_the_networks_own(folder, faces):
    with pytest.raises(DataError, match="was trained with"):
        evaluate(folder, dataclasses.replace(faces, images=255 - faces.images))
    assert read_card(folder).metrics == {}


def test_one_way_is_measured_again_without_losing_the_others(folder, faces):
    first = evaluate(folder, faces)
    changed = relabeled(folder, faces, (faces.labels + 1) % 7)
    second = evaluate(folder, changed, tta=("flip",))
    for part in ("PublicTest", "PrivateTest"):
        assert second.metrics[part]["ten-crop"] == first.metrics[part]["ten-crop"]
        assert second.metrics[part]["flip"] != first.metrics[part]["flip"]
        assert second.metrics[part]["plain"] != first.metrics[part]["plain"]


def test_the_temperature_is_fitted_on_the_validation_part_only(folder, faces):
    labels = faces.labels.copy()
    labels[faces.splits == "PrivateTest"] = 0
    before = evaluate(folder, faces, ("plain",)).temperature
    assert evaluate(folder, relabeled(folder, faces, labels), ("plain",)).temperature == before


def test_a_set_with_other_classes_is_refused_as_the_networks_own(folder, faces):
    with pytest.raises(DataError, match="contempt"):
        evaluate(folder, dataclasses.replace(faces, classes=(*faces.classes, "contempt")))
    assert read_card(folder).metrics == {}


def like_ckplus(faces: FaceSet) -> FaceSet:
    """The same images as a set with contempt in the place of neutral, all in one part."""
    classes = ("angry", "disgust", "fear", "happy", "sad", "surprise", "contempt")
    names = np.array(faces.classes)[faces.labels]
    labels = np.array([classes.index(n if n != "neutral" else "contempt") for n in names])
    return dataclasses.replace(faces, labels=labels, classes=classes, splits=np.full(len(faces), "all"))


def test_another_set_is_measured_over_the_classes_that_both_have(folder, faces):
    found = evaluate_elsewhere(folder, like_ckplus(faces), ("plain",))
    assert found.classes == ("angry", "disgust", "fear", "happy", "sad", "surprise")
    kept = faces.subset(faces.labels != 4)
    assert found.left_out == len(faces) - len(kept) > 0
    model, card = load_checkpoint(folder)
    logits = predict(model, card, kept.images)[:, [0, 1, 2, 3, 5, 6]]
    labels = torch.tensor([[0, 1, 2, 3, 9, 4, 5][label] for label in kept.labels])
    assert found.metrics == {"all": {"plain": measure(logits, labels, found.classes)}}


def test_the_command_writes_nothing_beside_the_weights_for_another_set(folder, faces, tmp_path, capsys):
    like_ckplus(faces).save(tmp_path / "ckplus.npz")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    main([str(folder), "--data", str(tmp_path / "ckplus.npz"), "--tta", "plain", "--device", "cpu"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "6 classes are shared, 24 images of other classes were left out. Nothing was written." in printed
    same_classes = dataclasses.replace(faces, labels=(faces.labels + 1) % 7)  # another set with the same classes
    same_classes.save(tmp_path / "other.npz")
    main([str(folder), "--data", str(tmp_path / "other.npz"), "--tta", "plain", "--device", "cpu"])
    assert "7 classes are shared" in " ".join(capsys.readouterr().out.split())
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_all_networks_are_measured_on_another_set_but_those_trained_on_it(folder, faces, tmp_path, capsys, monkeypatch):
    for name in ("residual_cnn", "vanilla_cnn"):
        shutil.copytree(folder, tmp_path / "shelf" / name)
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path / "shelf")
    card = read_card("vanilla_cnn")
    write_card(tmp_path / "shelf" / "vanilla_cnn", dataclasses.replace(card, data="another"))
    faces.save(tmp_path / "faces.npz")
    main(["all", "--data", str(tmp_path / "faces.npz"), "--device", "cpu"])
    printed = capsys.readouterr().out
    (row,) = (line for line in printed.splitlines() if "vanilla_cnn" in line)
    model, card = load_checkpoint(folder)
    right = (predict(model, card, faces.images).argmax(-1) == torch.from_numpy(faces.labels)).double().mean()
    assert f" {len(faces)} " in row
    assert f"{100 * float(right):.1f} %" in row
    assert "because they were trained on this dataset: residual_cnn" in " ".join(printed.split())
    write_card(tmp_path / "shelf" / "vanilla_cnn", read_card("residual_cnn"))
    with pytest.raises(SystemExit, match="All networks were trained on this dataset"):
        main(["all", "--data", str(tmp_path / "faces.npz")])


def test_a_set_that_shares_one_class_is_refused(folder, faces):
    other = dataclasses.replace(faces, classes=("angry", *"bcdefg"))
    with pytest.raises(DataError, match="share 1 of angry"):
        evaluate_elsewhere(folder, other)


def test_what_is_stored_is_printed_without_images_and_without_leaks(capsys):
    main(["residual_cnn", "--stored"])
    printed = " ".join(capsys.readouterr().out.split())
    stored = read_predictions("residual_cnn", "PrivateTest")
    right = (stored.logits.argmax(1) == stored.labels).numpy()
    clean = ~np.isin(stored.ids, list(leaked("PrivateTest", near=False)))
    assert clean.sum() == 3589 - 288
    assert f"without the 288 duplicates of training images: {100 * right[clean].mean():.1f} %" in printed
    assert "beside the annotators of FER+" in printed
    assert "network wrong" in printed


def test_a_checkpoint_that_was_not_measured_says_how(folder):
    with pytest.raises(SystemExit, match="has not been evaluated yet"):
        main([str(folder), "--stored"])


def test_a_split_without_a_validation_part_is_measured_once(folder, faces):
    data = split(faces, "random-80-20").fingerprint
    card = dataclasses.replace(read_card(folder), split="random-80-20", data=data)
    write_card(folder, card)
    measured = evaluate(folder, faces, ("plain",))
    assert list(measured.metrics) == ["test"]
    assert measured.temperature is not None
    assert len(read_predictions(folder, "test").labels) == round(0.2 * len(faces))


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


def test_ctrl_c_is_a_sentence_and_the_card_stays(folder, faces, tmp_path, monkeypatch, capsys):
    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    monkeypatch.setattr("models.metrics.predict", stopped)
    faces.save(tmp_path / "faces.npz")
    with pytest.raises(SystemExit) as end:
        main([str(folder), "--data", str(tmp_path / "faces.npz")])
    assert end.value.code == 130
    assert "Stopped" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_kappa_that_is_not_defined_is_printed_so(folder):
    labels = torch.full((9,), 3)
    card = read_card(folder)
    found = {"test": {"plain": measure(torch.eye(len(card.classes))[labels], labels, card.classes)}}
    console = Console(record=True, width=200)
    report("one class", card.classes, found, console)
    assert "not defined" in console.export_text()
