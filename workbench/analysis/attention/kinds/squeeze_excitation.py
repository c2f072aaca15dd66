"""Squeeze-and-excitation: channel attention inside the blocks of a backbone, without maps to show."""

from __future__ import annotations

from .record import AttentionKind, KindGate

_LABEL, _IDEA, _SOURCE = "squeeze-and-excitation", "weights channels", "Hu et al. 2018"
_EFFECT = "The feature map is multiplied by it, channel by channel"

TIMM = AttentionKind(
    "SE", _LABEL, ("timm.layers.squeeze_excite.SEModule",), _IDEA, _SOURCE, _EFFECT,
    (KindGate("gate", "channel weights"),),
)  # fmt: skip
TORCHVISION = AttentionKind(
    "SE", _LABEL, ("torchvision.ops.misc.SqueezeExcitation",), _IDEA, _SOURCE, _EFFECT,
    (KindGate("scale_activation", "channel weights"),),
)  # fmt: skip
