"""The bridge between the two islands: a face and the name of a network in, frozen results out.

Pages, the public demo and notebooks call these functions. Nothing here draws, and nothing here knows of Streamlit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
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
from .analysis import robustness as robustness_analysis
from .analysis import trust as trust_analysis
from .analysis import uncertainty as uncertainty_analysis
from .analysis.faithfulness import Progress
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

    def probabilities(self, pixels: Tensor) -> Tensor:
        """Calibrated answers to gray pixels in 0..1, (B, 1, S, S) → (B, K); for questions about changed pictures."""
        return self.answer(self.normalised(pixels[:, 0]))[0]

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


@dataclass(frozen=True, eq=False)
class Explanation:
    """A prediction with everything that can be said at once about how it came about.

    Attributes:
        prediction: of the same network and face.
        pixels: what the network was shown, in 0..1, (S, S).
        layer: name of the layer whose maps are weighed; None for a network that has none.
        atlas: maps of each method of `cam.METHODS` for each class, each method in a unit of its own, at least 0, as
            large as the layer's, (M, K, h, w); None without a layer.
        class_: the class that was asked for; the network's answer where none was.
        attention: what the network's own attention modules computed, in the order of the forward pass.
        frequencies: the picture split at a quarter of its side.
        spectrum: its singular values and its strongest terms.
    """

    prediction: Prediction
    pixels: Tensor
    layer: str | None
    atlas: Tensor | None
    class_: str
    attention: tuple[attention.AttentionMap, ...]
    frequencies: FrequencyPictures
    spectrum: Spectrum

    @property
    def extent(self) -> tuple[int, int]:
        """(height, width) of the layer's maps."""
        return tuple(self.atlas.shape[-2:])

    def maps(self, method: str = "gradcam") -> Tensor:
        """The maps of every class by one method, enlarged to the picture, (K, S, S); ValueError without a layer."""
        if self.atlas is None:
            raise ValueError("This network has no layer whose maps could be shown.")
        maps, size = self.atlas[cam.METHODS.index(method)], self.pixels.shape
        return torch.nn.functional.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]

    def map_of(self, class_: str, method: str = "gradcam") -> Tensor:
        """The map of one class, (S, S)."""
        return self.maps(method)[self.prediction.classes.index(class_)]


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
    return _predict(net, net.prepare(face))


def _predict(net: Network, x: Tensor) -> Prediction:
    probabilities, logits = net.answer(x)  # (1, K)
    return Prediction(net.classes, probabilities[0], logits[0], net.trained)


def explain(face: Face, network: str = DEFAULT_NETWORK, class_: str | None = None) -> Explanation:
    """What a network answers to a face, where the evidence for each class lies, and what its attention let through.

    Raises:
        ValueError: unknown network or class.
    """
    net = open_network(network)
    if class_ is not None:
        _index(net, class_)
    x, layer = net.prepare(face), net.spec.cam_layer
    prediction = _predict(net, x)
    return Explanation(
        prediction=prediction,
        pixels=net.see(face),
        layer=layer,
        atlas=cam.atlas(net.model, x, layer)[0] if layer else None,
        class_=class_ or prediction.answer,
        attention=attention.attention_of(net.model, x, net.spec.attention_layers),
        frequencies=frequencies(face, network),
        spectrum=spectrum(face, network),
    )


@dataclass(frozen=True, eq=False)
class Comparison:
    """What several networks answer to one face.

    Attributes:
        explanations: one of each network, in the order asked for.
        networks: their names.
        class_: whose maps stand side by side.
        maps: Grad-CAM of that class by each network, in the unit of its own logit, enlarged to the largest picture,
            (n, S, S); zeros for a network without a layer for maps.
        likeness: rank correlation of every two maps, −1..1, NaN beside a blank one, (n, n).
        agree: whether all give the same answer.
    """

    networks: tuple[str, ...]
    explanations: tuple[Explanation, ...]
    class_: str
    maps: Tensor
    likeness: Tensor
    agree: bool


def compare(face: Face, networks: Sequence[str], class_: str | None = None) -> Comparison:
    """What several networks answer to a face, and their maps for one class side by side (figure 9 of paper D).

    Args:
        face: the face.
        networks: two or more names.
        class_: whose maps; None: the first network's answer.

    Raises:
        ValueError: fewer than two networks, an unknown one, or a class that one of them does not have.
    """
    if len(networks) < 2:
        raise ValueError(f"networks={list(networks)}: name two networks or more to compare")
    class_ = class_ or predict(face, networks[0]).answer
    found = tuple(explain(face, name, class_) for name in networks)
    side = max(len(e.pixels) for e in found)
    maps = torch.stack(
        [_enlarged(e.map_of(class_), side) if e.layer else torch.zeros(side, side) for e in found]
    )  # (n, S, S)
    likeness = attention.correlation_with_cams(list(maps[:, None]), maps[None])[:, 0]
    agree = len({e.prediction.answer for e in found}) == 1
    return Comparison(tuple(networks), found, class_, maps, likeness, agree)


def trust(
    face: Face,
    network: str = DEFAULT_NETWORK,
    class_: str | None = None,
    method: str = "gradcam",
    progress: Progress | None = None,
) -> trust_analysis.Trust:
    """How far the map of one class can be trusted: curves, rivals, a badge by stated rules; takes seconds.

    Args:
        face, network: whose map.
        class_: None: the network's answer.
        method: one of `cam.METHODS`.
        progress: called with (work done, work in all).

    Raises:
        ValueError: unknown network, class or method, or a network without a layer for maps.
    """
    net = open_network(network)
    index = _index(net, class_ or predict(face, network).answer)
    layer = net.spec.cam_layer
    if layer is None:
        raise ValueError(f'network="{network}" has no layer whose maps could be trusted or not')

    def explainer(model: nn.Module, x: Tensor) -> Tensor:
        return cam.atlas(model, x, layer, (method,), [index])[0, 0, 0]  # (h, w)

    return trust_analysis.assess(net.model, net.prepare(face), index, explainer, progress=progress)


def robustness(face: Face, network: str, corruption: str) -> robustness_analysis.Response:
    """What a network answers while the picture gets worse: one of `CORRUPTIONS`, at each of its values."""
    net = open_network(network)
    if corruption not in robustness_analysis.CORRUPTIONS:
        known = ", ".join(robustness_analysis.CORRUPTIONS)
        raise ValueError(f'corruption="{corruption}" is not known; there are: {known}')
    found = robustness_analysis.CORRUPTIONS[corruption]
    return robustness_analysis.response(net.probabilities, net.see(face), found)


def occlusion(face: Face, network: str = DEFAULT_NETWORK, class_: str | None = None) -> Tensor:
    """How much the probability of a class falls where a patch of a quarter of the side hides the face, (S, S)."""
    net = open_network(network)
    index = _index(net, class_ or predict(face, network).answer)
    patch = max(1, net.input_size // 4)
    return robustness_analysis.occlusion(net.probabilities, net.see(face), index, patch, max(1, patch // 3))


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How sure a network is of one face.

    Attributes:
        classes: names of the classes.
        views: its answers to views of the face.
        dropout: its answers with dropout on; None for a network without dropout.
    """

    classes: tuple[str, ...]
    views: uncertainty_analysis.Tta
    dropout: uncertainty_analysis.McDropout | None


def uncertainty(face: Face, network: str = DEFAULT_NETWORK, samples: int = 30) -> Uncertainty:
    """How far the answer hangs on the frame and on the weights: views of the face, and passes with dropout."""
    net = open_network(network)
    x, t = net.prepare(face), (net.card and net.card.temperature) or 1.0
    dropout = (
        uncertainty_analysis.mc_dropout(net.model, x, samples, temperature=t)
        if uncertainty_analysis.has_dropout(net.model)
        else None
    )
    return Uncertainty(net.classes, uncertainty_analysis.tta(net.model, x, t), dropout)


def _index(net: Network, class_: str) -> int:
    if class_ not in net.classes:
        raise ValueError(f'class_="{class_}" is not one of {", ".join(net.classes)}')
    return net.classes.index(class_)


def _enlarged(map_: Tensor, side: int) -> Tensor:
    size = (side, side)
    return torch.nn.functional.interpolate(map_[None, None], size, mode="bilinear", align_corners=False)[0, 0]


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
    cutoffs = torch.linspace(0.02, 0.5, steps)
    found = frequency.response_to_cutoff(lambda p: net.probabilities(p[:, None]), net.see(face), cutoffs, mask)
    return FrequencyResponse(net.classes, cutoffs, found.low, found.high, found.whole, net.trained)


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
