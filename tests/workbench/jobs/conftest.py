"""A folder of its own for the jobs of each test."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.running_jobs import ACTS, SCRIPT

from models import checkpoints
from models.training.config import TrainConfig
from workbench.jobs import processes, runner, store
from workbench.jobs.store import Job


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """Where the jobs of this test lie; whatever still runs at its end is ended."""
    monkeypatch.setattr(store, "ROOT", tmp_path / "runs" / "jobs")
    monkeypatch.setattr(store, "OWN", tmp_path / "runs" / "own")
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    yield store.ROOT
    for job in store.jobs():
        processes.end_now(job)
    for child in processes._children.values():
        child.wait(10)
    processes._children.clear()


@pytest.fixture
def acting(place, tmp_path, monkeypatch) -> Callable[..., Job]:
    """Submits a job whose process does what its title says."""

    def command(job: Job) -> list[str]:
        return [sys.executable, "-S", "-E", "-c", SCRIPT.replace("ACT", ACTS[job.title]), str(job.folder)]

    monkeypatch.setattr(processes, "command", command)
    (tmp_path / "faces.npz").write_bytes(b"a set")

    def submit(title: str = "works on", **values) -> Job:
        belongs_to = values.pop("belongs_to", None)
        config = {"model": "vanilla_cnn", "data": tmp_path / "faces.npz", "device": "cpu"} | values
        return runner.submit(TrainConfig(**config), title, belongs_to)

    return submit
