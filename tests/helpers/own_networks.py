"""Small networks as a user would bring them: a Python file, weights of another program, a folder in timm's format."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path

import safetensors.torch
import torch

from models import checkpoints, create_model, own_networks, registry
from models.conversion import Source
from workbench.services import own_networks as adding

FILE = '''
"""A network of a user."""
from dataclasses import dataclass
import torch
from torch import Tensor, nn
from models.registry import register_model

@dataclass
class Output:
    features: Tensor
    logits: Tensor

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4, padding=1), nn.ReLU(), nn.Conv2d(4, 8, 3, padding=1))
        self.head = nn.Linear(8, classes)

    def forward(self, x):
        features = self.body(x).relu().mean((2, 3))
        return Output(features, self.head(features))

@register_model("user_rgb", title="RGB network of a user", channels=3, input_size=32, smallest_side=8, imagenet=False)
def user_rgb(num_classes: int = 7):
    return Net(num_classes)
'''


@contextmanager
def own_folder(folder: Path, monkeypatch):
    """A user's folder of its own: what is added goes there, and is forgotten at the end."""
    before = dict(registry._SPECS) if own_networks.load_all() is None else {}
    monkeypatch.setattr(own_networks, "STORE", folder / "networks.json")
    monkeypatch.setattr(checkpoints, "ROOT", folder / "checkpoints")
    (folder / "checkpoints").mkdir()
    try:
        yield folder
    finally:
        registry._SPECS.clear()
        registry._SPECS.update(before)
        own_networks._networks.clear()
        own_networks._failed.clear()
        adding.with_layer.cache_clear()


def file_in(folder: Path, text: str = FILE, name: str = "my_networks.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def add_rgb(folder: Path) -> str:
    """Add a user's file and weights of its network for three classes of RGB images; returns the checkpoint's name."""
    own_networks.add_file(file_in(folder))
    torch.manual_seed(0)
    weights = create_model("user_rgb", 3).state_dict()
    torch.save({"state_dict": {f"model.{name}": value for name, value in weights.items()}}, folder / "best.ckpt")
    source = Source(
        folder / "best.ckpt", "user_rgb", classes=("calm", "tense", "other"), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)
    )
    adding.add("my_rgb", source)
    return "my_rgb"


def timm_folder(folder: Path, architecture: str = "resnet10t", classes: int = 3) -> Path:
    """A folder as timm's `save_for_hf` writes it, with random weights."""
    import timm

    folder.mkdir()
    model = timm.create_model(architecture, num_classes=classes)
    safetensors.torch.save_file(model.state_dict(), folder / "model.safetensors")
    facts = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "input_size": [3, 64, 64]}
    config = {"architecture": architecture, "num_classes": classes, "pretrained_cfg": facts}
    (folder / "config.json").write_text(
        json.dumps(config | {"label_names": [f"tench, no. {i}" for i in range(classes)]})
    )
    return folder
