"""The logits in what a network returns: a tensor, or a tuple, dict or dataclass with one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor


def logits_in(returned: Any, classes: int, output: str = "") -> Tensor:
    """The logits (B, classes) in what a network returns for a batch.

    Args:
        returned: a tensor, or a mapping, dataclass, named tuple, tuple or list that has one.
        classes: number of logits.
        output: key, field or index of the logits; empty: the one tensor (B, classes).

    Raises:
        ValueError: there is no such field, or no tensor or several that could be the logits.
    """
    fields = fields_of(returned)
    if output:
        if isinstance(fields.get(output), Tensor):
            return fields[output]
        raise ValueError(f'The network returns no tensor named "{output}"; it returns {_listed(fields)}.')
    found = [name for name, value in fields.items() if _is_logits(value, classes)]
    if len(found) == 1:
        return fields[found[0]]
    raise ValueError(
        f"The network returns {_listed(fields)}: {len(found)} of them have the shape (B, {classes}) of logits. Name "
        'it: output="NAME" in register_model, or ferscope networks add --output NAME.'
    )


def fields_of(returned: Any) -> dict[str, Any]:
    """The parts of what a network returns by key, field or index; a tensor has the one part "0"."""
    if isinstance(returned, Mapping):
        return {str(key): value for key, value in returned.items()}
    if dataclasses.is_dataclass(returned) and not isinstance(returned, type):
        return {field.name: getattr(returned, field.name) for field in dataclasses.fields(returned)}
    if isinstance(returned, Sequence) and not isinstance(returned, str):
        names = getattr(returned, "_fields", None) or [str(i) for i in range(len(returned))]
        return dict(zip(names, returned, strict=True))
    return {"0": returned}


def _is_logits(value: Any, classes: int) -> bool:
    return isinstance(value, Tensor) and value.ndim == 2 and value.shape[1] == classes


def _listed(fields: Mapping[str, Any]) -> str:
    shown = {
        name: f"(B, {', '.join(map(str, value.shape[1:]))})" if isinstance(value, Tensor) else type(value).__name__
        for name, value in fields.items()
    }
    return ", ".join(f"{name}: {what}" for name, what in shown.items()) or "nothing"
