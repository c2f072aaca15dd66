"""Recipes: named sets of values for `TrainConfig`. A paper's recipe follows its text; "ours" marks what it leaves open.

A recipe's split is part of it, so that `--recipe paper-d` selects its epoch on the test set, as the paper does. Use
`--split official` to train with a paper's recipe and evaluate by the rules of the challenge. What a paper says
of a single network or dataset is in `ADDED`.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..registry import get_spec
from .config import Phase, TrainConfig

RECIPES: dict[str, dict[str, Any]] = {
    # For CPUs: two thirds of the epochs use smaller images, which take half the time.
    "quick": {
        "epochs": 26,
        "batch_size": 128,
        "growing_sizes": (32, 40),
        "learning_rate": 0.1,
        "schedule": "one-cycle",
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "label_smoothing": 0.1,
        "augmentation": "quick",
    },
    # RARN. Not stated, so ours: plain momentum of 0.9, no weight decay, the split, and no ImageNet weights.
    "paper-a": {
        "epochs": 33,
        "batch_size": 64,
        "nesterov": False,
        "learning_rate": 0.01,
        "schedule": "step",
        "decay_every": 3,
        "decay_factor": 0.9,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "augmentation": "paper-a",
    },
    # Hybrids, progressively: the head, then more and more of the backbone in three phases, and the head again. The
    # order of learning rates and epochs on the slide is unclear; we read it as decreasing rates. Ours: epochs and
    # learning rate of the first phase, batch size, length of the warm-up, weight decay.
    #
    # The slide unfreezes layers from 160, 140 and 100 on of Keras' ResNet-50, which has 175 of them without its top:
    # 7 of the stem (0 to 6), then 12 for the first block of each stage, whose shortcut has a convolution, and 10 for
    # any other: conv2 7 to 38, conv3 39 to 80, conv4 81 to 142 (blocks from 81, 93, 103, 113, 123, 133), conv5 143 to
    # 174 (blocks from 143, 155, 165). The last 4 of 10 layers are the third convolution, its batch norm, sum and ReLU.
    #   160: inside conv5_block2 (155 to 164), one before its third convolution, 161. `layer4.1.conv3` and `layer4.2`
    #        are the last 4 of the 10 convolutions of torchvision's layer4: 0.4 of that stage.
    #   140: all of conv5, and the batch norm that ends conv4_block6, which stays frozen here.
    #   100: conv4_block3 to 6 too, and the batch norm that ends conv4_block2, which stays frozen here. `layer3.2` to
    #        `layer3.5` are the last 12 of the 19 convolutions of layer3: 0.63 of that stage. conv3 never trains.
    # For the other hybrids the paper names no layers. Ours: the same shares of their last two stages, whose feature
    # maps have the same sizes, 7×7 and 14×14.
    "paper-b": {
        "pretrained": True,
        "phases": (
            Phase(epochs=10, learning_rate=1e-3, trained_stages=0),
            Phase(epochs=15, learning_rate=1e-5, trained_stages=0.4),
            Phase(epochs=15, learning_rate=5e-6, trained_stages=1),
            Phase(epochs=20, learning_rate=1e-6, trained_stages=1.63),
            Phase(epochs=20, learning_rate=1e-7, trained_stages=0),
        ),
        "batch_size": 32,
        "optimizer": "adamw",
        "weight_decay": 1e-2,
        "schedule": "cosine",
        "warmup": 1.0,
        "label_smoothing": 0.0,
        "augmentation": "paper-b",
        "class_weights": "inverse",
        "split": "paper-b",
    },
    # ResNet-50 + CNN and its two baselines. Eq. 7 divides the weighted cross-entropy by the number of images N, as
    # training does; its weights are scaled to 1 on average here, a constant factor that does not change Adam's steps.
    # Ours: no weight decay. `ADDED` freezes the pretrained layers of the first.
    "paper-c": {
        "epochs": 60,
        "batch_size": 32,
        "optimizer": "adam",
        "learning_rate": 1e-4,
        "schedule": "constant",
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "augmentation": "paper-c",
        "class_weights": "paper-c",
        "split": "random-80-20",
    },
    # SVD attention on FER2013: no validation set, so the epoch is selected on the test set. `ADDED` has what differs
    # on JAFFE and CK+. Ours: optimizer, flips, no decay, no ImageNet weights.
    "paper-d": {
        "epochs": 100,
        "batch_size": 32,
        "input_size": 224,
        "optimizer": "adam",
        "learning_rate": 1e-4,
        "schedule": "plateau",
        "decay_factor": 0.3,
        "patience": 5,
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "augmentation": "paper-d",
        "split": "paper-d",
    },
    # Multi-branch DSC-CBAM: optimizer and epochs of the original; the students state none. Ours: the batch size.
    "paper-e": {
        "epochs": 300,
        "batch_size": 64,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "constant",
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "augmentation": "paper-e",
        "split": "kaggle-oheix",
    },
}
# For comparing networks with the same settings: a third of the epochs.
RECIPES["short"] = RECIPES["quick"] | {"epochs": 9, "learning_rate": 0.05}
# For networks with a transformer, which hardly train with SGD at the learning rates above.
RECIPES["adamw"] = RECIPES["quick"] | {
    "epochs": 10,
    "growing_sizes": (),
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 1e-2,
    "schedule": "cosine",
    "warmup": 1.0,
}
# For vision transformers from random weights, which have no built-in notion of neighborhood: stronger augmentation and
# more epochs (Touvron et al. 2021, DeiT).
RECIPES["vit"] = RECIPES["adamw"] | {
    "epochs": 60,
    "weight_decay": 0.05,
    "warmup": 5.0,
    "clip_norm": 1.0,
    "augmentation": "strong",
    "mixup": 0.2,
}
# The same after masked-image pretraining on the training images (He et al. 2022).
RECIPES["vit-masked"] = RECIPES["vit"] | {"masked_epochs": 100}
# From random weights in a few epochs. Adam's steps do not depend on the scale of the gradients, so a deep network makes
# progress in the first epochs, unlike with SGD at the learning rates above.
RECIPES["scratch"] = {
    "epochs": 8,
    "batch_size": 64,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 1e-2,
    "schedule": "cosine",
    "warmup": 1.6,  # a fifth of the epochs
    "clip_norm": 2.0,
    "label_smoothing": 0.1,
    "augmentation": "moderate",
}
# The same from ImageNet weights.
RECIPES["transfer"] = RECIPES["scratch"] | {"pretrained": True}
# The same with the ImageNet weights frozen: only the head trains, a linear classifier of fixed features, which bears
# and needs a higher learning rate.
RECIPES["frozen"] = RECIPES["transfer"] | {"trained_stages": 0, "learning_rate": 1e-2}
# The last epochs at a larger input size than that of the run before (Touvron et al. 2019, as for `settle`):
# --recipe enlarge --start-from FOLDER --overrides side 224
RECIPES["enlarge"] = RECIPES["adamw"] | {"epochs": 4, "learning_rate": 5e-4, "warmup": 0.25}
# A second, lower cycle at full size for a network that `quick` has trained: --recipe polish --start-from FOLDER
RECIPES["polish"] = RECIPES["quick"] | {"epochs": 5, "growing_sizes": (), "learning_rate": 0.02}
# The same for sixteen epochs with self-distillation: the target is half the label, half the prediction of the initial
# network, which shows the doubtful labels (born-again networks, Furlanello et al. 2018, arXiv:1805.04770).
RECIPES["born-again"] = RECIPES["polish"] | {
    "epochs": 16,
    "learning_rate": 0.05,
    "label_smoothing": 0.0,  # the teacher's predictions are smooth enough
    "distillation": 0.5,
    "ema": 0.998,
}
# Its last epochs with hardly any augmentation: rotation and zoom blur training images a little, unlike test images (the
# train-test discrepancy, Touvron et al. 2019, arXiv:1906.06423).
RECIPES["settle"] = RECIPES["born-again"] | {"epochs": 3, "learning_rate": 0.01, "augmentation": "paper-d"}
# Another round of self-distillation for the result of `settle`, with stronger augmentation that leaves half of the
# images sharp.
RECIPES["revise"] = RECIPES["born-again"] | {"epochs": 20, "augmentation": "strong"}
# The same, shorter and at a lower learning rate, for the result of `revise`.
RECIPES["hone"] = RECIPES["revise"] | {"epochs": 8, "learning_rate": 0.02}
# The most accurate single network without other data: more epochs, augmentation that leaves half of the images sharp,
# mixup, moving average of the weights.
RECIPES["strong"] = RECIPES["quick"] | {"epochs": 42, "augmentation": "strong", "mixup": 0.2, "ema": 0.998}
# The same with fewer epochs and another network as teacher: --recipe distill --teacher FOLDER
RECIPES["distill"] = RECIPES["strong"] | {"epochs": 30, "label_smoothing": 0.0, "distillation": 0.5}


ADDED: dict[tuple[str, str, str], dict[str, Any]] = {
    # Eq. 2 freezes the pretrained layers "during the initial phase of transfer learning", so another phase follows.
    # Ours: the pretrained layers are frozen for a third of the epochs, until the randomly initialized new ones have
    # settled; then everything trains at the paper's only learning rate.
    ("paper-c", "resnet50_cnn", ""): {
        "pretrained": True,
        "phases": (
            Phase(epochs=20, learning_rate=1e-4, trained_stages=0),
            Phase(epochs=40, learning_rate=1e-4),
        ),
    },
    ("paper-d", "", "jaffe"): {"batch_size": 8},
    ("paper-d", "", "ckplus"): {"batch_size": 16},
    ("paper-d", "mobilenet_v2", "jaffe"): {"learning_rate": 1e-3},
    ("paper-d", "mobilenet_v2", "ckplus"): {"learning_rate": 1e-3},
}
"""Values for some networks or datasets only, by (recipe, prefix of the network's name, dataset).

An empty text means all of them. The name of a dataset is that of its file, without suffix, that `ferscope data import`
writes.
"""


_RENAMED = {"taught": "distill"}  # earlier names, in run folders and scripts


def from_recipe(recipe: str, **values: Any) -> TrainConfig:
    """Make the configuration of a recipe for a network and a dataset.

    Args:
        recipe: a name in `RECIPES`, or an earlier one.
        **values: fields of `TrainConfig` that replace the recipe's. `start_from` replaces its ImageNet weights.
            `trained_stages` replaces its phases by a single one of the same length at their highest learning rate.
            `epochs` is distributed over its phases in proportion.

    Growing sizes at which the network's last feature map would be smaller than 2×2 are left out.

    Raises:
        ValueError: the name is not known, or a value is out of range.
    """
    recipe = _RENAMED.get(recipe, recipe)
    if recipe not in RECIPES:
        (near,) = get_close_matches(recipe, RECIPES, n=1, cutoff=0)
        raise ValueError(f'recipe="{recipe}" is not known; the nearest is {near}, and there are: {", ".join(RECIPES)}')
    spec = get_spec(values.get("model", TrainConfig.model_fields["model"].default))
    dataset = Path(values.get("data", TrainConfig.model_fields["data"].default)).stem
    found = dict(RECIPES[recipe])
    for (of, networks, set_), added in ADDED.items():
        if of == recipe and spec.name.startswith(networks) and set_ in ("", dataset):
            found |= added
    if values.get("start_from"):
        found["pretrained"] = False
    if "trained_stages" in values and "phases" not in values and (phases := found.pop("phases", ())):
        found = {"epochs": sum(phase.epochs for phase in phases)} | found
        found["learning_rate"] = max(phase.learning_rate for phase in phases)
    elif "phases" in found and "phases" not in values and values.get("epochs"):
        found["phases"] = _shared_among(found["phases"], values["epochs"])
    if growing := found.get("growing_sizes"):
        found["growing_sizes"] = tuple(side for side in growing if side >= spec.smallest_training_side)
    settings: dict[str, Any] = {**found, "recipe": recipe, **values}
    return TrainConfig(**settings)


def _shared_among(phases: tuple[Phase, ...], epochs: int) -> tuple[Phase, ...]:
    """The phases with `epochs` in total, distributed in proportion, at least one each (largest remainder method).

    Raises:
        ValueError: there are more phases than epochs.
    """
    if epochs < len(phases):
        raise ValueError(f"epochs={epochs}: the recipe has {len(phases)} phases, each of at least one epoch")
    together = sum(phase.epochs for phase in phases)
    exact = [epochs * phase.epochs / together for phase in phases]
    shares = [max(1, int(share)) for share in exact]
    while sum(shares) != epochs:
        step = 1 if sum(shares) < epochs else -1
        further = [
            step * (share - now) if now + step >= 1 else -epochs for share, now in zip(exact, shares, strict=True)
        ]
        shares[further.index(max(further))] += step
    return tuple(phase.model_copy(update={"epochs": n}) for phase, n in zip(phases, shares, strict=True))
