"""`ferscope networks`: what is not given is asked for by its option, and one table says how weights fit."""

import numpy as np
import pytest
import torch
from helpers.own_networks import file_in, own_folder

from models import checkpoints, create_model
from models.datasets import FaceSet
from workbench.commands import export, networks


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
    assert "half precision" not in said
    assert 'The prefix "module." was removed' in said
    assert "matched" in said
    assert "Added as model" in said
    assert checkpoints.read_card("model").classes == ("calm", "tense", "other")
    networks.main(["list"])
    assert "weights of vanilla_cnn" in capsys.readouterr().out
    networks.main(["rm", "model"])
    assert not (checkpoints.ROOT / "model").exists()


def test_channels_follow_the_weights_or_kernels_are_converted(own, capsys):
    torch.save(create_model("vanilla_cnn", 3, width=4, channels=3).state_dict(), own / "rgb.pth")
    options = ["--network", "vanilla_cnn", "--options", "width", "4", "--mean", "0.5", "--std", "0.25"]
    options += ["--classes", "calm", "tense", "other"]
    networks.main(["add", "rgb.pth", *options])
    assert "RGB" in capsys.readouterr().out
    networks.main(["add", "rgb.pth", *options, "--channels", "1", "--name", "gray"])
    assert "block1.1.weight (its input channels)" in capsys.readouterr().out
    (rgb, card), (gray, gray_card) = (checkpoints.load_checkpoint(name) for name in ("rgb", "gray"))
    assert (card.channels, card.color, gray_card.channels, gray_card.color) == (3, True, 1, False)
    x = torch.randn(2, 1, 48, 48)
    with torch.no_grad():
        torch.testing.assert_close(gray(x), rgb(x.expand(-1, 3, -1, -1)), atol=1e-3, rtol=1e-2)


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


def test_half_precision_is_noted_and_a_folder_with_a_card_is_added_and_measured(own, capsys):
    half = {name: value.half() for name, value in create_model("vanilla_cnn", 3, width=4).state_dict().items()}
    torch.save(half, own / "model.pth")
    options = ["--network", "vanilla_cnn", "--options", "width", "4", "--mean", "0.5", "--std", "0.25"]
    networks.main(["add", "model.pth", *options, "--classes", "calm", "tense", "other", "--name", "first"])
    assert "half precision (float16)" in capsys.readouterr().out
    export.main(["first", "--to", "hub-folder", "--out", "hub"])
    images = np.random.default_rng(0).integers(0, 256, (6, 48, 48), np.uint8)
    names, splits = np.array([f"{i}" for i in range(6)]), np.array(["PrivateTest"] * 6)
    FaceSet(images, np.arange(6) % 3, names, splits, ("calm", "tense", "other")).save(own / "mine.npz")
    networks.main(["add", "hub", "--name", "again", "--measure", "mine.npz"])
    said = capsys.readouterr().out
    assert "Added as again" in said
    assert "Stored in the card of again" in said
    first, again = (checkpoints.load_checkpoint(name) for name in ("first", "again"))
    assert torch.equal(first[0].classifier.weight, again[0].classifier.weight)
    assert set(again[1].metrics) == {"PrivateTest"}
    assert not first[1].metrics
    with pytest.raises(SystemExit, match="already"):
        networks.main(["add", "hub", "--name", "again"])
