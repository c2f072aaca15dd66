"""The list is trained one run after another, within its budget, and continues where it stopped."""

from __future__ import annotations

import dataclasses
import shutil
from types import SimpleNamespace

import pytest

from models import checkpoints, get_spec, load_checkpoint, zoo
from models.checkpoints import read_card
from models.evaluate import evaluate
from models.training import config as training_config
from models.training import engine
from models.training.recipes import RECIPES
from models.training.trainer import Trainer

LIST = """
[[run]]
network = "vanilla_cnn"
recipe = "tiny"
split = "official"
seed = 0
ships = true

[[run]]
network = "vanilla_cnn"
recipe = "tiny"
split = "official"
seed = 1
ships = false
"""


@pytest.fixture
def small_zoo(tmp_path, monkeypatch):
    """Two tiny runs, and a shelf and a folder for unfinished ones of their own."""
    (tmp_path / "zoo.toml").write_text(LIST)
    shelf, runs = tmp_path / "shelf", tmp_path / "unfinished"
    for module, name, value in (
        (zoo, "ROOT", shelf),
        (checkpoints, "ROOT", shelf),
        (zoo, "RUNS", runs),
        (training_config, "RUNS", runs),
    ):
        monkeypatch.setattr(module, name, value)
    read = zoo.read_list
    monkeypatch.setattr(zoo, "read_list", lambda: read(tmp_path / "zoo.toml"))
    tiny = {"epochs": 2, "batch_size": 32, "input_size": 16, "precision": "32-true", "threads": 1}
    monkeypatch.setitem(RECIPES, "tiny", tiny)
    return shelf


@pytest.mark.parametrize(("budget", "minutes"), [("25m", 25), ("1.5h", 90), ("90s", 1.5), ("0m", 0)])
def test_a_budget_is_written_with_its_unit(budget, minutes):
    assert zoo.minutes(budget) == pytest.approx(minutes)


@pytest.mark.parametrize("budget", ["25", "m", "-5m", "25 m", "1d", "", "25m5"])
def test_a_budget_without_sense_is_refused(budget):
    with pytest.raises(ValueError, match="write it as 25m"):
        zoo.minutes(budget)
    with pytest.raises(SystemExit, match="write it as 25m"):
        zoo.main([f"--budget={budget}"])


def test_the_list_names_networks_and_recipes_that_exist_and_ships_each_network_once():
    runs = zoo.read_list()
    assert len({run.name for run in runs}) == len(runs)
    for run in runs:
        assert get_spec(run.network).name == run.network
        assert run.config().recipe in RECIPES
    shipped = [run.network for run in runs if run.ships]
    assert len(set(shipped)) == len(shipped)
    assert "residual_cnn" in shipped


def test_the_list_is_trained_within_the_budget_and_goes_on_where_it_stopped(small_zoo, faces_npz, monkeypatch, capsys):
    first, second = zoo.read_list()
    zoo.main(["--budget", "0m"])
    assert capsys.readouterr().out.count("0 of 2 epochs") == 2
    with monkeypatch.context() as patched:  # the budget ends after one epoch of the first run
        patched.setattr(Trainer, "_out_of_time", lambda self: len(self.history) == 1)
        patched.setattr(zoo, "read_list", lambda: [first])
        zoo.main(["--budget", "5m", "--data", str(faces_npz), "--device", "cpu"])
    assert first.epochs_done() == 1
    assert not first.is_done()
    assert not small_zoo.exists()

    zoo.main(["--budget", "30m", "--data", str(faces_npz), "--device", "cpu"])
    assert first.is_done()
    assert second.is_done()
    shipped = {path.name for path in (small_zoo / "vanilla_cnn").iterdir()}
    assert shipped == {"model.safetensors", "card.json", "history.csv", "predictions.npz"}
    assert {path.name for path in second.shelf.iterdir()} == shipped - {"model.safetensors"}
    assert second.shelf == small_zoo / "experiments" / "vanilla_cnn-tiny-official-s1"
    assert (read_card(first.shelf).seed, read_card(second.shelf).seed) == (0, 1)
    load_checkpoint(first.shelf)
    assert len((first.shelf / "history.csv").read_text().splitlines()) == 3
    assert "done" in capsys.readouterr().out

    def nothing_left(config):
        raise AssertionError("nothing was left to train")

    monkeypatch.setattr(engine, "train", nothing_left)
    zoo.main(["--budget", "30m", "--data", str(faces_npz), "--device", "cpu"])


def test_a_run_is_measured_where_it_was_trained(small_zoo, faces_npz, monkeypatch):
    asked, runs = [], zoo.read_list()[:1]
    monkeypatch.setattr(zoo, "read_list", lambda: runs)
    monkeypatch.setattr(zoo, "device_of", lambda name: f"{name} of this test")
    monkeypatch.setattr(zoo, "finish", lambda run, faces, device: asked.append(device))
    monkeypatch.setattr(zoo.ZooRun, "epochs_done", lambda run: run.config().epochs)
    zoo.main(["--budget", "5m", "--data", str(faces_npz), "--device", "cuda"])
    assert asked == ["cuda of this test"]


def test_epochs_of_the_list_replace_the_recipes_and_stand_in_the_name():
    run = zoo.ZooRun("vanilla_cnn", "paper-c", "official", 0, ships=False, settings={"epochs": 6})
    assert run.name == "vanilla_cnn-paper-c-epochs.6-official-s0"
    assert run.config().epochs == 6
    assert run.config().learning_rate == RECIPES["paper-c"]["learning_rate"]


def test_a_run_with_other_epochs_than_the_lists_is_not_done(small_zoo, monkeypatch):
    card = SimpleNamespace(network="vanilla_cnn", recipe="tiny", split="official", seed=0, overrides={}, epochs=2)
    card.metrics, card.start = {"PublicTest": {}}, None
    monkeypatch.setattr(zoo, "read_card", lambda folder: card)
    assert zoo.ZooRun("vanilla_cnn", "tiny", "official", 0, ships=False).is_done()
    assert zoo.ZooRun("vanilla_cnn", "tiny", "official", 0, ships=False, settings={"epochs": 2}).is_done()
    assert not zoo.ZooRun("vanilla_cnn", "tiny", "official", 0, ships=False, settings={"epochs": 3}).is_done()


def test_only_the_named_runs_are_trained_and_an_unknown_name_is_refused(small_zoo, faces_npz, capsys):
    first, second = zoo.read_list()
    zoo.main(["--budget", "30m", "--data", str(faces_npz), "--device", "cpu", "--only", second.name])
    assert second.is_done()
    assert not first.is_done()
    with pytest.raises(SystemExit, match=f"the nearest is {second.name}"):
        zoo.main(["--budget", "0m", "--only", f"{second.name}1"])


def test_a_changed_network_has_a_folder_of_its_own_and_is_not_done_by_the_plain_one(small_zoo, finished_run, faces):
    run = zoo.ZooRun("vanilla_cnn", "quick", "official", 0, ships=True, overrides={"width": 4})
    assert run.name == "vanilla_cnn-width.4-quick-official-s0"
    assert run.config().overrides == {"width": 4}
    assert run.config().folder.name == run.name
    shutil.copytree(finished_run, run.shelf)
    evaluate(run.shelf, faces, ("plain",))
    assert run.is_done()
    assert not zoo.ZooRun("vanilla_cnn", "quick", "official", 0, ships=True).is_done()


def test_weights_that_ship_replace_those_of_an_earlier_run_whose_figures_are_kept(small_zoo, faces_npz, monkeypatch):
    longer, other = zoo.read_list()
    earlier = zoo.ZooRun("vanilla_cnn", "tiny", "official", 2, ships=False)
    monkeypatch.setattr(zoo, "read_list", lambda: [earlier, longer, other])
    zoo.main(["--budget", "30m", "--data", str(faces_npz), "--device", "cpu", "--only", earlier.name])
    earlier.shelf.rename(longer.shelf)  # as it was while it was the run that ships
    assert earlier.is_done()
    assert not longer.is_done()
    before = read_card(longer.shelf)
    zoo.main(["--budget", "30m", "--data", str(faces_npz), "--device", "cpu", "--only", longer.name])
    assert longer.is_done()
    assert earlier.is_done()
    assert read_card(earlier.shelf) == before
    assert sorted(path.name for path in earlier.shelf.iterdir()) == ["card.json", "history.csv", "predictions.npz"]


def test_a_run_that_starts_from_another_is_not_done_by_one_from_random_weights(small_zoo, faces_npz):
    first, _ = zoo.read_list()
    zoo.main(["--budget", "30m", "--data", str(faces_npz), "--device", "cpu", "--only", first.name])
    assert first.is_done()
    assert not dataclasses.replace(first, start_from="another").is_done()


def test_a_set_that_is_not_there_ends_the_command_with_one_sentence(small_zoo, tmp_path):
    with pytest.raises(SystemExit, match="ferscope data import"):
        zoo.main(["--budget", "5m", "--data", str(tmp_path / "none.npz")])


def test_the_list_is_not_done_by_a_checkpoint_of_another_run(small_zoo, finished_run, faces):
    first, _ = zoo.read_list()
    shutil.copytree(finished_run, first.shelf)
    assert not first.is_done()
    evaluate(first.shelf, faces, ("plain",))
    assert read_card(first.shelf).recipe == "quick"
    assert not first.is_done()
