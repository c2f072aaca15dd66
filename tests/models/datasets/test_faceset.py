"""One form for every set: what is saved comes back, what is damaged is refused, and nothing that was there is lost."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from models.datasets import EMOTIONS, DataError, FaceSet
from models.datasets.splits import split
from models.files import DiskFullError, NotWritableError


def same(one: FaceSet, other: FaceSet) -> bool:
    arrays = ("images", "labels", "names", "splits")
    return one.classes == other.classes and all(np.array_equal(getattr(one, a), getattr(other, a)) for a in arrays)


def reordered(faces: FaceSet, order: np.ndarray, **values: np.ndarray) -> FaceSet:
    arrays = {a: getattr(faces, a)[order] for a in ("images", "labels", "names", "splits")}
    return FaceSet(**(arrays | values), classes=faces.classes)


def test_a_saved_set_comes_back_as_it_was(faces, tmp_path):
    faces.save(tmp_path / "deeper" / "set.npz")
    again = FaceSet.load(tmp_path / "deeper" / "set.npz")
    assert same(again, faces)
    assert again.fingerprint == faces.fingerprint


def test_a_part_holds_the_faces_of_its_split_only(faces):
    part = faces.part("PublicTest")
    assert len(part) == 35
    assert set(part.splits) == {"PublicTest"}
    assert np.array_equal(part.images, faces.images[98:133])
    with pytest.raises(DataError, match="PrivateTest, PublicTest, Training"):
        faces.part("Validation")


def test_the_official_split_trains_chooses_and_tests_on_its_three_parts(faces):
    parts = split(faces, "official")
    assert [set(p.splits) for p in (parts.training, parts.validation, parts.test)] == [
        {"Training"},
        {"PublicTest"},
        {"PrivateTest"},
    ]


def test_counts_are_those_of_each_class_in_each_split(faces):
    assert faces.counts() == {"Training": [14] * 7, "PublicTest": [5] * 7, "PrivateTest": [5] * 7}


def test_pixel_statistics_are_the_mean_and_the_deviation_of_all_pixels(faces):
    mean, std = faces.pixel_statistics()
    assert mean == pytest.approx((faces.images / 255).mean())
    assert std == pytest.approx((faces.images / 255).std())


def test_duplicates_of_an_image_get_ids_of_their_own(faces):
    images = faces.images.copy()
    images[7] = images[14] = images[0]  # the same class, the same split
    images[98] = images[0]  # another split
    copies = FaceSet(images, faces.labels, faces.names, faces.splits)
    ids = copies.ids
    assert len(set(ids)) == len(ids)
    assert ids[0].rsplit("-", 1)[0] == ids[7].rsplit("-", 1)[0] == ids[14].rsplit("-", 1)[0]
    assert [ids[i].rsplit("-", 1)[1] for i in (0, 7, 14, 98)] == ["0", "1", "2", "0"]


def test_ids_and_fingerprint_do_not_depend_on_the_order_or_the_file_names(faces):
    images = faces.images.copy()
    images[1] = images[0]  # a copy with another label
    faces = FaceSet(images, faces.labels, faces.names, faces.splits)
    order = np.random.default_rng(0).permutation(len(faces))
    first, second = np.flatnonzero(order == 0)[0], np.flatnonzero(order == 1)[0]
    if first < second:  # the copy comes before its original now
        order[[first, second]] = 1, 0
    shuffled = reordered(faces, order, names=np.array([f"row_{i}" for i in range(len(faces))]))
    assert shuffled.fingerprint == faces.fingerprint
    assert np.array_equal(shuffled.ids, faces.ids[order])


def test_one_pixel_one_label_or_one_split_changes_the_fingerprint(faces):
    everything = np.arange(len(faces))
    images, labels, splits = faces.images.copy(), faces.labels.copy(), faces.splits.copy()
    images[5, 3, 3] ^= 1
    labels[5] = 6
    splits[5] = "PublicTest"
    changed = [reordered(faces, everything, **v) for v in ({"images": images}, {"labels": labels}, {"splits": splits})]
    prints = {faces.fingerprint, *(one.fingerprint for one in changed), reordered(faces, everything[1:]).fingerprint}
    assert len(prints) == 5


# ---- files that are not such a set


def test_a_missing_set_says_how_to_import_it(tmp_path):
    with pytest.raises(DataError, match=r"is not there.*ferscope data import"):
        FaceSet.load(tmp_path / "fer2013.npz")
    with pytest.raises(DataError, match=r"is a folder\. Import it first"):
        FaceSet.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and no more", b"\x93NUMPY"])
def test_a_file_that_is_no_set_is_refused(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match="is not an imported set"):
        FaceSet.load(tmp_path / "x.npz")


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_set_with_damaged_bytes_is_refused(faces_npz, tmp_path, place):
    data = bytearray(faces_npz.read_bytes())
    at = int(len(data) * place)
    data[at : at + 64] = bytes(64)
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(DataError, match="is not an imported set"):
        FaceSet.load(tmp_path / "x.npz")


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.99])
def test_a_set_that_breaks_off_is_refused(faces_npz, tmp_path, keep):
    data = faces_npz.read_bytes()
    (tmp_path / "x.npz").write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DataError, match="is not an imported set"):
        FaceSet.load(tmp_path / "x.npz")


def test_a_single_array_is_refused(tmp_path):
    with (tmp_path / "x.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match="is not an imported set"):
        FaceSet.load(tmp_path / "x.npz")


class _MakesAFile:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_pickle_inside_a_set_is_refused_and_never_opened(faces, tmp_path):
    trap = np.array([_MakesAFile(tmp_path / "sprung")], dtype=object)
    arrays = {"images": faces.images, "labels": faces.labels, "names": trap, "splits": faces.splits}
    np.savez(tmp_path / "x.npz", **arrays, classes=np.array(EMOTIONS))
    with pytest.raises(DataError, match="is not an imported set"):
        FaceSet.load(tmp_path / "x.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("missing", ["images", "labels", "names", "splits", "classes"])
def test_a_set_without_one_of_its_arrays_is_refused(faces, tmp_path, missing):
    arrays = {a: getattr(faces, a) for a in ("images", "labels", "names", "splits")} | {"classes": np.array(EMOTIONS)}
    del arrays[missing]
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match="is not an imported set"):
        FaceSet.load(tmp_path / "x.npz")


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": np.full(168, 7)},
        {"labels": np.full(168, -1)},
        {"labels": np.zeros(168)},
        {"labels": np.zeros(5, int)},
        {"names": np.array(["a"])},
        {"images": np.zeros((168, 24, 24), np.float32)},
        {"images": np.zeros((168, 24), np.uint8)},
    ],
    ids=["label too high", "label too low", "labels no integers", "too few labels", "too few names", "float", "flat"],
)
def test_a_set_whose_arrays_do_not_fit_together_is_refused(faces, tmp_path, wrong):
    arrays = {a: getattr(faces, a) for a in ("images", "labels", "names", "splits")} | {"classes": np.array(EMOTIONS)}
    np.savez(tmp_path / "x.npz", **(arrays | wrong))
    with pytest.raises(DataError, match="do not fit together"):
        FaceSet.load(tmp_path / "x.npz")


# ---- a full disk


@pytest.mark.parametrize("call", ["replace", "fsync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_leaves_the_earlier_set_and_says_what_to_do(faces, tmp_path, monkeypatch, call, number):
    path = tmp_path / "set.npz"
    path.write_bytes(b"the earlier one")

    def full(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(DiskFullError, match="free some space") as error:
        faces.save(path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == b"the earlier one"
    assert [p.name for p in tmp_path.iterdir()] == ["set.npz"]


def test_an_interruption_while_writing_leaves_the_earlier_set_and_no_temporary_file(faces, tmp_path, monkeypatch):
    path = tmp_path / "set.npz"
    path.write_bytes(b"the earlier one")

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        faces.save(path)
    assert path.read_bytes() == b"the earlier one"
    assert [p.name for p in tmp_path.iterdir()] == ["set.npz"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_disk_that_may_not_be_written_is_a_sentence_and_not_called_full(faces, tmp_path, monkeypatch, number):
    def denied(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", denied)
    with pytest.raises(NotWritableError, match="Change the folder's rights") as error:
        faces.save(tmp_path / "set.npz")
    assert isinstance(error.value, DiskFullError), "who catches that tells a person"
    assert isinstance(error.value, PermissionError)
    assert "Errno" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_another_trouble_of_the_disk_is_not_called_full(faces, tmp_path, monkeypatch):
    def broken(*args):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="Input/output error"):
        faces.save(tmp_path / "set.npz")
