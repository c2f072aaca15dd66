"""`ferscope data`: the commands that no reader or audit tests already."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from models.datasets import FaceSet, augment
from models.datasets.exclusion import read_exclusion_list
from models.datasets.splits import split
from models.label_noise import LabelNoise
from models.training.config import TrainConfig
from workbench.commands import data as command
from workbench.commands import label_audit

AUGMENTATIONS = ("none", "quick", "strong", "moderate", "paper-a", "paper-b", "paper-c", "paper-d", "paper-e")


def failing(*argv: str) -> str:
    with pytest.raises(SystemExit) as stop:
        command.main(list(map(str, argv)))
    assert isinstance(stop.value.code, str), "a text: Python prints it and ends with status 1"
    return stop.value.code


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    """Two faces of 24 pixels of each class in each part of the official split."""
    images = np.random.default_rng(0).integers(0, 256, (42, 24, 24), dtype=np.uint8)
    parts = np.repeat(["Training", "PublicTest", "PrivateTest"], 14)
    return FaceSet(images, np.arange(42) % 7, np.array([f"{p}_{i}" for i, p in enumerate(parts)]), parts)


@pytest.fixture(scope="module")
def faces_npz(faces, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("set") / "faces.npz"
    faces.save(path)
    return path


# ---- likely wrong labels


def test_an_audit_writes_likely_wrong_labels_to_a_list(faces, tmp_path, monkeypatch, capsys):
    n = len(faces)
    noise = LabelNoise(
        faces.ids, faces.names, np.full(n, "sad"), np.full(n, "happy"), np.linspace(0, 1, n), np.arange(n) < 3,
        np.zeros((n, 10), int), ("one",), {"two": "it is not trained"}, {"Training": 14},
    )  # fmt: skip
    monkeypatch.setattr(label_audit, "find_label_noise", lambda networks, faces: noise)
    out, json_, html = tmp_path / "wrong.json", tmp_path / "audit.json", tmp_path / "audit.html"
    faces.save(tmp_path / "faces.npz")
    options = ["--exclusions", str(out), "--json", str(json_), "--html", str(html)]
    command.main(["audit", str(tmp_path / "faces.npz"), *options])
    printed = capsys.readouterr().out
    assert "3 of 42 labels are likely wrong" in printed
    assert "two is not used: it is not trained" in printed
    assert str(faces.ids[0]) in printed
    assert read_exclusion_list(out).hashes == tuple(faces.pixel_hashes[:3])
    assert "3 of 42 labels are likely wrong" in json.loads(json_.read_text())["label_noise"][0]
    assert "3 of 42 labels are likely wrong" in html.read_text()


def test_an_audit_says_where_no_probabilities_are_stored(faces_npz, tmp_path, capsys):
    command.main(["audit", str(faces_npz)])
    assert "Label noise: not measured. There are no stored out-of-sample probabilities" in capsys.readouterr().out
    assert "no stored out-of-sample probabilities" in failing("audit", faces_npz, "--networks", "residual_cnn")
    assert "ends with .json" in failing("audit", faces_npz, "--exclusions", "list.txt")


# ---- splits


def test_all_splits_of_a_set_are_printed_with_their_sizes(faces_npz, capsys):
    command.main(["splits", "--data", str(faces_npz)])
    printed = capsys.readouterr().out
    assert "official" in printed
    assert "random-80-20" in printed
    assert "subject-out" not in printed, "the set does not say who is shown"


def test_a_split_is_printed_by_class_and_written(faces_npz, tmp_path, capsys):
    out = tmp_path / "lists.json"
    command.main(["splits", "random-80-20", "--data", str(faces_npz), "--seed", "4", "--out", str(out)])
    assert "disgust" in capsys.readouterr().out
    faces = FaceSet.load(faces_npz)
    assert split(faces, str(out)).fingerprint == split(faces, "random-80-20", 4).fingerprint
    assert TrainConfig(split=str(out)).folder.name == "residual_cnn-quick-lists-s0"


def test_a_split_that_is_not_known_ends_with_one_sentence(faces_npz, tmp_path):
    assert "is not known" in failing("splits", "kfold", "--data", faces_npz)
    assert "ends with .json" in failing("splits", "official", "--data", faces_npz, "--out", tmp_path / "lists.txt")
    assert "ferscope data import" in failing("splits", "--data", tmp_path / "none.npz")


@pytest.fixture(scope="module")
def shown_by_six(tmp_path_factory) -> Path:
    """A set that says which of six people is shown; each shows two classes twice."""
    path = tmp_path_factory.mktemp("subjects") / "six.npz"
    images = np.arange(24 * 64, dtype=np.uint32)[:, None].view(np.uint8)[:, :1].reshape(24, 8, 8)
    labels, who = np.arange(24) % 2, np.array([f"P{i // 4}" for i in range(24)])
    FaceSet(images, labels, who, np.full(24, "all"), ("happy", "sad"), who).save(path)
    return path


def test_folds_by_subjects_are_listed_beside_the_other_splits_of_a_set(shown_by_six, capsys):
    command.main(["splits", "--data", str(shown_by_six)])
    printed = capsys.readouterr().out
    assert "subject-loso-1" in printed
    assert "subject-10fold-1" not in printed, "six subjects make no ten folds"


def test_the_test_sets_of_all_folds_are_printed_by_class_with_their_subjects(shown_by_six, capsys):
    command.main(["splits", "subject-3fold", "--data", str(shown_by_six)])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row for row in rows if row[:1] == ["fold"]] == [["fold", n, "4", "4", "8", "2"] for n in "123"]


def test_one_fold_is_printed_with_how_many_subjects_each_part_has(shown_by_six, capsys):
    command.main(["splits", "subject-loso-2", "--data", str(shown_by_six)])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["test", "2", "2", "4", "1"] in rows
    assert ["training", "8", "8", "16", "4"] in rows


def test_all_folds_are_no_list_of_ids(shown_by_six, tmp_path):
    message = failing("splits", "subject-3fold", "--data", shown_by_six, "--out", tmp_path / "lists.json")
    assert "choose one, such as subject-3fold-1" in message


# ---- preview


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_preview_is_a_grid_with_a_row_for_each_face(name, faces_npz, tmp_path, capsys):
    out = tmp_path / "grid.png"
    command.main(["preview", str(faces_npz), "--augmentation", name, "--out", str(out)])
    with Image.open(out) as grid:
        assert grid.size == (9 * 26 + 2, 7 * 26 + 2)
    assert f"{name}:" in capsys.readouterr().out


def test_without_a_set_drawn_faces_are_changed_in_every_way(tmp_path, capsys):
    out = tmp_path / "grid.png"
    command.main(["preview", "--out", str(out)])
    printed = " ".join(capsys.readouterr().out.split())
    assert all(f"{name}:" in printed for name in AUGMENTATIONS)
    assert "no effect on gray images" in printed
    with Image.open(out) as grid:
        pixels = np.asarray(grid)
    assert pixels.shape[0] == len(AUGMENTATIONS) * 100
    rows = pixels.reshape(len(AUGMENTATIONS), 100, -1)
    assert len({row[2:98, 2:98].tobytes() for row in rows}) == 1, "the same face begins every row"


def test_a_set_of_two_classes_has_a_preview_too(faces, tmp_path):
    faces.subset(faces.labels < 2).save(tmp_path / "two.npz")
    command.main(["preview", str(tmp_path / "two.npz"), "--out", str(tmp_path / "grid.png")])
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.size == (9 * 26 + 2, len(AUGMENTATIONS) * 28)


def test_the_augmentations_that_can_be_requested_are_those_that_exist():
    assert set(AUGMENTATIONS) == set(augment.AUGMENTATIONS)


# ---- draw


def test_drawn_faces_are_a_set_that_can_be_trained_with(tmp_path, capsys):
    out = tmp_path / "drawn.npz"
    command.main(["draw", "--out", str(out), "--count", "5", "--size", "32"])
    assert "Written to" in capsys.readouterr().out
    parts = split(FaceSet.load(out), "official")
    assert (len(parts.training), len(parts.validation), len(parts.test)) == (35, 7, 7)
    assert parts.training.images.shape[1:] == (32, 32)


@pytest.mark.parametrize(("option", "value"), [("--count", "0"), ("--size", "4"), ("--sticker", "joy")])
def test_a_set_that_cannot_be_drawn_ends_with_one_sentence(tmp_path, option, value):
    assert value in failing("draw", "--out", tmp_path / "x.npz", option, value)
    assert not (tmp_path / "x.npz").exists()


# ---- fetch


def test_without_kagglehub_the_way_by_hand_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    message = failing("fetch", "fer2013")
    assert 'pip install -e ".[kaggle]"' in message
    assert "By hand" in message


def test_without_a_network_the_way_by_hand_is_reported(monkeypatch):
    def refuse(name):
        raise ConnectionError("no route to host")

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=refuse))
    message = failing("fetch")
    assert "no route to host" in message
    assert "By hand" in message


def test_what_kaggle_sends_is_imported(monkeypatch, tmp_path):
    asked, done = [], []
    hub = SimpleNamespace(dataset_download=lambda name: asked.append(name) or str(tmp_path))
    monkeypatch.setitem(sys.modules, "kagglehub", hub)
    monkeypatch.setattr(command.data_import, "import_set", lambda *args: done.append(args))
    command.main(["fetch", "--out", str(tmp_path / "x.npz")])
    assert asked == ["msambare/fer2013"]
    assert done == [(tmp_path, tmp_path / "x.npz", "fer2013")]
