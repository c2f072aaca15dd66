"""CBAM and SCA: channel attention, then spatial attention."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from models.layers import sca
from models.layers.cbam import CBAM, CBAMSteps

from .record import AttentionKind, AttentionMap, KindGate, Make, Step


def _read(_module: CBAM, steps: CBAMSteps, make: Make, note: str = "") -> list[AttentionMap]:
    """Channel weights M_c, then the spatial map M_s."""
    return [
        make(
            "channel weights",
            r"M_c(F) = \mathrm{sigmoid}(\mathrm{MLP}(\mathrm{avg}\,F) + \mathrm{MLP}(\max F))",
            f"{note}Woo et al. 2018, eq. 2; paper E, eq. 1",
            "channels",
            steps.m_c.flatten(1),
        ),
        make(
            "spatial map",
            r"M_s(F') = \mathrm{sigmoid}(f^{7\times7}[\mathrm{avg}\,F';\,\max F']),\quad F' = M_c(F) \odot F",
            f"{note}Woo et al. 2018, eq. 3; paper E, eq. 2",
            "positions",
            steps.m_s[:, 0],
        ),
    ]


KIND = AttentionKind(
    name="CBAM",
    label="CBAM",
    classes=(CBAM,),
    idea="weights channels, then spatial positions",
    source="Woo et al. 2018",
    effect="The feature map is multiplied by it after channel attention: bright positions are kept, uncolored ones "
    "suppressed",
    gates=(KindGate("channel_gate", "channel weights"), KindGate("spatial_gate", "spatial map")),
    read=_read,
    steps=(Step("channel weights", ""),),
)

SCA = replace(
    KIND,
    name="SCA",
    label="SCA",
    classes=(sca.SCA,),
    source="paper B",
    read=partial(_read, note="as CBAM; paper B names the parts without equations; "),
    built_as=KIND.label,
)
