"""Checkpoints that are missing, damaged or hostile are refused in words; those that ship are what their cards say."""

from __future__ import annotations

import dataclasses
import json
import pickle
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from helpers import corrupted_files

from models import checkpoints, list_models, load_checkpoint
from models.checkpoints import (
    EXPERIMENTS,
    ROOT,
    CheckpointError,
    Predictions,
    broken_checkpoints,
    checkpoint_folder,
    checkpoint_folders,
    half_precision,
    list_checkpoints,
    read_card,
    read_predictions,
    save_checkpoint,
    write_card,
    write_predictions,
)
from models.metrics import measure, predict

MEASURES = ("accuracy", "accuracy_interval", "balanced_accuracy", "macro_f1", "kappa", "log_loss", "calibration_error")


@pytest.fixture
def folder(finished_run, tmp_path) -> Path:
    """A checkpoint of a small network that a test may explain_with_fault."""
    shutil.copytree(finished_run, tmp_path / "small")
    return tmp_path / "small"


def refusal(folder: Path | str) -> str:
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(folder)
    return str(error.value)


def change_card(folder: Path, **values) -> None:
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | values))


def test_an_unspoiled_copy_loads(folder):
    model, card = load_checkpoint(folder)
    assert not model.training
    assert card.network == "vanilla_cnn"
    assert load_checkpoint(str(folder))[1] == card == read_card(folder)


# ---- missing


def test_a_missing_checkpoint_says_how_to_get_it(tmp_path):
    assert "ferscope train" in refusal(tmp_path / "nothing")
    assert "not trained yet. Train it: ferscope train --model mobilenet_v1" in refusal("mobilenet_v1")
    typo = refusal("residual_cn")
    assert "is not there. The nearest names: residual_cnn" in typo


@pytest.mark.parametrize("file", ["card.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, file):
    (folder / file).unlink()
    message = refusal(folder)
    assert file in message
    assert "is not there" in message


@pytest.mark.parametrize("file", ["card.json", "model.safetensors"])
def test_a_folder_in_the_place_of_a_file_is_refused(folder, file):
    (folder / file).unlink()
    (folder / file).mkdir()
    assert file in refusal(folder)


@pytest.mark.parametrize("name", ["../../etc", "..", ".", "", "/etc", "residual_cnn/../../etc", "a\0b"])
def test_a_name_that_could_climb_is_not_looked_up_among_the_checkpoints(name):
    assert ROOT not in checkpoint_folder(name).parents
    assert refusal(name)


def test_a_name_too_long_for_a_file_is_refused():
    assert refusal("a" * 5000)


@pytest.mark.parametrize("name", ["residual_cnn", "Net_1.5"])
def test_a_plain_name_stands_for_a_folder_of_the_checkpoints(name):
    assert checkpoint_folder(name) == ROOT / name


def test_an_experiment_is_loaded_by_name_and_not_offered(tmp_path, monkeypatch, folder):
    monkeypatch.setattr("models.checkpoints.ROOT", tmp_path)
    shutil.copytree(folder, tmp_path / "experiments" / "plain-quick-official-s0")
    assert load_checkpoint("plain-quick-official-s0")[1] == read_card(folder)
    assert list_checkpoints() == ["small"]
    assert list(checkpoint_folders()) == ["plain-quick-official-s0", "small"]
    shutil.copytree(folder, tmp_path / "plain-quick-official-s0")
    assert checkpoint_folder("plain-quick-official-s0") == tmp_path / "plain-quick-official-s0"
    assert checkpoint_folders()["plain-quick-official-s0"] == tmp_path / "plain-quick-official-s0"


def test_an_experiment_without_weights_says_how_to_train_it_again(tmp_path, monkeypatch, folder):
    monkeypatch.setattr("models.checkpoints.ROOT", tmp_path)
    shutil.copytree(folder, tmp_path / "experiments" / "another", ignore=shutil.ignore_patterns("*.safetensors"))
    card = read_card("another")
    with pytest.raises(CheckpointError, match=f"only its card and predictions.* {card.network} --recipe {card.recipe}"):
        load_checkpoint("another")


# ---- damaged answers


def test_damaged_stored_predictions_are_refused_or_read_and_never_crash(tmp_path):
    names = np.array([f"PrivateTest_{i}" for i in range(30)])
    answers = Predictions(torch.randn(30, 7), torch.arange(30) % 7, names, names)
    write_predictions(tmp_path, {"PrivateTest": answers})
    whole = (tmp_path / "predictions.npz").read_bytes()

    def read(data: bytes) -> None:
        (tmp_path / "predictions.npz").write_bytes(data)
        read_predictions(tmp_path, "PrivateTest")

    assert corrupted_files.refusals(whole, read, CheckpointError) > corrupted_files.TIMES / 2


# ---- damaged weights


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 100, -1000, -1])
def test_weights_that_break_off_are_refused(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert "damaged" in refusal(folder)


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_are_not_weights(folder, seed):
    data = np.random.default_rng(seed).bytes(5000)
    (folder / "model.safetensors").write_bytes(b"x" + data)
    assert "damaged" in refusal(folder)


def test_random_bytes_behind_a_length_that_fits_are_not_weights(folder):
    data = np.random.default_rng(0).bytes(5000)
    (folder / "model.safetensors").write_bytes((200).to_bytes(8, "little") + data)
    assert "damaged" in refusal(folder)


class _MakesAFile:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def _torch_zip(payload, path: Path) -> None:
    torch.save(payload, path)


def _torch_legacy(payload, path: Path) -> None:
    torch.save(payload, path, _use_new_zipfile_serialization=False)


def _pickle(protocol: int):
    def write(payload, path: Path) -> None:
        path.write_bytes(pickle.dumps(payload, protocol=protocol))

    write.__name__ = f"_pickle_{protocol}"
    return write


@pytest.mark.parametrize(
    "write", [_torch_zip, _torch_legacy, *(_pickle(p) for p in range(6))], ids=lambda write: write.__name__
)
def test_a_pickle_is_refused_and_never_opened(folder, tmp_path, write):
    trap = tmp_path / "sprung"
    write({"weight": torch.ones(2), "trap": _MakesAFile(trap)}, folder / "model.safetensors")
    message = refusal(folder)
    without_a_mark = write.__name__ in ("_pickle_0", "_pickle_1")
    assert ("damaged" if without_a_mark else "is a pickle") in message
    assert not trap.exists()


def test_the_trap_of_that_test_does_spring_where_a_pickle_is_opened(tmp_path):
    pickle.loads(pickle.dumps(_MakesAFile(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


def test_weights_of_another_network_are_refused(folder):
    change_card(folder, network="residual_cnn")
    message = refusal(folder)
    assert "does not fit the network residual_cnn" in message


def test_weights_of_another_shape_are_refused(folder):
    change_card(folder, overrides={"width": 8})
    assert "does not fit" in refusal(folder)


def test_weights_that_lack_a_layer_are_refused(folder):
    path = folder / "model.safetensors"
    weights = safetensors.torch.load_file(path)
    del weights["classifier.bias"]
    path.write_bytes(safetensors.torch.save(weights))
    assert "classifier.bias" in refusal(folder)


# ---- cards


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "5", '"card"', "{}", "\x00\xff", '{"classes": 5}'])
def test_a_card_that_is_no_card_is_refused(folder, text):
    (folder / "card.json").write_text(text, encoding="latin-1")
    assert "is not the card of a checkpoint" in refusal(folder)


@pytest.mark.parametrize("field", ["network", "classes", "input_size", "mean", "std", "split"])
def test_a_card_without_a_field_is_refused_and_the_field_named(folder, field):
    card = json.loads((folder / "card.json").read_text())
    del card[field]
    (folder / "card.json").write_text(json.dumps(card))
    assert field in refusal(folder)


@pytest.mark.parametrize(
    "values", [{"network": "residul_cnn"}, {"network": ["a"]}, {"overrides": {"depth": 3}}, {"classes": ["one"]}]
)
def test_a_card_that_describes_no_network_is_refused(folder, values):
    change_card(folder, **values)
    assert refusal(folder)


def test_a_card_comes_back_as_it_was_written(folder):
    model, card = load_checkpoint(folder)
    found = {"plain": measure(torch.eye(7).repeat(3, 1), torch.arange(21) % 7, card.classes)}
    card = dataclasses.replace(card, metrics={"PrivateTest": found}, temperature=1.25)
    save_checkpoint(folder / "again", model, card)
    assert read_card(folder / "again") == card


def test_the_card_prepares_images_as_training_did(folder):
    card = read_card(folder)
    images = np.random.default_rng(0).integers(0, 256, (2, card.input_size, card.input_size), dtype=np.uint8)
    expected = (torch.from_numpy(images).unsqueeze(1) / 255 - card.mean) / card.std
    torch.testing.assert_close(card.prepare(images), expected)
    assert card.prepare(np.zeros((3, 48, 48), np.uint8)).shape == (3, 1, card.input_size, card.input_size)


WRONG = [
    ("metrics", {"PrivateTest": 5}, "metrics"),
    ("metrics", [1], "metrics"),
    ("metrics", {"PrivateTest": {}}, "single view are missing"),
    ("metrics", {"PrivateTest": {"plain": {"accuracy": 0.5}}}, "metrics"),
    ("metrics", {"PrivateTest": {"flop": {}}}, "flop"),
    ("temperature", "x", "temperature"),
    ("temperature", 0, "temperature"),
    ("temperature", float("nan"), "temperature"),
    ("input_size", 1_000_000, "input_size"),
    ("input_size", "48", "input_size"),
    ("input_size", 48.5, "input_size"),
    ("parameters", "7", "parameters"),
    ("classes", ["http://evil.example/x"] * 2, "classes"),
    ("classes", ["www.evil.example", "b"], "classes"),
    ("classes", ["=cmd()", "b"], "classes"),
    ("classes", ["a", "a"], "the same name"),
    ("mean", 1e300, "mean"),
    ("std", 0, "std"),
    ("seed", True, "seed"),
    ("best_epoch", 10**6, "best epoch"),
    ("overrides", {"width": 10**6}, "width"),
    ("overrides", {"width": float("inf")}, "width"),
    ("split", "a\nb", "split"),
    ("ancestors", [{"name": "x"}], "ancestors"),
    ("seen", {"PrivateTest": "7"}, "seen"),
    ("more", 1, "more"),
]


@pytest.mark.parametrize(("field", "value", "why"), WRONG)
def test_a_card_with_a_wrong_value_is_refused_and_the_field_named(folder, field, value, why):
    change_card(folder, **{field: value})
    assert why in refusal(folder)


def test_a_card_that_is_too_large_or_too_deep_is_refused(folder):
    for text in ("[" * 100_000, '{"a":' * 100_000, " " * 2**23):
        (folder / "card.json").write_text(text)
        assert "is not the card of a checkpoint" in refusal(folder)


def test_a_card_is_read_again_when_it_changes(folder):
    assert read_card(folder) is read_card(folder)
    change_card(folder, seed=7)
    assert read_card(folder).seed == 7


def test_a_card_that_is_changed_after_it_was_made_is_not_written(folder):
    card = dataclasses.replace(read_card(folder), metrics={})
    card.metrics["PrivateTest"] = {"plain": {"accuracy": 2}}
    before = (folder / "card.json").read_bytes()
    with pytest.raises(ValueError, match="metrics"):
        write_card(folder, card)
    assert (folder / "card.json").read_bytes() == before


def test_a_damaged_card_is_listed_with_the_reason_and_hides_no_other(tmp_path, monkeypatch, folder):
    monkeypatch.setattr("models.checkpoints.ROOT", tmp_path)
    shutil.copytree(folder, tmp_path / "another")
    change_card(folder, input_size=10**6)
    assert list_checkpoints() == ["another"]
    assert list(broken_checkpoints()) == ["small"]
    assert "input_size" in broken_checkpoints()["small"]
    assert load_checkpoint("another")


def test_a_network_too_large_for_its_weights_is_never_built(folder, monkeypatch):
    change_card(folder, overrides={"width": 512})
    monkeypatch.setattr("models.checkpoints.create_model", None)
    assert "300 million parameters; at most 150 million" in refusal(folder)
    change_card(folder, overrides={"width": 64})
    assert "in the file" in refusal(folder)


def test_undefined_kappa_is_null_in_a_card_and_nan_of_earlier_cards_is_read_as_null(folder):
    card = read_card(folder)
    found = {"plain": measure(torch.eye(7)[[3] * 9], torch.tensor([3] * 9), card.classes)}
    write_card(folder, dataclasses.replace(card, metrics={"test": found}))
    text = (folder / "card.json").read_text()
    assert '"kappa": null' in text
    assert "NaN" not in text
    (folder / "card.json").write_text(text.replace('"kappa": null', '"kappa": NaN'))
    assert read_card(folder).metrics["test"]["plain"]["kappa"] is None


def test_a_card_of_an_earlier_version_names_its_start_and_teacher_and_is_marked(folder):
    values = json.loads((folder / "card.json").read_text())
    for key in ("ancestors", "seen"):
        del values[key]
    earlier = values | {"started_from": "first", "taught_by": None}
    for key, value, roles in (("taught_by", None, ("start",)), ("taught_by", "first", ("start", "teacher"))):
        (folder / "card.json").write_text(json.dumps(earlier | {key: value}))
        card = read_card(folder)
        assert (card.start.name, card.start.roles) == ("first", roles)
        assert card.seen == {"PublicTest": None, "PrivateTest": None}
        assert "not known" in card.caveat
    (folder / "card.json").write_text(json.dumps(earlier | {"started_from": None}))
    assert (read_card(folder).ancestors, read_card(folder).seen) == ((), {})
    assert load_checkpoint(folder)[1] == read_card(folder)


# ---- writing


def test_weights_beyond_half_precision_are_refused_and_the_earlier_file_stays(folder):
    model, card = load_checkpoint(folder)
    before = (folder / "model.safetensors").read_bytes()
    with torch.no_grad():
        model.classifier.weight[0, 0] = 1e6
    with pytest.raises(CheckpointError, match=r"classifier\.weight"):
        save_checkpoint(folder, model, card)
    assert (folder / "model.safetensors").read_bytes() == before


def test_weights_are_halved_and_a_large_running_variance_is_kept(folder):
    model, _ = load_checkpoint(folder)
    model.block1[2].running_var.fill_(1e6)
    state = half_precision(model)
    assert {state[name].dtype for name, _ in model.named_parameters()} == {torch.float16}
    assert state["block1.2.running_var"].tolist() == [1e6] * 4
    assert {p.dtype for p in model.parameters()} == {torch.float32}  # the network itself is left alone


# ---- those that ship


def cards() -> list[str]:
    """Every card that ships, and residual_cnn in any case: without it the app has nothing to show.

    Not what somebody promoted here, as far as git knows.
    """
    known = subprocess.run(["git", "ls-files", "*/card.json"], cwd=ROOT, capture_output=True, text=True, check=False)
    found = [Path(line).parent for line in known.stdout.splitlines()] or checkpoint_folders().values()
    return sorted({path.name for path in found} | {"residual_cnn"})


def test_every_folder_beside_the_experiments_has_the_name_of_its_network():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    folders = {Path(line).parts[0] for line in tracked.stdout.splitlines()} - {EXPERIMENTS, "README.md"}
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    assert folders <= {*list_models()}
    assert {name: read_card(name).network for name in folders} == {name: name for name in folders}


def weights() -> list[str]:
    return sorted({*list_checkpoints()} & {*cards()} | {"residual_cnn"})


def test_a_missing_ensemble_is_made_by_refresh_and_not_by_training(tmp_path, monkeypatch):
    monkeypatch.setattr("models.checkpoints.ROOT", tmp_path)
    with pytest.raises(CheckpointError, match="ferscope refresh makes it"):
        read_card("ensemble")


def test_only_folders_with_card_and_weights_are_listed(tmp_path, monkeypatch, folder):
    monkeypatch.setattr("models.checkpoints.ROOT", tmp_path)
    shutil.copytree(folder, tmp_path / "another")
    (tmp_path / "card_only").mkdir()
    shutil.copy(folder / "card.json", tmp_path / "card_only" / "card.json")
    (tmp_path / "runs" / "deeper").mkdir(parents=True)
    shutil.copytree(folder, tmp_path / "runs" / "x")
    assert list_checkpoints() == ["another", "small"]
    assert load_checkpoint("another")[1] == read_card("card_only")


def test_the_default_network_ships():
    assert "residual_cnn" in list_checkpoints()


def test_shipped_weights_load_and_predict(subtests):
    for name in weights():
        with subtests.test(name):
            model, card = load_checkpoint(name)
            assert card.network in list_models()
            assert sum(p.numel() for p in model.parameters() if p.requires_grad) == card.parameters
            with torch.no_grad():
                logits = model(card.prepare(np.zeros((2, 48, 48), np.uint8)))
            assert logits.shape == (2, len(card.classes))
            assert logits.isfinite().all()


PICTURES = {  # of each split, the parts that are measured
    "official": {"PublicTest": 3589, "PrivateTest": 3589},
    "random-80-20": {"test": 7177},
    "kaggle-oheix": {"validation": 7066, "PrivateTest": 3589},
}


def test_every_card_that_ships_holds_every_measure_of_both_parts(subtests):
    for name in cards():
        with subtests.test(name):
            card = read_card(name)
            assert tuple(card.metrics) == tuple(PICTURES[card.split])
            for part, pictures in PICTURES[card.split].items():
                for tta in ("plain", "flip", "ten-crop"):
                    measures = card.metrics[part][tta]
                    assert set(MEASURES) <= set(measures)
                    low, high = measures["accuracy_interval"]
                    assert 0 < low < measures["accuracy"] < high < 1
                    assert set(measures["per_class"]) == set(card.classes)
                    assert np.sum(measures["confusion"]) == pictures
            assert 0.05 < card.temperature < 20
            assert 1 <= card.best_epoch <= card.epochs or name == "ensemble"  # which trains nothing
            assert card.mean == pytest.approx(129.47 / 255, abs=0.01)


def test_predictions_that_ship_give_the_measures_of_the_card(subtests):
    for name in cards():
        with subtests.test(name):
            card = read_card(name)
            with np.load(checkpoint_folder(name) / "predictions.npz", allow_pickle=False) as file:
                predictions = dict(file)
            assert set(predictions["splits"].tolist()) == set(card.metrics)
            for part in card.metrics:
                chosen = predictions["splits"] == part
                assert len(set(predictions["ids"][chosen].tolist())) == chosen.sum()
                logits = torch.from_numpy(predictions["logits"][chosen]).float()
                found = measure(logits, torch.from_numpy(predictions["labels"][chosen]), card.classes)
                expected = card.metrics[part]["plain"]
                assert found["accuracy"] == expected["accuracy"]
                assert found["confusion"] == expected["confusion"]
                assert found["log_loss"] == pytest.approx(expected["log_loss"], abs=1e-4)


def test_what_ships_is_small_enough_for_a_repository():
    files = [ROOT / "README.md", *(path for name in cards() for path in checkpoint_folder(name).iterdir())]
    sizes = {path: path.stat().st_size for path in files}
    assert sizes
    assert max(sizes.values()) < 25e6
    assert sum(sizes.values()) < 120e6


def test_the_default_network_keeps_its_promise_on_the_test_part():
    card = read_card("residual_cnn")
    assert card.split == "official"
    assert card.metrics["PrivateTest"]["flip"]["accuracy"] >= 0.685


def test_the_best_epoch_of_the_default_network_was_chosen_on_the_validation_part():
    lines = (ROOT / "residual_cnn" / "history.csv").read_text().splitlines()
    column = lines[0].split(",").index("validation_accuracy")
    accuracies = [float(line.split(",")[column]) for line in lines[1:]]
    card = read_card("residual_cnn")
    assert card.best_epoch == 1 + accuracies.index(max(accuracies))


def test_the_predictions_that_ship_are_those_of_the_weights_that_ship(imported_fer2013):
    model, card = load_checkpoint("residual_cnn")
    with np.load(ROOT / "residual_cnn" / "predictions.npz", allow_pickle=False) as file:
        stored = dict(zip(file["ids"].tolist(), file["logits"], strict=True))
    some = imported_fer2013.part("PrivateTest")
    chosen = slice(None, None, 30)
    logits = predict(model, card, some.images[chosen])
    expected = np.stack([stored[i] for i in some.ids[chosen]])
    np.testing.assert_allclose(logits.numpy(), expected, atol=0.02, rtol=0.02)


def test_own_checkpoints_are_found_beside_the_shipped_and_before_them(tmp_path, monkeypatch):
    shipped, names = checkpoints.ROOT, list_checkpoints()
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    monkeypatch.setattr(checkpoints, "_SHIPPED", (shipped,))
    for name in ("mine", "vanilla_cnn"):
        shutil.copytree(shipped / "vanilla_cnn", tmp_path / name)
    assert list_checkpoints() == sorted([*names, "mine"])
    own, folders = tmp_path / "vanilla_cnn", checkpoints.checkpoint_folders()
    assert checkpoints.checkpoint_folder("vanilla_cnn") == folders["vanilla_cnn"] == own
    experiment = next((shipped / "experiments").iterdir())
    assert checkpoints.checkpoint_folder(experiment.name) == folders[experiment.name] == experiment
    assert load_checkpoint("mine")[1].network == "vanilla_cnn"


def test_a_checkpoint_of_the_package_is_copied_before_it_is_written_to(tmp_path, monkeypatch):
    package, own = tmp_path / "package", tmp_path / "own"
    for inner in ("vanilla_cnn", "experiments/other"):
        shutil.copytree(checkpoints.ROOT / "vanilla_cnn", package / inner)
    before = {path: path.read_bytes() for path in package.rglob("*") if path.is_file()}
    monkeypatch.setattr(checkpoints, "ROOT", own)
    monkeypatch.setattr(checkpoints, "_SHIPPED", (package,))
    for name, folder in {"vanilla_cnn": own / "vanilla_cnn", "other": own / "experiments" / "other"}.items():
        assert checkpoints.writable_folder(name) == folder
        checkpoints.write_card(folder, dataclasses.replace(checkpoints.read_card(name), temperature=2.5))
        assert checkpoints.writable_folder(name) == checkpoints.checkpoint_folder(name) == folder
        assert load_checkpoint(name)[1].temperature == 2.5
    assert {path: path.read_bytes() for path in package.rglob("*") if path.is_file()} == before
    assert checkpoints.writable_folder(tmp_path / "elsewhere") == tmp_path / "elsewhere"
