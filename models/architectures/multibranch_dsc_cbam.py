"""Multi-branch attention network of paper E, and the single-branch network that it is compared with.

The idea: three branches process the face at three depths. Each has one module of depthwise-separable convolutions
(DSC), max-pool and CBAM, which weights channels and positions; the max-pool inside the module feeds the next branch, so
that later branches have a larger receptive field at a coarser resolution. The three 6×6 maps are added and classified.

    stem 32, 64 ─ module(128) ─ DSC(512, /2) ─ DSC(512, /2) ─┐
                    └ max-pool ─ module(256) ─ DSC(512, /2) ─┼─ + ─ DSC(1024) ─ DSC(1024) ─ average ─ FC 1024 ─ FC 7
                                   └ max-pool ─ module(512) ─┘
    module(C) = two DSC to C channels, max-pool, CBAM

Differences from the paper: none in what its text says. The two figures that it takes from the original disagree on the
stem; ours is 32/64, and 64/64 is an option. Its table of layers also has a 1×1 convolution in the second branch, 128
channels into the third and 3×3 before the average. Where dropout is applied is not stated; ours is before the last
layer. The authors' public code has 3 790 749 parameters, batch norm's running statistics among them; 3 772 253 are
trained, which needs a bias on every convolution and a CBAM reduction of 8. The one-branch ablation of the paper changes
two things at once, branches and kind of convolution; here each is an argument, so that they can be separated.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from jaxtyping import Float
from torch import Tensor, nn

from ..layers.cbam import CBAM
from ..layers.dsc import DSC, FullConv
from ..options import Bounds, InputChannels, Reduction, Share, options_of
from ..registry import register_model

Conv = Literal["dsc", "full"]
STAGES = (("stem",), ("branches",), ("reduce",), ("joint",))


class BranchModule(nn.Module):
    """Two convolutions and a max-pool, whose output feeds the next branch, and CBAM, whose output stays in this one."""

    def __init__(self, in_channels: int, out_channels: int, conv: type[nn.Module], reduction: int) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, out_channels)
        self.conv2 = conv(out_channels, out_channels)
        self.pool = nn.MaxPool2d(2)
        self.cbam = CBAM(out_channels, reduction)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C_in, H, W) → map with attention and pooled map, each (B, C_out, H/2, W/2)."""
        pooled = self.pool(self.conv2(self.conv1(x)))
        return self.cbam(pooled), pooled


class MultiBranch(nn.Module):
    """Stem, one to three branches, joint head.

    Args:
        num_classes: number of logits.
        branches: number of branches.
        conv: "dsc" (depthwise-separable) or "full" 3×3 convolutions, except in the stem.
        stem: channels of its first convolution; the text of the paper gives both.
        filters: channels of the first DSC-CBAM module; the next two have 2 and 4 times as many, the joint head 8 times.
        reduction: factor by which the hidden layer of CBAM's channel attention is narrower.
        dropout: dropout probability before the last layer.
        channels: number of input channels, 1 for gray, 3 for RGB.
    """

    def __init__(
        self,
        num_classes: int = 7,
        branches: Literal[1, 2, 3] = 3,
        conv: Conv = "dsc",
        stem: Literal[32, 64] = 32,
        filters: Annotated[int, Bounds(8, 512)] = 128,
        reduction: Reduction = 8,
        dropout: Share = 0.5,
        channels: InputChannels = 1,
    ) -> None:
        super().__init__()
        if branches not in (1, 2, 3):
            raise ValueError(f"branches={branches}: give 1, 2 or 3")
        if conv not in ("dsc", "full"):
            raise ValueError(f'conv="{conv}": choose "dsc" or "full"')
        block = DSC if conv == "dsc" else FullConv
        self.stem = nn.Sequential(FullConv(channels, stem), FullConv(stem, 64))
        widths = (filters, 2 * filters, 4 * filters)
        inputs, last, joint = (64, *widths), 4 * filters, 8 * filters
        self.branches = nn.ModuleList(BranchModule(inputs[i], widths[i], block, reduction) for i in range(branches))
        # Strided convolutions bring each branch to 6×6 and 4 · filters channels: two, one and none.
        self.reduce = nn.ModuleList(
            nn.Sequential(*(block(widths[i] if j == 0 else last, last, stride=2) for j in range(2 - i)))
            for i in range(branches)
        )
        self.joint = nn.Sequential(block(last, joint), block(joint, joint))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.hidden = nn.Sequential(nn.Linear(joint, 1024), nn.ReLU())
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(1024, num_classes)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W), H and W multiples of 8 → logits. Shapes for filters=128."""
        x = self.stem(x)  # (B, 64, H, W)
        ends = []
        for module, reduce in zip(self.branches, self.reduce, strict=True):
            attended, x = module(x)  # (B, 128, H/2, W/2), then (B, 256, H/4, W/4), then (B, 512, H/8, W/8)
            ends.append(reduce(attended))  # (B, 512, H/8, W/8)
        x = self.joint(sum(ends))  # (B, 1024, H/8, W/8): 6×6 at 48 px, the layer of the class activation maps
        x = self.pool(x).flatten(1)  # (B, 1024)
        return self.classifier(self.dropout(self.hidden(x)))


@register_model(
    "multibranch_dsc_cbam",
    paper="E",
    title="Multi-branch DSC-CBAM",
    parameters=3_772_253,
    imagenet=False,
    stages=STAGES,
    cam_layer="joint",
    attention_layers=("branches.0.cbam", "branches.1.cbam", "branches.2.cbam"),
    attention="CBAM",
    reported={"accuracy without augmentation": 0.5606, "accuracy": 0.7155, "accuracy in the original paper": 0.6949},
    options=options_of(MultiBranch),
)
def multibranch_dsc_cbam(num_classes: int = 7, **overrides) -> MultiBranch:
    """Build the network of paper E."""
    return MultiBranch(num_classes, **overrides)


@register_model(
    "singlebranch_conv_cbam",
    paper="E",
    title="Single branch, full convolutions",
    parameters=18_416_185,
    imagenet=False,
    stages=STAGES,
    cam_layer="joint",
    attention_layers=("branches.0.cbam",),
    attention="CBAM",
    reported={"accuracy": 0.4146},
    options=options_of(partial(MultiBranch, branches=1, conv="full")),
)
def singlebranch_conv_cbam(num_classes: int = 7, **overrides) -> MultiBranch:
    """Build the ablation of paper E: one branch, full convolutions."""
    options: dict[str, Any] = {"branches": 1, "conv": "full", **overrides}
    return MultiBranch(num_classes, **options)
