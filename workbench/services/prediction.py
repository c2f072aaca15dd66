"""Prediction of a network for a face, and its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..analysis import attention
from ..analysis import uncertainty as uncertainty_analysis
from ..analysis.activations import Activations, forward_from
from ..faces import Face
from .networks import DEFAULT_NETWORK, Network, open_network


@dataclass(frozen=True, eq=False)
class Prediction:
    """Prediction of a network for a face.

    Attributes:
        classes: names of the classes.
        probabilities: calibrated by the card's temperature, summing to 1, (K,).
        logits: logits as the network gives them, (K,).
        trained: False for random weights.
    """

    classes: tuple[str, ...]
    probabilities: Tensor
    logits: Tensor
    trained: bool

    @property
    def predicted(self) -> str:
        """The most probable class."""
        return self.classes[int(self.probabilities.argmax())]


def predict(face: Face, network: str = DEFAULT_NETWORK) -> Prediction:
    """Prediction of a network for a face.

    Args:
        face: a face, as `faces.find` returns it.
        network: name of a network.

    Returns:
        Calibrated probabilities and logits for the K classes of the network, each (K,).

    Raises:
        ValueError: unknown network.
        TypeError: `face` is not a `Face`.
        CheckpointError: the checkpoint is damaged, or its weights give no numbers.
    """
    net = open_network(network)
    return predict_input(net, net.prepare(face))


def predict_input(net: Network, x: Tensor) -> Prediction:
    """Prediction of a loaded network for its input (B, C, S, S); the first image of the batch counts."""
    return _prediction(net, net.logits(x))


def _prediction(net: Network, logits: Tensor) -> Prediction:
    return Prediction(net.classes, net.calibrated(logits)[0], logits[0], net.trained)


@dataclass(frozen=True, eq=False)
class Inference:
    """What one forward pass of a network gives.

    Attributes:
        prediction: prediction for the first image of the batch.
        activations: activations of the layer for class activation maps, with the graph to the logits; None without a
            layer.
        attention: the maps of its attention modules, in the order of the forward pass.
    """

    prediction: Prediction
    activations: Activations | None
    attention: tuple[attention.AttentionMap, ...]


def infer(net: Network, x: Tensor, layer: str | None = None) -> Inference:
    """Run one forward pass, and keep what explanations read: activations of `layer` and the inputs of attention.

    Args:
        net, x: an open network and an input of its own, (B, C, S, S).
        layer: layer for class activation maps; None: none.

    Raises:
        CheckpointError: the weights give no numbers.
    """
    model, modules = net.model, net.spec.attention_layers
    with attention.recorded_inputs(model, modules) as inputs:
        activations = forward_from(model, x, layer, net.spec.reshape) if layer else None
        logits = activations.logits.detach().float() if activations else net.logits(x)
    prediction = _prediction(net, logits)
    steps = attention.steps_from(model, inputs, modules)
    return Inference(prediction, activations, attention.maps_from(model, x, steps))


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Uncertainty of a network's prediction for one face.

    Attributes:
        classes: names of the classes.
        views: its predictions for views of the face.
        dropout: its predictions with dropout on; None for a network without dropout.
    """

    classes: tuple[str, ...]
    views: uncertainty_analysis.Tta
    dropout: uncertainty_analysis.McDropout | None

    @property
    def agreeing(self) -> tuple[int, int]:
        """Number of views with the prediction of the unchanged face, which is one of them, and number of views."""
        return int(self.views.agree), len(self.views.views)

    @property
    def by_view(self) -> Tensor:
        """Probabilities for each view of the face, the first as it is, (V, K)."""
        return self.views.probabilities[:, 0]

    @property
    def by_pass(self) -> Tensor | None:
        """Probabilities of each pass with dropout, (T, K); None without dropout."""
        return self.dropout.draws[:, 0] if self.dropout else None


def uncertainty(face: Face, network: str = DEFAULT_NETWORK, samples: int = 30) -> Uncertainty:
    """Uncertainty over views of the face (test-time augmentation) and over forward passes with dropout."""
    net = open_network(network)
    x, t = net.prepare(face), net.temperature
    dropout = (
        uncertainty_analysis.mc_dropout(net.model, x, samples, temperature=t)
        if uncertainty_analysis.has_dropout(net.model)
        else None
    )
    return Uncertainty(net.classes, uncertainty_analysis.tta(net.model, x, t), dropout)


def uncertainty_count(network: str = DEFAULT_NETWORK, samples: int = 30) -> int:
    """Number of forward passes of `uncertainty`."""
    model = open_network(network).model
    return len(uncertainty_analysis.VIEWS) + samples * uncertainty_analysis.has_dropout(model)
