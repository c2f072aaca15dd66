"""Statistics of gates for the page Attention: stored ones if they are of these weights, else those of drawn faces."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers.attention_networks import noise_faces, write_checkpoint

from models import checkpoints, get_spec
from workbench import services
from workbench.surveys.gates import FILE, survey_gates

NETWORK = "mobilenet_v2_svd_hfc"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured") / NETWORK
    write_checkpoint(folder, NETWORK)
    survey_gates(folder, noise_faces(), limit=14)
    return folder


@pytest.fixture
def shelf(measured, tmp_path, monkeypatch):
    """One checkpoint whose gates are measured on 14 images."""
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    return Path(shutil.copytree(measured, tmp_path / NETWORK))


def test_stored_statistics_say_which_images_they_are_of(shelf):
    found = services.gates.stored_gates(NETWORK)
    assert (found.count, found.live) == (14, "")
    assert found.images == "14 images of PublicTest (seed 0)"
    assert [module.layer for module in found.modules] == [*get_spec(NETWORK).attention_layers, ""]
    assert found.of("attention.after0") is found.modules[0]
    assert found.of("no.such") is None


def test_statistics_of_other_weights_are_not_used_and_the_drawn_faces_say_why(shelf):
    write_checkpoint(shelf, NETWORK, seed=1)
    assert services.gates.stored_gates(NETWORK) is None
    found = services.gates.drawn_gates(NETWORK)
    assert found.count == services.gates.DRAWN_FACES == 21
    assert "21 drawn faces" in found.images
    assert "belongs to other weights" in found.live


def test_where_nothing_is_stored_the_command_that_measures_it_is_named(shelf):
    (shelf / FILE).unlink()
    assert services.gates.stored_gates(NETWORK) is None
    assert "ferscope refresh --only attention" in services.gates.drawn_gates(NETWORK).live
    assert "weights are random" in services.gates.drawn_gates("mobilenet_v2_bam").live


def test_the_estimate_counts_every_forward_pass_of_an_image(shelf):
    assert services.gates.gate_passes(NETWORK) == 21 * (1 + 2 * 7 + 2)
    assert services.gates.gate_passes("mobilenet_v2") == 0


def test_a_network_without_gates_is_refused(shelf):
    with pytest.raises(ValueError, match="no attention gate"):
        services.gates.drawn_gates("mobilenet_v2")


def test_the_gate_of_paper_d_is_nearly_constant_and_saturated_after_module_one():
    """Paper D's gate sees sorted singular values, which forget where they came from."""
    gates = [module.gates[0] for module in services.gates.drawn_gates("efficientnet_lite0_svd_hfc").modules[:-1]]
    assert gates[0].saturated < 0.1
    assert min(gate.saturated for gate in gates[1:]) > 0.95
    assert all(gate.constant for gate in gates[:4])
    assert gates[2].changed_mean == 0
    for gate in gates:
        assert 0 <= float(gate.mean_map.min()) <= float(gate.mean_map.max()) <= 1
