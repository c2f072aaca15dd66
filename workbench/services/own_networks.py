"""Networks that the owner of this computer adds: where their weights come from, and the layer of their maps."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models import Card, ModelSpec, checkpoints, create_model, list_models, own_networks
from models.conversion import Converted, Source, check_output, compared, converted, of_timm_folder
from models.files import write_bytes
from models.foreign_weights import Match
from models.own_networks import OwnNetworkError
from models.seeding import seeded

from ..analysis.activations import forward_from
from ..analysis.target_layers import map_layers_of

HUB, TIMM = "hf-hub:", "timm:"
_SMALLEST_MAP = 6  # positions a side of the default layer for class activation maps, where a network has such a layer


def source_of(given: str, network: str = "") -> Source:
    """Where weights come from, with what is known of them.

    Args:
        given: `timm:NAME`, `hf-hub:USER/NAME`, a folder in timm's format, or a file of weights.
        network: architecture of a file of weights.

    Raises:
        ValueError: it is none of these, is missing, or cannot be downloaded.
    """
    if given.startswith((HUB, TIMM)):
        return of_timm_folder(_downloaded(given))
    path = Path(given)
    if path.is_dir():
        return of_timm_folder(path)
    return Source(path, network)


def _downloaded(given: str) -> Path:
    """A folder with `config.json` and `model.safetensors` of the Hub; nothing else is downloaded."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repository, _, revision = (_hub_name(given) if given.startswith(TIMM) else given.removeprefix(HUB)).partition("@")
    try:
        files = [
            Path(hf_hub_download(repository, name, revision=revision or None))
            for name in ("config.json", "model.safetensors")
        ]
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise OwnNetworkError(
            f"{repository} could not be downloaded from the Hugging Face Hub ({type(error).__name__}). Check the name, "
            "the network connection, and that it has config.json and model.safetensors; a folder with these two works "
            "without a network."
        ) from error
    return files[0].parent


def _hub_name(given: str) -> str:
    import timm

    name = given.removeprefix(TIMM)
    try:
        config = timm.get_pretrained_cfg(name)
    except (RuntimeError, KeyError, ValueError):
        config = None
    if config is None or not config.hf_hub_id:
        raise OwnNetworkError(f'timm has no weights of "{name}" on the Hub: see timm.list_pretrained().')
    return config.hf_hub_id if not config.hf_hub_id.endswith("/") else config.hf_hub_id + name


def check_name(name: str) -> Path:
    """The folder for a new checkpoint; OwnNetworkError where the name is taken or is no name."""
    if not checkpoints.is_name(name) or name in (checkpoints.EXPERIMENTS, "runs"):
        raise OwnNetworkError(f'--name "{name}": use letters, digits and _ . + - only, at most 200.')
    if name in list_models() or name in checkpoints.checkpoint_folders():
        raise OwnNetworkError(f'There is a network "{name}" already: choose another with --name.')
    return checkpoints.ROOT / name


def add(name: str, source: Source, found: Match | None = None, **card: Any) -> Converted:
    """Convert weights and store them as the checkpoint `name`.

    Args:
        name: name of its folder.
        source: the weights, with classes, mean and std.
        found: the match that `compared` returns; None: compare them now.
        **card: `cam_layer`, `reshape` and `output` of the card.

    Raises:
        ValueError: the name is taken, the weights do not fit, the network returns no logits, or the layer has no maps.
    """
    folder = check_name(name)
    made = converted(source, found or compared(source), **card)
    check_output(made.model, made.card)
    layer = made.card.cam_layer or made.card.spec.cam_layer or ""
    image = torch.randn(1, made.card.channels, *(made.card.input_size,) * 2, generator=torch.Generator().manual_seed(0))
    if layer:
        forward_from(made.model, image, layer, made.card.spec.reshape)  # raises, with the layers that have maps
    else:
        layer = default_layer(made.model, image, made.card.spec.reshape)
    made = replace(made, card=replace(made.card, cam_layer=layer))
    checkpoints.save_checkpoint(folder, made.model, made.card)
    own_networks.remember(checkpoint=name)
    return made


def is_checkpoint(given: str) -> bool:
    """Whether it is a folder with a card, such as `ferscope export --to hub-folder` writes."""
    return not given.startswith((HUB, TIMM)) and (Path(given) / "card.json").is_file()


def add_checkpoint(name: str, given: Path) -> Card:
    """Copy a folder with `card.json` and `model.safetensors` to the checkpoint `name`.

    Raises:
        ValueError: the name is taken, or the checkpoint is damaged.
    """
    folder = check_name(name)
    model, card = checkpoints.load_checkpoint(given)
    check_output(model, card)
    for file in ("model.safetensors", "card.json"):
        write_bytes(folder / file, (given / file).read_bytes())
    own_networks.remember(checkpoint=name)
    return card


def default_layer(model: nn.Module, x: torch.Tensor, reshape: str = "") -> str:
    """The deepest layer whose maps are 6×6 at least and lead to the logits; of a network without one, the largest maps.

    Behind the last block of a vision transformer with a class token, the patches no longer lead to the logits; then an
    earlier layer is taken. Empty where no layer has maps.
    """
    layers = [layer for layer in reversed(map_layers_of(model, x.shape)) if min(layer.extent) > 1]
    fine = [layer for layer in layers if min(layer.extent) >= _SMALLEST_MAP]
    for layer in fine or sorted(layers, key=lambda one: -min(one.extent)):
        found = forward_from(model, x, layer.name, reshape)
        if not found.logits.requires_grad:
            continue
        (gradient,) = torch.autograd.grad(found.logits.sum(), found.A, allow_unused=True)
        if gradient is not None and bool(gradient.abs().amax() > 0):
            return layer.name
    return ""


@lru_cache(maxsize=64)
def with_layer(spec: ModelSpec) -> ModelSpec:
    """A spec with a layer for class activation maps, found where a user's network names none."""
    if spec.cam_layer or spec.composite or spec.paper:
        return spec
    with seeded(0):
        model = create_model(spec.name).eval()
        layer = default_layer(model, torch.randn(1, spec.channels, *(spec.input_size,) * 2), spec.reshape)
    return replace(spec, cam_layer=layer or None)


def remove(name: str) -> None:
    """Remove a checkpoint that was added, or forget a Python file; OwnNetworkError for anything else."""
    known = own_networks.remembered()
    path = str(Path(name).absolute())
    if name in known.checkpoints:
        shutil.rmtree(checkpoints.ROOT / name, ignore_errors=True)
        own_networks.forget(checkpoint=name)
    elif path in known.files:
        own_networks.forget(file=path)
    else:
        added = ", ".join((*known.checkpoints, *known.files)) or "none so far"
        raise OwnNetworkError(f'"{name}" was not added here, so it is not removed. Added networks: {added}.')
