"""The estimated duration: call of the measuring process, and its errors."""

from __future__ import annotations

import json
import os
import time

import pytest

from models.training.config import TrainConfig
from workbench.jobs import estimate, limits
from workbench.jobs.store import JobError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a script of the shell stands in for Python")
ANSWER = {"seconds_per_epoch": 2.0, "total_seconds": 30.0, "epochs": 12, "steps": 4, "device": "cpu, threads: 1"}


@pytest.fixture
def config(tmp_path) -> TrainConfig:
    (tmp_path / "faces.npz").write_bytes(b"a set")
    return TrainConfig(model="vanilla_cnn", data=tmp_path / "faces.npz", threads=1)


@pytest.fixture
def says(tmp_path, monkeypatch):
    """Lets the process that measures do this."""

    def put(line: str) -> None:
        script = tmp_path / "python"
        script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat "$4" >> {tmp_path}/asked\n{line}\n')
        script.chmod(0o755)
        monkeypatch.setattr(estimate.sys, "executable", str(script))

    return put


def test_the_last_line_of_the_process_is_the_estimate(config, says, tmp_path, place):
    says(f"echo a word before; echo '{json.dumps(ANSWER)}'")
    assert estimate.estimate_duration(config) == estimate.Estimate(**ANSWER)
    asked, _, saved = (tmp_path / "asked").read_text().partition("\n")
    assert asked.startswith("-m models.training.estimate --config ")
    assert TrainConfig.model_validate_json(saved).minutes == limits.LIMITS.minutes
    assert not place.exists()


def test_why_it_cannot_be_trained_is_passed_on(config, says):
    says("echo Traceback >&2; echo 'try --batch-size 4.' >&2; exit 1")
    with pytest.raises(JobError, match=r"^This cannot be trained: try --batch-size 4\.$"):
        estimate.estimate_duration(config)
    says("exit 3")
    with pytest.raises(JobError, match="ended with code 3 without a message"):
        estimate.estimate_duration(config)


def test_one_that_takes_too_long_is_ended(config, says):
    says("exec sleep 60")
    start = time.monotonic()
    with pytest.raises(JobError, match=r"Ten steps take more than 0\.2 seconds"):
        estimate.estimate_duration(config, patience=0.2)
    assert time.monotonic() - start < 30
