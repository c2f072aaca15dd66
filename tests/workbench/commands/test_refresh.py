"""`ferscope refresh` updates what is computed from checkpoints, and reports what it did and skipped."""

from __future__ import annotations

import json

import pytest
from helpers.attention_networks import noise_faces, write_checkpoint
from helpers.checkpoint_folders import knows, put

from models import checkpoints, ensemble_selection
from models.checkpoints import read_card
from models.datasets import FaceSet
from workbench.commands import refresh
from workbench.services.metrics import leaderboard
from workbench.surveys import robustness
from workbench.surveys.gates import read_gates
from workbench.surveys.robustness import FILE
from workbench.surveys.sample import weights_digest

SMALL = {"overrides": {"width": 4}}


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    """Two small networks in the place of checkpoints/."""
    for module in (checkpoints, ensemble_selection, refresh):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(leaderboard, "STEPS", tmp_path / "results")
    monkeypatch.setattr(refresh, "verdicts", lambda: "3 not run")  # the claims' own tests ask for them
    put("vanilla_cnn", knows(range(5)), **SMALL)
    put("vanilla_cnn-quick-official-s1", knows(range(3, 7)), seed=1, **SMALL)
    return tmp_path


def test_temperatures_ensemble_and_page_are_made_and_a_second_call_leaves_them(shelf, tmp_path, capsys):
    call = ["--budget", "0m", "--data", str(tmp_path / "none.npz")]
    refresh.main(call)
    told = capsys.readouterr().out
    assert "none.npz does not exist, so nothing is measured on images" in told
    assert "was not fitted" in told
    assert "ensemble: vanilla_cnn, vanilla_cnn-quick-official-s1, written" in told
    assert "Papers: 3 not run" in told
    assert 0 < read_card("vanilla_cnn").temperature < 1
    assert "`vanilla_cnn` (" in (shelf / "README.md").read_text()
    before = {file: file.read_bytes() for file in shelf.rglob("*.*")}
    refresh.main(call)
    told = capsys.readouterr().out
    assert told.count("unchanged") == 4
    assert {file: file.read_bytes() for file in shelf.rglob("*.*")} == before


def test_a_network_whose_ancestors_have_seen_test_images_has_no_vote_and_is_named(shelf, tmp_path, capsys):
    put("vanilla_cnn-seen", knows(range(7)), seed=2, seen={"PublicTest": 70, "PrivateTest": 70}, **SMALL)
    refresh.main(["--budget", "0m", "--data", str(tmp_path / "none.npz")])
    told = capsys.readouterr().out
    assert "ensemble: vanilla_cnn, vanilla_cnn-quick-official-s1, written" in told
    assert "or may have: `vanilla_cnn-seen`." in told
    members = [(one.name, one.roles) for one in read_card("ensemble").ancestors]
    assert members == [("vanilla_cnn", ("member",)), ("vanilla_cnn-quick-official-s1", ("member",))]


def test_an_ensemble_that_helps_no_longer_is_taken_away(shelf, capsys):
    refresh.renew_ensemble(None, refresh.Budget(0, print), "cpu", print)
    assert (shelf / "ensemble" / "card.json").is_file()
    put("vanilla_cnn", knows(range(7)), **SMALL)
    refresh.renew_ensemble(None, refresh.Budget(0, print), "cpu", print)
    assert not (shelf / "ensemble").exists()
    told = capsys.readouterr().out
    assert "no other training run improves vanilla_cnn" in told
    assert "predict the same class on 71.4 % of PublicTest" in told


@pytest.fixture
def surveyed(monkeypatch):
    """What was asked of the survey, which takes a second for each curve."""
    asked = []

    def survey(name, faces, corruptions, limit, device):
        asked.append((name, *corruptions, limit))
        curves = json.loads((checkpoints.ROOT / name / FILE).read_text())["curves"] if len(asked) > 1 else {}
        corruption = robustness.CORRUPTIONS[corruptions[0]]
        n = len(corruption.values)
        curve = {"values": corruption.values, "accuracy": [0.5] * n, "interval": [[0.4, 0.6]] * n}
        weights = weights_digest(checkpoints.ROOT / name)
        question = {"part": "PrivateTest", "pictures": limit, "of": 3589, "seed": 0, "weights": weights, "data": "x"}
        curves[corruption.name] = curve
        (checkpoints.ROOT / name / FILE).write_text(json.dumps({**question, "curves": curves}))

    monkeypatch.setattr(refresh, "survey", survey)
    return asked


def test_missing_curves_and_those_of_other_weights_are_measured_while_time_remains(surveyed, monkeypatch, capsys):
    faces, plenty = FaceSet(*[[]] * 4), refresh.Budget(1e18, print)
    monkeypatch.setattr(refresh, "survey_minutes", lambda name, limit, corruptions: 1.0)
    refresh.renew_robustness("vanilla_cnn", faces, refresh.Budget(0, print), "cpu", print)
    assert surveyed == []
    assert (
        "vanilla_cnn: robustness, the first of 12 missing curves: skipped, about 1 minutes" in capsys.readouterr().out
    )
    refresh.renew_robustness("vanilla_cnn", faces, plenty, "cpu", print)
    assert [name for _, name, _ in surveyed] == list(robustness.CORRUPTIONS)
    assert {limit for *_, limit in surveyed} == {robustness.LIMIT}
    refresh.renew_robustness("vanilla_cnn", faces, plenty, "cpu", print)
    assert len(surveyed) == 12
    put("vanilla_cnn", knows(range(5)), overrides={"width": 5})
    refresh.renew_robustness("vanilla_cnn", faces, plenty, "cpu", print)
    assert len(surveyed) == 24


def test_gates_are_measured_alone_and_again_only_for_other_weights(shelf, tmp_path, monkeypatch, capsys):
    name, data = "mobilenet_v2_svd_hfc", tmp_path / "faces.npz"
    write_checkpoint(shelf / name, name)
    noise_faces().save(data)
    monkeypatch.setattr(refresh, "pace", lambda network: 0.01)
    call = ["--only", "attention", "--data", str(data), "--device", "cpu"]
    refresh.main([*call, "--budget", "0m"])
    told = capsys.readouterr().out
    assert f"{name}: attention.json: skipped, about" in told
    assert "vanilla_cnn" not in told, "it has no attention, and nothing else is renewed"
    refresh.main(call)
    assert f"{name}: attention.json measured on 28 images of PublicTest" in capsys.readouterr().out
    before = read_gates(name).sample.weights
    refresh.main(call)
    assert f"{name}: attention.json, unchanged" in capsys.readouterr().out
    write_checkpoint(shelf / name, name, seed=1)
    refresh.main(call)
    assert "attention.json measured on" in capsys.readouterr().out
    assert read_gates(name).sample.weights != before
    assert not (shelf / "README.md").exists()


def test_only_networks_that_ship_under_their_own_name_get_curves_the_ensemble_last():
    refresh.renew_ensemble(None, refresh.Budget(0, print), "cpu", print)
    assert refresh.shipped() == ["vanilla_cnn", "ensemble"]


def test_a_budget_without_sense_and_a_stopped_call_end_with_one_sentence(monkeypatch, capsys):
    with pytest.raises(SystemExit, match="write it as 25m"):
        refresh.main(["--budget", "25"])

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(refresh, "renew_temperature", stopped)
    with pytest.raises(SystemExit) as end:
        refresh.main(["--data", "none.npz"])
    assert end.value.code == 130
    assert "Run the same command again" in capsys.readouterr().err
