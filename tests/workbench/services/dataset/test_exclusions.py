"""Exclusion lists by name: safe names, images once, removed when empty."""

import pytest

from models.datasets import DataError
from workbench.services.dataset import exclusions, imported

ONE, TWO = "a" * 16, "b" * 16


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(imported, "FOLDER", tmp_path)
    return tmp_path / "exclusions"


def test_images_are_put_on_a_list_once_and_taken_off(folder):
    assert exclusions.names() == ()
    exclusions.add("wrong-labels", [ONE, f"Training-{ONE}-0"], "looked at")
    found = exclusions.add("wrong-labels", [f"PublicTest-{TWO}-3"], "another reason")
    assert (found.hashes, found.reason) == ((ONE, TWO), "looked at")
    assert exclusions.read("wrong-labels") == found
    assert exclusions.lists_of([f"Training-{ONE}-1", "c" * 16]) == {
        f"Training-{ONE}-1": ("wrong-labels",),
        "c" * 16: (),
    }
    assert exclusions.take_off("wrong-labels", [ONE]).hashes == (TWO,)
    exclusions.take_off("wrong-labels", [TWO])
    assert exclusions.names() == ()


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "x" * 61, "CON.json", "ä"])
def test_a_name_is_never_a_path(name, folder):
    with pytest.raises(DataError, match="cannot be the name of a list"):
        exclusions.add(name, [ONE], "")
    assert not folder.exists()


def test_the_number_of_lists_is_limited(monkeypatch):
    monkeypatch.setattr(exclusions, "MOST", 1)
    exclusions.add("one", [ONE], "")
    with pytest.raises(DataError, match="There are 1 lists"):
        exclusions.add("two", [ONE], "")
