"""`ferscope networks`: what is not given is asked for by its option, and one table says how weights fit."""

import pytest
import torch
from helpers.own_networks import file_in, own_folder

from models import checkpoints, create_model
from workbench.commands import networks


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with own_folder(tmp_path, monkeypatch) as folder:
        yield folder


def test_weights_are_added_listed_and_removed(own, capsys):
    weights = create_model("vanilla_cnn", 3, width=4).state_dict()
    torch.save({"module." + name: value for name, value in weights.items()}, own / "model.pth")
    options = ["--network", "vanilla_cnn", "--options", "width", "4", "--mean", "0.5", "--std", "0.25"]
    with pytest.raises(SystemExit, match=r"Names of the 3 classes.*--classes"):
        networks.main(["add", "model.pth", *options])
    networks.main(["add", "model.pth", *options, "--classes", "calm", "tense", "other"])
    said = capsys.readouterr().out
    assert 'The prefix "module." was removed' in said
    assert "matched" in said
    assert "Added as model" in said
    assert checkpoints.read_card("model").classes == ("calm", "tense", "other")
    networks.main(["list"])
    assert "weights of vanilla_cnn" in capsys.readouterr().out
    networks.main(["rm", "model"])
    assert not (checkpoints.ROOT / "model").exists()


def test_weights_of_another_architecture_are_refused_after_the_table(own, capsys):
    torch.save(create_model("vanilla_cnn", 3, width=4).state_dict(), own / "model.pth")
    more = ["--classes", "a", "b", "c", "--mean", "0.5", "--std", "0.2"]
    with pytest.raises(SystemExit, match="weights are missing or have other shapes"):
        networks.main(["add", "model.pth", "--network", "residual_cnn", *more])
    assert "missing" in capsys.readouterr().out
    assert not (checkpoints.ROOT / "model").exists()


def test_a_python_file_is_added_by_the_command_line(own, capsys):
    networks.main(["add", "--file", str(file_in(own))])
    assert "user_rgb: RGB network of a user" in capsys.readouterr().out
    networks.main(["list"])
    assert "user_rgb" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="Nothing to add"):
        networks.main(["add"])
