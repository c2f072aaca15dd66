"""Duplicates, near-duplicates, leakage and conflicting labels: planted ones, and the known ones of FER2013."""

from __future__ import annotations

import io
import json
from importlib import resources

import numpy as np
import pytest
from PIL import Image

from models.datasets import FaceSet
from models.datasets.audit import as_html, audit, leaked, sentences
from models.datasets.duplicates import duplicates_of, near_duplicates_of, near_pairs, perceptual_hashes
from models.datasets.synthetic.faces import draw_face
from models.tables import write_rows
from workbench.commands.data import main


@pytest.fixture(scope="module")
def drawn() -> FaceSet:
    """Forty-two drawn faces: thirty for training, six for each test set."""
    emotions = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    images = np.stack([draw_face(emotions[i % 7], 48, seed=i) for i in range(42)])
    splits = np.array(["Training"] * 30 + ["PublicTest"] * 6 + ["PrivateTest"] * 6)
    return FaceSet(images, np.arange(42) % 7, np.array([f"face_{i}" for i in range(42)]), splits)


def changed(faces: FaceSet, **values) -> FaceSet:
    arrays = {name: getattr(faces, name).copy() for name in ("images", "labels", "names", "splits")}
    return FaceSet(**(arrays | values), classes=faces.classes)


def compressed(picture: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=30)
    return np.asarray(Image.open(buffer))


def planted(drawn: FaceSet) -> FaceSet:
    images, names = drawn.images.copy(), drawn.names.copy()
    images[36] = images[0]  # PrivateTest holds a Training image; labels 1 and 0
    images[7] = images[14] = images[21]  # three copies in Training with one label
    images[30] = np.clip(images[3].astype(int) + 20, 0, 255)  # PublicTest: a Training image made brighter
    images[5] = 200
    images[6] = 100
    images[6, 0, 0] = 103
    names[9] = names[8]
    return changed(drawn, images=images, names=names)


def test_planted_faults_are_found(drawn):
    found = audit(planted(drawn))
    assert (found.groups, found.surplus) == (2, 3)
    assert (found.groups_across, found.groups_conflicting) == (1, 1)
    assert {k: n for k, n in found.pairs_across.items() if n} == {
        "of Training are also in PrivateTest": 1,
        "of Training are also in another part": 1,
        "of PrivateTest are also in Training": 1,
        "of PrivateTest are also in another part": 1,
    }
    assert (found.near, found.near_across, found.near_conflicting) == (1, 1, 1)
    assert found.constant == ("face_5",)
    assert found.nearly_constant == ("face_6",)
    assert found.shared_names == ("face_8",)
    official = next(leak for leak in found.leaks if leak.split == "official")
    assert (official.training, official.test, official.exact, official.near) == (30, 6, 1, 1)
    assert official.chosen_on_test is False


def test_a_clean_set_has_no_faults(drawn):
    found = audit(drawn)
    assert (found.groups, found.surplus, found.near, found.constant, found.shared_names) == (0, 0, 0, (), ())
    assert sum(sum(counts) for counts in found.counts.values()) == found.images == 42
    assert found.intensity["Training"][0] == pytest.approx(drawn.images[:30].mean())


@pytest.mark.parametrize(
    "change",
    [
        lambda p: np.clip(p * 0.8 + 30, 0, 255),
        lambda p: np.asarray(Image.fromarray(p).resize((40, 40)).resize((48, 48))),
        lambda p: compressed(p),
    ],
    ids=["brighter", "smaller and back", "compressed"],
)
def test_a_changed_copy_is_near_and_another_face_is_not(drawn, change):
    images = np.concatenate([drawn.images, change(drawn.images[3])[None].astype(np.uint8)])
    assert near_pairs(images).tolist() == [[3, 42]]


def test_pairs_do_not_depend_on_the_order_in_blocks(drawn, monkeypatch):
    images = np.concatenate([drawn.images, np.clip(drawn.images * 0.9 + 5, 0, 255).astype(np.uint8)])
    whole = near_pairs(images).tolist()
    assert [[i, i + 42] for i in range(42)] == whole
    monkeypatch.setattr("models.datasets.duplicates._BLOCK", 5)
    assert sorted(near_pairs(images).tolist()) == whole


def test_duplicates_of_another_set_are_marked_in_the_order_of_the_first(drawn):
    first, second = drawn.subset(np.arange(10)), drawn.subset(np.array([3, 7, 20]))
    assert np.flatnonzero(duplicates_of(first, second)).tolist() == [3, 7]
    brighter = changed(second, images=np.clip(second.images + 9.0, 0, 255).astype(np.uint8))
    assert np.flatnonzero(near_duplicates_of(first, brighter)).tolist() == [3, 7]


def test_near_duplicates_are_found_among_images_of_another_size(drawn):
    first, second = drawn.subset(np.arange(10)), drawn.subset(np.array([3, 7, 20]))
    larger = changed(second, images=second.images.repeat(2, 1).repeat(2, 2))
    assert not duplicates_of(first, larger).any()
    assert np.flatnonzero(near_duplicates_of(first, larger)).tolist() == [3, 7]
    assert near_duplicates_of(larger, first).tolist() == [True, True, False]


def test_a_blank_image_has_no_hash_and_is_near_to_nothing(drawn):
    images = np.concatenate([drawn.images, np.full((2, 48, 48), 7, np.uint8), np.full((1, 48, 48), 8, np.uint8)])
    assert perceptual_hashes(images)[-3:].tolist() == [0, 0, 0]
    assert len(near_pairs(images)) == 0


@pytest.mark.parametrize("near", [-1, 64])
def test_a_number_of_bits_that_does_not_exist_is_refused(drawn, near):
    with pytest.raises(ValueError, match=f"near={near}"):
        audit(drawn, near)


def test_the_command_prints_and_writes_what_was_found(drawn, tmp_path, capsys):
    planted(drawn).save(tmp_path / "set.npz")
    page, figures = tmp_path / "a.html", tmp_path / "a.json"
    main(["audit", str(tmp_path / "set.npz"), "--html", str(page), "--json", str(figures)])
    printed = " ".join(capsys.readouterr().out.split())
    assert "2 groups of pixel-identical images, 3 surplus images." in printed
    assert json.loads(figures.read_text())["surplus"] == 3
    text = page.read_text()
    assert "2 groups of pixel-identical images" in text
    assert "<img" not in text, "no image leaves the set"
    assert "http" not in text, "self-contained"


def test_names_in_the_report_are_no_markup(drawn):
    names = drawn.names.astype("U40")
    names[:2] = "<script>alert(1)</script>"
    assert "<script>" not in as_html(audit(changed(drawn, names=names)), "<b>set</b>")


# ---- the leaked images of FER2013, shipped


def test_the_shipped_ids_are_as_many_as_are_known():
    assert len(leaked("PrivateTest", near=False)) == 288
    assert len(leaked("PublicTest", near=False)) == 280
    assert leaked("PrivateTest", near=False) < leaked("PrivateTest")
    assert all(id_.startswith("PrivateTest-") for id_ in leaked())


# ---- the real set


def test_the_real_set_has_the_faults_that_are_known(imported_fer2013):
    found = audit(imported_fer2013)
    assert (found.groups, found.surplus, found.groups_across, found.groups_conflicting) == (1516, 1853, 557, 57)
    assert found.pairs_across["of PrivateTest are also in Training"] == 288
    assert found.pairs_across["of PrivateTest are also in another part"] == 314
    assert found.pairs_across["of PublicTest are also in Training"] == 280
    assert len(found.constant) == 12
    assert sum(name.startswith("Training") for name in found.constant) == 11
    assert found.nearly_constant == ("Training_3542668",)
    mean, std = found.intensity["Training"]
    assert (round(mean, 2), round(std, 2)) == (129.47, 65.04)
    leaks = {leak.split: leak for leak in found.leaks}
    assert leaks["official"].exact == 288
    assert (leaks["clean"].exact, leaks["clean"].near) == (0, 0)
    assert 0.78 < leaks["kaggle-oheix"].exact / 3589 < 0.84
    counts = sentences(found)[0].replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert counts == "1 516 groups of pixel-identical images, 1 853 surplus images."


def leaked_table(faces: FaceSet) -> str:
    """`leaked.csv`, from the images: id, name, and whether the copy is exact or near."""
    training = faces.part("Training")
    table = io.StringIO()
    write_rows(table, [("id", "name", "how")])
    for part in ("PublicTest", "PrivateTest"):
        chosen = faces.splits == part
        some, ids = faces.subset(chosen), faces.ids[chosen]
        exact, near = duplicates_of(some, training), near_duplicates_of(some, training)
        rows = zip(ids, some.names, exact, near, strict=True)
        write_rows(table, ((id_, name, "exact" if e else "near") for id_, name, e, n in rows if e or n))
    return table.getvalue()


def test_the_shipped_ids_are_those_of_the_real_set(imported_fer2013):
    shipped = (resources.files("models.datasets") / "leaked.csv").read_text(encoding="utf-8")
    assert leaked_table(imported_fer2013) == shipped
