"""One training run in two processes: the same global batch gives the same loss curve."""

from __future__ import annotations

import csv
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from models import create_model, registry
from models.checkpoints import read_card
from models.datasets import FaceSet
from models.datasets.splits import split
from models.preprocessing import normalize, to_unit
from models.training import resume
from models.training.events import read_events

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="torchrun starts processes as POSIX does"),
    pytest.mark.xdist_group("several-processes"),  # they share two training runs
]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone")

# Normalized within each image, so that the two halves of a batch need nothing of each other.
SCRIPT = """
import sys
from pathlib import Path
import torch.distributed as dist
from torch import nn
from models.registry import register_model
from models.train import main

@register_model("group_norm", paper="C", title="Group norm", smallest_side=8, stages=(("0", "1"), ("3", "4")))
def build(num_classes=7, pretrained=False):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2), nn.GroupNorm(2, 8), nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2), nn.GroupNorm(2, 16), nn.ReLU(),
        nn.Flatten(), nn.Linear(16 * 3 * 3, num_classes),
    )

main(["--config", sys.argv[1]])
assert not dist.is_initialized()
threads = [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")]
assert not any("gloo" in name for name in threads), f"a process that exits while these run may abort: {threads}"
"""


def configured(config) -> str:
    file = config.folder.with_suffix(".json")
    file.write_text(config.model_dump_json())
    return str(file)


def history(config) -> list[dict[str, float]]:
    with (config.folder / "history.csv").open(newline="") as table:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(table)]


def in_this_process(config, script: Path, monkeypatch) -> list[dict[str, float]]:
    monkeypatch.setattr(registry, "_SPECS", dict(registry._SPECS))  # the network of the script goes with the test
    monkeypatch.setattr(sys, "argv", [str(script), configured(config)])
    runpy.run_path(str(script))
    return history(config)


def in_two_processes(script: Path, config) -> None:
    """Train by a torchrun of its own: a second process group in the same one can wait for the first one's keys."""
    done = subprocess.run(
        [sys.executable, *TORCHRUN, "--nproc-per-node=2", script, configured(config)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def trained(make_config, tmp_path_factory):
    """The script, and two training runs in two processes: of its network in two phases, and of one with batch norm."""
    folder = tmp_path_factory.mktemp("processes")
    script = folder / "script.py"
    script.write_text(SCRIPT)
    phases = [{"epochs": 1, "learning_rate": 0.1, "trained_stages": 1}, {"epochs": 2, "learning_rate": 0.05}]
    alike = {"model": "group_norm", "overrides": {}, "augmentation": "none", "epochs": 3, "phases": phases}
    alike |= {"batch_size": 31, "class_weights": "inverse"}  # the two parts of a batch do not weigh alike
    curve = make_config(folder / "two", **alike, growing_sizes=())
    statistics = make_config(folder / "run", epochs=1, growing_sizes=())
    in_two_processes(script, curve)
    in_two_processes(script, statistics)
    return script, curve, statistics


def test_two_processes_give_the_loss_curve_of_one_also_when_stages_thaw(trained, tmp_path, monkeypatch):
    """Through two phases, so that the processes agree again on what trains."""
    script, config, _ = trained
    alone = config.model_copy(update={"out": tmp_path / "one"})
    one, two = in_this_process(alone, script, monkeypatch), history(config)
    for alone, together in zip(one, two, strict=True):
        for key in ("train_loss", "validation_loss"):
            assert together[key] == pytest.approx(alone[key], abs=1e-4)
    assert one[-1]["train_loss"] < one[0]["train_loss"]
    assert read_card(config.folder).device.endswith("processes: 2")
    kinds = [e["event"] for e in read_events(config.folder / "events.jsonl") if e["event"] != "progress"]
    assert kinds == ["started", "epoch", "epoch", "epoch", "finished"]  # one process writes


def test_two_processes_measure_with_the_statistics_of_batch_norm_that_are_kept(trained):
    """Each saw its own images; what is measured, and chooses the epoch, must be the network that is written."""
    *_, config = trained
    (row,) = history(config)
    network = create_model(config.model, **config.overrides)
    resume.load_networks(config.folder, network, None)
    part = split(FaceSet.load(config.data), config.split).validation
    card = read_card(config.folder)
    x = normalize(to_unit(torch.from_numpy(part.images), card.input_size), card.mean, card.std)
    with torch.no_grad():
        loss = F.cross_entropy(network.eval()(x), torch.from_numpy(part.labels))
    assert row["validation_loss"] == pytest.approx(loss.item(), abs=1e-5)
