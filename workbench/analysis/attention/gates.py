"""The gates of a network, and the network with some of them held at given values (ablation by a constant).

A gate is the output of one submodule, a sigmoid that makes the weights of a map; a hook there reads or replaces it. Of
a transformer block it is the softmax: the attention weights of all heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from threading import get_ident

import torch
from torch import Tensor, nn

from models.layers.angle_attention import AngleAttention
from models.layers.bam import BAM
from models.layers.cbam import CBAM
from models.layers.svd_attention import SVDAttention
from models.layers.transformer import TransformerBlock

from ..model_isolation import borrowed


@dataclass(frozen=True)
class Gate:
    """One gate of a network.

    Attributes:
        layer: name of its attention module.
        kind: class of that module, such as "CBAM"; "SE" for squeeze-and-excitation.
        title: which of the module's gates it is: "gate", "channel weights", "spatial map", "self-attention".
        path: name of the submodule whose output it is.
        neutral: the constant that leaves the map as it is; None for self-attention, which has none.
    """

    layer: str
    kind: str
    title: str
    path: str
    neutral: float | None


_ONE = (("gate", "gate", 1.0),)
_KINDS: dict[type[nn.Module], tuple[tuple[str, str, float | None], ...]] = {  # submodule, title, neutral value
    CBAM: (("channel_gate", "channel weights", 1.0), ("spatial_gate", "spatial map", 1.0)),  # and SCA
    BAM: (("gate", "gate", 0.0),),  # x + x ⊙ gate
    SVDAttention: _ONE,
    AngleAttention: _ONE,
    TransformerBlock: (("softmax", "self-attention", None),),
}
_SQUEEZE_EXCITATION = {
    "timm.layers.squeeze_excite.SEModule": "gate",
    "torchvision.ops.misc.SqueezeExcitation": "scale_activation",
}
"""Submodule of each library's class, which is known by name because the libraries take two seconds to import."""


def gates_of(model: nn.Module) -> tuple[Gate, ...]:
    """All gates of a network, in the order in which it registers its modules; () where it has none."""
    found = []
    for layer, module in model.named_modules():
        kind, own = _gates_in(module)
        found += [Gate(layer, kind, title, f"{layer}.{name}".lstrip("."), neutral) for name, title, neutral in own]
    return tuple(found)


def _gates_in(module: nn.Module) -> tuple[str, Sequence[tuple[str, str, float | None]]]:
    """The kind of an attention module and its gates as in `_KINDS`; none where it has none."""
    for parent in type(module).__mro__:
        if inside := _SQUEEZE_EXCITATION.get(f"{parent.__module__}.{parent.__name__}"):
            return "SE", ((inside, "channel weights", 1.0),)
    return type(module).__name__, next((own for kind, own in _KINDS.items() if isinstance(module, kind)), ())


@contextmanager
def replaced(model: nn.Module, values: Mapping[Gate, Tensor | float], off: Sequence[str] = ()) -> Iterator[nn.Module]:
    """Lend the network with some gates held at given values in this thread's forward passes; it comes back as it was.

    Args:
        model: in whatever mode; inside the block it is in evaluation mode, and no gradient is kept.
        values: gate → its value for every image: a number, or a tensor of the shape of one image's gate.
        off: names of modules that return their input.

    Raises:
        ValueError: in the forward pass, a value that has not the shape of its gate.
    """

    def give(gate: Gate, output: Tensor) -> Tensor:
        value = torch.as_tensor(values[gate], dtype=output.dtype, device=output.device)
        if value.ndim and value.shape != output.shape[1:]:
            raise ValueError(f"{gate.path}: the gate of an image has shape {tuple(output.shape[1:])}, the value given "
                             f"in its place {tuple(value.shape)}. Give one number or that shape.")  # fmt: skip
        return value.expand_as(output)

    with borrowed(model), torch.no_grad(), _hooked(model, tuple(values), give), _off(model, off):
        yield model


@contextmanager
def watched(model: nn.Module, gates: Sequence[Gate], note: Callable[[Gate, Tensor], None]) -> Iterator[nn.Module]:
    """Lend the network; `note` gets every gate's output (B, …) in this thread's forward passes."""
    with borrowed(model), torch.no_grad(), _hooked(model, gates, note):
        yield model


@contextmanager
def _hooked(model: nn.Module, gates: Sequence[Gate], see: Callable[[Gate, Tensor], Tensor | None]) -> Iterator[None]:
    """Inside, `see` gets the output of every gate in this thread's passes, and may return another in its place."""
    thread = get_ident()

    def at_gate(gate: Gate, _module: nn.Module, _inputs: tuple, output: Tensor) -> Tensor | None:
        return see(gate, output) if get_ident() == thread else None

    def unfused(block: TransformerBlock, inputs: tuple, _output: Tensor) -> Tensor | None:
        return block.steps(inputs[0]).y if get_ident() == thread and block.enabled else None

    with ExitStack() as hooks:
        for gate in gates:
            hooks.enter_context(model.get_submodule(gate.path).register_forward_hook(partial(at_gate, gate)))
            block = model.get_submodule(gate.layer)
            if isinstance(block, TransformerBlock):  # its fused forward pass never computes the softmax by itself
                hooks.enter_context(block.register_forward_hook(unfused))
        yield


@contextmanager
def _off(model: nn.Module, layers: Sequence[str]) -> Iterator[None]:
    """Inside, these modules return their input in this thread's passes."""
    thread = get_ident()

    def return_input(_module: nn.Module, inputs: tuple, _output: Tensor) -> Tensor | None:
        return inputs[0] if get_ident() == thread else None

    with ExitStack() as hooks:
        for layer in layers:
            hooks.enter_context(model.get_submodule(layer).register_forward_hook(return_input))
        yield
