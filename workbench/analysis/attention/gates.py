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

from models.layers.transformer import TransformerBlock

from ..model_isolation import isolated
from .kinds import kind_of


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


def gates_of(model: nn.Module) -> tuple[Gate, ...]:
    """All gates of a network, in the order in which it registers its modules; () where it has none."""
    kinds = ((layer, kind_of(module)) for layer, module in model.named_modules())
    return tuple(
        Gate(layer, kind.name, gate.title, f"{layer}.{gate.submodule}".lstrip("."), gate.neutral)
        for layer, kind in kinds
        if kind
        for gate in kind.gates
    )


@contextmanager
def replaced(model: nn.Module, values: Mapping[Gate, Tensor | float], off: Sequence[str] = ()) -> Iterator[nn.Module]:
    """Context manager: the network with some gates held at given values in this thread's forward passes; it comes back
    as it was.

    Args:
        model: a network in training or evaluation mode; inside the block it is in evaluation mode, and no gradient is
            kept.
        values: gate → its value for every image: a number, or a tensor of the shape of one image's gate.
        off: names of modules that return their input.

    Raises:
        ValueError: a value does not have the shape of its gate; raised in the forward pass.
    """

    def give(gate: Gate, output: Tensor) -> Tensor:
        value = torch.as_tensor(values[gate], dtype=output.dtype, device=output.device)
        if value.ndim and value.shape != output.shape[1:]:
            raise ValueError(f"{gate.path}: the gate of an image has shape {tuple(output.shape[1:])}, the value given "
                             f"in its place {tuple(value.shape)}. Give one number or that shape.")  # fmt: skip
        return value.expand_as(output)

    with isolated(model), torch.no_grad(), _hooked(model, tuple(values), give), _off(model, off):
        yield model


@contextmanager
def averaged(model: nn.Module, layers: Sequence[str]) -> Iterator[nn.Module]:
    """Context manager: the network with every gate of some modules replaced by the mean of its values for each image.

    The modules then scale their input as before and select nothing: of a transformer block, every position attends to
    all positions alike.
    """

    def mean(_gate: Gate, output: Tensor) -> Tensor:
        return output.mean(dim=tuple(range(1, output.ndim)), keepdim=True).expand_as(output)

    gates = tuple(gate for gate in gates_of(model) if gate.layer in layers)
    with isolated(model), torch.no_grad(), _hooked(model, gates, mean):
        yield model


@contextmanager
def switched_off(model: nn.Module, layers: Sequence[str]) -> Iterator[nn.Module]:
    """Context manager: the network with some modules returning their input in this thread's forward passes."""
    with isolated(model), torch.no_grad(), _off(model, layers):
        yield model


@contextmanager
def watched(model: nn.Module, gates: Sequence[Gate], note: Callable[[Gate, Tensor], None]) -> Iterator[nn.Module]:
    """Context manager: the network; `note` gets every gate's output (B, …) in this thread's forward passes."""
    with isolated(model), torch.no_grad(), _hooked(model, gates, note):
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
