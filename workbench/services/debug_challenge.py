"""Faults injected on purpose: a network with corrupted input or settings, in one of five ways that are common bugs.

The network itself is never modified. A fault is in the input, in how the output is read, or in a copy that shares the
weights; predictions and maps are computed as for the reference network, the one without a fault.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..analysis.model_isolation import shared_copy_of
from ..faces import Face, load_sample, samples
from .explain import Explanation, explained, layers
from .networks import DEFAULT_NETWORK, Network, open_network
from .prediction import Prediction, predict_input

_BATCH = 4  # images in a batch in training mode


@dataclass(frozen=True)
class Fault:
    """A common bug around a network.

    Attributes:
        name: argument of `explain_with_fault`.
        title: short title.
        wrong: what is wrong, in one sentence.
        sign: how to recognize it from predictions and maps, in one sentence.
        lesson: how a program prevents it, in one sentence.
    """

    name: str
    title: str
    wrong: str
    sign: str
    lesson: str


_LIST = (
    Fault(
        "normalization",
        "Wrong normalization",
        "The network receives pixels from 0 to 255, not normalized by the training set's mean and standard deviation.",
        "The prediction hardly depends on the face, often with high confidence, since the values are far outside the "
        "range of the training images.",
        "Store mean and standard deviation with the weights, and check the range of the input.",
    ),
    Fault(
        "rotated",
        "Rotated image",
        "The image is rotated before the network; the page still draws it upright.",
        "The prediction is uncertain or implausible, and rotating the face back corrects it; the map highlights the "
        "wrong regions, because it belongs to the rotated image.",
        "Show the input of the network, not the uploaded file; cameras store the orientation in EXIF metadata.",
    ),
    Fault(
        "labels",
        "Labels in another order",
        "The outputs are correct, but the class names are in another order.",
        "The probabilities equal those of the reference network under other names, and the classes are confused in the "
        "same way on every face.",
        "Store the order of the classes with the weights: FER2013's CSV file has another order than its folders.",
    ),
    Fault(
        "training",
        "Left in training mode",
        "Batch normalization uses the statistics of the current batch, and dropout stays on.",
        "Repeated runs on the same face give different probabilities.",
        "Call `model.eval()` after loading, and run the same image twice.",
    ),
    Fault(
        "layer",
        "Wrong target layer",
        "The map is computed for one of the first layers, which detect edges, not for one of the last.",
        "All probabilities are right; only the map is wrong: fine-grained, along edges, and similar for all classes.",
        "State the target layer and its size beside the map.",
    ),
)

FAULTS: dict[str, Fault] = {fault.name: fault for fault in _LIST}
"""Name → fault, in the order of the page."""


@dataclass(frozen=True, eq=False)
class FaultyExplanation:
    """The prediction and maps of a network with a fault.

    Attributes:
        fault: the fault.
        detail: its details in a few words, such as the angle.
        explanation: prediction and maps; `pixels` is the face as a page draws it.
        inputs: the actual input of the network, (S, S).
    """

    fault: Fault
    detail: str
    explanation: Explanation
    inputs: Tensor


@dataclass(frozen=True, eq=False)
class _Setup:
    """A network with a fault, ready for inference.

    Attributes:
        net: the network, or a copy of it.
        inputs: face → input batch, (B, 1, S, S), the face first.
        order: index of the output that is shown as output i; None: its own.
        layer: target layer of the map.
        detail: details of the fault.
    """

    net: Network
    inputs: Callable[[Face], Tensor]
    order: list[int] | None
    layer: str | None
    detail: str


def possible_faults(network: str = DEFAULT_NETWORK) -> tuple[Fault, ...]:
    """Faults that this network can have: without batch norm and dropout, training mode changes nothing."""
    net, missing = open_network(network), set()
    if not any(isinstance(module, _BatchNorm | nn.Dropout) for module in net.model.modules()):
        missing.add("training")
    if _first_layer(net) is None:
        missing.add("layer")
    return tuple(fault for fault in _LIST if fault.name not in missing)


def fault_of(seed: int, network: str = DEFAULT_NETWORK) -> Fault:
    """The fault of a challenge number, deterministic: 1 to 5 contain each fault once, 6 to 10 again, …"""
    faults = possible_faults(network)
    rounds, index = divmod(seed - 1, len(faults))
    return random.Random(rounds).sample(faults, len(faults))[index]


def explain_with_fault(face: Face, network: str, fault: str, seed: int = 0, call: int = 0) -> FaultyExplanation:
    """Explain a face with a fault.

    Args:
        face, network: the face and the name of the network, as for `explain`.
        fault: one of FAULTS.
        seed: decides the rotation and the order of the labels.
        call: index of the call, from 0; decides the other images of the batch and the dropout masks.

    Raises:
        ValueError: unknown network, unknown fault, or one that this network cannot have.
    """
    setup = _setup(network, fault, seed, call)
    x = setup.inputs(face)
    found = explained(setup.net, setup.net.see(face), x, setup.layer)
    if setup.order is not None:
        prediction, names = _renamed(found.prediction, setup.order), found.prediction.classes
        shown = {names[i]: found.mapped.index(names[j]) for i, j in enumerate(setup.order) if names[j] in found.mapped}
        atlas = None if found.atlas is None else found.atlas[:, list(shown.values())]
        found = replace(found, prediction=prediction, atlas=atlas, class_=prediction.predicted, mapped=tuple(shown))
    return FaultyExplanation(FAULTS[fault], setup.detail, found, x[0, 0])


def predict_with_fault(
    faces: Sequence[Face], network: str, fault: str, seed: int = 0, call: int = 0
) -> tuple[Prediction, ...]:
    """The predictions of a network with a fault for several faces; arguments and errors as for `explain_with_fault`."""
    setup = _setup(network, fault, seed, call)
    found = (predict_input(setup.net, setup.inputs(face)) for face in faces)
    return tuple(_renamed(p, setup.order) if setup.order else p for p in found)


def rotated(face: Face, quarters: int) -> Face:
    """A face rotated by multiples of 90°, counter-clockwise."""
    return Face(face.picture.rotate(90 * quarters))


def _renamed(prediction: Prediction, order: list[int]) -> Prediction:
    return replace(prediction, probabilities=prediction.probabilities[order], logits=prediction.logits[order])


# ---- the five


def _setup(network: str, fault: str, seed: int, call: int) -> _Setup:
    if fault not in FAULTS:
        raise ValueError(f'fault="{fault}" is not one of {", ".join(FAULTS)}')
    if FAULTS[fault] not in possible_faults(network):
        raise ValueError(f'fault="{fault}": {network} cannot have it. Choose another fault or network.')
    net = open_network(network)
    reference = _Setup(net, net.prepare, None, net.spec.cam_layer, "")
    return _MAKERS[fault](reference, random.Random(seed), call)


def _unscaled(reference: _Setup, _rng: random.Random, _call: int) -> _Setup:
    see = reference.net.see
    return replace(reference, inputs=lambda face: 255 * see(face)[None, None], detail="pixels from 0 to 255")


def _rotated(reference: _Setup, rng: random.Random, _call: int) -> _Setup:
    quarters = rng.choice((1, 2, 3))
    ways = {1: "by 90° to the left", 2: "upside down", 3: "by 90° to the right"}
    prepare = reference.net.prepare
    return replace(
        reference, inputs=lambda face: torch.rot90(prepare(face), quarters, (2, 3)), detail=f"rotated {ways[quarters]}"
    )


def _permuted(reference: _Setup, rng: random.Random, _call: int) -> _Setup:
    """A random cyclic permutation of the classes, so that none keeps its name."""
    names = reference.net.classes
    cycle = rng.sample(range(len(names)), len(names))
    order = [0] * len(names)
    for at, following in zip(cycle, cycle[1:] + cycle[:1], strict=True):
        order[at] = following
    pairs = ", ".join(f"{names[source]} is shown as {names[shown]}" for shown, source in enumerate(order))
    return replace(reference, order=order, detail=pairs)


def _training(reference: _Setup, _rng: random.Random, call: int) -> _Setup:
    net = reference.net
    copy, others = _in_training(net.model, call), _other_images(call)

    def batch(face: Face) -> Tensor:
        return torch.cat([net.prepare(one) for one in (face, *others)])

    detail = f"batches of {_BATCH} images, with other images in each run"
    return replace(reference, net=replace(net, model=copy), inputs=batch, detail=detail)


def _wrong_layer(reference: _Setup, _rng: random.Random, _call: int) -> _Setup:
    layer = _first_layer(reference.net)
    return replace(reference, layer=layer, detail=f"the map is computed for `{layer}` instead of `{reference.layer}`")


_MAKERS: dict[str, Callable[[_Setup, random.Random, int], _Setup]] = {
    "normalization": _unscaled,
    "rotated": _rotated,
    "labels": _permuted,
    "training": _training,
    "layer": _wrong_layer,
}


def _first_layer(net: Network) -> str | None:
    """The layer with the largest maps; None if the network has no layer but its own target layer."""
    others = [layer for layer in layers(net.name) if layer.name != net.spec.cam_layer]
    return max(others, key=lambda layer: layer.extent).name if others else None


def _other_images(call: int) -> list[Face]:
    """The other images of a batch: samples, drawn again each time."""
    names = random.Random(call).sample([sample.name for sample in samples()], _BATCH - 1)
    return [load_sample(name) for name in names]


def _in_training(model: nn.Module, call: int) -> nn.Module:
    """A copy with shared weights that behaves in evaluation mode as the network does in training mode.

    Switching the network itself to training mode would affect every visitor, update the running statistics of batch
    normalization, and be undone by the analyses. So the copy's batch normalization has no running statistics, and
    hooks apply dropout from a generator that restarts with each call: a prediction and its map use the same masks.
    """
    copy = shared_copy_of(model)
    for number, module in enumerate(copy.modules()):
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = None
            module.track_running_stats = False
        elif isinstance(module, nn.Dropout):
            module.register_forward_hook(_dropping(1000 * call + number))
    return copy


def _dropping(seed: int) -> Callable[[nn.Dropout, tuple, Tensor], Tensor]:
    def drop(layer: nn.Dropout, _inputs: tuple, output: Tensor) -> Tensor:
        kept = torch.rand(output.shape, generator=torch.Generator().manual_seed(seed)) >= layer.p
        return torch.where(kept, output / (1 - layer.p), 0)

    return drop
