"""The kinds of attention: one file each, with its reader and the record of all that pages and analyses need to know.

A new kind is a file with a record, and a line in `KINDS`.
"""

from __future__ import annotations

from torch import nn

from . import angle, bam, cbam, squeeze_excitation, svd, transformer
from .record import AttentionKind, AttentionMap, KindGate, Step

KINDS: tuple[AttentionKind, ...] = (  # SCA before CBAM, of which it is a subclass
    cbam.SCA,
    cbam.KIND,
    bam.KIND,
    svd.KIND,
    angle.KIND,
    transformer.KIND,
    squeeze_excitation.TIMM,
    squeeze_excitation.TORCHVISION,
)


def kind_of(module: nn.Module) -> AttentionKind | None:
    """The kind of an attention module; None for any other module."""
    return next((kind for kind in KINDS if kind.includes(module)), None)


def kind_named(name: str) -> AttentionKind:
    """A kind by its name (`AttentionMap.kind`, `Gate.kind`) or its label; KeyError where there is none."""
    return ({kind.label: kind for kind in KINDS} | {kind.name: kind for kind in KINDS})[name]


def kinds_in(attention: str) -> tuple[AttentionKind, ...]:
    """The kinds that `ModelSpec.attention` lists; () for none."""
    return tuple(map(kind_named, filter(None, attention.split(", "))))


__all__ = ["KINDS", "AttentionKind", "AttentionMap", "KindGate", "Step", "kind_named", "kind_of", "kinds_in"]
