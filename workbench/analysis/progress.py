"""How far a computation is, in forward passes of one image, for whoever waits for it.

`with reported_to(tell):` around any call of this package; what runs the network inside calls `advance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor

_LISTENER: ContextVar[Callable[[int], None] | None] = ContextVar("listener", default=None)
_STEP = 8  # images in a forward pass between two reports


@contextmanager
def reported_to(tell: Callable[[int], None]) -> Iterator[None]:
    """Call `tell` with the number of images of each further forward pass of this thread; it may raise to end it."""
    token = _LISTENER.set(tell)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def advance(images: int) -> None:
    """Report that so many images have gone through the network; does nothing where nobody waits."""
    if tell := _LISTENER.get():
        tell(images)


def steps(x: Tensor) -> tuple[Tensor, ...]:
    """A batch (B, …) in parts that are reported one by one; whole where nobody waits."""
    return x.split(_STEP) if _LISTENER.get() and len(x) else (x,)
