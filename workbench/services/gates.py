"""Statistics of a network's attention gates, over a fixed sample of its validation set or over drawn faces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from models.checkpoints import CheckpointError
from models.datasets import EMOTIONS
from models.datasets.synthetic.faces import draw
from models.preprocessing import to_unit

from ..analysis import attention
from ..analysis.attention import ModuleStatistics
from ..analysis.progress import advance
from ..surveys.gates import FILE, read_gates
from .networks import folder_of, open_network

_DRAWN_SIDE = 48
_OF_EACH = 3
DRAWN_FACES = _OF_EACH * len(EMOTIONS)
"""Drawn faces on which gates are measured where no statistics are stored."""


@dataclass(frozen=True, eq=False)
class Gates:
    """Statistics of a network's gates.

    Attributes:
        modules: statistics of each attention module that is called, and of all together; see `gate_statistics`.
        pixels: the correlation ratio η² of the images themselves, 0..1.
        images: the images in words.
        count: number of images.
        live: why they were measured on drawn faces; "" where they are the stored ones of the validation set.
    """

    modules: tuple[ModuleStatistics, ...]
    pixels: float
    images: str
    count: int
    live: str = ""

    def of(self, layer: str) -> ModuleStatistics | None:
        """The statistics of one attention module; None where it is not called."""
        return next((module for module in self.modules if module.layer == layer), None)


def stored_gates(network: str) -> Gates | None:
    """The statistics stored beside a network's weights; None if there are none for these weights."""
    return _stored(network, _stamps(network))[0]


def drawn_gates(network: str) -> Gates:
    """The statistics on `DRAWN_FACES` drawn faces, measured now.

    Raises:
        ValueError: unknown network, or one without gates.
    """
    net = open_network(network)
    pixels: Tensor = to_unit(torch.from_numpy(_drawn(_OF_EACH)), net.input_size)[:, 0]  # (B, S, S)
    modules = attention.gate_statistics(net.model, net.normalized(pixels), progress=lambda _: advance(DRAWN_FACES))
    if not modules:
        raise ValueError(f'network="{network}" has no attention gate')
    images = f"{DRAWN_FACES} drawn faces ({_OF_EACH} of each of {len(EMOTIONS)} emotions)"
    reason = _stored(network, _stamps(network))[1]
    return Gates(modules, attention.fixed_share(pixels), images, DRAWN_FACES, reason)


@lru_cache
def _drawn(of_each: int) -> np.ndarray:
    return np.stack([draw(name, _DRAWN_SIDE, seed).image for name in EMOTIONS for seed in range(of_each)])


def gate_passes(network: str) -> int:
    """How many forward passes of one image `drawn_gates` takes; 0 for a network without gates."""
    gates = attention.gates_of(open_network(network).model)
    return DRAWN_FACES * attention.passes(gates) if gates else 0


def _stamps(network: str) -> tuple[float, ...]:
    """When the files that stored statistics depend on were written; one that is missing has 0."""
    files = (folder_of(network) / name for name in (FILE, "model.safetensors"))
    return tuple(file.stat().st_mtime if file.is_file() else 0.0 for file in files)


@lru_cache(maxsize=64)
def _stored(network: str, stamps: tuple[float, ...]) -> tuple[Gates | None, str]:
    """The stored statistics, or None and the reason; read again when a file changes (`stamps`)."""
    if not stamps[1]:
        return None, "Its weights are random, so nothing is stored."
    if not stamps[0]:
        return None, f"{FILE} is not beside its weights; `ferscope refresh --only attention` measures it on FER2013."
    try:
        found = read_gates(folder_of(network))
    except CheckpointError as error:
        return None, str(error)
    sample = found.sample
    images = f"{sample.pictures} images of {sample.part} (seed {sample.seed})"
    return Gates(found.modules, found.pixels, images, sample.pictures), ""
