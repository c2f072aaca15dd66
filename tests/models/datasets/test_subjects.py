"""Folds by subjects, on labels drawn as CK+ and JAFFE have them: who is where, how alike, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from models.datasets import DataError, FaceSet
from models.datasets.splits import Parts, named_splits, split, write_split
from models.datasets.subjects import fold_names, is_cross_validation, is_fold

CKPLUS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "contempt")
SEQUENCES = (45, 59, 25, 69, 28, 83, 18)
JAFFE = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def made(labels, subjects, classes) -> FaceSet:
    n = len(labels)
    images = np.arange(n, dtype=np.uint32)[:, None].view(np.uint8).reshape(n, 2, 2)
    names = np.array([f"p{i}" for i in range(n)])
    return FaceSet(images, np.array(labels), names, np.full(n, "all"), classes, np.array(subjects))


@pytest.fixture(scope="module")
def ckplus() -> FaceSet:
    """327 sequences of 118 people, three frames each, a person at most once in each class."""
    rng = np.random.default_rng(0)
    who = np.concatenate([rng.permutation(118)[:n] for n in SEQUENCES])
    labels = np.repeat(np.repeat(np.arange(7), SEQUENCES), 3)
    return made(labels, [f"S{i:03d}" for i in np.repeat(who, 3)], CKPLUS)


@pytest.fixture(scope="module")
def jaffe() -> FaceSet:
    """Ten people, three images of each in each class."""
    return made(np.tile(np.repeat(np.arange(7), 3), 10), np.repeat([f"K{c}" for c in "ABCDEFGHIJ"], 21), JAFFE)


def small(labels: dict[str, list[int]]) -> FaceSet:
    """A set from the labels of each person's images."""
    every = np.concatenate(list(labels.values()))
    return made(every, [who for who, of in labels.items() for _ in of], JAFFE[: every.max() + 1])


def people(parts: Parts) -> list[set[str]]:
    return [set(part.subjects.tolist()) for part in (parts.training, parts.validation, parts.test)]


@pytest.fixture(scope="module")
def folds(ckplus) -> list[Parts]:
    return [split(ckplus, name) for name in fold_names(ckplus, "subject-10fold")]


def test_nobody_is_in_two_parts_of_a_fold_and_everybody_in_one(ckplus, folds):
    for fold in folds:
        assert sum(map(len, people(fold))) == len(set.union(*people(fold))) == len(set(ckplus.subjects))


def test_every_image_is_tested_in_one_fold(ckplus, folds):
    assert sorted(np.concatenate([fold.indices["test"] for fold in folds])) == list(range(len(ckplus)))


def test_folds_are_alike_in_images_and_classes(ckplus, folds):
    share = np.bincount(ckplus.labels) / len(ckplus)
    for fold in folds:
        assert len(fold.test) == pytest.approx(len(ckplus) / len(folds), rel=0.15)
        assert np.abs(np.bincount(fold.test.labels, minlength=7) / len(fold.test) - share).max() < 0.05
        assert len(fold.validation) == pytest.approx((len(ckplus) - len(fold.test)) / 8, rel=0.15)
        assert set(fold.training.labels) == set(range(7))


def test_the_same_seed_gives_the_same_folds_in_any_order_of_the_images(ckplus):
    shuffled = ckplus.subset(np.random.default_rng(1).permutation(len(ckplus)))
    first, again = split(ckplus, "subject-10fold-3"), split(shuffled, "subject-10fold-3")
    assert people(first) == people(again)
    assert first.fingerprint == again.fingerprint
    assert people(first) != people(split(ckplus, "subject-10fold-3", seed=1))


def test_leaving_one_subject_out_tests_each_person_once(jaffe):
    names = fold_names(jaffe, "subject-loso")
    folds = [people(split(jaffe, name)) for name in names]
    assert names[-1] == "subject-loso-10"
    assert [test for *_, test in folds] == [{f"K{c}"} for c in "ABCDEFGHIJ"]
    assert {(len(training), len(validation)) for training, validation, _ in folds} == {(8, 1)}


def test_as_many_folds_as_subjects_leave_one_subject_out(jaffe):
    tested = [people(split(jaffe, name))[2] for name in fold_names(jaffe, "subject-10fold")]
    assert sorted(map(sorted, tested)) == [[f"K{c}"] for c in "ABCDEFGHIJ"]


def test_the_validation_set_leaves_each_class_in_training_where_it_can():
    # Only A and B are happy (3): with one of them in the test set the other has to stay in training.
    labels = {who: [0, 1, 2] for who in "CDEFGHIJ"} | {"A": [0, 3], "B": [1, 3]}
    faces = small(labels)
    for seed in range(5):
        parts = split(faces, "subject-loso-1", seed)
        assert people(parts)[2] == {"A"}
        assert "B" in people(parts)[0]


def test_a_fold_is_written_and_read_again(ckplus, tmp_path):
    parts = split(ckplus, "subject-10fold-3", 4)
    write_split(tmp_path / "fold.json", parts, ckplus, "subject-10fold-3", 4)
    assert split(ckplus, str(tmp_path / "fold.json")).fingerprint == parts.fingerprint


def test_names_of_folds_and_of_cross_validations_are_distinguished():
    for scheme in ("subject-2fold", "subject-10fold", "subject-loso"):
        assert is_cross_validation(scheme)
        assert is_fold(f"{scheme}-1")
        assert not is_fold(scheme)
        assert not is_cross_validation(f"{scheme}-1")
    for other in ("subject-out", "subject-fold-1", "subject-0fold", "subject-loso-01", "subject-loso-", "official"):
        assert not is_fold(other)
        assert not is_cross_validation(other)


def test_lists_of_splits_name_one_fold_of_each_kind_beside_paper_ds_frames():
    notes = {found.name: found.note for found in named_splits()}
    for name in ("subject-10fold-1", "subject-loso-1"):
        assert "paper D divides CK+ and JAFFE by frame" in notes[name]
        assert f"ferscope train --split {name[:-2]}" in notes[name]


# ---- refused


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("subject-11fold-1", "has 10 subjects, so it can be divided into 2 to 10 folds"),
        ("subject-1fold-1", "2 to 10 folds"),
        ("subject-5fold-6", "no such fold; this dataset has subject-5fold-1 to subject-5fold-5"),
        ("subject-5fold-0", "no such fold"),
        ("subject-loso-11", "this dataset has subject-loso-1 to subject-loso-10"),
        ("subject-5fold", "choose one, such as subject-5fold-1, or .* ferscope train --split subject-5fold"),
        ("subject-fold-1", "is not known; there are: .* subject-10fold-1, subject-loso-1, or a file"),
    ],
)
def test_a_fold_that_cannot_be_says_why(jaffe, name, message):
    with pytest.raises(DataError, match=message):
        split(jaffe, name)


@pytest.mark.parametrize("name", ["subject-5fold-1", "subject-loso-1", "subject-out"])
def test_a_set_that_does_not_say_who_is_shown_is_refused(jaffe, faces, name):
    nameless = np.where(np.arange(len(jaffe)) == 7, "", jaffe.subjects)
    for some in (faces, made(jaffe.labels, nameless, JAFFE)):
        with pytest.raises(DataError, match="needs a dataset that says who is shown"):
            split(some, name)


def test_a_class_that_only_the_tested_subject_shows_is_named():
    faces = small({who: [0, 1] for who in "BCDE"} | {"A": [0, 1, 2]})
    with pytest.raises(DataError, match="leaves no image of fear for training: all subjects who show it"):
        split(faces, "subject-loso-1")
    assert people(split(faces, "subject-loso-2"))[2] == {"B"}


def test_too_few_subjects_beside_the_tested_ones_are_refused():
    faces = small({who: [0, 1] for who in "ABC"})
    refused = [name for name in fold_names(faces, "subject-2fold") if _says_alone(faces, name)]
    assert len(refused) == 1, "two of three subjects are in the test set of one of two folds"


def _says_alone(faces: FaceSet, name: str) -> bool:
    try:
        split(faces, name)
    except DataError as error:
        return "alone for training and validation: choose more folds" in str(error)
    return False


def test_too_few_images_of_every_class_for_so_many_folds_are_refused():
    faces = small({who: [i % 7] for i, who in enumerate("ABCDEFGHIJKLMN")})
    with pytest.raises(DataError, match="10 folds need 10 images of a class at least: choose fewer"):
        split(faces, "subject-10fold-1")
