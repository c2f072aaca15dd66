"""Broken on purpose: a network that is asked wrongly, in one of five ways that have happened to many people.

The network itself is never touched. A fault lies in what is put in, in what is read out, or in a double that shares the
weights; the explanation comes from the same engine as the sound one. A visitor who sees both can learn to tell from the
outside what is wrong inside.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..analysis.model_isolation import double_of
from ..faces import Face, load_sample, samples
from .explain import Explanation, explained, layers
from .networks import DEFAULT_NETWORK, Network, open_network
from .prediction import Prediction, answer_to

_BATCH = 4  # pictures that pass together in training mode


@dataclass(frozen=True)
class Fault:
    """A way to ask a network wrongly.

    Attributes:
        name: what `spoil` takes.
        title: in a few words, for a choice.
        wrong: what is done wrongly, in one sentence.
        sign: how it shows from the outside, in one sentence; what to look for.
        lesson: what a program has to do so that it cannot happen, in one sentence.
    """

    name: str
    title: str
    wrong: str
    sign: str
    lesson: str


_LIST = (
    Fault(
        "normalisation",
        "Wrong normalisation",
        "The pixels go in as numbers from 0 to 255, without the mean and the spread that the network was taught with.",
        "The answer hardly depends on the face, and is often surer than any sound one: the numbers are far outside of "
        "all that the network has met.",
        "Keep mean and spread in the same file as the weights, and look at the numbers that go in.",
    ),
    Fault(
        "turned",
        "Turned picture",
        "The picture is turned on its way into the network; the page still draws it upright.",
        "The answer is unsure or odd, and turning the face the other way mends it; the map lies where the face has "
        "nothing to show, because it belongs to the turned picture.",
        "Show what reaches the network, not what was uploaded; cameras write the turning into a note in the file.",
    ),
    Fault(
        "labels",
        "Labels in another order",
        "The network answers as ever, but its outputs carry each other's names.",
        "The probabilities are those of the sound network, number by number, under other names; on several faces the "
        "names are exchanged in the same way each time.",
        "Keep the order of the classes in the same file as the weights: FER2013's table counts in another order than "
        "its folders.",
    ),
    Fault(
        "training",
        "Left in training mode",
        "Batch-norm takes its averages from the few pictures that happen to pass together, and dropout stays on.",
        "The same face gets another answer each time it is asked about, although nothing was changed.",
        "Call `model.eval()` after loading, and ask twice.",
    ),
    Fault(
        "layer",
        "Wrong layer for the map",
        "The map is read from the first layers, which find edges, and not from the end of the network.",
        "Every probability is right; the map alone is off: fine-grained, along edges, and much alike for all classes.",
        "Name the layer beside the map, with the size of its maps.",
    ),
)

FAULTS: dict[str, Fault] = {fault.name: fault for fault in _LIST}
"""The faults by their names, in the order in which a page offers them."""


@dataclass(frozen=True, eq=False)
class Spoiled:
    """What a network that is asked wrongly has to say of a face.

    Attributes:
        fault: what is wrong.
        detail: how exactly it was done this time, in a few words.
        explanation: by the same engine as the sound one; `pixels` is the face as a page draws it.
        inputs: what really went in, (S, S), in the unit that the network got.
    """

    fault: Fault
    detail: str
    explanation: Explanation
    inputs: Tensor


@dataclass(frozen=True, eq=False)
class _Setup:
    """A network with a fault, ready to be asked.

    Attributes:
        net: the network, or the double that stands for it.
        inputs: of a face, (B, 1, S, S), the face first.
        order: of output i, whose number it shows; None: its own.
        layer: that the map is read from.
        detail: how exactly it was done.
    """

    net: Network
    inputs: Callable[[Face], Tensor]
    order: list[int] | None
    layer: str | None
    detail: str


def possible_faults(network: str = DEFAULT_NETWORK) -> tuple[Fault, ...]:
    """Faults that this network can have: without batch-norm and dropout, training mode changes nothing."""
    net, missing = open_network(network), set()
    if not any(isinstance(module, _BatchNorm | nn.Dropout) for module in net.model.modules()):
        missing.add("training")
    if _first_layer(net) is None:
        missing.add("layer")
    return tuple(fault for fault in _LIST if fault.name not in missing)


def fault_of(seed: int, network: str = DEFAULT_NETWORK) -> Fault:
    """The fault that a number stands for, the same for everybody; 1 to 5 hold each fault once, 6 to 10 again, …"""
    faults = possible_faults(network)
    rounds, place = divmod(seed - 1, len(faults))
    return random.Random(rounds).sample(faults, len(faults))[place]


def spoil(face: Face, network: str, fault: str, seed: int = 0, asked: int = 0) -> Spoiled:
    """Explain a face with a fault.

    Args:
        face, network: as for `explain`.
        fault: one of FAULTS.
        seed: decides how the picture is turned and how the labels are exchanged.
        asked: the how-manieth time it is asked; it decides which pictures pass together, and what dropout drops.

    Raises:
        ValueError: unknown network, unknown fault, or one that this network cannot have.
    """
    setup = _setup(network, fault, seed, asked)
    x = setup.inputs(face)
    found = explained(setup.net, face, x, setup.layer)
    if setup.order is not None:
        atlas = None if found.atlas is None else found.atlas[:, setup.order]
        prediction = _renamed(found.prediction, setup.order)
        found = replace(found, prediction=prediction, atlas=atlas, class_=prediction.answer)
    return Spoiled(FAULTS[fault], setup.detail, found, x[0, 0])


def ask_spoiled(
    pictures: Sequence[Face], network: str, fault: str, seed: int = 0, asked: int = 0
) -> tuple[Prediction, ...]:
    """What the network answers to each of several faces with a fault; arguments and errors as for `spoil`."""
    setup = _setup(network, fault, seed, asked)
    found = (answer_to(setup.net, setup.inputs(face)) for face in pictures)
    return tuple(_renamed(p, setup.order) if setup.order else p for p in found)


def turned(face: Face, quarters: int) -> Face:
    """A face turned by quarters of a circle, counter-clockwise."""
    return Face(face.picture.rotate(90 * quarters))


def _renamed(prediction: Prediction, order: list[int]) -> Prediction:
    return replace(prediction, probabilities=prediction.probabilities[order], logits=prediction.logits[order])


# ---- the five


def _setup(network: str, fault: str, seed: int, asked: int) -> _Setup:
    if fault not in FAULTS:
        raise ValueError(f'fault="{fault}" is not one of {", ".join(FAULTS)}')
    if FAULTS[fault] not in possible_faults(network):
        raise ValueError(f'fault="{fault}": {network} cannot have it. Choose another fault or network.')
    net = open_network(network)
    sound = _Setup(net, net.prepare, None, net.spec.cam_layer, "")
    return _MAKERS[fault](sound, random.Random(seed), asked)


def _unscaled(sound: _Setup, _rng: random.Random, _asked: int) -> _Setup:
    see = sound.net.see
    return replace(sound, inputs=lambda face: 255 * see(face)[None, None], detail="pixels from 0 to 255")


def _turned(sound: _Setup, rng: random.Random, _asked: int) -> _Setup:
    quarters = rng.choice((1, 2, 3))
    ways = {1: "by 90° to the left", 2: "upside down", 3: "by 90° to the right"}
    prepare = sound.net.prepare
    return replace(
        sound, inputs=lambda face: torch.rot90(prepare(face), quarters, (2, 3)), detail=f"turned {ways[quarters]}"
    )


def _exchanged(sound: _Setup, rng: random.Random, _asked: int) -> _Setup:
    """A cycle through all classes in a drawn order, so that none keeps its own name."""
    names = sound.net.classes
    ring = rng.sample(range(len(names)), len(names))
    order = [0] * len(names)
    for at, following in zip(ring, ring[1:] + ring[:1], strict=True):
        order[at] = following
    pairs = ", ".join(f"{names[source]} is called {names[shown]}" for shown, source in enumerate(order))
    return replace(sound, order=order, detail=pairs)


def _training(sound: _Setup, _rng: random.Random, asked: int) -> _Setup:
    net = sound.net
    twin, company = _in_training(net.model, asked), _company(asked)

    def batch(face: Face) -> Tensor:
        return torch.cat([net.prepare(one) for one in (face, *company)])

    detail = f"{_BATCH} pictures pass together, with others each time"
    return replace(sound, net=replace(net, model=twin), inputs=batch, detail=detail)


def _wrong_layer(sound: _Setup, _rng: random.Random, _asked: int) -> _Setup:
    layer = _first_layer(sound.net)
    return replace(sound, layer=layer, detail=f"the map comes from `{layer}` in place of `{sound.layer}`")


_MAKERS: dict[str, Callable[[_Setup, random.Random, int], _Setup]] = {
    "normalisation": _unscaled,
    "turned": _turned,
    "labels": _exchanged,
    "training": _training,
    "layer": _wrong_layer,
}


def _first_layer(net: Network) -> str | None:
    """The layer with the finest maps; None where the network has no other than its own choice."""
    others = [layer for layer in layers(net.name) if layer.name != net.spec.cam_layer]
    return max(others, key=lambda layer: layer.extent).name if others else None


def _company(asked: int) -> list[Face]:
    """The pictures that happen to pass beside a face: samples, drawn anew each time."""
    names = random.Random(asked).sample([sample.name for sample in samples()], _BATCH - 1)
    return [load_sample(name) for name in names]


def _in_training(model: nn.Module, asked: int) -> nn.Module:
    """A double, with the same weights, that does in evaluation mode what the network does in training.

    A switch to training would be seen by every visitor, would move the averages that batch-norm keeps, and would be
    undone by the analyses. So the double's batch-norms keep no averages, and hooks do what dropout does, from a
    generator of their own that begins anew with each call: an answer and its map belong to the same pass.
    """
    twin = double_of(model)
    for number, module in enumerate(twin.modules()):
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = None
            module.track_running_stats = False
        elif isinstance(module, nn.Dropout):
            module.register_forward_hook(_dropping(1000 * asked + number))
    return twin


def _dropping(seed: int) -> Callable[[nn.Dropout, tuple, Tensor], Tensor]:
    def drop(layer: nn.Dropout, _inputs: tuple, output: Tensor) -> Tensor:
        kept = torch.rand(output.shape, generator=torch.Generator().manual_seed(seed)) >= layer.p
        return torch.where(kept, output / (1 - layer.p), 0)

    return drop
