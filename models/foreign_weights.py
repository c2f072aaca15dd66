"""Weights that another program saved: `.pth`, `.pt`, `.ckpt`, `.bin`, `.safetensors`, with any prefix in its names.

Names may have a prefix: `module.` of DataParallel, `model.` or `net.` of a Lightning module, `backbone.` of a wrapper,
`_orig_mod.` of `torch.compile`, or any other one; it is found by comparison with the names of the network. Pickles are
read with `torch.load(weights_only=True)` only, which builds tensors, numbers and plain containers and calls nothing.
"""

from __future__ import annotations

import argparse
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from .backbones import convert_input
from .cards import Card
from .footprint import MOST_PARAMETERS, footprint, on_meta
from .registry import changed, get_spec

SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".safetensors")
_CONTAINERS = ("state_dict", "model_state_dict", "state_dict_ema", "model_ema", "model", "net", "network", "weights")
_OBJECTS = torch.serialization.pickle.UnpicklingError  # raised by weights_only=True
# Numbers and options that training programs store beside weights; building them runs nothing.
_HARMLESS: list[Any] = [argparse.Namespace, np.dtype, np.float64(0).__reduce__()[0]]  # the last one makes a scalar
_HARMLESS += [getattr(np.dtypes, f"{kind}DType") for kind in ("Float64", "Float32", "Int64", "Int32", "Bool")]
_MOST_BYTES = 16 * MOST_PARAMETERS  # float32 weights with the state of an optimizer


class WeightsError(ValueError):
    """A file of weights that cannot be used; the message says what is wrong and what to do."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors in a file by their names, as they are stored; containers of training programs are unpacked.

    Raises:
        WeightsError: the file is missing, too large, damaged, or holds more than tensors.
    """
    if not path.is_file():
        raise WeightsError(f"{path} is not there. Give a file that ends in {', '.join(SUFFIXES)}.")
    if path.suffix.lower() not in SUFFIXES:
        raise WeightsError(f"{path} is no file of weights. Give one that ends in {', '.join(SUFFIXES)}.")
    if _unpacked_size(path) > _MOST_BYTES:
        raise WeightsError(
            f"{path} is larger than {_MOST_BYTES / 1e9:.1f} GB: save the weights alone, without optimizer."
        )
    tensors = _tensors(_read_safetensors(path) if path.suffix.lower() == ".safetensors" else _read_pickle(path))
    if not tensors:
        raise WeightsError(f"{path} holds no weights by name. Save model.state_dict() to a file.")
    if sum(value.numel() for value in tensors.values()) > MOST_PARAMETERS:
        raise WeightsError(f"{path} has more than {MOST_PARAMETERS / 1e6:.0f} million numbers, the most that is built.")
    return tensors


def _unpacked_size(path: Path) -> int:
    """Bytes of a file, or of what it unpacks to."""
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _read_safetensors(path: Path) -> Any:
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is damaged or not in the safetensors format ({error}). Get it again.") from error


def _read_pickle(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except _OBJECTS as error:
        raise WeightsError(
            f"{path} holds Python objects beside the weights. Such a file can run any code, so it is not opened. In "
            'the program that made it: torch.save(model.state_dict(), "weights.pth").'
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{path} is damaged, or not a file of torch.save ({reason}). Get it again, or save model.state_dict()."
        ) from error


def _tensors(loaded: Any) -> dict[str, Tensor]:
    """The state dict in what was loaded: itself, or in one of the containers of training programs."""
    if not isinstance(loaded, Mapping):
        return {}
    inner = next((loaded[key] for key in _CONTAINERS if isinstance(loaded.get(key), Mapping)), None)
    if inner is not None:
        return _tensors(inner)
    return {str(name): value for name, value in loaded.items() if isinstance(value, Tensor) and not value.is_complex()}


@dataclass(frozen=True, eq=False)
class Match:
    """How weights fit a network.

    Attributes:
        prefix: removed from the names; empty for none.
        matched: names of weights that fit.
        missing: names that the network has and the file lacks.
        unexpected: names that the file has and the network lacks.
        other_shapes: name → (shape in the file, shape in the network).
        weights: those that fit, by the network's names.
        converted: the first convolution, where its kernels were for gray and the network takes RGB, or the reverse, and
            were converted (`backbones.convert_kernels`); empty where they were not.
    """

    prefix: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    other_shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    weights: Mapping[str, Tensor]
    converted: str = ""

    @property
    def complete(self) -> bool:
        """Whether every weight of the network is in the file, in its shape."""
        return not self.missing and not self.other_shapes


def match(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Match:
    """Compare weights with the state of a network, without the prefix that leaves the most of them fitting.

    A weight that is not found behind that prefix is taken from behind another one where only one has its shape, as the
    head of a wrapper with `backbone.` and `head.`. Others, such as those of a teacher, are unexpected. Counters of
    batch norm (`num_batches_tracked`), which older versions of PyTorch lack, are not missed. Kernels of the first
    convolution are converted from gray to RGB, or from RGB to gray.
    """
    named: Counter[str] = Counter()  # by prefix: weights that the network has, twice where the shape is right too
    for name, value in given.items():
        for cut in (0, *(dot.end() for dot in re.finditer(r"\.", name))):
            if name[cut:] in wanted:
                named[name[:cut]] += 1 + (value.shape == wanted[name[cut:]].shape)
    return _match(given, wanted, min(named, key=lambda prefix: (-named[prefix], len(prefix)), default=""))


def _match(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], prefix: str) -> Match:
    own = {name[len(prefix) :]: name for name in given if name.startswith(prefix) and name[len(prefix) :] in wanted}
    for name in wanted.keys() - own.keys():
        others = [n for n in given if n.endswith(f".{name}") and given[n].shape == wanted[name].shape]
        own |= {name: others[0]} if len(others) == 1 else {}
    found, first = convert_input({n: given[name] for n, name in own.items()}, wanted)
    fits = {n: found[n] for n in wanted if n in found and found[n].shape == wanted[n].shape}
    used = set(own.values())
    return Match(
        prefix,
        tuple(fits),
        tuple(n for n in wanted if n not in own and not n.endswith("num_batches_tracked")),
        tuple(n for n in given if n not in used),
        {n: (tuple(given[own[n]].shape), tuple(wanted[n].shape)) for n in sorted(own.keys() - fits.keys())},
        fits,
        first,
    )


def check_fit(card: Card, weights: dict[str, Tensor]) -> None:
    """Raise ValueError where weights are not those of the card's network, or it would be too large.

    Nothing is built for that but shapes: a small card may describe a network of any size.
    """
    spec = get_spec(card.network)
    if spec.composite:  # an ensemble: its members have cards of their own
        return
    if card.input_size != spec.input_size or changed(card.network, card.overrides):
        # Only then: to measure, PyTorch imports its compiler, which takes more than a second.
        options: tuple[tuple[str, Any], ...] = tuple(card.overrides.items())
        needed = footprint(card.network, len(card.classes), options, card.input_size)
        needed.check(f"{card.network} at {card.input_size} pixels")
    wanted = on_meta(card.network, len(card.classes), card.overrides).state_dict()
    shapes = [{name: tuple(value.shape) for name, value in tensors.items()} for tensors in (weights, wanted)]
    if prefix := match(weights, wanted).prefix:
        raise ValueError(
            f'its weights have the prefix "{prefix}". Convert the file: ferscope networks add model.safetensors '
            f"--network {card.network}"
        )
    for name in sorted(shapes[0].keys() | shapes[1].keys()):
        given, right = (found.get(name, "missing") for found in shapes)
        if given != right:
            raise ValueError(f"{name} is {given} in the file, {right} in the network")
