"""ResNet-50 + CNN, the third network of paper C.

The idea: take ResNet-50 with its ImageNet weights, adapt its first convolution to gray by averaging the colors
(W_gray = ⅓ Σ W_rgb, eq. 1), remove pooling so that 48 pixels are not downsampled too much, and freeze it (eq. 2). Two
1×1 convolutions reduce its 2048 channels to 128; their average (eq. 3) is projected to the unit sphere, with a learned
scale and shift,

    f̂ = f / ‖f‖₂        y = γ ⊙ f̂ + β,  γ, β from 1 and 0          eq. 4 to 6

so that the norm of the features, which depends on contrast and lighting, has no influence. Two fully connected layers
of 128 and 64 classify them.

Eq. 1 gives a gray image a third of the response that the RGB network has to it; the other networks of this project
take the sum, which keeps it (`backbones.for_our_pixels`). The averaged kernels are those for our input scale.

Differences from the paper: which pools are removed is not stated; ours are the stem's max-pool and the last stride,
which leaves 6×6 at 48 px. Its refinement ends at 1×1, where eq. 3 has no effect; ours ends at 3×3, which eq. 3
averages. Also ours: 512 channels between the two convolutions, dropout 0.3. Freezing is part of training: the recipe
`paper-c` does it in its first phase.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..backbones import RESNET_STEM, imagenet_weights, load_backbone, not_in_place, set_input_channels
from ..options import InputChannels, Share, options_of
from ..registry import RESNET_STAGES, register_model, within


class SphereSteps(NamedTuple):
    """What the module computes: `unit`, of norm 1, and `y` = γ ⊙ unit + β; both (B, D)."""

    unit: Tensor
    y: Tensor


class Sphere(nn.Module):
    """f ↦ γ ⊙ f / ‖f‖₂ + β, for features (B, D) (eq. 4 to 6)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, f: Tensor) -> Tensor:
        """Normalize, scale and shift."""
        return self.steps(f).y

    def steps(self, f: Tensor) -> SphereSteps:
        """Return the features on the unit sphere, and after scale and shift; zero features stay zero."""
        unit = F.normalize(f, dim=1)  # (B, D)
        return SphereSteps(unit, self.gamma * unit + self.beta)


class ResNet50CNN(nn.Module):
    """Gray ResNet-50 with little pooling, 1×1 refinement, sphere, two hidden layers.

    Args:
        num_classes: number of logits.
        dropout: dropout probability after each refinement and each hidden layer.
        channels: number of input channels, 1 for gray, 3 for RGB.
    """

    def __init__(self, num_classes: int = 7, dropout: Share = 0.3, channels: InputChannels = 1) -> None:
        from torchvision.models import resnet50  # here: it takes more than a second

        super().__init__()
        self.backbone = resnet50()
        set_input_channels(self.backbone, "conv1", channels)
        self.backbone.maxpool = self.backbone.avgpool = self.backbone.fc = nn.Identity()
        last = self.backbone.layer4[0]
        last.conv2.stride = last.downsample[0].stride = (1, 1)
        self.refine1 = nn.Sequential(nn.Conv2d(2048, 512, 1), nn.BatchNorm2d(512), nn.ReLU(), nn.Dropout(dropout))
        self.refine2 = nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(512, 128, 1), nn.BatchNorm2d(128), nn.ReLU(), nn.Dropout(dropout)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.sphere = Sphere(128)
        self.hidden = nn.Sequential(
            *(nn.Linear(128, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(128, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(dropout)),
        )
        self.classifier = nn.Linear(64, num_classes)
        not_in_place(self)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W) → logits (B, num_classes)."""
        net = self.backbone
        x = net.relu(net.bn1(net.conv1(x)))  # (B, 64, H/2, W/2)
        x = net.layer2(net.layer1(x))  # (B, 512, H/4, W/4)
        x = net.layer4(net.layer3(x))  # (B, 2048, H/8, W/8)
        x = self.refine1(x)  # (B, 512, H/8, W/8): 6×6 at 48 px, the layer of the class activation maps
        x = self.refine2(x)  # (B, 128, H/16, W/16)
        x = self.sphere(self.pool(x).flatten(1))  # (B, 128)
        return self.classifier(self.hidden(x))


@register_model(
    "resnet50_cnn",
    paper="C",
    title="ResNet-50 + CNN",
    parameters=24_643_655,
    stride=16,
    stages=within("backbone", RESNET_STAGES),
    cam_layer="refine1",
    reported={"training accuracy": 0.857, "validation accuracy": 0.857},
    options=options_of(ResNet50CNN),
)
def resnet50_cnn(
    num_classes: int = 7, pretrained: bool = False, channels: InputChannels = 1, **overrides
) -> ResNet50CNN:
    """Build the third network of paper C."""
    model = ResNet50CNN(num_classes, channels=channels, **overrides)
    if pretrained:
        from torchvision.models import ResNet50_Weights

        weights = ResNet50_Weights.IMAGENET1K_V1
        state = imagenet_weights(weights, RESNET_STEM, channels, average=channels == 1)  # eq. 1
        load_backbone(model.backbone, state)
    return model
