"""The page Dataset: with an imported dataset, with drawn faces, and with nothing but what ships."""

from functools import partial

import numpy as np
import pytest
from helpers import page_visits
from helpers.page_visits import text_of

from models.datasets import FaceSet
from workbench import services
from workbench.server import access
from workbench.services.dataset import exclusions, imported

opened = partial(page_visits.opened, "dataset.py")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of imported sets, empty at first."""
    monkeypatch.setattr(imported, "FOLDER", tmp_path)
    monkeypatch.setattr(services.dataset.label_noise, "_found", {})
    return tmp_path


def small() -> FaceSet:
    images = np.random.default_rng(0).integers(0, 256, (24, 48, 48), dtype=np.uint8)
    images[1] = images[0]
    splits = np.array(["train", "train", "test"] * 8)
    splits[1] = "test"
    return FaceSet(images, np.arange(24) % 3 % 2, np.array([f"p{i}" for i in range(24)]), splits, ("happy", "sad"))


def test_without_the_set_everything_that_ships_is_reported(folder):
    app = opened()
    text = text_of(app) + "".join(text_of(opened(tab=tab)) for tab in ("Labels", "Leakage", "Weights"))
    assert "ferscope data import SOURCE" in text
    assert "happy (7\N{NARROW NO-BREAK SPACE}215) has 16.5 times the images of disgust (436)" in text
    assert "480 of 3\N{NARROW NO-BREAK SPACE}589 in PrivateTest (288 exact duplicates)" in text
    assert "paper-c gives happy (25\u00a0% of the images) 59\u00a0% of the loss" in text
    assert "labeled fear, the majority of ten FER+ annotators agrees with the label for only 7" in text
    assert "`kaggle-oheix` | E |" in text
    assert not any(button.key == "audit" for button in app.main.button)


def test_another_set_is_chosen_by_the_link_shown_and_examined(folder):
    small().save(folder / "mine.npz")
    app = opened(data="mine")
    assert app.selectbox(key="data").value == "mine"
    app.button(key="other-samples").click().run()
    assert not app.exception
    assert "FER2013 only" in opened(data="mine", tab="Labels").info[0].value
    app = opened(data="mine", tab="Leakage")
    app.button(key="audit").click().run()
    assert not app.exception
    text = text_of(app)
    assert "1 group of pixel-identical images" in text
    assert "| folders |" in text
    app.run()
    assert "| folders |" in text_of(app)  # remembered


def test_drawn_faces_are_a_set_that_is_always_there(folder):
    app = opened(data="drawn")
    assert "each class has 10 images" in text_of(app)
    assert not app.main.info


def test_a_damaged_set_says_what_to_do(folder):
    (folder / "mine.npz").write_bytes(b"nothing")
    app = opened(data="mine")
    assert "is not an imported set of faces" in app.main.warning[0].value


def test_every_augmentation_says_what_it_does_and_what_has_no_effect(folder):
    app = opened(tab="Augmentation")
    for found in services.dataset.class_imbalance.augmentations():
        app.segmented_control(key="augmentation").set_value(found.name).run()
        assert not app.exception
        text = text_of(app)
        assert found.steps[0] in text
        assert ("without effect here" in text) == bool(found.no_effect)
    app.button(key="change-again").click().run()
    assert not app.exception


def test_likely_wrong_labels_are_listed_beside_chance_and_put_on_a_list(folder):
    app = opened(tab="Labels")
    app.button(key="label-noise").click().run()
    assert not app.exception
    text = text_of(app)
    found = services.dataset.label_noise.label_noise("fer2013")
    _, among_first, among_all = found.precision()
    assert among_first[0] > 3 * among_all[0]
    assert found.sentences()[1] in text
    assert "no images" in text
    assert app.button(key="noise-marked-put").disabled
    boxes = [box for box in app.main.checkbox if box.label == "mark"]
    for box in boxes[:2]:
        box.check()
    app.run()
    app.button(key="noise-marked-put").click().run()
    assert not app.exception
    assert exclusions.read("wrong-labels").reason == "likely wrong labels, marked on the page Dataset"
    assert len(exclusions.read("wrong-labels").hashes) == 2
    assert "on wrong-labels" in text_of(app)
    assert "now has 2 images" in app.main.success[0].value


def test_a_set_without_out_of_sample_probabilities_says_so(folder):
    small().save(folder / "mine.npz")
    app = opened(tab="Labels", data="mine")
    app.button(key="label-noise").click().run()
    assert not app.exception
    assert "There are no stored out-of-sample probabilities for these images" in text_of(app)


def test_visitors_in_a_class_see_labels_but_write_no_list(folder, monkeypatch):
    monkeypatch.setenv(access.LAN, "1")
    monkeypatch.setenv(access.TOKEN, "abcd-efgh-jkmn")
    app = opened(tab="Labels")
    app.button(key="label-noise").click().run()
    assert "Of the first 100" in text_of(app)
    assert not any((button.key or "").endswith("-put") for button in app.main.button)
