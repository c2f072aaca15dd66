"""Which operations of a forward pass a propagation method has no rule for."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

SHAPES = frozenset(
    {
        *("View", "Reshape", "ReshapeAlias", "UnsafeView", "Squeeze", "Unsqueeze", "Permute", "Transpose", "T"),
        *("Expand", "Clone", "Alias", "Slice", "Select", "Cat", "Split", "Unbind", "ToCopy"),
    }
)
"""Operations that only move values, by the names of their gradient functions."""


@dataclass(frozen=True)
class Rules:
    """What a propagation method covers.

    Attributes:
        method: name of the method.
        modules: types of modules with a rule, exact ones, not subclasses.
        once: those of them that may be called only once, since the rule stores the values of one call.
        operations: names of gradient functions outside of these modules through which plain gradients are right.
    """

    method: str
    modules: Collection[type[nn.Module]]
    once: Collection[type[nn.Module]]
    operations: Collection[str]

    def require(self, model: nn.Module, x: Tensor) -> None:
        """Run one forward pass; ValueError where the logits depend on anything that the method does not cover."""
        lacking = self._lacking(model, x)
        if lacking:
            raise ValueError(
                f'name="{self.method}" has no rule for {", ".join(sorted(lacking))} in this network. Choose another '
                "method, such as integrated_gradients."
            )

    def _lacking(self, model: nn.Module, x: Tensor) -> set[str]:
        entered: dict[object, tuple[object, ...]] = {}  # gradient function of a module's output → those of its inputs
        calls: dict[nn.Module, int] = {}

        def note(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
            calls[module] = calls.get(module, 0) + 1
            output = output.clone()  # a module that returns its input would share its gradient function
            entered[output.grad_fn] = tuple(i.grad_fn for i in inputs if isinstance(i, Tensor))
            return output

        with torch.enable_grad(), ExitStack() as hooks:
            for module in model.modules():
                if type(module) in self.modules:
                    hooks.enter_context(module.register_forward_hook(note))
            logits = model(x.clone().requires_grad_())
        again = {f"{type(m).__name__} called {n} times" for m, n in calls.items() if n > 1 and type(m) in self.once}
        return again | self._operations(logits.grad_fn, entered)

    def _operations(self, end: Any, entered: dict[object, tuple[object, ...]]) -> set[str]:
        lacking, todo, seen = set(), [end], set()
        while todo:
            node = todo.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if node in entered:
                todo += entered[node]
                continue
            todo += [earlier for earlier, _ in node.next_functions]
            name = type(node).__name__.partition("Backward")[0]
            if name not in self.operations and name != "AccumulateGrad":
                lacking.add(name)
        return lacking
