"""Three folds of a small network on drawn patterns of six people: what is written, skipped, resumed and refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models import cross_validation
from models.checkpoints import read_card, read_predictions
from models.cross_validation import MEASURES, CrossValidation, cross_validate, report
from models.datasets import FaceSet
from models.datasets.splits import split
from models.metrics import mean_share, measure
from models.train import main
from models.training import resume
from models.training.config import TrainConfig
from models.training.errors import Interrupted, TrainingError
from models.training.trainer import Trainer

from .conftest import pattern

CLASSES = ("happy", "sad")


@pytest.fixture(scope="module")
def shown_by_six(tmp_path_factory) -> Path:
    """Six people, twelve images each, named as CK+ names them."""
    rng = np.random.default_rng(0)
    labels, who = np.arange(72) % 2, np.array([f"S{i // 12:03d}" for i in range(72)])
    images = np.stack([pattern(label, rng) for label in labels])
    names = np.array([f"{subject}_001_{i:08d}" for i, subject in enumerate(who)])
    path = tmp_path_factory.mktemp("ckplus") / "ckplus.npz"
    FaceSet(images, labels, names, np.full(72, "all"), CLASSES, who).save(path)
    return path


@pytest.fixture(scope="module")
def config(make_config, shown_by_six, tmp_path_factory) -> TrainConfig:
    out = tmp_path_factory.mktemp("run") / "folds"
    return make_config(out, data=shown_by_six, split="subject-3fold", epochs=2, batch_size=8, growing_sizes=())


@pytest.fixture(scope="module")
def found(config) -> CrossValidation:
    before = torch.get_num_threads()
    try:
        return cross_validate(config, lambda sentence: None)
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def copied(found, config, tmp_path) -> TrainConfig:
    """The finished folds, in a folder that a test may change."""
    shutil.copytree(config.folder, tmp_path / "folds")
    return config.model_copy(update={"out": tmp_path / "folds", "resume": True})


@pytest.fixture
def no_training(monkeypatch):
    monkeypatch.setattr(cross_validation, "train", lambda config: pytest.fail(f"{config.folder} is trained again"))


def test_each_fold_has_a_card_a_history_and_predictions_of_its_own(found, config):
    for number, fold in enumerate(found.folds, 1):
        folder = config.folder / f"fold-{number}"
        card, stored = read_card(folder), read_predictions(folder, "test")
        assert (fold.name, fold.split) == (folder.name, card.split) == (f"fold-{number}", f"subject-3fold-{number}")
        assert (folder / "history.csv").read_text().count("\n") == 1 + 2
        assert fold.accuracy == card.metrics["test"]["plain"]["accuracy"]
        assert fold.accuracy == pytest.approx((stored.logits.argmax(-1) == stored.labels).float().mean().item())
        assert {name[:4] for name in stored.names} == set(fold.subjects)
        assert not (folder / resume.FILE).exists(), "what only a resumed fold would need"


def test_every_person_is_tested_once_by_a_network_that_has_not_seen_them(found, config):
    assert sorted(who for fold in found.folds for who in fold.subjects) == [f"S{i:03d}" for i in range(6)]
    faces = FaceSet.load(config.data)
    for fold in found.folds:
        parts = split(faces, fold.split)
        assert (fold.training, fold.validation, fold.test) == (36, 12, 24)
        assert not set(fold.subjects) & {*parts.training.subjects, *parts.validation.subjects}


def test_the_summary_is_the_mean_over_folds_and_the_measure_of_all_test_images(found, config):
    for key in MEASURES:
        assert found.mean[key] == mean_share([getattr(fold, key) for fold in found.folds])
    stored = [read_predictions(config.folder / fold.name, "test") for fold in found.folds]
    logits, labels = torch.cat([s.logits for s in stored]), torch.cat([s.labels for s in stored])
    assert len(labels) == 72
    assert found.pooled == measure(logits, labels, CLASSES)
    written = json.loads((config.folder / "summary.json").read_text(encoding="utf-8"))
    assert written["mean"]["accuracy"] == list(found.mean["accuracy"])
    assert written["pooled"]["accuracy_interval"] == found.pooled["accuracy_interval"]
    assert [fold["subjects"] for fold in written["folds"]] == [list(fold.subjects) for fold in found.folds]


def test_the_report_has_a_line_for_each_fold_and_says_whose_intervals_it_gives(found, capsys):
    from rich.console import Console

    first, *others = found.folds
    marked = replace(found, folds=(replace(first, caveat="Its start has seen 3 test images."), *others))
    report(marked, Console(width=200))
    printed = capsys.readouterr().out
    assert "fold-1: Its start has seen 3 test images." in printed
    assert sum(f"fold-{n} " in printed for n in (1, 2, 3)) == 3
    assert "S000" in printed
    assert "Mean over 3 folds: accuracy" in printed
    assert "Student's t" in printed
    assert "All 72 test images together: accuracy" in printed
    assert "Wilson" in printed


# ---- again


def test_finished_folds_are_skipped(copied, found, no_training):
    assert cross_validate(copied, lambda sentence: None) == found


def test_a_fold_that_is_missing_is_trained_and_no_other(copied, found, monkeypatch):
    shutil.rmtree(copied.folder / "fold-2")
    trained, train = [], cross_validation.train
    monkeypatch.setattr(cross_validation, "train", lambda config: (trained.append(config.folder.name), train(config)))
    assert cross_validate(copied, lambda sentence: None) == found, "the same curve again"
    assert trained == ["fold-2"]


def test_interrupted_folds_go_on_after_the_last_epoch_to_the_same_figures(config, found, tmp_path, monkeypatch):
    steps, epochs = Trainer.train_epoch, []

    def stopped(self, epoch, show):
        epochs.append((self.config.folder.name, epoch))
        if epochs[-1] == ("fold-2", 2):
            raise Interrupted
        return steps(self, epoch, show)

    config = config.model_copy(update={"out": tmp_path / "folds"})
    monkeypatch.setattr(Trainer, "train_epoch", stopped)
    with pytest.raises(Interrupted):
        cross_validate(config, lambda sentence: None)
    assert epochs == [("fold-1", 1), ("fold-1", 2), ("fold-2", 1), ("fold-2", 2)]
    assert not (config.folder / "summary.json").exists()
    monkeypatch.setattr(Trainer, "train_epoch", lambda self, epoch, show: steps(self, epoch, show))
    again = cross_validate(config.model_copy(update={"resume": True}), lambda sentence: None)
    assert again == found


def test_minutes_are_those_of_all_folds_together(config, tmp_path):
    told = []
    config = config.model_copy(update={"out": tmp_path / "folds", "minutes": 1e-6})
    assert cross_validate(config, told.append) is None
    assert told[-1] == "The time is used up; 0 of 3 folds are finished."
    assert not (config.folder / "summary.json").exists()


def test_a_subject_who_shows_one_class_is_left_out_like_the_others(make_config, shown_by_six, tmp_path):
    faces = FaceSet.load(shown_by_six)
    some = faces.subset((faces.subjects < "S004") & ((faces.subjects != "S002") | (faces.labels == 1)))
    some.save(tmp_path / "four.npz")
    config = make_config(
        tmp_path / "loso", data=tmp_path / "four.npz", split="subject-loso", epochs=1, batch_size=8, growing_sizes=()
    )
    found = cross_validate(config, lambda sentence: None)
    assert [fold.subjects for fold in found.folds] == [(f"S{i:03d}",) for i in range(4)]
    assert [fold.test for fold in found.folds] == [12, 12, 6, 12]
    assert all(0 <= getattr(fold, key) <= 1 for fold in found.folds for key in MEASURES)


# ---- the command


def test_the_command_trains_all_folds_and_goes_on_by_its_folder_alone(copied, no_training, capsys):
    main(["--out", str(copied.folder), "--resume"])
    printed = capsys.readouterr().out
    assert "Mean over 3 folds" in printed
    assert f"Written to {copied.folder / 'summary.json'}" in printed


def test_ctrl_c_ends_the_command_with_how_to_go_on(copied, monkeypatch, capsys):
    def stop(config):
        raise Interrupted

    shutil.rmtree(copied.folder / "fold-3")
    monkeypatch.setattr(cross_validation, "train", stop)
    with pytest.raises(SystemExit) as end:
        main(["--out", str(copied.folder), "--resume"])
    assert end.value.code == 130
    assert f"--out {copied.folder} --resume continues" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "--seed", "3"], "seed was 0, is 3"),
        (["--resume", "--split", "subject-2fold"], "split was subject-3fold, is subject-2fold"),
        ([], "already holds a run. Add --resume"),
    ],
)
def test_folds_of_other_settings_are_not_mixed(copied, no_training, arguments, message):
    config = copied.folder / "config.json"
    given = arguments or ["--config", str(config)]
    with pytest.raises(SystemExit, match=message):
        main(["--out", str(copied.folder), *given])


def test_folds_of_other_images_are_not_mixed(copied, shown_by_six, tmp_path, no_training):
    faces = FaceSet.load(shown_by_six)
    replace(faces, images=255 - faces.images).save(tmp_path / "other.npz")
    with pytest.raises(TrainingError, match="fold-1 was trained with other images, labels or subjects"):
        cross_validate(copied.model_copy(update={"data": tmp_path / "other.npz"}))


def test_a_set_without_subjects_is_refused_before_anything_is_written(make_config, tmp_path):
    with pytest.raises(ValueError, match="needs a dataset that says who is shown"):
        cross_validate(make_config(tmp_path / "folds", split="subject-loso"))
    assert not (tmp_path / "folds").exists()


def test_several_processes_are_refused(config, monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="without torchrun"):
        cross_validate(config.model_copy(update={"out": tmp_path / "folds"}))
