"""The result on drawn faces is that of the weights beside it, on faces that are the same everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.attention_networks import write_checkpoint

from models.checkpoints import CheckpointError, load_checkpoint
from models.datasets import DataError
from models.metrics import predict
from workbench.commands import drawn_faces as page
from workbench.services.metrics.leaderboard import results
from workbench.surveys import drawn_faces
from workbench.surveys.drawn_faces import FILE, read_drawn_faces, survey_drawn_faces


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(drawn_faces, "COUNT", 3)
    drawn_faces.drawn_faces.cache_clear()
    write_checkpoint(tmp_path / "net", "mobilenet_v1")
    yield tmp_path / "net"
    drawn_faces.drawn_faces.cache_clear()


def test_what_was_measured_is_what_the_weights_predict(folder):
    found, faces = survey_drawn_faces(folder), drawn_faces.drawn_faces()
    assert np.bincount(faces.labels).tolist() == [3] * 7
    right = predict(*load_checkpoint(folder), faces.images).argmax(-1) == torch.from_numpy(faces.labels)
    assert found.accuracy == float(right.double().mean())
    assert found.recall[faces.classes[2]] == float(right[faces.labels == 2].double().mean())
    assert read_drawn_faces(folder) == found
    assert found.data == faces.fingerprint


def test_it_is_measured_once_and_again_with_other_weights(folder, monkeypatch):
    survey_drawn_faces(folder)
    stored = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps({**stored, "accuracy": 0.5}))
    assert survey_drawn_faces(folder).accuracy == 0.5, "stored, not measured again"
    write_checkpoint(folder, "mobilenet_v1", seed=1)
    with pytest.raises(CheckpointError, match="other weights"):
        read_drawn_faces(folder)
    assert survey_drawn_faces(folder).accuracy != 0.5


def test_a_network_with_other_classes_is_refused(folder):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "classes": list("abcdefg")}))
    with pytest.raises(DataError, match="other classes"):
        survey_drawn_faces(folder)


def test_the_page_has_a_row_for_each_network_that_is_measured():
    rows = [line for line in page.section(results()) if line.startswith("| `")]
    measured = {r.name: r for r in results() if (Path("checkpoints") / r.name / FILE).is_file()}
    assert len(rows) == len(measured) > 1
    best = read_drawn_faces(rows[0].split("`")[1])
    assert best.accuracy == max(read_drawn_faces(name).accuracy for name in measured)
