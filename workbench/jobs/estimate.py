"""How long a training run would take on this computer, measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from models.files import write_json
from models.paths import CODE
from models.training.config import TrainConfig

from . import processes, requests
from .store import JobError


@dataclass(frozen=True)
class Estimate:
    """Estimated duration of a training run on this computer, from ten measured steps of each kind of epoch.

    Attributes:
        seconds_per_epoch: mean over all epochs, with evaluation on validation and test set.
        total_seconds: duration of `epochs`, with the start of the process.
        epochs: epochs within the time limit: `config.epochs`, or fewer if `config.minutes` ends it before.
        steps: optimizer steps in one epoch.
        device: device on which it was measured, e.g. "cpu, threads: 1".
    """

    seconds_per_epoch: float
    total_seconds: float
    epochs: int
    steps: int
    device: str


def estimate_duration(config: TrainConfig, patience: float = 300.0) -> Estimate:
    """Measure how long a training run would take, in a separate process; nothing is stored.

    It takes about ten seconds, mostly to start the process.

    Args:
        config: configuration of the training run, as for `submit`.
        patience: timeout in seconds.

    Raises:
        JobError: unknown network, missing data, or initial weights of another network; the process failed, with its
            message; or it took longer than `patience`.
    """
    config = requests.complete(config)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        write_json(file, config.model_dump(mode="json"))
        child = subprocess.Popen(
            [sys.executable, "-m", "models.training.estimate", "--config", str(file)],
            cwd=CODE,
            env=processes.environment(config.threads or 1),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.lower_priority(child.pid)
        try:
            output, errors = child.communicate(timeout=patience)
        except subprocess.TimeoutExpired as error:
            raise JobError(
                f"Ten steps take more than {patience:g} seconds: choose a smaller network or dataset."
            ) from error
        finally:
            child.kill()
            child.wait()
    if child.returncode != 0:
        lines = errors.strip().splitlines() or [f"the process ended with code {child.returncode} without a message."]
        raise JobError(f"This cannot be trained: {lines[-1][:300]}")
    return Estimate(**json.loads(output.strip().splitlines()[-1]))
