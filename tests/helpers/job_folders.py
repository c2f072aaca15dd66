"""Jobs that nobody trained: their files as a training run leaves them, for tests of what is shown of them."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from models import create_model
from models.checkpoints import Card, half_precision, save_checkpoint
from models.datasets.synthetic.sets import drawn_set
from models.training.config import TrainConfig
from workbench.jobs import store
from workbench.jobs.store import Job
from workbench.services.dataset import imported


def at(folder: Path, monkeypatch) -> Path:
    """Jobs, own pictures and sets lie in this folder, which is empty at first."""
    monkeypatch.setattr(store, "ROOT", folder / "jobs")
    monkeypatch.setattr(store, "OWN", folder / "own")
    monkeypatch.setattr(imported, "FOLDER", folder / "data")
    return folder


def drawn(folder: Path, count: int = 2) -> Path:
    """A small drawn set, as a file."""
    path = folder / "tiny.npz"
    if not path.is_file():
        drawn_set(count).faces.save(path)
    return path


def job(
    data: Path, state: str = "done", epochs: int = 3, done: int = 3, title: str = "Tiny", weights: bool = True, **values
) -> Job:
    """A job with a history of `done` epochs, its checkpoint and the weights of each epoch."""
    id_ = store.new_id("vanilla_cnn")
    folder = store.ROOT / id_
    config = TrainConfig(model="vanilla_cnn", data=data, epochs=epochs, out=folder, resume=True)
    now = time.time()
    made = Job(id_, folder, title, state, "vanilla_cnn", epochs, now, started=now, runs=1, **values)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config.model_dump_json())
    rows = [
        {
            "epoch": n, "learning_rate": 0.05, "train_loss": 2 / n, "train_accuracy": n / (done + 1),
            "validation_loss": 2.1 / n, "validation_accuracy": 0.2 * min(n, 2), "test_accuracy": 0.1, "seconds": 2.0,
        }
        for n in range(1, done + 1)
    ]  # fmt: skip
    events = [{"event": "started", "time": now, "epoch": 0}, *({"event": "epoch", "time": now, **row} for row in rows)]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    (folder / "log.txt").write_text("epoch 1\n")
    if rows:
        with (folder / "history.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    if weights:
        _weights(folder, done)
    with store.locked():
        store.write(made)
    return store.read(id_)


def _weights(folder: Path, done: int) -> None:
    classes = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    (folder / "epochs").mkdir()
    for n in range(1, done + 1):
        torch.manual_seed(n)
        model = create_model("vanilla_cnn")
        (folder / "epochs" / f"{n}.safetensors").write_bytes(safetensors.torch.save(half_precision(model)))
        facts = ("vanilla_cnn", classes, 48, 0.5, 0.25, "quick", "official", "x", 0, n, min(n, 2))
        card = Card(*facts, "cpu", "32-true", 6, 1)
        if n == 2 or done == 1:
            save_checkpoint(folder, model, card)


def gray(seed: int) -> np.ndarray:
    """A gray picture of noise, uint8 (48, 48)."""
    return np.random.default_rng(seed).integers(0, 256, (48, 48), np.uint8)
