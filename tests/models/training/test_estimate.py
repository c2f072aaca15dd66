"""How long a training run would take, from ten steps of each kind of epoch."""

from __future__ import annotations

import json

import pytest

from models.training import estimate
from models.training.config import Phase


def test_the_estimate_counts_steps_and_keeps_nothing(make_config, tmp_path):
    found = estimate.measure(make_config(tmp_path / "run", epochs=6))
    assert list(tmp_path.iterdir()) == []
    assert (found["epochs"], found["steps"], found["device"]) == (6, 3, "cpu, threads: 1")
    assert found["total_seconds"] >= 5.99 * found["seconds_per_epoch"] > 0


def test_each_kind_of_epoch_is_measured_once_and_counts_as_often_as_it_comes(make_config, tmp_path, monkeypatch):
    seconds = {1: 1.0, 3: 2.0, 4: 10.0}  # of a step, by the epoch that is measured
    asked = []
    monkeypatch.setattr(estimate, "_seconds_of_a_step", lambda trainer, epoch: asked.append(epoch) or seconds[epoch])
    monkeypatch.setattr(estimate, "_seconds_of_evaluation", lambda trainer: 5.0)
    phases = (Phase(epochs=3, learning_rate=0.1, trained_stages=0), Phase(epochs=1, learning_rate=0.1))
    values = {"model": "resnet18", "overrides": {}, "growing_sizes": (64,), "input_size": 72, "phases": phases}
    config = make_config(tmp_path / "run", **values | {"epochs": 4})
    found = estimate.measure(config)
    assert asked == [1, 3, 4]
    assert found["steps"] == 3
    assert found["seconds_per_epoch"] == pytest.approx((2 * (3 + 5) + (6 + 5) + (30 + 5)) / 4)
    short = estimate.measure(config.model_copy(update={"minutes": 0.3}))
    assert short["epochs"] == 2
    assert short["total_seconds"] == pytest.approx(2 * (3 + 5), abs=10)


def test_the_command_prints_json_or_ends_with_one_sentence(make_config, tmp_path, capsys):
    (tmp_path / "config.json").write_text(make_config(tmp_path / "run").model_dump_json())
    estimate.main(["--config", str(tmp_path / "config.json")])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["epochs"] == 4
    (tmp_path / "config.json").write_text(make_config(tmp_path / "run", data=tmp_path / "no.npz").model_dump_json())
    with pytest.raises(SystemExit) as end:
        estimate.main(["--config", str(tmp_path / "config.json")])
    assert "no.npz" in end.value.code
    assert "\n" not in end.value.code
