"""Labels that are likely wrong: found by out-of-sample probabilities only, and measured beside annotators."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import checkpoint_folders

from models import checkpoints, label_noise
from models.checkpoints import Predictions, write_card, write_predictions
from models.datasets import DataError, FaceSet, ferplus
from models.datasets.splits import split
from models.label_noise import find_label_noise

CLASSES = ("happy", "sad", "fear")
WRONG = [5, 40, 77]  # labels that were exchanged


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path / "checkpoints")
    return tmp_path / "checkpoints"


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    images = np.random.default_rng(0).integers(0, 256, (90, 8, 8), dtype=np.uint8)
    labels, who = np.arange(90) % 3, np.array([f"S{i // 15}" for i in range(90)])
    labels[WRONG] = (labels[WRONG] + 1) % 3
    return FaceSet(images, labels, np.array([f"{i}" for i in range(90)]), np.full(90, "all"), CLASSES, who)


def put(folder, faces, name, seed=0, **card):
    """A network that knows the true class of every image: stored predictions for the two sets of a split."""
    parts = split(faces, name)
    noise = torch.rand(len(faces), 3, generator=torch.Generator().manual_seed(seed))
    logits = 3 * F.one_hot(torch.arange(90) % 3, 3) + noise
    found = {
        part: Predictions(
            logits[chosen], torch.from_numpy(faces.labels[chosen]), faces.names[chosen], faces.ids[chosen]
        )
        for part, chosen in zip(parts.names, (parts.indices["validation"], parts.indices["test"]), strict=True)
    }
    folder.mkdir(parents=True)
    values = {"classes": CLASSES, "split": name, "data": parts.fingerprint, "metrics": {}, **card}
    write_card(folder, dataclasses.replace(checkpoint_folders.CARD, **values))
    write_predictions(folder, found)
    return parts


def test_the_folds_of_a_cross_validation_judge_every_label(faces, tmp_path):
    for i in (1, 2, 3):
        put(tmp_path / "run" / f"fold-{i}", faces, f"subject-3fold-{i}", i)
    found = find_label_noise([tmp_path / "run"], faces)
    assert len(found) == 90
    assert found.uncovered == {}
    assert sorted(found.names[:3].astype(int)) == WRONG
    assert found.likely_wrong[:3].sum() >= 2
    assert not found.likely_wrong[3:].any()
    assert [CLASSES[int(name) % 3] for name in found.names[:3]] == found.suggested[:3].tolist()
    assert (np.diff(found.scores) >= 0).all()
    assert found.precision() is None, "these are no images of FER2013"


def test_images_that_a_network_was_trained_on_do_not_count(faces, tmp_path):
    parts = put(tmp_path / "one", faces, "subject-3fold-1")
    found = find_label_noise([tmp_path / "one"], faces)
    assert not np.isin(found.ids, parts.training.ids).any()
    assert found.uncovered == {"all": len(parts.training)}
    assert "No out-of-sample probabilities are stored for" in found.sentences()[-1]


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"seen": {"test": 3}}, "have seen some of its test images"),
        ({"data": "another"}, "was trained on is not known here"),
        ({"classes": ("happy", "sad", "disgust"), "data": "x"}, "was trained on is not known|other classes"),
    ],
)
def test_a_network_that_may_know_the_images_is_left_out(card, message, faces, tmp_path):
    put(tmp_path / "one", faces, "subject-3fold-1", **card)
    put(tmp_path / "two", faces, "subject-3fold-2", 1)
    found = find_label_noise([tmp_path / "one", tmp_path / "two"], faces)
    assert found.networks == ("two",)
    assert list(found.left_out) == ["one"]
    with pytest.raises(DataError, match=message):
        find_label_noise([tmp_path / "one"], faces)
    with pytest.raises(DataError, match="There are no stored out-of-sample probabilities for these images"):
        find_label_noise(faces=faces)  # of the networks in checkpoints/, where there are none


def test_precision_is_the_share_that_annotators_disagree_with():
    n = 150
    votes = np.zeros((n, 10), dtype=np.int64)
    votes[:, ferplus.COLUMNS.index("happy")] = 10
    votes[::3] = 0
    labels = np.array(["sad" if i < 90 else "happy" for i in range(n)])
    empty = np.full(n, "")
    found = label_noise.LabelNoise(empty, empty, labels, empty, np.zeros(n), np.zeros(n, bool), votes, ("one",), {}, {})
    first, precision, chance = found.precision(50)
    assert first == 50
    assert precision[0] == 1.0
    assert chance[0] == pytest.approx(0.6)
    assert found.precision()[0] == 100
    assert "Of the first 100, FER+'s annotators disagree with 60.0 %" in found.sentences()[1]


def test_of_fer2013_the_list_is_far_more_precise_than_chance(monkeypatch, root):
    monkeypatch.undo()  # the checkpoints that ship
    first, precision, chance = find_label_noise().precision()
    assert first == 100
    assert precision[1] > 0.75
    assert chance[2] < 0.26
