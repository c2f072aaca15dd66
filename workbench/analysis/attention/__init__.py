"""Attention modules of a network: their maps, their gates, and predictions without them.

Each attention module can return its intermediate steps (`models.layers`); only its input is needed. One forward pass
records that input, and the module is then run again on it alone. The network is not changed.

A map of attention is a number inside the network, not a reason for its prediction. Four functions measure what it
means: `attention_of` shows the numbers with their equations, `gate_statistics` how far they depend on the image and
which predictions do not need them, `switch_off` the logits without them, and `correlation_with_cams` how little the
two kinds of map need to agree (Jain and Wallace 2019, "Attention is not Explanation").

    steps        attention_modules, input_of, steps_of, svd_steps: which modules there are, what reaches them, all steps
    kinds        AttentionKind, AttentionMap: the record of each kind of module, with its reader
    maps         attention_of: all maps of a network
    input_dependence  fixed_share: how much of a module's weights is the same for every image
    gates        gates_of, replaced: every gate of a network, and the network with gates held at given values
    gate_statistics   saturation, variation between images, predictions changed by the mean and without
    blocks       rollout: through a chain of transformer blocks
    vision_transformer  attention_weights, rollout_of: attention rollout of plain vision transformers of timm
    ablation     switch_off, switch_off_each: the logits without a module
    branches     class_branches: what the branches of paper B's networks give
    cam_agreement  correlation_with_cams: attention beside class activation maps
    memory       memory_account: what two products of paper D cost
"""

from .ablation import Replacement, SwitchedOff, switch_off, switch_off_each
from .blocks import rollout
from .branches import BranchShares, class_branches
from .cam_agreement import correlation_with_cams
from .gate_statistics import (
    CONSTANT_DEVIATION,
    CONSTANT_SHARE,
    GateStatistics,
    ModuleStatistics,
    gate_statistics,
    passes,
)
from .gates import Gate, gates_of, replaced
from .input_dependence import fixed_share
from .kinds import AttentionKind, AttentionMap, kind_named, kind_of, kinds_in
from .maps import attention_of, maps_from
from .memory import MemoryAccount, memory_account
from .steps import attention_modules, input_of, recorded_inputs, steps_from, steps_of, svd_steps
from .vision_transformer import attention_weights, rollout_of

__all__ = [
    "CONSTANT_DEVIATION",
    "CONSTANT_SHARE",
    "AttentionKind",
    "AttentionMap",
    "BranchShares",
    "Gate",
    "GateStatistics",
    "MemoryAccount",
    "ModuleStatistics",
    "Replacement",
    "SwitchedOff",
    "attention_modules",
    "attention_of",
    "attention_weights",
    "class_branches",
    "correlation_with_cams",
    "fixed_share",
    "gate_statistics",
    "gates_of",
    "input_of",
    "kind_named",
    "kind_of",
    "kinds_in",
    "maps_from",
    "memory_account",
    "passes",
    "recorded_inputs",
    "replaced",
    "rollout",
    "rollout_of",
    "steps_from",
    "steps_of",
    "svd_steps",
    "switch_off",
    "switch_off_each",
]
