"""A survey is written curve by curve, goes on where it was stopped, and is never mistaken for one of other weights."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models import checkpoints, create_model, load_checkpoint
from models.checkpoints import Card, CheckpointError, read_card, save_checkpoint
from models.datasets import EMOTIONS, DataError, FaceSet
from models.metrics import predict, share
from models.preprocessing import normalize, resized
from workbench.analysis.corruptions import CORRUPTIONS
from workbench.surveys import robustness
from workbench.surveys.robustness import FILE, main, read_robustness, survey

SOME = ("blur", "noise")


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    """Noise with a bright square whose place says which class it is; classes of unequal size in the test part."""
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.arange(14) % 7, np.arange(14) % 7, np.repeat(np.arange(7), (20, 2, 10, 10, 6, 6, 6))])
    images = rng.integers(0, 100, (len(labels), 24, 24))
    for image, label in zip(images, labels, strict=True):
        image[8 * (label // 3) :, 8 * (label % 3) :][:8, :8] += 120
    splits = np.array(["Training"] * 14 + ["PublicTest"] * 14 + ["PrivateTest"] * 60)
    names = np.array([f"{s}_{i}" for i, s in enumerate(splits)])
    return FaceSet(images.astype(np.uint8), labels, names, splits)


def write_checkpoint(folder: Path, seed: int = 0) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = create_model("vanilla_cnn", width=4)
    card = Card(
        network="vanilla_cnn", classes=EMOTIONS, input_size=16, mean=0.3, std=0.2, recipe="quick", split="official",
        data="", seed=seed, epochs=0, best_epoch=0, device="cpu", precision="32-true", wall_seconds=0, parameters=0,
        overrides={"width": 4},
    )  # fmt: skip
    save_checkpoint(folder, model, card)


@pytest.fixture
def folder(tmp_path) -> Path:
    write_checkpoint(tmp_path / "net")
    return tmp_path / "net"


def test_the_neutral_value_has_the_accuracy_of_the_evaluation(folder, faces):
    found = survey(folder, faces, corruptions=("resolution", "brightness"))
    model, card = load_checkpoint(folder)
    part = faces.part("PrivateTest")
    right = (predict(model, card, part.images).argmax(1) == torch.from_numpy(part.labels)).numpy()
    for curve in found.curves.values():
        at = CORRUPTIONS["brightness" if 0.1 in curve.values else "resolution"]
        i = at.values.index(at.neutral)
        assert (curve.accuracy[i].item(), *curve.interval[i].tolist()) == pytest.approx(share(right))
        assert curve.images == 60
    x = 0.5 * torch.from_numpy(part.images)[:, None].float() / 255
    with torch.no_grad():
        answers = model(normalize(resized(x, 16), card.mean, card.std)).argmax(1)
    expected = (answers == torch.from_numpy(part.labels)).double().mean().item()
    curve = found.curves["brightness"]
    assert curve.accuracy[CORRUPTIONS["brightness"].values.index(0.5)].item() == pytest.approx(expected)


def test_what_was_written_is_read_again(folder, faces):
    found = survey(folder, faces, corruptions=SOME)
    stored = read_robustness(folder)
    assert stored.sample == found.sample
    assert list(stored.curves) == list(SOME)
    for name in SOME:
        for column in ("values", "accuracy", "interval"):
            assert torch.equal(getattr(stored.curves[name], column), getattr(found.curves[name], column))
    assert stored.sample.part == "PrivateTest"
    assert stored.sample.data == faces.part("PrivateTest").fingerprint


def test_the_curves_of_an_ensemble_belong_to_the_weights_of_its_members(tmp_path, faces, monkeypatch):
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    for seed, name in enumerate(("one", "two")):
        write_checkpoint(tmp_path / name, seed)
    card = dataclasses.replace(
        read_card(tmp_path / "one"), network="ensemble", overrides={"members": ["one", "two"]}, input_size=48
    )
    save_checkpoint(tmp_path / "both", create_model("ensemble", members=["one", "two"]), card)
    survey("both", faces, corruptions=SOME)
    assert read_robustness("both").curves
    write_checkpoint(tmp_path / "two", seed=3)
    with pytest.raises(CheckpointError, match="other weights"):
        read_robustness("both")


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """Names of the corruptions that were truly measured."""
    names, measure = [], robustness.accuracy_curve

    def counted(answer, images, labels, corruption, *rest):
        names.append(corruption.name)
        return measure(answer, images, labels, corruption, *rest)

    monkeypatch.setattr(robustness, "accuracy_curve", counted)
    return names


def test_a_second_run_measures_only_what_is_missing_and_force_measures_all(folder, faces, asked):
    survey(folder, faces, corruptions=SOME)
    survey(folder, faces, corruptions=SOME)
    assert asked == list(SOME)
    found = survey(folder, faces, corruptions=("jpeg", "blur"))
    assert asked == [*SOME, "jpeg"]
    assert list(found.curves) == ["jpeg", "blur"]
    assert set(read_robustness(folder).curves) == {*SOME, "jpeg"}
    survey(folder, faces, corruptions=("blur",), force=True)
    assert asked == [*SOME, "jpeg", "blur"]
    assert set(read_robustness(folder).curves) == {"blur"}


def test_an_interrupted_survey_goes_on_with_the_missing_curves(folder, faces, asked):
    def stop(corruption: str, done: int, total: int) -> None:
        assert done <= total
        if corruption == "noise" and done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        survey(folder, faces, corruptions=SOME, progress=stop)
    assert list(read_robustness(folder).curves) == ["blur"]
    survey(folder, faces, corruptions=SOME)
    assert asked == ["blur", "noise", "noise"]


def test_other_weights_other_images_another_seed_or_other_values_are_measured_anew(folder, faces, asked, monkeypatch):
    blur = ("blur",)
    survey(folder, faces, corruptions=blur)
    write_checkpoint(folder, seed=1)
    with pytest.raises(CheckpointError, match=r"other weights.*ferscope robustness"):
        read_robustness(folder)
    survey(folder, faces, corruptions=blur)
    survey(folder, faces, corruptions=blur, seed=1)
    changed = dataclasses.replace(faces, images=255 - faces.images)
    survey(folder, changed, corruptions=blur, seed=1)
    assert len(asked) == 4
    other = dataclasses.replace(CORRUPTIONS["blur"], values=(0, 1, 2))
    monkeypatch.setattr(robustness, "CORRUPTIONS", {"blur": other})
    assert len(survey(folder, changed, corruptions=blur, seed=1).curves["blur"].values) == 3
    survey(folder, changed, corruptions=blur, seed=1)
    assert len(asked) == 5


def test_a_limit_keeps_the_shares_of_the_classes_and_the_seed_its_images(folder, faces, monkeypatch):
    seen = []

    def spy(answer, images, labels, *rest):
        seen.append((images, labels))
        return 0

    monkeypatch.setattr(robustness, "count_correct", spy)
    for seed in (0, 0, 1):
        survey(folder, faces, corruptions=("scale",), limit=30, seed=seed, force=True)
    assert all(torch.bincount(labels).tolist() == [10, 1, 5, 5, 3, 3, 3] for _, labels in seen)
    assert torch.equal(seen[0][0], seen[1][0])
    assert not torch.equal(seen[0][0], seen[2][0])


def test_a_small_survey_does_not_replace_a_larger_one_unless_told_to(folder, faces, tmp_path):
    survey(folder, faces, corruptions=("blur",))
    with pytest.raises(ValueError, match=r"60 images of PrivateTest.*--force.*--out"):
        survey(folder, faces, corruptions=("blur",), limit=10)
    aside = tmp_path / "aside.json"
    survey(folder, faces, corruptions=("blur",), limit=10, out=aside)
    assert json.loads(aside.read_text())["pictures"] == 10
    assert read_robustness(folder).sample.pictures == 60
    survey(folder, faces, corruptions=("blur",), limit=10, force=True)
    assert read_robustness(folder).sample.pictures == 10
    survey(folder, faces, corruptions=("blur",))
    assert read_robustness(folder).sample.pictures == 60


def test_only_parts_that_the_network_was_not_trained_on_are_measured(folder, faces):
    assert survey(folder, faces, "PublicTest", ("blur",)).sample.pictures == 14
    with pytest.raises(DataError, match=r'"Training".*PublicTest or PrivateTest'):
        survey(folder, faces, "Training", ("blur",))
    with pytest.raises(DataError, match="contempt"):
        survey(folder, dataclasses.replace(faces, classes=(*EMOTIONS[:6], "contempt")))


def test_the_command_prints_a_table_and_keeps_the_card_as_it_is(folder, faces, tmp_path, capsys):
    faces.save(tmp_path / "faces.npz")
    before = read_card(folder)
    main([str(folder), "--data", str(tmp_path / "faces.npz"), "--corruptions", "blur", "jpeg", "--device", "cpu"])
    printed = capsys.readouterr().out
    for word in ("Blur: σ in pixels of 48", "unperturbed", "JPEG", "60 images of PrivateTest", FILE):
        assert word in printed
    curve = read_robustness(folder).curves["blur"]
    assert f"{100 * curve.accuracy[0]:.1f} %" in printed
    assert read_card(folder) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such_network"], "is not there"),
        (["{folder}", "--data", "none.npz"], "ferscope data import"),
        (["{folder}", "--corruptions", "blurr"], 'did you mean "blur"'),
        (["{folder}", "--limit", "0"], "limit=0"),
    ],
)
def test_what_is_wrong_ends_the_command_with_one_sentence(folder, faces, tmp_path, arguments, message):
    faces.save(tmp_path / "faces.npz")
    arguments = [str(folder) if a == "{folder}" else a for a in arguments]
    with pytest.raises(SystemExit, match=message):
        main(["--data", str(tmp_path / "faces.npz"), *arguments])


def test_ctrl_c_says_how_to_go_on(folder, monkeypatch, capsys):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(robustness.FaceSet, "load", stopped)
    with pytest.raises(SystemExit) as end:
        main([str(folder)])
    assert end.value.code == 130
    assert "again to measure the missing curves" in capsys.readouterr().err


def test_no_file_and_a_damaged_one_are_distinguished(folder, faces):
    with pytest.raises(CheckpointError, match=rf"{FILE} is not there. Measure it: ferscope robustness"):
        read_robustness(folder)
    for damaged in ("{", "[]", '{"part": "PrivateTest"}'):
        (folder / FILE).write_text(damaged)
        with pytest.raises(CheckpointError, match="has no valid accuracy curves"):
            read_robustness(folder)
    survey(folder, faces, corruptions=("blur",))
    assert list(read_robustness(folder).curves) == ["blur"]
