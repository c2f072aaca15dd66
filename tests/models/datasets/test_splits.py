"""Splits by name: the papers' counts, no image where it must not be, the same lists again, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.datasets import EMOTIONS, DataError, FaceSet, fer2013
from models.datasets import splits as splits_module
from models.datasets.duplicates import duplicates_of, near_duplicates_of
from models.datasets.splits import OHEIX_TRAINING, SPLITS, available, split, write_split
from models.datasets.usual_split import usual_split


def blank(labels: np.ndarray, splits: np.ndarray, classes=EMOTIONS, subjects=None) -> FaceSet:
    """A set with the labels that matter here and images of one pixel each, all different."""
    n = len(labels)
    images = np.arange(n, dtype=np.uint32)[:, None].view(np.uint8).reshape(n, 2, 2)
    return FaceSet(images, labels, np.array([f"p{i}" for i in range(n)]), splits, classes, subjects)


@pytest.fixture(scope="module")
def like_fer2013() -> FaceSet:
    """As many images of each class in each part as FER2013 has."""
    labels = [np.repeat(np.arange(7), counts) for counts in fer2013.COUNTS.values()]
    parts = [np.full(len(some), part) for part, some in zip(fer2013.COUNTS, labels, strict=True)]
    return blank(np.concatenate(labels), np.concatenate(parts))


def like_ckplus(subjects: int = 40) -> FaceSet:
    rng = np.random.default_rng(0)
    who = np.sort(rng.integers(0, subjects, 981))
    classes = tuple(name for name in (*EMOTIONS, "contempt") if name != "neutral")
    return blank(rng.integers(0, 7, 981), np.full(981, "all"), classes, np.array([f"S{i:03d}" for i in who]))


SIZES = {
    "official": (28_709, 3_589, 3_589),
    "kaggle-msambare": (28_709, 7_178, 7_178),
    "kaggle-oheix": (28_821, 7_066, 3_589),
    "random-80-20": (28_710, 7_177, 7_177),
    "paper-b": (22_967, 5_742, 7_178),
    "paper-d": (28_707, 7_180, 7_180),
}


@pytest.mark.parametrize(("name", "sizes"), SIZES.items())
def test_the_parts_have_the_papers_sizes(like_fer2013, name, sizes):
    parts = split(like_fer2013, name)
    assert (len(parts.training), len(parts.validation), len(parts.test)) == sizes


def test_every_split_of_fer2013_is_found_and_no_other(like_fer2013, monkeypatch):
    monkeypatch.setattr(splits_module, "near_duplicates_of", duplicates_of)  # of images with four pixels all are near
    assert set(available(like_fer2013)) == {*SIZES, "clean"}


def test_the_split_of_paper_e_has_its_training_counts_and_the_official_test(like_fer2013):
    parts = split(like_fer2013, "kaggle-oheix")
    assert np.bincount(parts.training.labels).tolist() == list(OHEIX_TRAINING.values())
    assert set(parts.test.splits) == {"PrivateTest"}
    together = np.concatenate([parts.indices["training"], parts.indices["validation"]])
    assert np.array_equal(np.sort(together), np.arange(35_887)), "over the whole set"
    leaked = np.isin(parts.indices["test"], parts.indices["training"]).mean()
    assert 0.78 < leaked < 0.83, "about four in five"


@pytest.mark.parametrize("name", SIZES)
def test_training_has_no_image_of_other_parts_except_where_the_paper_has_it_so(like_fer2013, name):
    parts = split(like_fer2013, name)
    assert not np.isin(parts.indices["validation"], parts.indices["training"]).any()
    assert np.isin(parts.indices["test"], parts.indices["training"]).any() == (name == "kaggle-oheix")
    assert parts.chosen_on_test == (name not in ("official", "paper-b"))


def test_the_validation_part_of_paper_b_has_the_shares_of_training(like_fer2013):
    parts = split(like_fer2013, "paper-b")
    own, drawn = (np.bincount(part.labels) / len(part) for part in (parts.training, parts.validation))
    np.testing.assert_allclose(own, drawn, atol=1e-3)


@pytest.mark.parametrize("name", ["kaggle-oheix", "random-80-20", "paper-b", "paper-d"])
def test_a_seed_draws_the_same_lists_again_and_another_seed_others(like_fer2013, name):
    first, again, other = (split(like_fer2013, name, seed) for seed in (0, 0, 1))
    for part in ("training", "validation", "test"):
        assert np.array_equal(first.indices[part], again.indices[part])
    assert not np.array_equal(first.indices["training"], other.indices["training"])
    assert first.fingerprint == again.fingerprint != other.fingerprint


# ---- clean


def test_clean_omits_duplicates_near_duplicates_blank_images_and_contradictions():
    rng = np.random.default_rng(0)
    waves = rng.normal(size=(60, 6, 6))
    images = np.zeros((60, 48, 48))
    images[:, :6, :6] = waves
    images = np.fft.ifft2(images, norm="forward").real  # smooth images, like faces and unlike noise
    low, high = images.min((1, 2), keepdims=True), images.max((1, 2), keepdims=True)
    images = (255 * (images - low) / (high - low)).astype(np.uint8)
    splits = np.array(["Training"] * 40 + ["PublicTest"] * 10 + ["PrivateTest"] * 10)
    labels = np.arange(60) % 7
    images[0] = images[55]  # a copy of a test image
    images[1] = np.clip(images[45] * 0.9 + 12, 0, 255)  # nearly one
    images[2] = 80  # blank
    images[3] = images[4]  # two copies in Training with different labels
    images[5] = images[12]  # two with the same label
    faces = FaceSet(images, labels, np.array([f"p{i}" for i in range(60)]), splits)
    parts = split(faces, "clean")
    left_out = sorted(set(range(40)) - set(parts.indices["training"].tolist()))
    assert left_out == [0, 1, 2, 3, 4]
    assert (len(parts.validation), len(parts.test)) == (10, 10)
    assert not near_duplicates_of(parts.test, parts.training).any()


# ---- sets with subjects


def test_nobody_is_in_two_parts_of_subject_out():
    faces = like_ckplus()
    parts = split(faces, "subject-out")
    people = [set(part.subjects) for part in (parts.training, parts.validation, parts.test)]
    assert sum(map(len, people)) == len(set.union(*people)) == 40
    assert 0.15 < len(parts.test) / len(faces) < 0.35


def test_paper_d_divides_ckplus_and_jaffe_by_frame():
    parts = split(like_ckplus(), "paper-d")
    assert (len(parts.training), len(parts.test)) == (735, 246)
    assert set(parts.training.subjects) & set(parts.test.subjects), "the same people on both sides"
    labels = np.arange(213) % 7
    jaffe = split(blank(labels, np.full(213, "all"), subjects=np.full(213, "KA")), "paper-d")
    assert (len(jaffe.training), len(jaffe.test)) == (158, 55)


def test_a_folders_own_parts_are_taken_and_a_missing_validation_part_is_drawn():
    labels = np.arange(140) % 7
    two = np.array(["train"] * 100 + ["test"] * 40)
    parts = split(blank(labels, two), "folders")
    assert (len(parts.training), len(parts.validation), len(parts.test)) == (90, 10, 40)
    assert set(parts.test.splits) == {"test"}
    three = np.array(["train"] * 80 + ["validation"] * 20 + ["test"] * 40)
    parts = split(blank(labels, three), "folders")
    assert (len(parts.training), len(parts.validation), len(parts.test)) == (80, 20, 40)
    no_test = np.array(["train"] * 100 + ["validation"] * 40)
    parts = split(blank(labels, no_test), "folders")
    assert (len(parts.training), len(parts.validation), len(parts.test)) == (100, 40, 40)
    assert (parts.chosen_on_test, parts.names) == (True, ("test", "test"))


@pytest.mark.parametrize(
    ("parts", "subjects", "name", "why"),
    [
        (["Training", "PublicTest", "PrivateTest"], None, "official", ""),
        (["train", "validation", "test"], None, "folders", "all three parts"),
        (["train", "test"], None, "folders", "a tenth of train"),
        (["train", "validation"], None, "folders", "validation images are the test set too"),
        (["all"] * 3, np.array(["A", "B", "C"]), "subject-out", "by subjects"),
        (["all"] * 2, None, "random-80-20", "a fifth is drawn"),
    ],
)
def test_the_usual_split_is_that_of_the_names_in_the_dataset(tmp_path, parts, subjects, name, why):
    blank(np.zeros(len(parts), int), np.array(parts), subjects=subjects).save(tmp_path / "set.npz")
    found, sentence = usual_split(tmp_path / "set.npz")
    assert found == name
    assert why in sentence


# ---- as a file


@pytest.mark.parametrize("name", ["official", "random-80-20"])
def test_a_split_that_was_written_is_read_again_in_any_order_of_the_set(faces, tmp_path, name):
    parts = split(faces, name, 3)
    write_split(tmp_path / "s.json", parts, faces, name, 3)
    shuffled = faces.subset(np.random.default_rng(0).permutation(len(faces)))
    again = split(shuffled, str(tmp_path / "s.json"))
    for part in ("training", "validation", "test"):
        mine, theirs = getattr(parts, part), getattr(again, part)
        assert sorted(mine.ids.tolist()) == sorted(theirs.ids.tolist())
    assert again.names == parts.names
    assert again.fingerprint == parts.fingerprint


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", '{"training": 3}'])
def test_a_file_that_is_no_split_is_refused(faces, tmp_path, content):
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(DataError, match="is not a split"):
        split(faces, str(tmp_path / "s.json"))
    with pytest.raises(DataError, match="is not a split"):
        split(faces, str(tmp_path / "none.json"))


def test_a_file_with_images_of_another_set_names_one(faces, tmp_path):
    write_split(tmp_path / "s.json", split(faces, "official"), faces, "official")
    lists = json.loads((tmp_path / "s.json").read_text())
    lists["test"].append("PrivateTest-0123456789abcdef-0")
    (tmp_path / "s.json").write_text(json.dumps(lists))
    with pytest.raises(
        DataError, match="1 of its images are not in this dataset, such as PrivateTest-0123456789abcdef-0"
    ):
        split(faces, str(tmp_path / "s.json"))


# ---- refused


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("kfold", "is not known; there are: official"),
        ("subject-out", "who is shown"),
        ("folders", "no part train"),
        ("paper-d", "168 images"),
        ("kaggle-oheix", "complete FER2013"),
    ],
)
def test_a_split_that_the_set_does_not_have_says_why(faces, name, message):
    with pytest.raises(DataError, match=message):
        split(faces, name)


def test_an_empty_part_is_refused(faces):
    with pytest.raises(DataError, match="no part PublicTest"):
        split(faces.subset(faces.splits != "PublicTest"), "official")


def test_a_class_without_a_training_image_is_refused(faces):
    without = faces.subset((faces.labels != 1) | (faces.splits != "Training"))
    with pytest.raises(DataError, match="no training image of disgust"):
        split(without, "official")


def test_every_split_says_what_it_is():
    assert all(len(found.note) > 60 for found in SPLITS.values())
    assert {found.paper for found in SPLITS.values()} == {"", "B", "C", "D", "E"}
