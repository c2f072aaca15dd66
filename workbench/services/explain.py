"""Prediction, class activation maps, attention maps and spectra of one face."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from ..analysis import cam, progress
from ..analysis import trust as trust_analysis
from ..analysis.attention import AttentionMap
from ..analysis.faithfulness import Progress
from ..analysis.frequency import FrequencyImages, frequency_images
from ..analysis.methods import estimate, explain_with
from ..analysis.target_layers import MapLayer, map_layers, map_layers_of
from ..faces import Face, load_sample, samples
from .networks import DEFAULT_NETWORK, Network, class_index, open_network
from .prediction import Prediction, infer, predict_input
from .svd import Spectrum, spectrum_of


@dataclass(frozen=True, eq=False)
class Explanation:
    """A prediction with its explanations: class activation maps, attention maps, spectra.

    Attributes:
        prediction: prediction of the same network for the same face.
        pixels: luminance of the input of the network in 0..1, (S, S).
        inner: side in pixels to which the network resizes its input; None if it does not.
        layer: the target layer; None for a network without one.
        atlas: maps of each method of `cam.METHODS` for each class, each method in its own unit, at least 0, at the
            size of the layer, for the classes of `mapped`, (M, n, h, w); None without a layer.
        class_: the target class; by default the predicted class.
        mapped: classes that have maps: all of up to `MOST_MAPPED`; of more the most probable ones and `class_`.
        attention: maps of the network's attention modules, in the order of the forward pass.
    """

    prediction: Prediction
    pixels: Tensor
    inner: int | None
    layer: str | None
    atlas: Tensor | None
    class_: str
    mapped: tuple[str, ...]
    attention: tuple[AttentionMap, ...]

    @property
    def frequencies(self) -> FrequencyImages:
        """`pixels` split at a quarter of its side."""
        return frequency_images(self.pixels)

    @property
    def spectrum(self) -> Spectrum:
        """Singular values of `pixels` and its rank-8 approximation."""
        return spectrum_of(self.pixels)

    @property
    def extent(self) -> tuple[int, int]:
        """(height, width) of the layer's maps; (0, 0) without a layer."""
        return (0, 0) if self.atlas is None else (self.atlas.shape[-2], self.atlas.shape[-1])

    def maps(self, method: str = "gradcam") -> Tensor:
        """The maps of `mapped` by one method, resized to the image, (n, S, S); ValueError without a layer."""
        if self.atlas is None:
            raise ValueError("This network has no layer for class activation maps.")
        return cam.resize(self.atlas[cam.METHODS.index(method)], self.pixels.shape)

    def map_of(self, class_: str, method: str = "gradcam") -> Tensor:
        """The map of one class of `mapped`, (S, S)."""
        return self.maps(method)[self.mapped.index(class_)]


def explain(face: Face, network: str = DEFAULT_NETWORK, class_: str | None = None) -> Explanation:
    """Prediction of a network for a face, its class activation maps and its attention maps.

    Args:
        face: a face, as `faces.find` returns it.
        network: name of a network.
        class_: target class; None: the predicted class.

    Returns:
        The prediction; maps of each method of `cam.METHODS` at the network's target layer, for the target class and the
        most probable classes, none for a network without such a layer; and its attention maps.

    Raises:
        ValueError: unknown network or class.
        TypeError: `face` is not a `Face`.
        CheckpointError: the checkpoint is damaged, or its weights give no numbers.
    """
    net = open_network(network)
    if class_ is not None:
        class_index(net, class_)
    pixels, x = net.shown_and_input(face)
    return explained(net, pixels, x, net.spec.cam_layer, class_)


def explained(net: Network, pixels: Tensor, x: Tensor, layer: str | None, class_: str | None = None) -> Explanation:
    """Explain an input and a layer of the caller's own, in one forward pass.

    Args:
        net: an open network.
        pixels: the face in 0..1, to be shown beside the maps, (S, S).
        x: the network's input, (B, C, S, S); the first image of the batch is the face.
        layer: target layer of the maps; None: no maps.
        class_: target class; None: the predicted class.
    """
    found = infer(net, x, layer)
    mapped = _mapped(found.prediction, class_)
    indices = [net.classes.index(name) for name in mapped]
    return Explanation(
        prediction=found.prediction,
        pixels=pixels,
        inner=net.inner_side,
        layer=layer,
        atlas=cam.atlas_of(found.activations, classes=indices)[0] if found.activations else None,
        class_=class_ or found.prediction.predicted,
        mapped=mapped,
        attention=found.attention,
    )


MOST_MAPPED = 20
"""Classes with maps: those of 1000 classes would take longer than the network itself, and no page shows so many."""


def _mapped(prediction: Prediction, class_: str | None) -> tuple[str, ...]:
    if len(prediction.classes) <= MOST_MAPPED:
        return prediction.classes
    likely = prediction.probabilities.topk(MOST_MAPPED).indices.tolist()  # the most probable first
    return tuple(dict.fromkeys((*(prediction.classes[i] for i in likely), *([class_] if class_ else []))))


# ---- other layers and other methods


def layers(network: str = DEFAULT_NETWORK) -> tuple[MapLayer, ...]:
    """Possible target layers, one for each size of map, in the order of the forward pass; () if there are none.

    The network's own choice, `spec.cam_layer`, is always among them.
    """
    net = open_network(network)
    own = net.spec.cam_layer
    if net.model not in _layers:
        found = map_layers(net.model, net.input_size, net.spec.attention_layers, own, net.channels) if own else ()
        _layers[net.model] = tuple(found)
    return _layers[net.model]


_layers: WeakKeyDictionary[nn.Module, tuple[MapLayer, ...]] = WeakKeyDictionary()


def layer_tree(network: str = DEFAULT_NETWORK) -> tuple[tuple[int, MapLayer], ...]:
    """Every layer with maps of at least 2×2 positions, in the order of the modules, each with its depth in the tree.

    The depth counts the modules around it that have maps too. Layers without maps are left out.
    """
    net = open_network(network)
    if net.model not in _trees:
        called = map_layers_of(net.model, (1, net.channels, *(net.input_size,) * 2), reshape=net.spec.reshape)
        found = {layer.name: layer for layer in called if min(layer.extent) > 1}
        names = [name for name, _ in net.model.named_modules() if name in found]
        depths = {name: sum(name.startswith(f"{around}.") for around in names) for name in names}
        _trees[net.model] = tuple((depths[name], found[name]) for name in names)
    return _trees[net.model]


_trees: WeakKeyDictionary[nn.Module, tuple[tuple[int, MapLayer], ...]] = WeakKeyDictionary()


PASSES_OF_A_MAP = 3
"""What one map of one layer costs: a forward pass and a backward pass, which takes as long as two."""


def map_by_layer(face: Face, network: str, class_: str, layer: str, method: str = "gradcam") -> Tensor:
    """The map of one class for a chosen target layer, in the unit of its method, at least 0, (S, S).

    Raises:
        ValueError: unknown network, class, layer or method, or a layer that does not lead to the prediction.
    """
    net = open_network(network)
    x, index = net.prepare(face), class_index(net, class_)
    maps = cam.atlas(net.model, x, layer, (method,), [index], (net.input_size,) * 2, reshape=net.spec.reshape)
    progress.advance(PASSES_OF_A_MAP)
    return maps[0, 0, 0]


def map_by_method(face: Face, network: str, class_: str, method: str, progress: Progress | None = None) -> Tensor:
    """The map of one class by any explainer of `EXPLAINERS`, in its own unit, negative only if it is `signed`, (S, S).

    Raises:
        ValueError: unknown network, class or method, a network without a layer for maps, or a layer that
            the method does not support; the message says what to choose instead.
    """
    net = open_network(network)
    x, index, side = net.prepare(face), class_index(net, class_), net.input_size
    return explain_with(net.model, x, method, index, net.spec.cam_layer, (side, side), progress, net.spec.reshape)[0]


def seconds_by_method(face: Face, network: str, method: str) -> float:
    """About how long `map_by_method` will take on this computer."""
    net = open_network(network)
    return estimate(net.model, net.prepare(face), method, net.spec.cam_layer, net.spec.reshape)


# ---- faithfulness


TRUST_PASSES = 600
"""Approximate number of forward passes of `trust`: 566, and the work between them."""


def trust(
    face: Face,
    network: str = DEFAULT_NETWORK,
    class_: str | None = None,
    method: str = "gradcam",
    progress: Progress | None = None,
) -> trust_analysis.Trust:
    """Faithfulness of the map of one class: curves beside baselines, and a badge by stated rules; takes seconds.

    Args:
        face, network: the face and the name of the network, as for `explain`.
        class_: the target class; None: the predicted class.
        method: one of `cam.METHODS`.
        progress: called with (work done, work in all).

    Raises:
        ValueError: unknown network, class or method, or a network without a layer for maps.
    """
    net = open_network(network)
    layer, x = net.spec.cam_layer, net.prepare(face)
    index = class_index(net, class_ or predict_input(net, x).predicted)
    if layer is None:
        raise ValueError(f'network="{network}" has no layer for class activation maps')

    def explainer(model: nn.Module, x: Tensor) -> Tensor:
        return cam.atlas(model, x, layer, (method,), [index], reshape=net.spec.reshape)[0, 0, 0]  # (h, w)

    return trust_analysis.assess(net.model, x, index, explainer, progress=progress)


def warm() -> None:
    """Load libraries, weights and the sample face, so that the first visitor does not wait; errors appear later."""
    with suppress(ValueError):
        explain(load_sample(samples()[0].name))
