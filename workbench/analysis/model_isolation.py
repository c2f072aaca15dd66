"""Isolate a network for an analysis, and restore its state afterwards.

An analysis needs the network in evaluation mode, registers hooks, or calls code that does. The network belongs to
its caller (a cache that all visitors share, a training loop), so all of that is undone, also after an error.
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
def isolated(model: nn.Module) -> Iterator[nn.Module]:
    """Put the network in evaluation mode for one thread at a time, and restore it afterwards.

    Restored, also after an exception: `training` and the hooks of every submodule; `requires_grad` and `.grad` of every
    parameter (inside the block `.grad` is empty, so that a backward pass cannot add to the caller's).
    Weights and buffers are not copied: do not change them inside.

    The lock belongs to `model` itself. Of two networks that share submodules, isolate the one that contains the other.
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


def shared_copy_of(model: nn.Module) -> nn.Module:
    """A copy for one explanation that shares the weights: evaluation mode, frozen, at least float32.

    A lock is not enough: the hooks here see the predictions of other threads too, which take no lock, and would record
    or even change them. All hooks are registered on the copy, which is then discarded.
    """
    require_weights(model)
    double = _copied(model, lambda tensor: tensor)
    narrow = any(p.is_floating_point() and p.element_size() < 4 for p in double.parameters())
    return double.float() if narrow else double


def copy_of(model: nn.Module) -> nn.Module:
    """A deep copy whose weights may be changed; in evaluation mode, without gradients and hooks."""
    return _copied(model)


def meta_copy_of(model: nn.Module) -> nn.Module:
    """A copy on the meta device, in evaluation mode: weights have shapes and no values."""
    return _copied(model, lambda tensor: tensor.to("meta"))


def _copied(model: nn.Module, instead: Callable[[Tensor], Tensor] | None = None) -> nn.Module:
    """A copy that holds, frozen, another tensor `instead` of each of the network's; None: a copy of each."""
    with isolated(model), torch.inference_mode(False):  # in inference mode it could have no gradients
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
