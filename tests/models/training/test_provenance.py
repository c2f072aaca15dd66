"""Where weights come from, and what they have seen: counted, refused, allowed with a mark."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.cards import IMAGENET, Ancestor, chain
from models.checkpoints import list_checkpoints, read_card, read_predictions, write_card
from models.datasets import FaceSet, fer2013
from models.datasets.splits import split, write_split
from models.ensemble_selection import candidates
from models.evaluate import report_stored
from models.training.config import TrainConfig
from models.training.engine import train
from models.training.errors import TrainingError
from models.training.provenance import provenance, seen_images, sets_near, verified
from models.zoo import read_list


@pytest.fixture(scope="module")
def memorized(make_config, faces, tmp_path_factory) -> Path:
    """The folder of a network that was trained on all three parts of the set."""
    place = tmp_path_factory.mktemp("memorized")
    parts = split(faces, "official")
    everything = dataclasses.replace(parts, indices=parts.indices | {"training": np.arange(len(faces))})
    write_split(place / "everything.json", everything, faces, "everything")
    return train(make_config(place / "memorized", split=str(place / "everything.json"), epochs=1, growing_sizes=()))


@pytest.fixture
def again(make_config, tmp_path):
    """A training run on the official split at a rate that changes nothing, with the fields that a test gives."""

    def config(name: str = "again", **values) -> TrainConfig:
        return make_config(tmp_path / name, epochs=1, growing_sizes=(), learning_rate=1e-6, **values)

    return config


ALL_SEEN = {"PublicTest": 35, "PrivateTest": 35}


def test_a_start_that_has_seen_all_parts_is_refused_with_the_numbers(memorized, again):
    with pytest.raises(TrainingError, match=r"35 of 35 images of PublicTest .*35 of 35 images of PrivateTest") as told:
        train(again(start_from=memorized))
    assert "--allow-seen" in str(told.value)
    assert not (again().folder / "card.json").exists()


def test_a_start_of_another_named_split_is_refused_with_the_numbers(make_config, again, faces, tmp_path):
    start = train(make_config(tmp_path / "start", split="random-80-20", epochs=1, growing_sizes=()))
    seen = sum("PublicTest" in id_ for id_ in split(faces, "random-80-20").training.ids)
    # Of PrivateTest all: what it was not trained on lies in the fifth by which its epoch was chosen.
    with pytest.raises(TrainingError, match=rf"{seen} of 35 images of PublicTest.*35 of 35 images of PrivateTest"):
        provenance(again(start_from=start), split(faces, "official"))


def test_what_is_allowed_is_marked_reported_and_left_out(memorized, again, tmp_path, monkeypatch, capsys):
    folder = train(again(start_from=memorized, allow_seen=True, evaluate=True))
    from models.evaluate import evaluate_run

    evaluate_run(again(start_from=memorized, allow_seen=True))
    card = read_card(folder)
    assert card.seen == ALL_SEEN
    assert (card.start.name, card.start.split) == ("memorized", str(memorized.parent / "everything.json"))
    assert "have seen 35 images of PublicTest and 35 images of PrivateTest" in card.caveat
    assert card.caveat in capsys.readouterr().out
    from rich.console import Console

    with (console := Console(width=300)).capture() as shown:
        report_stored(folder, console)
    assert card.caveat in shown.get()

    for module in ("checkpoints", "ensemble_selection"):
        monkeypatch.setattr(f"models.{module}.ROOT", tmp_path)
    assert len(read_predictions("again", "PrivateTest").labels) == 35
    assert "again" in list_checkpoints()
    assert candidates() == []
    write_card(folder, dataclasses.replace(card, seen={}))
    assert candidates() == ["again"]


def test_the_mark_outlives_a_resumed_run_and_a_chain_of_three(memorized, again):
    marked = train(again("second", start_from=memorized, allow_seen=True))
    train(TrainConfig.model_validate_json((marked / "config.json").read_text()).model_copy(update={"resume": True}))
    assert read_card(marked).seen == ALL_SEEN
    with pytest.raises(TrainingError, match="memorized: trained on or selected by 35 of 35 images"):
        train(again("third", start_from=marked))
    third = read_card(train(again("third", start_from=marked, allow_seen=True)))
    assert [one.name for one in chain(third.ancestors)] == ["second", "memorized"]
    assert third.seen == ALL_SEEN


def test_a_teacher_that_has_seen_the_test_images_is_refused(memorized, again):
    with pytest.raises(TrainingError, match="35 of 35 images of PrivateTest"):
        train(again(teacher=memorized, distillation=0.5))
    card = read_card(train(again(teacher=memorized, distillation=0.5, allow_seen=True)))
    assert (card.seen, card.teacher.name, card.start) == (ALL_SEEN, "memorized", None)


def test_a_chain_of_the_same_split_is_recorded_and_not_marked(finished_run, again):
    second = train(again("second", start_from=finished_run, distillation=0.5))
    third = read_card(train(again("third", start_from=second)))
    assert third.seen == {}
    assert third.caveat == ""
    roles = [(one.name, one.roles, one.split) for one in chain(third.ancestors)]
    assert roles == [("second", ("start",), "official"), ("finished", ("start", "teacher"), "official")]


def test_images_of_an_unavailable_dataset_are_refused_and_marked_as_unknown(finished_run, again, tmp_path):
    other = shutil.copytree(finished_run, tmp_path / "other")
    write_card(other, dataclasses.replace(read_card(other), data="0123456789abcdef"))
    with pytest.raises(TrainingError, match=r"other: which images it has seen is not known.*not available"):
        train(again(start_from=other))
    card = read_card(train(again(start_from=other, allow_seen=True)))
    assert card.seen == {"PublicTest": None, "PrivateTest": None}
    assert "not known" in card.caveat


def test_a_split_whose_file_is_gone_is_not_known(memorized, again, tmp_path):
    other = shutil.copytree(memorized, tmp_path / "other")
    write_card(other, dataclasses.replace(read_card(other), split=str(tmp_path / "gone.json")))
    with pytest.raises(TrainingError, match="not known"):
        train(again(start_from=other))


def test_a_start_of_another_set_that_lies_beside_it_is_looked_into(faces, make_config, again, tmp_path):
    copied = faces.subset(np.r_[0:98, 98:103, 133:140])
    copied.splits[:] = np.where(np.arange(len(copied)) % 7 == 6, "PublicTest", "Training")
    copied.splits[:7] = "PrivateTest"
    for name, some in (("faces", faces), ("copied", copied)):
        some.save(tmp_path / "sets" / f"{name}.npz")
    start = train(make_config(tmp_path / "start", data=tmp_path / "sets" / "copied.npz", epochs=1, growing_sizes=()))
    parts = split(faces, "official")
    own = split(copied, "official")
    counts = [np.isin(some.pixel_hashes, own.training.pixel_hashes).sum() for some in (parts.validation, parts.test)]
    counts[1] += np.isin(parts.test.pixel_hashes, own.validation.pixel_hashes).sum()
    with pytest.raises(TrainingError, match=rf"{counts[0]} of 35 .*{counts[1]} of 35") as told:
        provenance(again(start_from=start, data=tmp_path / "sets" / "faces.npz"), parts)
    assert "start: trained on" in str(told.value)


def near(faces: FaceSet, like: np.ndarray) -> FaceSet:
    """A set of which one training image is nearly one of another set."""
    images = faces.images.copy()
    images[0] = like
    images[0, 0, 0] ^= 1
    return FaceSet(images, faces.labels, faces.names, faces.splits, faces.classes)


def test_near_duplicates_are_counted_apart_and_refuse_nothing(faces, tmp_path):
    parts = split(faces, "official")
    other = near(faces, parts.test.images[3])
    other.save(tmp_path / "other.npz")
    start = Ancestor("start", ("start",), "vanilla_cnn", "official", split(other, "official").fingerprint)
    found = seen_images([start], parts, [tmp_path / "other.npz"])
    assert found.exact == {"PublicTest": 0, "PrivateTest": 0}
    assert found.near["PrivateTest"] >= 1
    assert found.marks == {}
    assert "near-duplicate" in found.sentences()[0]


def test_only_images_that_the_run_does_not_train_on_itself_count(faces, tmp_path):
    images = faces.images.copy()
    images[-1] = images[0]  # a test image that is in Training too
    copies = FaceSet(images, faces.labels, faces.names, faces.splits, faces.classes)
    copies.save(tmp_path / "copies.npz")
    start = Ancestor("start", ("start",), "vanilla_cnn", "official", split(copies, "official").fingerprint)
    same_training, without_it = split(copies, "kaggle-msambare"), split(copies, "clean")
    assert seen_images([start], same_training, [tmp_path / "copies.npz"]).marks == {}
    assert seen_images([start], without_it, [tmp_path / "copies.npz"]).marks == {"PrivateTest": 1}


def test_the_test_images_by_which_an_ancestor_was_chosen_count_as_seen(faces, tmp_path):
    faces.save(tmp_path / "faces.npz")
    start = Ancestor("start", ("start",), "vanilla_cnn", "kaggle-msambare", split(faces, "kaggle-msambare").fingerprint)
    found = seen_images([start], split(faces, "official"), [tmp_path / "faces.npz"])
    assert found.exact == {"PublicTest": 0, "PrivateTest": 35}


def test_imagenet_weights_are_an_ancestor_that_has_seen_no_face(faces, again):
    found = provenance(again(pretrained=True), split(faces, "official"))
    assert (found.ancestors, found.seen) == ((Ancestor(IMAGENET, ("start",), "vanilla_cnn"),), {})


def test_what_a_start_admits_is_passed_on_where_its_chain_is_silent(finished_run, again, tmp_path):
    other = shutil.copytree(finished_run, tmp_path / "other")
    write_card(other, dataclasses.replace(read_card(other), seen={"PrivateTest": 7}))
    with pytest.raises(TrainingError, match="7 images of PrivateTest"):
        train(again(start_from=other))
    assert read_card(train(again(start_from=other, allow_seen=True))).seen == {"PrivateTest": 7}


def test_a_card_that_others_wrote_is_marked_by_its_chain(memorized, finished_run, faces_npz):
    chained = (read_card(memorized).as_ancestor("memorized", "start"),)
    claim = dataclasses.replace(read_card(finished_run), ancestors=chained)
    assert verified(claim, [faces_npz]).seen == ALL_SEEN
    assert verified(claim, []).seen == {"PublicTest": None, "PrivateTest": None}
    admitted = dataclasses.replace(claim, seen={"PrivateTest": 35})
    assert verified(admitted, []).seen == {"PublicTest": None, "PrivateTest": 35}
    assert verified(read_card(finished_run), []) == read_card(finished_run)


def test_sets_are_looked_for_beside_below_and_above(tmp_path):
    for name in ("data/a.npz", "data/b.npz", "data/drawn/c.npz", "d.npz", "data/drawn/deep/e.npz", "data/f.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [file.name for file in sets_near(tmp_path / "data" / "a.npz")]
    assert found == ["a.npz", "b.npz", "c.npz", "d.npz"]


def test_another_fold_of_a_cross_validation_has_seen_the_test_subjects(faces, tmp_path):
    subjects = np.array([f"S{i % 10}" for i in range(len(faces))])
    people = FaceSet(faces.images, faces.labels, faces.names, faces.splits, faces.classes, subjects)
    people.save(tmp_path / "people.npz")
    first, second = (split(people, f"subject-10fold-{fold}") for fold in (1, 2))
    start = Ancestor("start", ("start",), "vanilla_cnn", "subject-10fold-2", second.fingerprint)
    found = seen_images([start], first, [tmp_path / "people.npz"])
    assert found.exact[first.names[1]] == len(first.test) > 0


# ---- what ships


def test_no_shipped_card_is_marked_and_every_chain_is_whole():
    for name in list_checkpoints():
        card = read_card(name)
        assert card.seen == {}, name
        trained = [one for one in chain(card.ancestors) if one.name != IMAGENET]  # which has no faces of this set
        assert {(one.split, one.data) for one in trained} <= {("official", card.data)}, name
    deepest = [one.name for one in chain(read_card("residual_cnn").ancestors)]
    assert deepest[-1] == "residual_cnn-quick-official-s0"
    assert len(deepest) == 5


def test_every_start_and_teacher_of_the_zoo_has_its_splits():
    runs = {run.shelf.name: run for run in read_list()}
    for run in runs.values():
        for used in filter(None, (run.start_from, run.teacher)):
            assert runs[used].split == run.split, run.name


def test_the_hashes_that_ship_are_those_of_the_official_split(imported_fer2013):
    parts, shipped = split(imported_fer2013, "official"), fer2013.official_hashes()
    assert shipped.data == parts.fingerprint
    np.testing.assert_array_equal(shipped.trained, np.unique(parts.training.pixel_hashes))
    np.testing.assert_array_equal(shipped.chosen, np.unique(parts.validation.pixel_hashes))


def test_the_shipped_hashes_say_what_official_networks_have_seen(imported_fer2013):
    parts = split(imported_fer2013, "paper-b")
    start = (read_card("residual_cnn").as_ancestor("residual_cnn", "start"),)
    found = seen_images(start, parts, [])
    assert found.exact == {"validation": 5368, "test": 3427}
    assert found.not_compared == ("residual_cnn",)
    assert seen_images(start, split(imported_fer2013, "official"), []).marks == {}


def test_official_networks_have_seen_no_drawn_face(faces):
    start = (read_card("residual_cnn").as_ancestor("residual_cnn", "start"),)
    assert seen_images(start, split(faces, "official"), []).marks == {}


def test_cards_keep_their_chain_through_json(tmp_path, memorized, again):
    card = read_card(train(again(start_from=memorized, allow_seen=True)))
    write_card(tmp_path, card)
    assert read_card(tmp_path) == card
