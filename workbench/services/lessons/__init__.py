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
    network_with_cbam,
    spatial_attention,
)
from .common import Symbol, network_for, own_or_first
from .frequency import LowFrequencies, low_frequencies
from .input_dependence import (
    InputDependence,
    constant_gates,
    has_gate_statistics,
    network_with_constant_gates,
)
from .judgements import Calibration, Imbalance, Leakage, calibration, imbalance, leakage, with_predictions
from .layers import Convolution, Separable, convolution, has_full_convolutions, separable, trained_with_maps
from .out_of_distribution import OutOfDistribution, auroc, ood_confidence
from .positions import SelfAttention, has_self_attention, network_with_self_attention, self_attention
from .transfer import VARIANTS, Transfer, Variant, best_without_imagenet, plan, transfer_learning
