"""All charts and images of the pages, with shared colors, text sizes and number formats."""

from workbench.analysis.colors import EMOTION_COLORS, class_colors
from workbench.markup import percent

from .attention import channel_weights, logit_pairs, small_maps, weights_over_face, winning_angles
from .compare import change_table, correlation_table, hundredths, predictions_side_by_side
from .dataset import intensities, panels
from .frequency import amplitudes, contrast
from .images import face, face_with_map, gridded, many_maps, signed, strength
from .lessons import ANSWER, PREDICTED, bars, before_and_after, few_ticks, marked, numbered, with_axes
from .metrics import (
    confusion,
    network_colors,
    recall_bars,
    recall_spread,
    reliability,
    risk_coverage,
    show_to_click,
    with_interval,
)
from .numbers import interval, memory
from .papers import VERDICT_COLORS, claimed_and_ours, verdicts
from .plots import curves, probabilities, singular_values, spectra
from .robustness import accuracies, face_with_signed, faces_row, predictions_grid
from .style import is_phone, show
from .test_set import scatter_by_class, scatter_by_value, show_to_select
from .training import LEARNING_COLORS, learning
from .uncertainty import against_random, shares, spread
from .video import over_time
