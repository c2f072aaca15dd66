"""Exclusion lists: images by hash or id, read strictly, and left out of the training set only."""

import dataclasses
import json

import numpy as np
import pytest

from models.datasets import DataError, FaceSet
from models.datasets.exclusion import exclusion_list, read_exclusion_list, write_exclusion_list
from models.datasets.splits import split


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    """Eight images of two classes in each part; the first of Training is also in PrivateTest."""
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8)
    images[16] = images[0]
    parts = np.repeat(["Training", "PublicTest", "PrivateTest"], 8)
    return FaceSet(images, np.arange(24) % 2, np.array([f"{i}" for i in range(24)]), parts, ("happy", "sad"))


def test_a_list_leaves_out_training_images_by_pixels_and_nothing_else(faces, tmp_path):
    path = tmp_path / "wrong.json"
    whole = split(faces, "official")
    write_exclusion_list(path, exclusion_list([faces.ids[16], faces.ids[9], faces.pixel_hashes[3]], "looked at"))
    found = whole.without(path)
    assert np.array_equal(found.training.ids, np.delete(whole.training.ids, [0, 3]))
    assert np.array_equal(faces.ids[found.indices["training"]], found.training.ids)
    assert (len(found.validation), len(found.test)) == (8, 8)
    assert found.fingerprint == whole.fingerprint != split(faces.subset(np.arange(1, 24)), "official").fingerprint
    assert (found.excluded.listed, found.excluded.left_out, found.excluded.reason) == (3, 2, "looked at")
    assert "2 training images were left out by the list wrong.json (looked at), which has 3." in found.excluded.sentence


def test_a_list_holds_after_the_images_are_imported_in_another_order(faces, tmp_path):
    path = tmp_path / "wrong.json"
    write_exclusion_list(path, exclusion_list(faces.ids[:2].tolist()))
    again = dataclasses.replace(faces.subset(np.arange(24)[::-1]))
    assert set(split(again, "official").without(path).training.pixel_hashes) == set(faces.pixel_hashes[2:8])


def test_a_class_must_keep_a_training_image(faces, tmp_path):
    path = tmp_path / "wrong.json"
    write_exclusion_list(path, exclusion_list(faces.ids[:8:2].tolist()))
    with pytest.raises(DataError, match="leaves no training image of happy"):
        split(faces, "official").without(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an exclusion list"),
        (b"[" * 100_000, "is not an exclusion list"),
        (b'{"images": "0123456789abcdef"}', "is not an exclusion list"),
        (json.dumps({"images": ["../../etc/passwd"]}).encode(), "neither the hash nor the id"),
        (json.dumps({"images": [], "reason": "<script>"}).encode(), "The reason has"),
        (b"{" + b" " * 2**23 + b"}", "is larger than 8 MB"),
    ],
)
def test_a_file_that_is_no_list_is_refused_with_a_sentence(content, message, tmp_path):
    (tmp_path / "list.json").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_exclusion_list(tmp_path / "list.json")


def test_a_fingerprint_depends_on_the_images_alone():
    one, two = exclusion_list(["a" * 16, "b" * 16], "x"), exclusion_list(["b" * 16, "a" * 16, "a" * 16])
    assert one.fingerprint == two.fingerprint != exclusion_list(["a" * 16]).fingerprint
    with pytest.raises(DataError, match="more than a list may have"):
        exclusion_list(f"{i:016x}" for i in range(100_001))
