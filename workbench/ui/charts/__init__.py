"""Every chart and every picture on a page, in one visual language: colours, text size, words for numbers."""

from workbench.markup import percent

from .attention import channel_weights, logit_pairs, small_maps, weighed, winning_angles
from .compare import answers_side_by_side, change_table, correlation_table, hundredths
from .dataset import intensities, panels
from .frequency import amplitudes, contrast
from .images import face, face_with_map, gridded, many_maps, signed, strength
from .lessons import ANSWER, PREDICTED, bars, before_and_after, few_ticks, marked, numbered
from .metrics import (
    confusion,
    errors_by_coverage,
    network_colours,
    recall_bars,
    recall_spread,
    reliability,
    show_to_click,
    with_interval,
)
from .numbers import interval, memory
from .papers import VERDICT_COLOURS, claimed_and_ours, verdicts
from .plots import curves, probabilities, singular_values, spectra
from .robustness import accuracies, answers_grid, face_with_signed, faces_row
from .style import EMOTION_COLOURS, class_colours, show
from .training import LEARNING_COLOURS, learning
from .uncertainty import beside_random, shares, spread
