"""The computations of the page Lessons: live from a network and a face, or from stored predictions.

One function a lesson; each result carries the symbols of the lesson's equation with the shape and range that they have
here and now.
"""

from ..networks import is_trained
from .attentive import (
    Channels,
    Gate,
    Places,
    channels,
    gate,
    has_svd,
    places,
    weighs_channels_and_places,
)
from .common import Symbol, network_for, own_or_first
from .frequency import SlowWaves, slow_waves
from .judgements import Calibration, Imbalance, Leakage, calibration, imbalance, leakage, with_predictions
from .layers import Convolution, Separable, convolution, has_full_convolutions, separable, trained_with_maps
from .positions import SelfAttention, self_attention
