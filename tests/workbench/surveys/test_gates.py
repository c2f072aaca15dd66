"""Statistics of gates are kept beside the weights that they were measured with, and are never taken for others'."""

from __future__ import annotations

import json
from math import isnan
from pathlib import Path

import pytest
import torch
from helpers.attention_networks import noise_faces, write_checkpoint

from models.checkpoints import CheckpointError
from models.datasets import FaceSet
from workbench.surveys import gates
from workbench.surveys.gates import FILE, read_gates, survey_gates

SVD = "mobilenet_v2_svd_hfc"


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    return noise_faces()


@pytest.fixture
def folder(tmp_path) -> Path:
    write_checkpoint(tmp_path / "net", SVD)
    return tmp_path / "net"


@pytest.fixture
def measured(monkeypatch) -> list[int]:
    """How many images each measurement took."""
    counts, measure = [], gates.gate_statistics

    def counted(model, x, **more):
        counts.append(len(x))
        return measure(model, x, **more)

    monkeypatch.setattr(gates, "gate_statistics", counted)
    return counts


def test_what_was_measured_is_read_again_and_holds_no_image(folder, faces):
    told = []
    found = survey_gates(folder, faces, limit=14, progress=lambda done, total: told.append((done, total)))
    stored = read_gates(folder)
    assert stored.sample == found.sample
    assert stored.sample.part == "PublicTest", "the validation set: none that it was trained on"
    assert (stored.sample.pictures, stored.sample.of) == (14, 28)
    assert stored.pixels == found.pixels
    assert told[-1] == (1 + 2 * 7 + 2, 1 + 2 * 7 + 2)
    assert [m.layer for m in stored.modules] == [m.layer for m in found.modules]
    assert stored.modules[-1].layer == ""
    for one, other in zip(found.modules, stored.modules, strict=True):
        assert (one.changed_mean, one.changed_off) == (other.changed_mean, other.changed_off)
        for a, b in zip(one.gates, other.gates, strict=True):
            assert a.gate == b.gate
            assert (a.saturated, a.deviation, a.changed_mean) == (b.saturated, b.deviation, b.changed_mean)
            assert a.fixed == b.fixed or (isnan(a.fixed) and isnan(b.fixed))
            assert a.constant == b.constant
            assert (a.mean_map is None) == (b.mean_map is None)
            if a.mean_map is not None:
                torch.testing.assert_close(a.mean_map, b.mean_map, atol=1e-4, rtol=0)
    assert (folder / FILE).stat().st_size < 100_000


def test_a_second_call_measures_only_for_other_weights_or_other_images(folder, faces, measured):
    for _ in range(2):
        survey_gates(folder, faces, limit=14)
    assert measured == [14]
    survey_gates(folder, faces, limit=14, seed=1)
    survey_gates(folder, faces, limit=7, seed=1)
    assert measured == [14, 14, 7]
    write_checkpoint(folder, SVD, seed=1)
    with pytest.raises(CheckpointError, match=r"other weights.*ferscope refresh --only attention"):
        read_gates(folder)
    survey_gates(folder, faces, limit=7, seed=1)
    assert measured == [14, 14, 7, 7]
    assert read_gates(folder).sample.pictures == 7


def test_a_missing_file_and_a_damaged_one_are_distinguished(folder, faces, measured):
    with pytest.raises(CheckpointError, match=rf"{FILE} is not there. Measure it: ferscope refresh"):
        read_gates(folder)
    survey_gates(folder, faces, limit=7)
    whole = json.loads((folder / FILE).read_text())
    for damaged in ("{", "[]", json.dumps(whole | {"modules": [{}]})):
        (folder / FILE).write_text(damaged)
        with pytest.raises(CheckpointError, match="has no valid gate statistics"):
            read_gates(folder)
    survey_gates(folder, faces, limit=7)
    assert measured == [7, 7]
    assert read_gates(folder).modules


def test_a_network_without_gates_is_refused(tmp_path, faces):
    write_checkpoint(tmp_path / "plain", "mobilenet_v2")
    with pytest.raises(ValueError, match="no attention gates"):
        survey_gates(tmp_path / "plain", faces, limit=7)
