"""Contents of a dataset with and without its images; annotators, class weights and augmentations."""

import numpy as np
import pytest

from models.datasets import DataError, FaceSet, fer2013
from workbench import services
from workbench.services.dataset import imported


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of imported sets."""
    monkeypatch.setattr(imported, "FOLDER", tmp_path)
    return tmp_path


def small(n: int = 20) -> FaceSet:
    images = np.random.default_rng(0).integers(0, 256, (n, 48, 48), dtype=np.uint8)
    images[1] = images[0]  # a copy, in another part
    splits = np.array(["train", "test"] * (n // 2))
    return FaceSet(images, np.arange(n) // 2 % 2, np.array([f"p{i}" for i in range(n)]), splits, ("happy", "sad"))


def test_fer2013_and_drawn_faces_are_always_known(folder):
    small().save(folder / "mine.npz")
    assert services.dataset.contents.set_names() == ("fer2013", "drawn", "mine")
    assert [services.dataset.contents.has_images(name) for name in services.dataset.contents.set_names()] == [
        False,
        True,
        True,
    ]


def test_of_fer2013_the_counts_are_known_without_its_images(folder):
    found = services.dataset.contents.contents("fer2013")
    assert found.counts == fer2013.COUNTS
    assert found.training == fer2013.COUNTS["Training"]
    assert found.gray == {}
    assert found.brightness["Training"] == pytest.approx((129.47, 65.04), abs=0.1)
    views, of = services.metrics.annotators.annotator_agreement()
    assert of == "PublicTest and PrivateTest"
    assert sum(view.n_images for view in views) <= 7178


def test_gray_values_are_counted_in_each_part(folder):
    faces = small()
    faces.save(folder / "mine.npz")
    found = services.dataset.contents.contents("mine")
    for part in ("train", "test"):
        pixels = faces.images[faces.splits == part]
        assert found.brightness[part] == pytest.approx((pixels.mean(), pixels.std()))
        assert found.gray[part].sum().item() == pytest.approx(1)
        assert found.gray[part][0].item() == pytest.approx((pixels < 4).mean())
    assert found.training == faces.counts()["train"]


def test_samples_have_the_label_that_was_requested(folder):
    faces = small()
    faces.save(folder / "mine.npz")
    sad = faces.images[faces.labels == 1]
    found = services.dataset.contents.samples("mine", "sad", count=4)
    assert found.shape == (4, 48, 48)
    assert all((picture == sad).all((1, 2)).any() for picture in found)
    assert (found != services.dataset.contents.samples("mine", "sad", count=4, seed=1)).any()
    with pytest.raises(ValueError, match='"angry" is not one of happy, sad'):
        services.dataset.contents.samples("mine", "angry")


def test_examining_a_set_finds_its_leak_and_is_remembered(folder):
    small().save(folder / "mine.npz")
    assert not services.dataset.contents.is_examined("mine")
    steps = []
    found = services.dataset.contents.examine("mine", steps.append)
    assert steps == ["duplicates", "near-duplicates", "splits"]
    assert found.groups_across == 1
    assert "1 group of pixel-identical images" in services.dataset.contents.findings(found)[0]
    assert services.dataset.contents.is_examined("mine")
    assert services.dataset.contents.examine("mine", steps.append) is found
    assert len(steps) == 3


def test_a_set_that_is_not_there_or_damaged_is_named(folder):
    with pytest.raises(DataError):
        services.dataset.contents.contents("ckplus")
    (folder / "ckplus.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match="is not an imported set"):
        services.dataset.contents.contents("ckplus")
    assert not services.dataset.contents.is_examined("fer2013")


def test_the_leaks_that_ship_are_those_of_the_evaluation():
    for known in services.dataset.contents.known_leaks():
        exact, near = services.metrics.paired_tests.leak_effects("residual_cnn", known.part)
        assert (known.exact, known.near, known.n_images) == (exact.n_images, near.n_images, 3589)


def test_annotators_agree_differ_or_have_no_majority(folder):
    views, _ = services.metrics.annotators.annotator_agreement()
    assert [view.class_ for view in views] == list(services.dataset.contents.contents("fer2013").classes)
    for view in views:
        assert view.agree[0] + view.other[0] + view.split[0] == pytest.approx(1)
        assert view.most_other not in ("", view.class_)


def test_a_set_of_other_images_under_the_name_of_fer2013_has_no_votes(folder):
    small().save(folder / "fer2013.npz")
    assert services.metrics.annotators.annotator_agreement() == ((), "all parts")


def test_paper_c_gives_the_largest_class_most_of_the_loss(folder):
    found = services.dataset.contents.contents("fer2013")
    by_name = {weighting.name: weighting for weighting in services.dataset.class_imbalance.weightings(found)}
    assert list(by_name) == ["none", "inverse", "paper-b", "paper-c", "heavy"]
    happy = found.classes.index("happy")
    c = by_name["paper-c"].loss
    assert max(c) == c[happy] == pytest.approx(0.1 * 10 * 7215 / 12230.0, abs=1e-4)
    assert by_name["inverse"].loss == pytest.approx([1 / 7] * 7)
    assert by_name["none"].loss == pytest.approx([n / 28709 for n in found.training])
    assert [round(w, 2) for w in by_name["paper-b"].weights] == [0.81, 7.31, 0.78, 0.44, 0.65, 0.66, 1.0]
    assert all(sum(weighting.loss) == pytest.approx(1) for weighting in by_name.values())


def test_weights_made_for_other_classes_are_left_out(folder):
    small().save(folder / "mine.npz")
    assert [
        w.name for w in services.dataset.class_imbalance.weightings(services.dataset.contents.contents("mine"))
    ] == ["none", "inverse"]


def test_every_paper_has_an_augmentation_that_changes_a_face():
    known = services.dataset.class_imbalance.augmentations()
    assert [a.paper for a in known[:5]] == list("ABCDE")
    face = services.dataset.class_imbalance.drawn_face("happy", 48)
    for found in known:
        strip = services.dataset.class_imbalance.changed(face, found.name, versions=6)
        assert strip.shape == (52, 7 * 50 + 2)
        np.testing.assert_array_equal(strip[2:50, 2:50], face)
        assert (strip[2:50, 2:50] != strip[2:50, 52:100]).any() or found.name == "paper-d"
        assert found.steps
        assert found.note
    assert any("hue" in word for word in known[0].no_effect)
