"""Spatial and channel attention (SCA) of paper B: channel attention, then spatial attention.

The paper names the two, channels first, cites squeeze-and-excitation (Hu et al. 2018) and gives no equations. Ours are
those of CBAM (`cbam.py`), which has the same order.
"""

from __future__ import annotations

from .cbam import CBAM


class SCA(CBAM):
    """x ↦ M_s ⊙ (M_c ⊙ x); arguments and steps as for `CBAM`."""
