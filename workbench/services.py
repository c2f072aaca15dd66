"""The bridge between the two islands: a face and the name of a network in, frozen results out.

Pages, the public demo and notebooks call these functions. Nothing here draws, and nothing here knows of Streamlit.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import torch
from torch import Tensor, nn

from models import PAPERS, Card, ModelSpec, create_model, get_spec, list_models, load_checkpoint
from models.checkpoints import CheckpointError, checkpoint_folder, read_card, read_predictions
from models.datasets import EMOTIONS
from models.evaluation import paired_difference
from models.layers.frequency import Mask
from models.layers.svd_attention import SVDAttention
from models.preprocessing import normalise, to_unit

from .analysis import attention, cam, frequency, spectra
from .analysis.frequency import FrequencyPictures
from .faces import Face, load_sample, samples

DEFAULT_NETWORK = "residual_cnn"


@dataclass(frozen=True, eq=False)
class Network:
    """A network that is ready to answer.

    Attributes:
        name: what the other functions take.
        spec: what is known of its architecture.
        model: in evaluation mode, on the CPU.
        card: of its trained weights; None for random weights, whose answers mean nothing.
    """

    name: str
    spec: ModelSpec
    model: nn.Module
    card: Card | None

    @property
    def trained(self) -> bool:
        """Whether its answers mean anything."""
        return self.card is not None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in the order of the logits."""
        return self.card.classes if self.card else EMOTIONS

    @property
    def input_size(self) -> int:
        """Side in pixels of the picture that it takes."""
        return self.card.input_size if self.card else self.spec.input_size

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    @property
    def svd_layers(self) -> tuple[str, ...]:
        """Its SVD attention modules, in the order of the forward pass."""
        return tuple(
            name for name in self.spec.attention_layers if isinstance(self.model.get_submodule(name), SVDAttention)
        )

    def see(self, face: Face) -> Tensor:
        """The gray pixels that it gets of a face, in 0..1, (S, S)."""
        return to_unit(torch.from_numpy(face.gray(self.input_size))[None], self.input_size)[0, 0]

    def normalised(self, pixels: Tensor) -> Tensor:
        """Gray pixels in 0..1, (B, S, S), as its input, normalised as in training, (B, 1, S, S)."""
        mean, std = (self.card.mean, self.card.std) if self.card else (0.5, 0.25)
        return normalise(pixels[:, None], mean, std)

    def prepare(self, face: Face) -> Tensor:
        """Its input for a face, (1, 1, S, S)."""
        return self.normalised(self.see(face)[None])

    def answer(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities, calibrated by the card's temperature, and logits for inputs (B, 1, S, S): each (B, K).

        Raises:
            CheckpointError: the weights give no numbers.
        """
        with torch.inference_mode():
            logits = self.model(x).float()  # (B, K)
        if not logits.isfinite().all():
            raise CheckpointError(
                f"The weights of {self.name} give no numbers for this face; get its checkpoint again."
            )
        return (logits / ((self.card and self.card.temperature) or 1.0)).softmax(-1), logits


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network answers to a face.

    Attributes:
        classes: names of the classes.
        probabilities: calibrated by the card's temperature, summing to 1, (K,).
        logits: as the network gives them, (K,).
        trained: False for random weights.
    """

    classes: tuple[str, ...]
    probabilities: Tensor
    logits: Tensor
    trained: bool

    @property
    def answer(self) -> str:
        """The most probable class."""
        return self.classes[int(self.probabilities.argmax())]


@dataclass(frozen=True, eq=False)
class Explanation:
    """A prediction with the maps that belong to it.

    Attributes:
        prediction: of the same network and face.
        pixels: what the network was shown, in 0..1, (S, S).
        layer: name of the layer whose maps are weighed, and `extent`, their (height, width).
        maps: Grad-CAM of every class in the unit of the logit, at least 0, enlarged to the picture, (K, S, S).
        class_: the class that was asked for; the network's answer where none was.
    """

    prediction: Prediction
    pixels: Tensor
    layer: str
    extent: tuple[int, int]
    maps: Tensor
    class_: str

    def map_of(self, class_: str) -> Tensor:
        """The map of one class, (S, S)."""
        return self.maps[self.prediction.classes.index(class_)]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The singular values of what a network is shown, and the picture of their first k terms.

    Attributes:
        pixels: the picture in 0..1, (S, S).
        sigma: singular values, largest first, (S,).
        energy: share of the squared picture in the first 1, 2, … terms, 0..1, (S,).
        k: number of terms kept.
        approximation: the picture of rank k, cut to 0..1, (S, S).
        term: the k-th term alone, σ_k u_k v_kᵀ, (S, S).
    """

    pixels: Tensor
    sigma: Tensor
    energy: Tensor
    k: int
    approximation: Tensor
    term: Tensor


_KEPT_OPEN = 8  # networks; the one that was asked for longest ago is closed first
_opened: OrderedDict[str, tuple[float, Network]] = OrderedDict()
_opening = Lock()


def open_network(name: str) -> Network:
    """A network by name, opened once for all visitors, and again when its checkpoint changes; the last few stay open.

    One that has no checkpoint gets random weights, the same each time.

    Raises:
        ValueError: there is no such network; CheckpointError: its checkpoint is damaged.
    """
    spec = get_spec(name)
    folder = checkpoint_folder(name)
    stamp = max((file.stat().st_mtime for file in folder.glob("*.*") if file.is_file()), default=0.0)
    with _opening:
        if name not in _opened or _opened[name][0] != stamp:
            _opened[name] = (stamp, _open(spec, trained=folder.is_dir()))
        _opened.move_to_end(name)
        while len(_opened) > _KEPT_OPEN:
            _opened.popitem(last=False)
        return _opened[name][1]


def _open(spec: ModelSpec, trained: bool) -> Network:
    if trained:
        return Network(spec.name, spec, *load_checkpoint(spec.name))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Network(spec.name, spec, create_model(spec.name).eval(), None)


@lru_cache(maxsize=1)
def network_names() -> tuple[str, ...]:
    """All networks: the default one, then the trained ones, then the others, each in alphabetical order."""
    trained = {name for name in list_models() if checkpoint_folder(name).is_dir()}
    return tuple(sorted(list_models(), key=lambda name: (name != DEFAULT_NETWORK, name not in trained, name)))


def paper(letter: str) -> str:
    """Title of one of the five papers, "A" to "E"."""
    return PAPERS[letter]


def predict(face: Face, network: str = DEFAULT_NETWORK) -> Prediction:
    """What a network answers to a face."""
    net = open_network(network)
    probabilities, logits = net.answer(net.prepare(face))  # (1, K)
    return Prediction(net.classes, probabilities[0], logits[0], net.trained)


def explain(face: Face, network: str = DEFAULT_NETWORK, class_: str | None = None) -> Explanation:
    """What a network answers to a face, and where the evidence for each class lies (Grad-CAM).

    Raises:
        ValueError: unknown network or class, or a network without a layer for maps.
    """
    net = open_network(network)
    prediction = predict(face, network)
    if class_ is not None and class_ not in net.classes:
        raise ValueError(f'class_="{class_}" is not one of {", ".join(net.classes)}')
    if net.spec.cam_layer is None:
        raise ValueError(f'network="{network}" has no layer whose map could be shown')
    maps = cam.gradcam(net.model, net.prepare(face), range(len(net.classes)), net.spec.cam_layer)  # (1, K, h, w)
    size = (net.input_size, net.input_size)
    enlarged = torch.nn.functional.interpolate(maps, size, mode="bilinear", align_corners=False)
    return Explanation(
        prediction=prediction,
        pixels=net.see(face),
        layer=net.spec.cam_layer,
        extent=(maps.shape[-2], maps.shape[-1]),
        maps=enlarged[0],
        class_=class_ or prediction.answer,
    )


def warm() -> None:
    """Load libraries, weights and the sample face, so that the first visitor does not wait; a fault shows later."""
    with suppress(ValueError):
        explain(load_sample(samples()[0].name))


def frequencies(
    face: Face, network: str = DEFAULT_NETWORK, cutoff: float = 0.25, mask: Mask = "ideal"
) -> FrequencyPictures:
    """What a network is shown, split at `cutoff` (radius / side) into its slow and its fast waves."""
    return frequency.frequency_pictures(open_network(network).see(face), cutoff, mask)


@dataclass(frozen=True, eq=False)
class Channels:
    """The fast waves of each colour of a face (figure 3 of paper D).

    Attributes:
        names: of the channels.
        high: fast waves around middle gray, in 0..1, (3, S, S).
        likeness: correlation of every pair of them, −1..1, (3, 3).
    """

    names: tuple[str, ...]
    high: Tensor
    likeness: Tensor


def channels(face: Face, cutoff: float = 0.25, mask: Mask = "ideal", size: int = 96) -> Channels:
    """The fast waves of red, green and blue, at `size` pixels a side; no network is asked."""
    rgb = torch.tensor(face.rgb(size)).permute(2, 0, 1) / 255  # (3, S, S)
    high, _ = frequency.split_frequencies(rgb, cutoff, mask)
    return Channels(("red", "green", "blue"), (0.5 + high / 2).clamp(0, 1), frequency.likeness(high))


@dataclass(frozen=True, eq=False)
class FrequencyResponse:
    """What a network answers when it is shown only a part of the frequencies.

    Attributes:
        classes: names of the classes.
        cutoffs: radius / side, rising, (n,).
        low: probabilities for the slow waves alone, (n, K).
        high: probabilities for the fast waves alone, around the picture's mean gray, (n, K).
        whole: probabilities for the whole face, (K,).
        trained: False for random weights.
    """

    classes: tuple[str, ...]
    cutoffs: Tensor
    low: Tensor
    high: Tensor
    whole: Tensor
    trained: bool


def frequency_response(
    face: Face, network: str = DEFAULT_NETWORK, mask: Mask = "ideal", steps: int = 24
) -> FrequencyResponse:
    """What a network answers to the slow and to the fast waves of a face, at `steps` cut-offs from 0.02 to 0.5."""
    net = open_network(network)
    pixels = net.see(face)  # (S, S)
    cutoffs = torch.linspace(0.02, 0.5, steps)
    parts = [frequency.split_frequencies(pixels, float(cutoff), mask) for cutoff in cutoffs]
    pictures = [pixels, *(low for _, low in parts), *(high + pixels.mean() for high, _ in parts)]
    probabilities, _ = net.answer(net.normalised(torch.stack(pictures)))  # (1 + 2n, K)
    whole, low, high = probabilities.split([1, steps, steps])
    return FrequencyResponse(net.classes, cutoffs, low, high, whole[0], net.trained)


def spectrum(face: Face, network: str = DEFAULT_NETWORK, k: int = 8) -> Spectrum:
    """The singular values of what a network is shown, the picture of the first k terms, and its k-th term alone."""
    pixels = open_network(network).see(face)
    sigma = spectra.singular_spectrum(pixels)
    u, _, v = spectra.rank_one_terms(pixels, k)  # (k, S) each
    term = sigma[k - 1] * u[-1, :, None] * v[-1]
    return Spectrum(pixels, sigma, spectra.energy(sigma), k, spectra.rank_k(pixels, k).clamp(0, 1), term)


def svd_networks() -> tuple[str, ...]:
    """Networks with SVD attention, the trained ones first, then those of the paper's main comparison."""
    names = [name for name in list_models() if get_spec(name).attention == "SVD"]
    untrained = {name for name in names if not checkpoint_folder(name).is_dir()}
    return tuple(sorted(names, key=lambda name: (name in untrained, name not in PAPER_D, name)))


def memory_account(side: int = 112, batch: int = 32) -> attention.MemoryAccount:
    """What comparing maps pixel by pixel, or by their singular values, costs in memory."""
    return attention.memory_account(side, batch)


def svd_attention(face: Face, network: str, layer: str) -> attention.SVDAttentionSteps:
    """Every step of one SVD attention module on a face, tensors of a batch of one; errors as for `svd_steps`."""
    net = open_network(network)
    return attention.svd_steps(net.model, net.prepare(face), layer)


@dataclass(frozen=True, eq=False)
class Gain:
    """What a module brought, ours beside the paper's; shares of 1, None where it was not run.

    Attributes:
        network, plain: the network with the module, and the one without.
        accuracy: on PrivateTest with flip averaging: value, lower and upper end of the 95 % interval.
        difference: to the plain one, in accuracy on PrivateTest, single view, with its interval.
        reported: the paper's difference in accuracy.
        epochs, seed: of our training.
    """

    network: str
    plain: str
    accuracy: tuple[float, float, float] | None
    difference: tuple[float, float, float] | None
    reported: float | None
    epochs: int | None
    seed: int | None


PAPER_D = {"resnet18_bam": "resnet18", "resnet18_svd_hfc": "resnet18"}
"""The comparison of paper D that is trained here: networks with a module, and the one without."""


def gains() -> tuple[Gain, ...]:
    """What BAM and SVD attention brought to ResNet-18 on FER2013, here and in paper D."""
    return tuple(_gain(network, plain) for network, plain in PAPER_D.items())


def _gain(network: str, plain: str) -> Gain:
    figures = [get_spec(name).reported.get("accuracy on FER2013") for name in (network, plain)]
    reported = None if None in figures else figures[0] - figures[1]
    try:
        card = read_card(network)
        flip = card.metrics["PrivateTest"]["flip"]
        own, rival = (read_predictions(name, "PrivateTest") for name in (network, plain))
    except (CheckpointError, KeyError):
        return Gain(network, plain, None, None, reported, None, None)
    difference = paired_difference(own.logits, rival.logits, own.labels)["accuracy"]
    accuracy = (flip["accuracy"], *flip["accuracy_interval"])
    return Gain(network, plain, accuracy, difference, reported, card.epochs, card.seed)
