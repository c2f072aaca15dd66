"""ONNX files for the browser: a recorded network, its weights in fewer bits, and the face detector.

Weights that are stored in float16 or int8 are converted to float32 by the first nodes of the graph, once while ONNX
Runtime optimizes it. So the file is smaller and the arithmetic stays float32.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch

from .errors import WebDemoError
from .tracing import Traced

if TYPE_CHECKING:
    from onnx import ModelProto

Storage = Literal["int8", "fp16", "fp32"]
"""The type in which weights are stored."""

STORAGES: tuple[Storage, ...] = get_args(Storage)

_SMALLEST = 256  # values; smaller tensors and vectors, such as statistics of batch normalization, stay in float32
_NO_OPERATOR = re.compile(r"No ONNX function found for <OpOverload\(op='([\w.]+)'")
MISSING = (
    'The web demo needs {name}. Install it: pip install "ferscope[export]", in a checkout '
    '.venv/bin/pip install -e ".[export]"'
)


def names_of(traced: Traced) -> tuple[str, ...]:
    """Names of the outputs: logits, maps if there is a layer for them, attention_0, attention_1, …"""
    maps = ("maps",) if traced.layer else ()
    return ("logits", *maps, *(f"attention_{i}" for i in range(len(traced.attention))))


def to_onnx(traced: Traced, network: str) -> ModelProto:
    """The recorded network as ONNX, from "pixels" to `names_of` its outputs, with weights in float32.

    Raises:
        WebDemoError: an operation has no counterpart in ONNX, or the extra `export` is missing.
    """
    try:
        import onnxscript  # noqa: F401  torch.onnx needs it
    except ImportError as error:
        raise WebDemoError(MISSING.format(name=error.name)) from error
    options: dict[str, Any] = {"input_names": ["pixels"], "output_names": list(names_of(traced))}
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(traced.graph, (traced.pixels,), strict=False)
            # Not optimized: weights into which batch normalization is fused are rounded by float16. ONNX Runtime fuses.
            options |= {"dynamo": True, "optimize": False, "verbose": False}
            converted: Any = torch.onnx.export(program, (traced.pixels,), **options)
    except (torch.onnx.OnnxExporterError, RuntimeError, ValueError) as error:
        raise WebDemoError(f"{network} cannot be exported to ONNX: {why_not(error)}.") from error
    return converted.model_proto


def why_not(error: Exception) -> str:
    """Why torch's exporter failed, as the end of a sentence: an operator that ONNX lacks, or its own last line."""
    missing = _NO_OPERATOR.search(str(error))
    return f"its operator {missing[1]} has no counterpart in ONNX" if missing else str(error).strip().splitlines()[-1]


def stored(model: ModelProto, storage: Storage) -> bytes:
    """A network in ONNX with its weights stored in another type; int8 with one scale for each output channel."""
    import onnx

    if storage == "fp32":
        return model.SerializeToString()
    out = onnx.ModelProto()
    out.CopyFrom(model)
    first: list[onnx.NodeProto] = []
    for tensor in list(out.graph.initializer):
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.ndim < 2 or values.size < _SMALLEST:
            continue
        out.graph.initializer.remove(tensor)
        pack = _half if storage == "fp16" else _eighth
        for name, part in (packed := pack(tensor.name, values))[0].items():
            out.graph.initializer.append(onnx.numpy_helper.from_array(part, name))
        first += packed[1]
    nodes = [*first, *out.graph.node]
    del out.graph.node[:]
    out.graph.node.extend(nodes)
    return out.SerializeToString()


def _half(name: str, values: np.ndarray) -> tuple[dict[str, np.ndarray], list]:
    """Tensors of float16 and the nodes that make `name` of them."""
    from onnx import TensorProto, helper

    half = np.clip(values, -65504, 65504).astype(np.float16)
    return {f"{name}.fp16": half}, [helper.make_node("Cast", [f"{name}.fp16"], [name], to=TensorProto.FLOAT)]


def _eighth(name: str, values: np.ndarray) -> tuple[dict[str, np.ndarray], list]:
    """Tensors of int8 with a scale for each index of the first dimension, and the nodes that make `name` of them."""
    from onnx import TensorProto, helper

    largest = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
    scale = np.where(largest > 1e-30, largest / 127, 1).astype(np.float32)
    parts = {f"{name}.int8": np.round(values / scale).astype(np.int8), f"{name}.scale": scale}
    return parts, [
        helper.make_node("Cast", [f"{name}.int8"], [f"{name}.float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.float", f"{name}.scale"], [name]),
    ]


def any_size(path: Path) -> bytes:
    """YuNet's ONNX file for images of any height and width; the original fixes 640 × 640, which OpenCV ignores."""
    import onnx

    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        for dimension in value.type.tensor_type.shape.dim[1:]:
            if dimension.dim_value > 14:  # not the channels of a pixel, nor the values of a face
                dimension.Clear()
    del model.graph.value_info[:]
    return model.SerializeToString()
