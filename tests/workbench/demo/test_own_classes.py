"""The demo and the report of `ferscope explain` with networks whose classes are not FER2013's: two, and a hundred."""

import csv
import io

import pytest
import torch
from helpers.own_networks import own_folder

from models import checkpoints, create_model
from models.checkpoints import Card, save_checkpoint
from workbench import faces
from workbench.analysis.colors import EMOTION_COLORS, class_colors
from workbench.commands import explain as report
from workbench.demo import choices, responses


@pytest.fixture(params=[("engaged", "bored"), tuple(f"word {i}" for i in range(100))], ids=["two", "a hundred"])
def own(request, tmp_path, monkeypatch):
    """The classes of the network that is the checkpoint `vanilla_cnn` here; residual_cnn has FER2013's."""
    with own_folder(tmp_path, monkeypatch) as folder:
        (folder / "checkpoints" / "residual_cnn").symlink_to(checkpoints.SHIPPED / "checkpoints" / "residual_cnn")
        card = Card(
            "vanilla_cnn", request.param, 32, 0.5, 0.25, "quick", "folders", "x", 0, 1, 1, "cpu", "bf16", 6.0, 1
        )
        torch.manual_seed(0)
        save_checkpoint(folder / "checkpoints" / "vanilla_cnn", create_model("vanilla_cnn", len(request.param)), card)
        yield request.param


@pytest.fixture(scope="module")
def photo() -> bytes:
    buffer = io.BytesIO()
    faces.sample_picture("astronaut").save(buffer, "PNG")
    return buffer.getvalue()


def test_the_demo_answers_with_the_classes_of_the_network(own, photo):
    probabilities = responses.predict(photo, "vanilla_cnn")
    assert tuple(probabilities) == own
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
    found = responses.sample("astronaut")
    *_, text, bars, _, _ = responses.explain_tab(found, 0, "vanilla_cnn", own[1], responses.METHODS[0])
    assert f"Prediction: {max(probabilities, key=probabilities.get)}" in text
    assert own[0] in bars
    with pytest.raises(ValueError, match="is not one of"):
        responses.explain(photo, "vanilla_cnn", "happy", responses.METHODS[0])
    assert choices.shared_classes(["vanilla_cnn"]) == own
    assert choices.shared_classes(["vanilla_cnn", "residual_cnn"]) == ()
    with pytest.raises(ValueError, match="class"):
        responses.compare_tab(found, 0, "vanilla_cnn", "residual_cnn", responses.PREDICTED)


def test_a_report_has_the_classes_of_the_network(own, photo, tmp_path):
    (tmp_path / "a.png").write_bytes(photo)
    report.main([str(tmp_path / "a.png"), "--network", "vanilla_cnn", "--out", str(tmp_path / "r.html")])
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert [name for name in row if name in own] == list(own)
    assert own[0] in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_classes_without_a_color_of_their_own_get_those_of_one_palette():
    colors = class_colors(("happy", "engaged", "bored", *(f"word {i}" for i in range(97))))
    assert colors[0] == EMOTION_COLORS["happy"]
    assert len(set(colors[1:10])) == 9
    assert len(colors) == 100
