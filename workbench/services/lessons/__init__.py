"""The computations of the page Lessons: live from a network and a face, or from stored predictions.

One function for each lesson; its result includes the symbols of the lesson's equation with their current shapes and
ranges.
"""

from ..networks import is_trained
from .attentive import (
    ChannelAttention,
    Gate,
    SpatialAttention,
    channel_attention,
    gate,
    has_bam_or_cbam,
    has_svd,
    spatial_attention,
)
from .common import Symbol, network_for, own_or_first
from .frequency import LowFrequencies, low_frequencies
from .judgements import Calibration, Imbalance, Leakage, calibration, imbalance, leakage, with_predictions
from .layers import Convolution, Separable, convolution, has_full_convolutions, separable, trained_with_maps
from .positions import SelfAttention, self_attention
