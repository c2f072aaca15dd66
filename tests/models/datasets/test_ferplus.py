"""FER+: the votes are found for the right images, known figures come out, and targets are as the paper makes them."""

from __future__ import annotations

import numpy as np
import pytest

from models.datasets import DataError, FaceSet
from models.datasets.faceset import CLASSES
from models.datasets.ferplus import COLUMNS, entropy, has_votes, relabeled, targets, votes
from workbench.commands.data import main


def row(**given: int) -> np.ndarray:
    """One image's votes."""
    return np.array([[given.get(name.replace(" ", "_"), 0) for name in COLUMNS]])


def test_names_of_files_and_rows_of_the_csv_find_the_same_votes():
    assert votes(["Training_1426440", "row_0"]).tolist() == [[4, 0, 0, 1, 3, 2, 0, 0, 0, 0]] * 2
    assert votes(["row_35887", "row_-1", "row_x", "face_3"]).tolist() == [[0] * 10] * 4
    assert not has_votes(["face_3"])


def test_a_name_that_two_images_share_has_no_votes():
    assert votes(["Training_1426440", "Training_1426440", "row_1"]).sum(1).tolist() == [0, 0, 10]


def test_entropy_is_zero_when_all_agree_and_grows_with_disagreement():
    found = entropy(np.concatenate([row(happy=10), row(happy=5, sad=5), np.ones((1, 10), int), row()]))
    np.testing.assert_allclose(found[:3], [0, np.log(2), np.log(10)], atol=1e-12)
    assert np.isnan(found[3])


@pytest.mark.parametrize(
    ("counts", "mode", "expected"),
    [
        (row(happy=7, sad=3), "majority", {"happy": 1}),
        (row(happy=5, sad=5), "majority", None),
        (row(happy=5, sad=4, fear=1), "majority", {"happy": 1}),  # the single vote is taken off: 5 of 9
        (row(happy=2, unknown=8), "majority", None),
        (row(contempt=6, neutral=4), "majority", {"contempt": 1}),
        (row(happy=6, sad=3, fear=1), "probability", {"happy": 6 / 9, "sad": 3 / 9}),
        (row(happy=3, not_a_face=7), "probability", None),
        (row(happy=6, sad=4), "multi-label", {"happy": 0.5, "sad": 0.5}),
        (row(happy=8, sad=2), "multi-label", {"happy": 1}),
        (row(), "probability", None),
        (np.ones((1, 10), int), "probability", None),
    ],
)
def test_targets_are_made_as_the_paper_makes_them(counts, mode, expected):
    shares, kept = targets(counts, mode)
    assert kept.tolist() == [expected is not None]
    found = {name: share for name, share in zip(CLASSES, shares[0].tolist(), strict=True) if share}
    assert found == pytest.approx(expected or {})


def test_an_unknown_mode_is_named():
    with pytest.raises(ValueError, match='mode="mean"'):
        targets(row(), "mean")


def some(n: int = 200) -> FaceSet:
    names = np.array([f"row_{i}" for i in range(n)])
    images = np.random.default_rng(0).integers(0, 256, (n, 4, 4), dtype=np.uint8)
    return FaceSet(images, np.zeros(n, int), names, np.full(n, "Training"))


@pytest.mark.parametrize("mode", ["majority", "probability", "multi-label"])
def test_a_relabeled_set_has_eight_classes_and_omits_what_annotators_did_not_label(mode, tmp_path):
    faces = relabeled(some(), mode)
    assert faces.classes == CLASSES
    assert 100 < len(faces) < 200
    assert f"{200 - len(faces)} of 200 images were left out" in faces.notes[-1]
    assert (faces.targets is None) == (mode == "majority")
    faces.save(tmp_path / "set.npz")
    again = FaceSet.load(tmp_path / "set.npz")
    assert np.array_equal(again.labels, faces.labels)
    if mode != "majority":
        assert np.array_equal(again.targets, faces.targets)
        np.testing.assert_allclose(again.targets.sum(1), 1, rtol=1e-6)


def test_another_set_has_no_votes():
    faces = some(5)
    other = FaceSet(faces.images, faces.labels, np.array(list("abcde")), faces.splits)
    with pytest.raises(DataError, match="No image of this set has votes"):
        relabeled(other)


# ---- the real set


def test_the_votes_of_the_real_set_give_the_known_figures(imported_fer2013):
    counts = votes(imported_fer2013.names)
    known = counts.sum(1) > 0
    assert 35_700 <= known.sum() <= 35_712
    counts, labels = counts[known], imported_fer2013.labels[known]
    named = np.array(COLUMNS)[counts.argmax(1)] == np.array(imported_fer2013.classes)[labels]
    assert round(100 * named.mean(), 1) == 62.6
    agree = (counts * (counts - 1)).sum(1) / (counts.sum(1) * (counts.sum(1) - 1))
    assert round(100 * agree.mean(), 1) == 60.8
    assert round(100 * (counts.max(1) <= 5).mean(), 1) == 23.2


def test_the_real_set_is_imported_with_the_labels_of_ferplus(imported_fer2013, tmp_path):
    imported_fer2013.save(tmp_path / "fer2013.npz")
    main(["import", str(tmp_path / "fer2013.npz"), "--labels", "ferplus-majority", "--out", str(tmp_path / "set.npz")])
    faces = FaceSet.load(tmp_path / "set.npz")
    assert faces.classes[-1] == "contempt"
    assert faces.counts()["Training"][-1] > 100
    assert 30_000 < len(faces) < 33_000
