"""Training runs as jobs: killed at random moments, stopped, resumed, out of memory; one by the command itself."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.running_jobs import ended, until

from models.checkpoints import load_checkpoint
from models.datasets.synthetic.sets import drawn_set
from models.training.engine import train
from workbench.jobs import processes, runner, store

pytestmark = pytest.mark.skipif(os.name != "posix", reason="fork and SIGKILL of POSIX")
ROOT = Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("job_kills", ROOT / "benchmarks" / "job_kills.py")
job_kills = sys.modules["job_kills"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(job_kills)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("drawn") / "drawn.npz"
    drawn_set(4, size=24).faces.save(path)
    return path


@pytest.fixture
def training(place, monkeypatch):
    """Jobs here do not step back behind the other tests; and one thread computes, here and there."""
    monkeypatch.setattr(processes, "_NICENESS", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def forking(training, monkeypatch):
    """Processes begin at once, because they have torch already."""
    monkeypatch.setattr(processes, "Popen", job_kills.Forked)


def test_ten_kills_at_random_moments_leave_nothing_half_and_the_curve_is_the_same(forking, drawn, monkeypatch):
    monkeypatch.setattr(
        job_kills, "subprocess", SimpleNamespace(Popen=job_kills.Forked)
    )  # each of them, for their time
    account = job_kills.Ordeal(job_kills.tiny(drawn, epochs=12), kills=10, rng=random.Random(0)).suffer()
    assert account.damages == []
    assert account.moments.total() == 10
    assert account.states.keys() <= {"failed", "lost"}


def test_the_check_of_the_kills_sees_what_is_half(forking, drawn, tmp_path):
    job = ended(runner.submit(job_kills.tiny(drawn, epochs=2), "whole").id)
    assert job.state == "done", store.log_tail(job)
    assert job_kills.damages(job) == []
    for name in ("model.safetensors", "state.safetensors", "epochs/1.safetensors", "history.csv"):
        whole = (job.folder / name).read_bytes()
        (job.folder / name).write_bytes(whole[: len(whole) // 2])
        assert job_kills.damages(job), name
        (job.folder / name).write_bytes(whole)
    other = ended(runner.submit(job_kills.tiny(drawn, epochs=3), "another").id)
    assert job_kills.same(job, job) == []
    assert len(job_kills.same(job, other)) >= 3
    shutil.rmtree(other.folder)


def test_a_job_with_too_large_a_batch_fails_alone_and_says_which_would_fit(forking, drawn, monkeypatch):
    class Little:
        available = 2**30

    monkeypatch.setattr("models.training.memory.psutil.virtual_memory", Little)
    config = job_kills.tiny(drawn, epochs=1).model_copy(update={"overrides": {}, "input_size": 96, "batch_size": 512})
    job = ended(runner.submit(config, "large").id)
    assert job.state == "failed"
    assert "try --batch-size" in job.message


def test_minutes_that_are_used_up_are_given_again(forking, drawn):
    config = job_kills.tiny(drawn, epochs=3).model_copy(update={"minutes": 1e-9})
    job = ended(runner.submit(config, "short").id)
    assert (job.state, job.paused, job.resumable) == ("done", True, True), job.message


def test_a_job_of_the_command_itself_is_stopped_and_goes_on_to_the_same_curve(training, drawn, tmp_path, monkeypatch):
    config = job_kills.tiny(drawn, epochs=30)
    job = runner.submit(config, "stopped")
    until(job.id, lambda job: len(store.history(job)) >= 2, seconds=240)
    assert runner.stop(job.id).state == "stopping"
    job = ended(job.id)
    assert (job.state, job.resumable) == ("cancelled", True), job.message
    done = len(store.history(job))
    assert 2 <= done < 30
    assert f"{done} of 30 epochs are complete" in job.message
    assert load_checkpoint(job.folder)[1].epochs <= done + 1  # the checkpoint is written just before the history
    monkeypatch.setattr(processes, "Popen", job_kills.Forked)
    runner.resume(job.id)
    job = ended(job.id, seconds=240)
    assert (job.state, job.message, job.runs) == ("done", "", 2), store.log_tail(job)
    train(config.model_copy(update={"out": tmp_path / "whole"}))
    whole = store.Job("x", tmp_path / "whole", "", "done", config.model, 30, 0.0)
    assert job_kills.same(whole, job) == []
