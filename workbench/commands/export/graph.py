"""A trained network as one ONNX or TorchScript file, with its preprocessing inside, checked against PyTorch.

    image (B, C, H, W) in 0..255, any size → logits (B, K), probabilities (B, K)

The graph resizes with antialiasing to the card's input size, normalizes with the card's mean and standard deviation,
and divides the logits by the card's temperature before the softmax.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from models import Card
from models.files import write_bytes
from workbench.services.web_demo.onnx_files import why_not

from .errors import ExportError

TOLERANCE = 1e-4
"""Largest difference from PyTorch: of probabilities, and of logits relative to the largest one or to 1."""

InputType = Literal["uint8", "float32"]
OUTPUTS = ("logits", "probabilities")

_SHAPES = (2, 60, 70), (1, 48, 48), (3, 131, 97)  # (B, H, W) of the images that are traced (the first) and compared

Run = Callable[[Tensor], tuple[Tensor, Tensor]]


class Preprocessed(nn.Module):
    """A network with its preprocessing and calibration.

    Args:
        network: maps normalized images (B, C, S, S) to logits (B, K); in evaluation mode.
        card: card of the network, with its input size, normalization and temperature.
    """

    def __init__(self, network: nn.Module, card: Card) -> None:
        super().__init__()
        self.network, self.card = network, card

    def forward(self, image: Tensor) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B K"]]:
        """Images (B, C, H, W) in 0..255, uint8 or float → logits and calibrated probabilities."""
        # Always interpolated, which changes nothing at the same size: a branch on the size would fix it in the graph.
        size = (self.card.input_size, self.card.input_size)
        x = F.interpolate(image.float() / 255, size, mode="bilinear", antialias=True, align_corners=False)
        logits = self.network(self.card.normalized(x))
        return logits, (logits / (self.card.temperature or 1.0)).softmax(-1)


def write_onnx(model: nn.Module, card: Card, path: Path, input_type: InputType = "uint8") -> float:
    """Write an ONNX file and run it with ONNX Runtime.

    Inputs and outputs are named "image", "logits" and "probabilities"; batch size, height and width are free. The names
    of the classes are in the file's metadata, as JSON under "classes".

    Args:
        model: the network; it takes normalized images (B, C, S, S) and gives logits (B, K).
        card: card of the network, with its input size, normalization and temperature, which become part of the graph.
        path: the file to write; an existing one is replaced.
        input_type: data type of the images (B, C, H, W) in 0..255 that the file takes.

    Returns:
        Largest difference from PyTorch over random images of several sizes, see `TOLERANCE`.

    Raises:
        ExportError: an operator has no counterpart in ONNX, the forward pass depends on values, the results differ, or
            the extra `export` is missing.
        DiskFullError: the disk is full; an existing file is not changed.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  torch.onnx needs it
    except ImportError as error:
        raise ExportError(
            f'ONNX export needs {error.name}. Install it: pip install "ferscope[export]", in a checkout '
            '.venv/bin/pip install -e ".[export]"'
        ) from error

    images = list(_images(card, input_type))
    program, expected = _exported(model, card, images)
    data = _onnx(program, images[0], card)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def run(x: Tensor) -> tuple[Tensor, Tensor]:
        logits, probabilities = session.run(list(OUTPUTS), {"image": x.numpy()})
        return torch.from_numpy(logits), torch.from_numpy(probabilities)

    worst = _compare(run, images, expected, card.network)
    write_bytes(path, data)
    return worst


def write_torchscript(model: nn.Module, card: Card, path: Path, input_type: InputType = "uint8") -> float:
    """Write a TorchScript file, to be read with `torch.jit.load` or libtorch, and compare it with PyTorch.

    Returns and raises as `write_onnx`; the names of the classes are in the extra file "classes.json".
    """
    whole, images = Preprocessed(model, card).eval(), list(_images(card, input_type))
    expected = [_run(whole, x) for x in images]
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that tracing fixes: the comparison below tells if one matters
        traced: Any = torch.jit.trace(whole, images[0], check_trace=False)
        torch.jit.save(traced, buffer, _extra_files={"classes.json": json.dumps(card.classes).encode()})
        loaded = torch.jit.load(io.BytesIO(buffer.getvalue()))
    worst = _compare(lambda x: _run(loaded, x), images, expected, card.network)
    write_bytes(path, buffer.getvalue())
    return worst


def _exported(
    model: nn.Module, card: Card, images: list[Tensor]
) -> tuple[torch.export.ExportedProgram, list[tuple[Tensor, Tensor]]]:
    """The network with its preprocessing as a graph of free batch and image size, and its results for the images.

    Raises:
        ExportError: its forward pass depends on values, so that it is no graph.
    """
    whole = Preprocessed(model, card).eval()
    expected = [_run(whole, x) for x in images]  # first: constants that a network caches must not be those of a tracing
    free = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(whole, (images[0],), dynamic_shapes=(free,), strict=False), expected
    except (RuntimeError, ValueError) as error:  # torch._dynamo's errors are among them
        raise ExportError(f"{card.network} is no graph for torch.export: {_last_line(error)}") from error


def _onnx(program: torch.export.ExportedProgram, image: Tensor, card: Card) -> bytes:
    """The bytes of the ONNX file."""
    names: dict[str, Any] = {"input_names": ["image"], "output_names": list(OUTPUTS)}
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converted: Any = torch.onnx.export(program, (image,), dynamo=True, verbose=False, **names)
    except torch.onnx.OnnxExporterError as error:
        raise ExportError(
            f"{card.network} cannot be exported to ONNX: {why_not(error)}. Use --to torchscript or --to hub-folder."
        ) from error
    converted.model.metadata_props.update({"classes": json.dumps(card.classes), "network": card.network})
    return converted.model_proto.SerializeToString()


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def _images(card: Card, input_type: InputType) -> Iterator[Tensor]:
    """Random images of several sizes, the same each time."""
    random = torch.Generator().manual_seed(0)
    for count, height, width in _SHAPES:
        shape = (count, card.channels, height, width)
        yield torch.randint(0, 256, shape, generator=random).to(getattr(torch, input_type))


def _run(model: Callable[..., tuple[Tensor, Tensor]], x: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        logits, probabilities = model(x)
    return logits, probabilities


def _compare(run: Run, images: list[Tensor], expected: list[tuple[Tensor, Tensor]], network: str) -> float:
    """Largest difference of the exported network's results; ExportError where it exceeds `TOLERANCE`."""
    worst = max(difference(run(x), wanted) for x, wanted in zip(images, expected, strict=True))
    if not worst <= TOLERANCE:
        raise ExportError(f"{network}: the exported graph differs from PyTorch by {worst:.1e}, so it was not written.")
    return worst


def difference(found: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor]) -> float:
    """The larger difference of logits, relative to the largest one or to 1, and of probabilities."""
    of_logits = (found[0] - wanted[0]).abs().max() / wanted[0].abs().max().clamp_min(1)
    return max(float(of_logits), float((found[1] - wanted[1]).abs().max()))
