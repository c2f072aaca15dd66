"""A trained network as a folder for the Hub: in FERScope's format, or in timm's."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models import Card, load_checkpoint
from models.backbones import LITE0_EPSILON
from models.checkpoints import write_card
from models.ensemble_selection import NAME as ENSEMBLE
from models.files import write_bytes

from .errors import ExportError
from .graph import TOLERANCE
from .model_card import model_card

TIMM: dict[str, tuple[str, dict[str, Any]]] = {
    "efficientnet_lite0": ("efficientnet_lite0", {"bn_eps": LITE0_EPSILON}),
    "mobilenet_v1": ("mobilenetv1_100", {}),
    "resnet18": ("resnet18", {}),
    "resnet50": ("resnet50", {}),
    "senet50": ("seresnet50", {}),
}
"""Networks whose weights have the same names in timm: timm's name of the network, and arguments."""

HUB_FILES = ("README.md", "card.json", "model.safetensors")
TIMM_FILES = ("README.md", "config.json", "model.safetensors")


def write_hub_folder(source: Path, out: Path, license_: str = "") -> float:
    """Write weights, card and model card into a folder, and load it again with `load_checkpoint`.

    Args:
        source: folder of the checkpoint.
        out: the new folder; files of the same names are replaced.
        license_: identifier of the weights' license, as for `model_card`.

    Returns:
        Largest difference of logits from those of the checkpoint.

    Raises:
        ExportError: the checkpoint is an ensemble, or the folder's logits differ; CheckpointError.
    """
    model, card = load_checkpoint(source)
    if card.network == ENSEMBLE:
        raise ExportError("An ensemble has no weights of its own: export its members, or the ensemble --to onnx.")
    write_bytes(out / "model.safetensors", (source / "model.safetensors").read_bytes())
    write_card(out, card)
    write_bytes(out / "README.md", model_card(out.name, card, "hub-folder", license_).encode())
    return _compare(model, load_checkpoint(out)[0], card)


def write_timm_folder(source: Path, out: Path, license_: str = "") -> float:
    """Write weights and configuration in timm's format, for `timm.create_model("local-dir:FOLDER", pretrained=True)`.

    Arguments, result and errors are as for `write_hub_folder`; ExportError also for a network that timm does not have.
    """
    model, card = load_checkpoint(source)
    if card.network not in (*TIMM, "timm"):
        known = ", ".join(TIMM)
        raise ExportError(f"timm has no {card.network}, only {known}. Use --to hub-folder, onnx or torchscript.")
    import timm  # imported here because it takes a second or two
    from timm.models import save_for_hf

    name, arguments = _of_timm(card) if card.network == "timm" else TIMM[card.network]
    arguments = {"in_chans": card.channels, **arguments}
    twin: Any = timm.create_model(name, num_classes=len(card.classes), **arguments)
    twin.load_state_dict(model.state_dict())
    mean, std = (v if isinstance(v, tuple) else (v,) * card.channels for v in (card.mean, card.std))
    config = {"input_size": (card.channels, card.input_size, card.input_size), "mean": mean, "std": std}
    config |= {"interpolation": "bilinear", "crop_pct": 1.0}
    labels = {"label_names": list(card.classes)}
    with tempfile.TemporaryDirectory() as made:
        save_for_hf(twin, made, labels, arguments, safe_serialization=True, data_config=config)
        for file in sorted(Path(made).iterdir()):
            write_bytes(out / file.name, file.read_bytes())
    write_bytes(out / "README.md", model_card(out.name, card, "timm", license_).encode())
    read: Any = timm.create_model(f"local-dir:{out}", pretrained=True)
    return _compare(model, read.eval(), card)


def _of_timm(card: Card) -> tuple[str, dict[str, Any]]:
    """Name and arguments of a network that timm builds."""
    given = {"img_size": card.overrides.get("image_size"), "global_pool": card.overrides.get("pool")}
    return str(card.overrides.get("architecture", "resnet18")), {key: value for key, value in given.items() if value}


@torch.no_grad()
def _compare(model: nn.Module, read: nn.Module, card: Card) -> float:
    """Largest difference of logits; ExportError where it exceeds `TOLERANCE` of the largest logit or of 1."""
    x = torch.randn(2, card.channels, card.input_size, card.input_size, generator=torch.Generator().manual_seed(0))
    wanted, found = model(x), read(x)
    worst = float((found - wanted).abs().max() / wanted.abs().max().clamp_min(1))
    if not worst <= TOLERANCE:
        raise ExportError(f"{card.network}: the exported folder's logits differ by {worst:.1e}; do not use it.")
    return worst
