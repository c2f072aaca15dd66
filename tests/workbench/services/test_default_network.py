"""The network that a visitor sees first follows the cards of what ships."""

from __future__ import annotations

import dataclasses

import pytest

from models.checkpoints import CheckpointError, read_card
from workbench.services import networks


@pytest.fixture
def shelf(monkeypatch):
    """Cards by name, with the given accuracies on PublicTest."""
    card = read_card("residual_cnn")

    def fill(accuracies: dict[str, float], **changed) -> None:
        def read(name: str):
            if accuracies[name] is None:
                raise CheckpointError("damaged")
            public = {way: {**found, "accuracy": accuracies[name]} for way, found in card.metrics["PublicTest"].items()}
            metrics = {**card.metrics, "PublicTest": public}
            given = {"network": name.partition("-")[0], "metrics": metrics} | changed.get(name.replace("-", "_"), {})
            return dataclasses.replace(card, **given)

        monkeypatch.setattr(networks, "list_checkpoints", lambda: sorted(accuracies))
        monkeypatch.setattr(networks, "read_card", read)

    return fill


@pytest.mark.parametrize(
    ("accuracies", "default"),
    [
        ({"residual_cnn": 0.71, "vanilla_cnn": 0.70}, "residual_cnn"),
        ({"residual_cnn": 0.71, "efficientnet_lite0_bam": 0.702, "resnet18_bam": 0.701}, "efficientnet_lite0_bam"),
        ({"residual_cnn": 0.71, "efficientnet_lite0_bam": 0.699}, "residual_cnn"),
        ({"residual_cnn": 0.71, "ensemble": 0.75}, "residual_cnn"),
        ({"residual_cnn": 0.71, "vanilla_cnn-quick-official-s0": 0.75}, "residual_cnn"),
        ({"residual_cnn": 0.71, "vanilla_cnn": None}, "residual_cnn"),
        ({}, "residual_cnn"),
    ],
)
def test_the_default_is_the_best_by_public_test_with_attention_where_that_is_near(shelf, accuracies, default):
    shelf(accuracies)
    assert networks.default_network() == default


def test_a_network_of_another_split_or_that_has_seen_test_images_is_no_default(shelf):
    shelf(
        {"residual_cnn": 0.6, "vanilla_cnn": 0.9, "five_layer_cnn": 0.9},
        vanilla_cnn={"split": "random-80-20"},
        five_layer_cnn={"seen": {"PrivateTest": 5}},
    )
    assert networks.default_network() == "residual_cnn"


def test_the_app_begins_with_it():
    assert networks.default_network() == networks.DEFAULT_NETWORK
    assert networks.network_names()[0] == networks.DEFAULT_NETWORK
