"""Sets that were imported, and their faces by id."""

import numpy as np
import pytest

from models.datasets import DataError, FaceSet
from workbench.services.dataset import imported as sets


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Two small sets; the faces of the first are told apart by their gray."""
    monkeypatch.setattr(sets, "FOLDER", tmp_path)
    images = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    names = np.array([f"{i}.jpg" for i in range(5)])
    splits = np.array(["Training", "Training", "Training", "PrivateTest", "PrivateTest"])
    faces = FaceSet(images, np.array([3, 0, 1, 5, 3]), names, splits)
    faces.save(tmp_path / "fer2013.npz")
    faces.subset(np.array([4])).save(tmp_path / "another.npz")
    return faces


def test_sets_are_found_by_their_files(imported):
    assert sets.imported_sets() == ("another", "fer2013")


def test_a_face_is_found_again_by_its_id(imported):
    for i, id_ in enumerate(imported.ids):
        found = sets.set_face("fer2013", sets.find_face("fer2013", id_))
        assert (found.position, found.id, found.part) == (i, id_, imported.splits[i])
        assert found.label == imported.classes[imported.labels[i]]
        assert (found.face.gray(48) == i).all()


def test_after_the_last_face_comes_the_first(imported):
    assert sets.set_face("fer2013", 5).position == 0
    assert sets.set_face("fer2013", -1).position == 4


def test_an_unknown_id_shows_what_an_id_looks_like(imported):
    with pytest.raises(DataError, match="An id looks like this: Training-"):
        sets.find_face("fer2013", "7.jpg")


def test_a_set_that_is_not_there_names_those_that_are(imported):
    with pytest.raises(DataError, match="there are: another, fer2013"):
        sets.open_set("ckplus")


def test_without_any_set_the_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "FOLDER", tmp_path / "nowhere")
    assert sets.imported_sets() == ()
    with pytest.raises(DataError, match="ferscope data import"):
        sets.open_set("fer2013")


def test_a_name_is_no_path_to_another_file(imported, tmp_path):
    with pytest.raises(DataError, match="not imported"):
        sets.open_set(f"../{tmp_path.name}/fer2013")


def test_a_set_that_was_imported_again_is_read_again(imported, tmp_path):
    assert len(sets.open_set("another")) == 1
    imported.save(tmp_path / "another.npz")
    assert len(sets.open_set("another")) == 5


def test_a_damaged_file_and_an_empty_set_are_sentences(imported, tmp_path):
    (tmp_path / "damaged.npz").write_bytes(b"not a set")
    imported.subset(np.array([], int)).save(tmp_path / "empty.npz")
    for name in ("damaged", "empty"):
        with pytest.raises(DataError, match="mport"):
            sets.set_face(name, 0)
