"""Which layers have maps to read."""

import pytest
import torch
from torch import nn

from models import create_model, get_spec
from workbench.analysis.target_layers import map_layers


class Small(nn.Module):
    """Two stages and a branch that narrows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1), nn.ReLU(inplace=True))
        self.gate = nn.Conv2d(8, 8, 1)
        self.rest = nn.Identity()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 1, H, W) → (B, 3)."""
        x = self.second(self.first(x))
        return self.head(self.pool(self.rest(x * self.gate(x).sigmoid())).flatten(1))


def names(*args, **more) -> list[str]:
    return [layer.name for layer in map_layers(*args, **more)]


def test_one_layer_for_each_size_of_map_the_end_of_its_stage():
    found = map_layers(Small(), 16)
    assert [(layer.name, layer.channels, layer.extent) for layer in found] == [
        ("first", 4, (16, 16)),
        ("gate", 8, (8, 8)),
    ]


def test_skipped_layers_do_not_count_and_a_kept_layer_stands_for_its_size():
    assert names(Small(), 16, skip=("gate",)) == ["first", "second"]
    assert names(Small(), 16, keep="second.0") == ["first", "second.0"]


def test_the_network_comes_back_as_it_was():
    model = Small().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    map_layers(model, 16)
    assert model.training
    assert model.first.training
    assert all(parameter.device.type == "cpu" and parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("network", ["residual_cnn", "vgg16", "mobilenet_v2_bam", "rarn", "five_layer_cnn"])
def test_the_layer_of_a_network_is_among_its_layers_and_its_attention_is_not(network):
    spec = get_spec(network)
    found = map_layers(create_model(network), spec.input_size, spec.attention_layers, spec.cam_layer)
    assert spec.cam_layer in [layer.name for layer in found]
    assert not any(layer.name.startswith(gate) for layer in found for gate in spec.attention_layers)
    assert len({layer.extent for layer in found}) == len(found) >= 3
    assert min(min(layer.extent) for layer in found) > 1
