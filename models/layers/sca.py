"""Spatial and channel attention (SCA) of paper B: channel attention, then spatial attention.

The paper names the two and their order and gives no equations. Ours are those of CBAM (`cbam.py`), with which
`hybrid_resnet50` lands on the paper's parameter count.
"""

from __future__ import annotations

from .cbam import CBAM


class SCA(CBAM):
    """x ↦ M_s ⊙ (M_c ⊙ x); arguments and steps as for `CBAM`."""
