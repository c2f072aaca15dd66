"""The memory of a network is estimated without building it; one that is too large is refused."""

from __future__ import annotations

import pytest
import torch

from models import create_model, get_spec, list_models
from models.footprint import MOST_BYTES, MOST_PARAMETERS, footprint, on_meta


@pytest.mark.parametrize("name", [name for name in list_models() if get_spec(name).stages])
def test_every_network_of_ours_is_within_the_limits(name):
    footprint(name, 7, ()).check(name)


def test_parameters_and_activations_are_those_of_the_network():
    found = footprint("vanilla_cnn", 7, (("width", 4),))
    model = create_model("vanilla_cnn", width=4)
    assert found.parameters == sum(p.numel() for p in model.parameters())
    first = 4 * 48 * 48 * 4  # bytes of the first map
    assert first < found.activations < 40 * first


def test_what_is_too_large_is_reported_in_numbers():
    with pytest.raises(ValueError, match=r"wide would have 300 million parameters; at most 150 million are built"):
        footprint("vanilla_cnn", 7, (("width", 512),)).check("wide")
    with pytest.raises(ValueError, match=r"large would need 3\.2 GiB for one image; at most 2 GiB"):
        footprint("resnet50_cnn", 7, (), 512).check("large")
    assert (MOST_PARAMETERS, MOST_BYTES) == (150_000_000, 2 * 2**30)


def test_nothing_is_allocated(monkeypatch):
    model = on_meta("vgg16", 7, {})
    assert {p.device for p in model.parameters()} == {torch.device("meta")}


@pytest.mark.parametrize(
    ("network", "overrides", "side", "why"),
    [
        ("resnet19", (), None, "resnet19"),
        ("vanilla_cnn", (("width", 10**9),), None, "from 1 to 512"),
        ("vanilla_cnn", (), 1, "1, 1, 1, 1"),
    ],
)
def test_what_cannot_be_built_is_a_value_error(network, overrides, side, why):
    with pytest.raises(ValueError, match=why):
        footprint(network, 7, overrides, side)
