"""Recipes: named sets of values for `TrainConfig`. Those of papers follow the text; "ours" fills what it leaves out.

A recipe's split is part of it, so that `--recipe paper-d` chooses its epoch on the test set as the paper does. Give
`--split official` to train with a paper's recipe and judge by the challenge's own rules. What a paper says of one
network or one dataset alone stands in `ADDED`.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..registry import get_spec
from .config import Phase, TrainConfig

RECIPES: dict[str, dict[str, Any]] = {
    # For processors: two thirds of the epochs run on smaller pictures, which take half the time.
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
    # Hybrids, progressively: the head, three times more of the backbone, deep to shallow, and the head again. The
    # slide's order of rates and epochs is garbled: falling rates are our reading. Ours: epochs and rate of the first
    # phase, batch, length of the warm-up, weight decay.
    #
    # The slide unfreezes layers from 160, 140 and 100 on of Keras' ResNet-50, which has 175 of them without its top:
    # 7 of the stem (0 to 6), then 12 for the first block of each stage, whose shortcut has a convolution, and 10 for
    # any other: conv2 7 to 38, conv3 39 to 80, conv4 81 to 142 (blocks from 81, 93, 103, 113, 123, 133), conv5 143 to
    # 174 (blocks from 143, 155, 165). The last 4 of 10 layers are the third convolution, its batch norm, sum and ReLU.
    #   160: inside conv5_block2 (155 to 164), one before its third convolution, 161. `layer4.1.conv3` and `layer4.2`
    #        are the last 4 of the 10 convolutions of torchvision's layer4: 0.4 of that stage.
    #   140: conv5 wholly, and the batch norm that ends conv4_block6, which stays frozen here.
    #   100: conv4_block3 to 6 too, and the batch norm that ends conv4_block2, which stays frozen here. `layer3.2` to
    #        `layer3.5` are the last 12 of the 19 convolutions of layer3: 0.63 of that stage. conv3 never trains.
    # On the other hybrids the paper names no layers. Ours: the same shares of their last two stages, of which the maps
    # have the same sizes, 7×7 and 14×14.
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
    # training does; its weights are scaled to 1 on average here, a constant factor, which Adam's steps don't depend on.
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
    # SVD attention on FER2013: no validation part, so the epoch is chosen on the test set. `ADDED` has what differs on
    # JAFFE and CK+. Ours: optimizer, flips, no decay, no ImageNet weights.
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
    # Multi-branch DSC-CBAM: the original's optimiser and epochs; the students state none. Ours: the batch.
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
# For comparing networks with each other, each trained alike: a third of the epochs.
RECIPES["short"] = RECIPES["quick"] | {"epochs": 9, "learning_rate": 0.05}
# For networks with a transformer, which hardly begin to learn with the rates of SGD above.
RECIPES["adamw"] = RECIPES["quick"] | {
    "epochs": 10,
    "growing_sizes": (),
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 1e-2,
    "schedule": "cosine",
    "warmup": 1.0,
}
# From random weights in a few epochs. Adam's steps do not depend on the size of the gradients, so that the first epochs
# of a deep network are not lost as with SGD at the rates above.
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
# The last epochs of one that was trained on smaller pictures than it shall see (Touvron et al. 2019, as for `settle`):
# --recipe enlarge --start-from FOLDER --overrides side 224
RECIPES["enlarge"] = RECIPES["adamw"] | {"epochs": 4, "learning_rate": 5e-4, "warmup": 0.25}
# A second, lower cycle at full size for a network that `quick` has trained: --recipe polish --start-from FOLDER
RECIPES["polish"] = RECIPES["quick"] | {"epochs": 5, "growing_sizes": (), "learning_rate": 0.02}
# The same for sixteen epochs, learning from the labels and, half and half, from what the start answered: a network's
# own answers say which labels are doubtful (born-again networks, Furlanello et al. 2018, arXiv:1805.04770).
RECIPES["born-again"] = RECIPES["polish"] | {
    "epochs": 16,
    "learning_rate": 0.05,
    "label_smoothing": 0.0,  # the answers are smooth enough
    "distillation": 0.5,
    "ema": 0.998,
}
# Its last epochs, on pictures as a test shows them: turned and zoomed ones are a little blurred (the gap between
# training and test, Touvron et al. 2019, arXiv:1906.06423).
RECIPES["settle"] = RECIPES["born-again"] | {"epochs": 3, "learning_rate": 0.01, "augmentation": "paper-d"}
# A further round for a network that has settled, on pictures of which half are sharp.
RECIPES["revise"] = RECIPES["born-again"] | {"epochs": 20, "augmentation": "strong"}
# The same, shorter and lower, for one that has been revised.
RECIPES["hone"] = RECIPES["revise"] | {"epochs": 8, "learning_rate": 0.02}
# One network as good as it gets without other data: longer, half of the pictures sharp, blended pairs, a mean of the
# weights.
RECIPES["strong"] = RECIPES["quick"] | {"epochs": 42, "augmentation": "strong", "mixup": 0.2, "ema": 0.998}
# The same, quicker, from another network's answers beside the labels: --recipe taught --teacher FOLDER
RECIPES["taught"] = RECIPES["strong"] | {"epochs": 30, "label_smoothing": 0.0, "distillation": 0.5}


ADDED: dict[tuple[str, str, str], dict[str, Any]] = {
    # Eq. 2 freezes the pretrained layers "during the initial phase of transfer learning", so another phase follows.
    # Ours: a third of the epochs frozen, so that the new layers, which begin with random weights, settle before their
    # gradients reach the pretrained ones; then everything trains, at the one rate that the paper has.
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
"""What a paper's recipe says of some networks or datasets alone: (recipe, beginning of the network's name, dataset).

Empty means all of them. A dataset is known by the name of its file without ending, as `ferscope data import` gives it.
"""


def from_recipe(recipe: str, **values: Any) -> TrainConfig:
    """A configuration with a recipe's values for the network and the dataset, some of them replaced by `values`.

    `start_from` stands in place of the recipe's ImageNet weights. `trained_stages` stands in place of its phases: one
    training as long as they are together, at the highest of their rates. `epochs` is shared among the phases in the
    recipe's proportion. Growing sizes of which the network's last map would keep less than
    2×2 positions are left out.

    Raises:
        ValueError: an unknown name, or a value out of its range.
    """
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
    """The phases with `epochs` together, in proportion to their own, each at least one (largest remainders).

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
