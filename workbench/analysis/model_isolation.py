"""Borrow a network for an analysis and give it back as it was.

An analysis needs the network in evaluation mode, hangs hooks into it, or calls code that does. The network belongs to
somebody else (a cache that all visitors share, a training loop), so all of that has to be undone, also after an error.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, RLock
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from .validation import require_weights

_HOOK_TABLES = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")

_locks: WeakKeyDictionary[nn.Module, RLock] = WeakKeyDictionary()
_locks_guard = Lock()


def lock_of(model: nn.Module) -> RLock:
    """The one lock of this network; it lives as long as the network and may be taken again by its holder."""
    with _locks_guard:
        return _locks.setdefault(model, RLock())


@contextmanager
def borrowed(model: nn.Module) -> Iterator[nn.Module]:
    """Lend the network in evaluation mode to one thread at a time, and put it back as it was.

    Put back, also after an exception: `training` and the hooks of every submodule; `requires_grad` and `.grad` of every
    parameter (inside the block `.grad` is empty, so that a backward pass cannot add to the owner's).
    Weights and buffers are not copied: do not change them inside.

    The lock belongs to `model` itself. Of two networks that share submodules, borrow the one that holds the other.
    """
    with lock_of(model):
        modules, parameters = list(model.modules()), list(model.parameters())
        undo = [_keep_modes(modules), _keep_gradients(parameters), _keep_hooks(modules)]
        try:
            for module in modules:
                module.training = False  # not .eval(): a network may attach more to that call than a flag
            for parameter in parameters:
                parameter.grad = None
            yield model
        finally:
            for put_back in undo:
                put_back()


def double_of(model: nn.Module) -> nn.Module:
    """A network of its own for one explanation: evaluation mode, frozen, at least float32; the weights are shared.

    A lock is not enough: the hooks here see the predictions of other threads too, which take no lock, and would record
    or even change them. The double bears all hooks, and is thrown away.
    """
    require_weights(model)
    double = _copied(model, lambda tensor: tensor)
    narrow = any(p.is_floating_point() and p.element_size() < 4 for p in double.parameters())
    return double.float() if narrow else double


def twin_of(model: nn.Module) -> nn.Module:
    """A copy with weights of its own, to be changed; in evaluation mode, without gradients and hooks of borrowers."""
    return _copied(model)


def hollow_of(model: nn.Module) -> nn.Module:
    """A double in evaluation mode whose weights have shapes and no numbers."""
    return _copied(model, lambda tensor: tensor.to("meta"))


def _copied(model: nn.Module, instead: Callable[[Tensor], Tensor] | None = None) -> nn.Module:
    """A copy that holds, frozen, another tensor `instead` of each of the network's; None: a copy of each."""
    with borrowed(model), torch.inference_mode(False):  # in inference mode it could have no gradients
        known: dict[int, object] = {}
        if instead is not None:
            known = {id(p): nn.Parameter(instead(p.detach()), requires_grad=False) for p in model.parameters()}
            known |= {id(buffer): instead(buffer) for buffer in model.buffers()}
        try:
            return copy.deepcopy(model, known)
        except RuntimeError as error:
            raise ValueError(f"model cannot be copied, because it keeps a tensor of a forward pass: {error}") from error


def _keep_modes(modules: list[nn.Module]) -> Callable[[], None]:
    modes = [(module, module.training) for module in modules]

    def put_back() -> None:
        for module, training in modes:
            module.training = training

    return put_back


def _keep_gradients(parameters: list[nn.Parameter]) -> Callable[[], None]:
    states = [(parameter, parameter.requires_grad, parameter.grad) for parameter in parameters]

    def put_back() -> None:
        for parameter, requires_grad, grad in states:
            if parameter.requires_grad != requires_grad:
                parameter.requires_grad_(requires_grad)
            if parameter.grad is not grad:
                parameter.grad = grad

    return put_back


def _keep_hooks(modules: list[nn.Module]) -> Callable[[], None]:
    tables = [getattr(module, name) for module in modules for name in _HOOK_TABLES]
    states = [(table, dict(table)) for table in tables]

    def put_back() -> None:
        for table, hooks in states:
            if table.keys() != hooks.keys():
                table.clear()
                table.update(hooks)

    return put_back
